/* SPDX-License-Identifier: MIT */
/*
 * Objects: look-up, creation, changes of the entry. Their deletion is in release.c.
 *
 *   operation    durable before the COMMIT      COMMIT
 *   create       the entry, except its commit   commit word PROVISIONAL or LIVE: the object exists
 *                word; the chunk (table.c)
 *   update, tie  the version not in use         commit word with sequence + 1: that version is
 *                                               current
 *   permanent    -                              commit word LIVE
 *   revoke       -                              revocation word
 *
 * Creation takes STORE_LOCK_TABLE itself, twice: begin_create takes a row, end_create commits it.
 * Between the two the row belongs to the caller alone.
 *
 * After a crash each of them has happened completely, or not at all. The commit word is the only
 * word of a free entry that has a meaning.
 */
#include <lib/crc32c.h>
#include <store/inside.h>
#include <verify/hash.h>

/* --- look-up ------------------------------------------------------------------------------- */

/* Compare the ID with the one derived from the identity, once for each object. */
static int verify_id(const struct cursor *cursor)
{
    const struct store_entry *entry = cursor->entry;
    struct row *row = cursor->row;
    objid_t derived;

    if (row->flags & (ROW_VERIFIED | ROW_DAMAGED))
        return row->flags & ROW_DAMAGED ? -TWZ_EDAMAGED : 0;
    derived = hash_objid(entry->identity.nonce, entry->identity.perms, entry->identity.kuid);
    if (objid_equal(derived, entry->id)) {
        row->flags |= ROW_VERIFIED;
        return 0;
    }
    row->flags |= ROW_DAMAGED;
    cursor_report(cursor, &entry->id, entry->id.lo, derived.lo,
                  "ID does not follow from its record");
    return -TWZ_EDAMAGED;
}

int store_lookup(struct store *store, objid_t id, uint32_t *row)
{
    struct cursor cursor;
    int err;

    if (objid_is_none(id) || !index_find(store, id, &cursor))
        return -TWZ_ENOOBJ;
    *row = cursor.number;
    err = verify_id(&cursor);
    return err < 0 ? err : cursor_usable(&cursor);
}

int store_obj_next(const struct store *store, uint32_t *row)
{
    for (; *row < table_rows(store); ++*row)
        if (table_row(store, *row)->state != STORE_FREE)
            return 0;
    return -TWZ_ENOOBJ;
}

objid_t store_obj_id_of(const struct store *store, uint32_t row)
{
    struct cursor cursor;
    int err = cursor_open(&cursor, store, row);

    return err == -TWZ_EINVAL || err == -TWZ_ENOOBJ ? TWZ_OBJID_NONE : cursor.entry->id;
}

static bool count_page(void *ctx, const struct walk_word *word)
{
    uint64_t *pages = ctx;

    if (word->good && word->loc == STORE_LOC_PAGE && STORE_WORD_FRAME(word->word))
        ++*pages;
    return true;
}

int store_obj_has_tied(const struct store *store, uint32_t row)
{
    struct cursor cursor;
    int err = cursor_open(&cursor, store, row);

    return err < 0 ? err : cursor.row->tie_first != 0;
}

int store_obj_info(const struct store *store, uint32_t row, struct store_stat *stat)
{
    struct cursor cursor;
    int err = cursor_open(&cursor, store, row);
    const struct store_entry *entry;
    const struct store_version *version;

    if (err < 0 && err != -TWZ_EDELETED && err != -TWZ_EDAMAGED)
        return err;
    entry = cursor.entry;
    version = entry_version(entry);
    *stat = (struct store_stat){ .id = entry->id,
                                 .nonce = { entry->identity.nonce[0], entry->identity.nonce[1] },
                                 .kuid = entry->identity.kuid,
                                 .account = version->account,
                                 .tie_parent = version->tie_parent,
                                 .witness = version->witness,
                                 .witness_off = version->witness_off,
                                 .witness_value = version->witness_value,
                                 .hash_tree = version->hash_tree,
                                 .revoke_epoch = STORE_WORD_BODY(entry->revoke),
                                 .born_epoch = entry->identity.born_epoch,
                                 .deleted_epoch = version->deleted_epoch,
                                 .pages = cursor.row->pages,
                                 .state = cursor.row->state,
                                 .damaged = err == -TWZ_EDAMAGED,
                                 .later = (cursor.row->flags & ROW_LATER) != 0,
                                 .perms = entry->identity.perms & version->perms_mask,
                                 .perms_id = entry->identity.perms,
                                 .kind = entry->identity.kind,
                                 .persist = version->persist,
                                 .flags = version->flags,
                                 .class_ = version->class_ };
    return 0;
}

int store_obj_stat(const struct store *store, uint32_t row, struct store_stat *stat)
{
    struct cursor cursor;
    int err = store_obj_info(store, row, stat);

    if (err < 0)
        return err;
    stat->pages = 0;
    cursor_set(&cursor, store, row);
    walk_object(&cursor, count_page, &stat->pages);
    return 0;
}

/* --- committing ---------------------------------------------------------------------------- */

void object_commit_state(const struct cursor *cursor, uint32_t state)
{
    uint64_t *commit = &cursor->entry->commit;
    uint32_t sequence = STORE_COMMIT_SEQ(*commit);
    uint32_t crc = STORE_COMMIT_CRC(*commit);
    uint16_t salt = cursor->store->salt;

    if (!word_is_valid(*commit, salt, STORE_LOC_COMMIT, cursor->number) || state == STORE_FREE)
        sequence = crc = 0;
    persist_commit64(commit, /* COMMIT: the object's state */
                     word_commit(state, sequence, crc, salt, cursor->number));
    cursor->row->state = (uint8_t)state;
}

/* Make `version` the current one. */
static void commit_version(const struct cursor *cursor, const struct store_version *version)
{
    struct store_entry *entry = cursor->entry;
    uint32_t state = STORE_COMMIT_STATE(entry->commit);
    uint32_t next = (STORE_COMMIT_SEQ(entry->commit) + 1) & 0xfffu;
    struct store_version *area = &entry->version[next & 1u];
    uint32_t crc = entry_crc(entry->id, &entry->identity, version);

    persist_copy(area, version, sizeof(*version));
    persist_flush(area, sizeof(*area));
    persist_fence();                 /* the new version, before its commit word makes it current */
    persist_commit64(&entry->commit, /* COMMIT: the new version is current */
                     word_commit(state, next, crc, cursor->store->salt, cursor->number));
}

/* --- create -------------------------------------------------------------------------------- */

objid_t store_obj_id(const struct store_create *create)
{
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

/* Resolve an object that another one is to be tied to. */
static int find_parent(const struct store *store, objid_t id, struct cursor *parent)
{
    return index_find(store, id, parent) ? cursor_usable(parent) : -TWZ_ENOOBJ;
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
    if (!is_known(create) || objid_is_none(id) || (create->unnamed && named))
        return -TWZ_EINVAL;
    if (create->revoke_epoch > STORE_MONO_MAX)
        return -TWZ_ERANGE;
    if (index_find(store, id, &existing))
        return -TWZ_EEXIST;
    if (!objid_is_none(create->tie_parent)) {
        err = find_parent(store, create->tie_parent, parent);
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
    entry->tree = word_absent(salt, STORE_LOC_TREE, 0);
    entry->revoke = word_seal(create->revoke_epoch, salt, STORE_LOC_REVOKE, 0);
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

/* Take a row and enter it into the index. Until end_create the row is FREE: a look-up finds no
 * object, and another creation finds the ID. */
static int begin_create(struct store *store, const struct store_create *create, objid_t id,
                        uint64_t value, struct cursor *cursor)
{
    uint16_t salt = word_salt_object(store->salt, id);
    struct cursor parent;
    int err;

    env_lock(store, STORE_LOCK_TABLE);
    err = check_create(store, create, id, value, &parent);
    if (err == 0)
        err = reserve_row(store);
    if (err == 0) {
        cursor_set(cursor, store, bits_first(&store->free_rows));
        bits_drop(&store->free_rows, cursor->number);
        cursor->salt = salt;
        *cursor->row = (struct row){ .salt = salt, .state = STORE_FREE, .flags = ROW_VERIFIED };
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
        err = find_parent(store, create->tie_parent, &parent);
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

/* --- change -------------------------------------------------------------------------------- */

int store_obj_permanent(struct store *store, uint32_t row)
{
    struct cursor cursor;
    int err = cursor_open_writable(&cursor, store, row);

    if (err < 0 || cursor.row->state == STORE_LIVE)
        return err;
    object_commit_state(&cursor, STORE_LIVE);
    return 0;
}

int store_obj_update(struct store *store, uint32_t row, const struct store_update *update)
{
    struct cursor cursor;
    int err = cursor_open_writable(&cursor, store, row);
    struct store_version version;
    uint32_t perms;

    if (err < 0)
        return err;
    version = *entry_version(cursor.entry);
    perms = cursor.entry->identity.perms & version.perms_mask;
    if (update->which & STORE_UPDATE_PERMS) {
        if (update->perms & ~perms)
            return -TWZ_EDENIED;
        version.perms_mask = update->perms;
    }
    if (update->which & STORE_UPDATE_PERSIST)
        version.persist = update->persist;
    if (update->which & STORE_UPDATE_ACCOUNT)
        version.account = update->account;
    if (update->which & STORE_UPDATE_CLASS)
        version.class_ = update->class_;
    if (update->which & STORE_UPDATE_TREE)
        version.hash_tree = update->hash_tree;
    if (entry_unknown(&cursor.entry->identity, &version))
        return -TWZ_EINVAL;
    commit_version(&cursor, &version);
    return 0;
}

int store_obj_revoke(struct store *store, uint32_t row, uint64_t epoch)
{
    struct cursor cursor;
    int err = cursor_open_writable(&cursor, store, row);

    if (err < 0)
        return err;
    if (epoch > STORE_MONO_MAX)
        return -TWZ_ERANGE;
    if (epoch <= STORE_WORD_BODY(cursor.entry->revoke))
        return 0;
    persist_commit64(&cursor.entry->revoke, /* COMMIT: capabilities of lower epochs are void */
                     word_seal(epoch, cursor.salt, STORE_LOC_REVOKE, 0));
    return 0;
}

/* --- ties ---------------------------------------------------------------------------------- */

bool object_parent(const struct cursor *cursor, struct cursor *parent)
{
    objid_t id = entry_version(cursor->entry)->tie_parent;

    return !objid_is_none(id) && index_find(cursor->store, id, parent);
}

#define TIE_DEPTH 128u /* longest chain of parents above an object that store_obj_tie ties */

/* 0: `start` is not `row`, and is not tied to it directly or through others. -TWZ_EINVAL if it is;
 * -TWZ_EFULL if the chain of its parents is too long to tell. */
static int check_chain(const struct cursor *start, uint32_t row)
{
    struct cursor at = *start, parent;

    for (unsigned depth = 0; depth < TIE_DEPTH; depth++) {
        if (at.number == row)
            return -TWZ_EINVAL;
        if (!object_parent(&at, &parent))
            return 0;
        at = parent;
    }
    return -TWZ_EFULL;
}

int store_obj_tie(struct store *store, uint32_t row, objid_t parent)
{
    struct cursor cursor, above, old;
    int err = cursor_open_writable(&cursor, store, row);
    struct store_version version;
    bool was_tied;

    if (err < 0)
        return err;
    if (!objid_is_none(parent)) {
        err = find_parent(store, parent, &above);
        if (err < 0)
            return err;
        err = check_chain(&above, row);
        if (err < 0)
            return err;
    }
    was_tied = object_parent(&cursor, &old);
    version = *entry_version(cursor.entry);
    version.tie_parent = parent;
    commit_version(&cursor, &version);
    if (was_tied)
        tie_unlink(&cursor, &old);
    if (!objid_is_none(parent))
        tie_link(&cursor, &above);
    return 0;
}
