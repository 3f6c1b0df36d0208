/* SPDX-License-Identifier: MIT */
/*
 * The creation of objects, sealed ones among them.
 *
 *   operation   durable before the COMMIT       COMMIT
 *   create      the entry, except its commit    commit word PROVISIONAL or LIVE: the object exists
 *               word; the chunk (table.c)
 *
 * Creation takes STORE_LOCK_TABLE itself, twice: begin_create takes a row, end_create commits it.
 * Between the two the row belongs to the caller alone.
 *
 * A DRAFT is a row whose commit word is FREE, and which its creator fills with pages. No durable
 * word leads to it, so a power failure leaves nothing of it, and its frames are free. A sealed
 * object and the object of its hash tree are drafts until store_seal makes objects of both:
 *
 *   step                                          durable before it   after a crash in this step
 *   1 store both entries: the tree is tied to     their pages         both rows are free
 *     the sealed object, which names it; both
 *     start at the revocation floor
 *   2 COMMIT: commit word of the sealed object    both entries        it is provisional without a
 *     PROVISIONAL                                                     witness: recovery frees it
 *   3 COMMIT: commit word of the tree LIVE        step 2              recovery frees the sealed
 *                                                                     object, and the tree with it
 *   4 COMMIT: commit word of the sealed object    step 3              both exist, complete
 *     LIVE
 *
 * The commit word is the only word of a free entry that has a meaning.
 */
#include <store/inside.h>
#include <verify/tree.h>

/* --- checks -------------------------------------------------------------------------------- */

objid_t store_obj_id(const struct store_create *create)
{
    if (create->seal)
        return tree_objid(create->nonce, create->perms, create->kuid, create->seal);
    return hash_objid(create->nonce, create->perms, create->kuid);
}

/* The witness word must exist and must not have the value yet. */
static int check_witness(const struct store *store, const struct store_create *create,
                         uint64_t value)
{
    struct cursor witness;
    uint64_t now;
    int err;

    if (!index_find(store, create->witness, &witness))
        return -TWZ_ENOOBJ;
    if (create->witness_off < TWZ_OBJ_BASE || create->witness_off >= TWZ_OBJ_RECORD ||
        create->witness_off % sizeof(uint64_t) || !value)
        return -TWZ_EINVAL;
    err = cursor_usable(&witness);
    if (err < 0)
        return err;
    err = walk_value(&witness, create->witness_off, &now);
    if (err < 0)
        return err;
    return now == value ? -TWZ_EEXIST : 0;
}

/* This version knows all that the object is to be. */
static bool is_known(const struct store_create *create)
{
    return create->class_ < STORE_CLASSES && create->kind < TWZ_KINDS &&
           create->persist <= TWZ_PERSIST_PERIODIC && !(create->perms & ~TWZ_PERMS);
}

static int check_create(const struct store *store, const struct store_create *create, objid_t id,
                        uint64_t value, struct cursor *parent)
{
    bool named = !objid_is_none(create->witness);
    int err = env_writable(store);
    struct cursor existing;

    if (err < 0)
        return err;
    if (!is_known(create) || objid_is_none(id) || create->seal || (create->unnamed && named))
        return -TWZ_EINVAL;
    if (create->revoke_epoch > STORE_MONO_MAX)
        return -TWZ_ERANGE;
    if (index_find(store, id, &existing))
        return -TWZ_EEXIST;
    if (!objid_is_none(create->tie_parent)) {
        err = object_find_parent(store, create->tie_parent, parent);
        if (err < 0)
            return err;
    }
    return named ? check_witness(store, create, value) : 0;
}

/* Make sure that there is a free row and memory for its place in the index. */
static int reserve_row(struct store *store)
{
    int err = index_reserve(store);

    if (err < 0 || store->free_rows.count)
        return err;
    if (store->chunks >= store->super.dir_words)
        return -TWZ_EFULL;
    err = table_reserve(store, store->chunks);
    if (err < 0)
        return err;
    if (!frames_promise(store, 1))
        return -TWZ_ENOSPC;
    table_grow(store);
    return 0;
}

/* No object starts below the highest epoch that any object was given: capabilities for an ID that
 * was deleted and made again stay void. */
static uint64_t first_epoch(const struct store *store, uint64_t epoch)
{
    uint64_t floor = store_mono_get(store, STORE_MONO_REVOKE);

    return epoch > floor ? epoch : floor;
}

/* An entry without pages, its first version current. All but the commit word. */
static void fill_entry(struct store_entry *entry, const struct store_create *create,
                       const struct cursor *cursor, objid_t id, uint64_t value)
{
    struct store_version *version = &entry->version[0];
    uint16_t salt = cursor->salt;
    uint32_t top = TWZ_PAGE_META & ~(STORE_NODE_WORDS - 1);
    uint64_t low_absent = word_absent(salt, STORE_LOC_PAGE, 0);
    uint64_t top_absent = word_absent(salt, STORE_LOC_PAGE, top);

    memset(entry, 0, sizeof(*entry));
    entry->id = id;
    if (create->seal) {
        memcpy(entry->identity.seal, create->seal, sizeof(entry->identity.seal));
        version->flags = STORE_OBJ_SEALED;
    }
    entry->tree = word_absent(salt, STORE_LOC_TREE, 0);
    entry->revoke =
        word_seal(first_epoch(cursor->store, create->revoke_epoch), salt, STORE_LOC_REVOKE, 0);
    for (uint32_t i = 0; i < STORE_DIRECT; i++) {
        uint32_t page = page_of_direct(i);

        entry->direct[i] = word_absent_at(page < STORE_NODE_WORDS ? low_absent : top_absent,
                                          cursor->store->low, page % STORE_NODE_WORDS);
    }
    entry->identity.nonce[0] = create->nonce[0];
    entry->identity.nonce[1] = create->nonce[1];
    entry->identity.kuid = create->kuid;
    entry->identity.perms = create->perms;
    entry->identity.kind = create->kind;
    version->persist = create->persist;
    version->perms_mask = TWZ_PERMS;
    version->class_ = create->class_;
    version->hash_tree = create->hash_tree;
    version->account = create->account;
    version->tie_parent = create->tie_parent;
    version->witness = create->witness;
    version->witness_off = create->witness_off;
    version->witness_value = value;
}

/* Store the entry, all but the commit word. */
static void write_entry(const struct cursor *cursor, const struct store_entry *from)
{
    struct store_entry *entry = cursor->entry;

    persist_copy(&entry->id, &from->id, sizeof(from->id));
    persist_copy(&entry->tree, &from->tree, sizeof(*from) - offsetof(struct store_entry, tree));
    persist_flush(entry, sizeof(*entry));
    persist_fence(); /* the entry, before its commit word makes it an object */
}

/* Take a free row. reserve_row must have succeeded in the same critical section. */
static void take_row(struct store *store, objid_t id, uint8_t flags, struct cursor *cursor)
{
    uint16_t salt = word_salt_object(store->salt, id);

    cursor_set(cursor, store, bits_first(&store->free_rows));
    bits_drop(&store->free_rows, cursor->number);
    cursor->salt = salt;
    *cursor->row = (struct row){ .salt = salt, .state = STORE_FREE, .flags = flags };
}

/* Take a row and enter it into the index. Until end_create the row is FREE: a look-up finds no
 * object, and another creation finds the ID. */
static int begin_create(struct store *store, const struct store_create *create, objid_t id,
                        uint64_t value, struct cursor *cursor)
{
    struct cursor parent;
    int err;

    env_lock(store, STORE_LOCK_TABLE);
    err = check_create(store, create, id, value, &parent);
    if (err == 0)
        err = reserve_row(store);
    if (err == 0) {
        take_row(store, id, ROW_VERIFIED, cursor);
        persist_copy(&cursor->entry->id, &id, sizeof(id)); /* the index compares it */
        index_add(store, cursor);
    }
    env_unlock(store, STORE_LOCK_TABLE);
    return err;
}

/* Make the row an object, unless its parent was deleted after begin_create. */
static int end_create(struct store *store, const struct store_create *create, uint64_t commit,
                      const struct cursor *cursor)
{
    bool tied = !objid_is_none(create->tie_parent);
    struct cursor parent;
    int err = 0;

    env_lock(store, STORE_LOCK_TABLE);
    if (tied)
        err = object_find_parent(store, create->tie_parent, &parent);
    if (err < 0) {
        index_remove(store, cursor);
        *cursor->row = (struct row){ .state = STORE_FREE };
        bits_add(&store->free_rows, cursor->number);
    } else {
        persist_commit64(&cursor->entry->commit, commit); /* COMMIT: the object exists */
        cursor->row->state = (uint8_t)STORE_COMMIT_STATE(commit);
        if (tied)
            tie_link(cursor, &parent);
        store->objects++;
    }
    env_unlock(store, STORE_LOCK_TABLE);
    return err;
}

int store_obj_create_as(struct store *store, const struct store_create *create, objid_t id,
                        uint32_t *row)
{
    uint64_t value = create->witness_value ? create->witness_value : id.lo;
    bool named = !objid_is_none(create->witness);
    uint32_t state = named || create->unnamed ? STORE_PROVISIONAL : STORE_LIVE;
    struct store_entry entry;
    struct cursor cursor;
    uint32_t crc;
    int err = begin_create(store, create, id, value, &cursor);

    if (err < 0)
        return err;
    fill_entry(&entry, create, &cursor, id, named ? value : 0);
    write_entry(&cursor, &entry);
    crc = entry_crc(id, &entry.identity, &entry.version[0]);
    *row = cursor.number;
    return end_create(store, create, word_commit(state, 0, crc, store->salt, cursor.number),
                      &cursor);
}

int store_obj_create(struct store *store, const struct store_create *create, uint32_t *row,
                     objid_t *id)
{
    *id = store_obj_id(create);
    return store_obj_create_as(store, create, *id, row);
}

/* --- drafts -------------------------------------------------------------------------------- */

static int check_draft(const struct store *store, const struct store_create *create, objid_t id)
{
    int err = env_writable(store);

    if (err < 0)
        return err;
    if (!is_known(create) || objid_is_none(id) || !objid_is_none(create->witness) ||
        !objid_is_none(create->tie_parent))
        return -TWZ_EINVAL;
    if (create->seal && (create->kind != TWZ_KIND_DATA || (create->perms & TWZ_WRITE) != 0))
        return -TWZ_EINVAL;
    return 0;
}

int store_draft(struct store *store, const struct store_create *create, objid_t id, uint32_t *row)
{
    struct store_entry entry;
    struct cursor cursor;
    int err;

    env_lock(store, STORE_LOCK_TABLE);
    err = check_draft(store, create, id);
    if (err == 0)
        err = reserve_row(store);
    if (err == 0)
        take_row(store, id, ROW_VERIFIED | ROW_DRAFT, &cursor);
    env_unlock(store, STORE_LOCK_TABLE);
    if (err < 0)
        return err;
    fill_entry(&entry, create, &cursor, id, 0);
    write_entry(&cursor, &entry);
    *row = cursor.number;
    return 0;
}

/* Enter a draft into the index. -TWZ_EEXIST if its ID exists; -TWZ_ENOMEM. */
static int index_draft(struct store *store, const struct cursor *cursor)
{
    struct cursor existing;
    int err = index_reserve(store);

    if (err == 0 && index_find(store, cursor->entry->id, &existing))
        err = -TWZ_EEXIST;
    if (err == 0)
        index_add(store, cursor);
    return err;
}

/* Step 1 for one draft. */
static void complete_entry(const struct cursor *cursor, objid_t parent, objid_t tree)
{
    struct store_entry *entry = cursor->entry;
    uint64_t epoch = first_epoch(cursor->store, STORE_WORD_BODY(entry->revoke));

    persist_store64(&entry->revoke, word_seal(epoch, cursor->salt, STORE_LOC_REVOKE, 0));
    persist_copy(&entry->version[0].tie_parent, &parent, sizeof(parent));
    persist_copy(&entry->version[0].hash_tree, &tree, sizeof(tree));
    persist_flush(entry, sizeof(*entry));
}

static void commit_draft(const struct cursor *cursor, uint32_t state)
{
    struct store_entry *entry = cursor->entry;
    uint32_t crc = entry_crc(entry->id, &entry->identity, &entry->version[0]);

    persist_commit64(&entry->commit, /* COMMIT: the draft is an object */
                     word_commit(state, 0, crc, cursor->store->salt, cursor->number));
    cursor->row->state = (uint8_t)state;
    cursor->row->flags &= (uint8_t)~ROW_DRAFT;
}

static void commit_seal(struct store *store, const struct cursor *sealed, const struct cursor *tree)
{
    complete_entry(sealed, TWZ_OBJID_NONE, tree->entry->id);
    complete_entry(tree, sealed->entry->id, TWZ_OBJID_NONE);
    persist_fence(); /* both entries, before a commit word makes one an object */
    commit_draft(sealed, STORE_PROVISIONAL);
    commit_draft(tree, STORE_LIVE);
    tie_link(tree, sealed);
    object_commit_state(sealed, STORE_LIVE);
    store->objects += 2;
}

int store_seal(struct store *store, uint32_t row, uint32_t tree_row)
{
    struct cursor sealed, tree;
    int err;

    env_lock(store, STORE_LOCK_TABLE);
    err = env_writable(store);
    cursor_set(&sealed, store, row);
    cursor_set(&tree, store, tree_row);
    if (err == 0)
        err = index_draft(store, &sealed);
    if (err == 0) {
        err = index_draft(store, &tree);
        if (err == 0)
            commit_seal(store, &sealed, &tree);
        else
            index_remove(store, &sealed);
    }
    env_unlock(store, STORE_LOCK_TABLE);
    return err;
}
