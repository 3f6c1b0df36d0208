/* SPDX-License-Identifier: MIT */
/*
 * Objects: looking up, creating, changing; their end is in release.c.
 *
 *   create     entry (all lines but the commit word), flush, fence.
 *              COMMIT: commit word provisional or live: the object exists
 *   change     the version area not in use is written, flushed, fenced.
 *              COMMIT: commit word with the next sequence number: that version holds
 *   permanent  COMMIT: commit word live
 *
 * A row's commit word is the only word of a free entry that counts.
 */
#include <lib/crc32c.h>
#include <store/inside.h>
#include <verify/hash.h>

/* --- looking up ---------------------------------------------------------------------------- */

static int verify(struct store *store, uint32_t row)
{
    const struct store_entry *entry = entry_of(store, row);
    struct row *state = row_of(store, row);
    objid_t derived;

    if (state->flags & (ROW_VERIFIED | ROW_DAMAGED))
        return state->flags & ROW_DAMAGED ? -TWZ_EDAMAGED : 0;
    derived = hash_objid(entry->identity.nonce, entry->identity.perms, entry->identity.kuid);
    if (objid_equal(derived, entry->id)) {
        state->flags |= ROW_VERIFIED;
        return 0;
    }
    state->flags |= ROW_DAMAGED;
    table_report(store, row, &entry->id, entry->id.lo, derived.lo,
                 "ID does not follow from its record");
    return -TWZ_EDAMAGED;
}

int store_lookup(struct store *store, objid_t id, uint32_t *row)
{
    uint32_t found = objid_is_none(id) ? STORE_NO_ROW : index_find(store, id);
    int err;

    if (found == STORE_NO_ROW)
        return -TWZ_ENOOBJ;
    *row = found;
    err = verify(store, found);
    return err < 0 ? err : row_usable(store, found);
}

int store_obj_next(const struct store *store, uint32_t *row)
{
    for (; *row < store->chunks * STORE_CHUNK_ENTRIES; ++*row)
        if (row_of(store, *row)->state != STORE_FREE)
            return 0;
    return -TWZ_ENOOBJ;
}

objid_t store_obj_id_of(const struct store *store, uint32_t row)
{
    if (row >= store->chunks * STORE_CHUNK_ENTRIES || row_of(store, row)->state == STORE_FREE)
        return TWZ_OBJID_NONE;
    return entry_of(store, row)->id;
}

static int count_page(void *ctx, const struct walk_word *word)
{
    uint64_t *pages = ctx;

    if (word->valid && word->place == STORE_LOC_PAGE && STORE_WORD_FRAME(word->word))
        ++*pages;
    return 1;
}

int store_obj_has_tied(const struct store *store, uint32_t row)
{
    int err = row_usable(store, row);

    return err < 0 ? err : row_of(store, row)->tie_first != 0;
}

int store_obj_info(const struct store *store, uint32_t row, struct store_stat *stat)
{
    int err = row_usable(store, row);
    const struct store_entry *entry;
    const struct store_version *version;

    if (err < 0 && err != -TWZ_EDELETED && err != -TWZ_EDAMAGED)
        return err;
    entry = entry_of(store, row);
    version = version_of(entry);
    *stat = (struct store_stat){ .id = entry->id,
                                 .nonce = { entry->identity.nonce[0], entry->identity.nonce[1] },
                                 .kuid = entry->identity.kuid,
                                 .account = version->account,
                                 .tie_parent = version->tie_parent,
                                 .witness = version->witness,
                                 .witness_off = version->witness_off,
                                 .witness_value = version->witness_value,
                                 .revoke_epoch = STORE_WORD_BODY(entry->revoke),
                                 .born_epoch = entry->identity.born_epoch,
                                 .dead_epoch = version->dead_epoch,
                                 .state = row_of(store, row)->state,
                                 .damaged = err == -TWZ_EDAMAGED,
                                 .perms = entry->identity.perms & version->perms_mask,
                                 .perms_id = entry->identity.perms,
                                 .kind = entry->identity.kind,
                                 .persist = version->persist,
                                 .flags = version->flags,
                                 .class_ = entry->identity.class_ };
    return 0;
}

int store_obj_stat(const struct store *store, uint32_t row, struct store_stat *stat)
{
    int err = store_obj_info(store, row, stat);

    return err < 0 ? err : walk_object(store, row, count_page, &stat->pages);
}

/* --- committing ---------------------------------------------------------------------------- */

void object_commit_state(struct store *store, uint32_t row, uint32_t state)
{
    struct store_entry *entry = entry_of(store, row);
    uint32_t sequence = STORE_COMMIT_SEQ(entry->commit);
    uint32_t crc = STORE_COMMIT_CRC(entry->commit);

    if (!word_valid(entry->commit, store->salt, STORE_LOC_COMMIT, row) || state == STORE_FREE)
        sequence = crc = 0;
    persist_commit64(&entry->commit, /* COMMIT: the object's state */
                     word_commit(state, sequence, crc, store->salt, row));
    row_of(store, row)->state = (uint8_t)state;
}

/* Let `version` hold. */
static void commit_version(struct store *store, uint32_t row, const struct store_version *version)
{
    struct store_entry *entry = entry_of(store, row);
    uint32_t state = STORE_COMMIT_STATE(entry->commit);
    uint32_t next = (STORE_COMMIT_SEQ(entry->commit) + 1) & 0xfffu;
    struct store_version *area = &entry->version[next & 1u];
    uint32_t crc = entry_crc(entry->id, &entry->identity, version);

    persist_copy(area, version, sizeof(*version));
    persist_flush(area, sizeof(*area));
    persist_fence();                 /* the new version, before the commit word names it */
    persist_commit64(&entry->commit, /* COMMIT: the new version holds */
                     word_commit(state, next, crc, store->salt, row));
}

/* --- create -------------------------------------------------------------------------------- */

objid_t store_obj_id(const struct store_create *create)
{
    return hash_objid(create->nonce, create->perms, create->kuid);
}

static int witness_ready(const struct store *store, const struct store_create *create,
                         uint64_t value)
{
    uint32_t row = index_find(store, create->witness);
    uint64_t now;
    int err;

    if (row == STORE_NO_ROW)
        return -TWZ_ENOOBJ;
    if (create->witness_off < TWZ_OBJ_BASE || create->witness_off >= TWZ_OBJ_RECORD ||
        create->witness_off % sizeof(uint64_t) || !value)
        return -TWZ_EINVAL;
    err = row_usable(store, row);
    if (err < 0)
        return err;
    err = walk_value(store, row, create->witness_off, &now);
    if (err < 0)
        return err;
    return now == value ? -TWZ_EEXIST : 0;
}

static int create_check(struct store *store, const struct store_create *create, objid_t id,
                        uint64_t value, uint32_t *parent)
{
    int err = env_writable(store);

    if (err < 0)
        return err;
    if (create->perms & ~TWZ_PERMS || objid_is_none(id))
        return -TWZ_EINVAL;
    if (index_find(store, id) != STORE_NO_ROW)
        return -TWZ_EEXIST;
    *parent = STORE_NO_ROW;
    if (!objid_is_none(create->tie_parent)) {
        *parent = index_find(store, create->tie_parent);
        if (*parent == STORE_NO_ROW)
            return -TWZ_ENOOBJ;
        err = row_usable(store, *parent);
        if (err < 0)
            return err;
    }
    return objid_is_none(create->witness) ? 0 : witness_ready(store, create, value);
}

/* A free row, growing the table where there is none. */
static int row_ready(struct store *store)
{
    int err = index_reserve(store);

    if (err < 0 || store->free_rows.count)
        return err;
    if (store->chunks >= store->super.dir_words)
        return -TWZ_EFULL;
    if (!frames_free(store))
        return -TWZ_ENOSPC;
    err = table_reserve(store, store->chunks);
    if (err < 0)
        return err;
    table_grow(store);
    return 0;
}

static void entry_fill(struct store_entry *entry, const struct store_create *create, objid_t id,
                       uint64_t value, uint16_t salt)
{
    uint64_t absent = word_body(STORE_ABSENT, 0, 0);
    struct store_version *version = &entry->version[0];

    memset(entry, 0, sizeof(*entry));
    entry->id = id;
    entry->tree = word_seal(absent, salt, STORE_LOC_TREE, 0);
    entry->revoke = word_seal(0, salt, STORE_LOC_REVOKE, 0);
    for (uint32_t i = 0; i < STORE_DIRECT; i++)
        entry->direct[i] = word_seal(absent, salt, STORE_LOC_PAGE, direct_page(i));
    entry->identity.nonce[0] = create->nonce[0];
    entry->identity.nonce[1] = create->nonce[1];
    entry->identity.kuid = create->kuid;
    entry->identity.perms = create->perms;
    entry->identity.kind = create->kind;
    version->persist = create->persist;
    version->perms_mask = TWZ_PERMS;
    version->account = create->account;
    version->tie_parent = create->tie_parent;
    version->witness = create->witness;
    version->witness_off = create->witness_off;
    version->witness_value = value;
}

static void entry_store(struct store *store, uint32_t row, const struct store_entry *from,
                        uint32_t state)
{
    struct store_entry *entry = entry_of(store, row);
    uint32_t crc = entry_crc(from->id, &from->identity, &from->version[0]);

    persist_copy(&entry->id, &from->id, sizeof(from->id));
    persist_copy(&entry->tree, &from->tree, sizeof(*from) - offsetof(struct store_entry, tree));
    persist_flush(entry, sizeof(*entry));
    persist_fence();                 /* the entry, before its commit word makes it an object */
    persist_commit64(&entry->commit, /* COMMIT: the object exists */
                     word_commit(state, 0, crc, store->salt, row));
}

int store_obj_create(struct store *store, const struct store_create *create, uint32_t *row,
                     objid_t *id)
{
    objid_t new_id = store_obj_id(create);
    uint64_t value = create->witness_value ? create->witness_value : new_id.lo;
    uint32_t state = objid_is_none(create->witness) ? STORE_LIVE : STORE_PROVISIONAL;
    struct store_entry entry;
    uint32_t parent, taken;
    uint16_t salt;
    int err = create_check(store, create, new_id, value, &parent);

    if (err < 0)
        return err;
    err = row_ready(store);
    if (err < 0)
        return err;
    taken = bits_first(&store->free_rows);
    bits_drop(&store->free_rows, taken);
    salt = word_salt_object(store->salt, new_id);
    entry_fill(&entry, create, new_id, objid_is_none(create->witness) ? 0 : value, salt);
    entry_store(store, taken, &entry, state);
    *row_of(store, taken) =
        (struct row){ .salt = salt, .state = (uint8_t)state, .flags = ROW_VERIFIED };
    index_add(store, taken);
    if (parent != STORE_NO_ROW)
        tie_link(store, taken, parent);
    store->objects++;
    *row = taken;
    *id = new_id;
    return 0;
}

/* --- change -------------------------------------------------------------------------------- */

int object_changeable(const struct store *store, uint32_t row)
{
    int err = env_writable(store);

    return err < 0 ? err : row_usable(store, row);
}

int store_obj_permanent(struct store *store, uint32_t row)
{
    int err = object_changeable(store, row);

    if (err < 0 || row_of(store, row)->state == STORE_LIVE)
        return err;
    object_commit_state(store, row, STORE_LIVE);
    return 0;
}

int store_obj_update(struct store *store, uint32_t row, const struct store_update *update)
{
    int err = object_changeable(store, row);
    struct store_version version;
    uint32_t perms;

    if (err < 0)
        return err;
    version = *version_of(entry_of(store, row));
    perms = entry_of(store, row)->identity.perms & version.perms_mask;
    if (update->which & STORE_UPDATE_PERMS) {
        if (update->perms & ~perms)
            return -TWZ_EDENIED;
        version.perms_mask = update->perms;
    }
    if (update->which & STORE_UPDATE_PERSIST)
        version.persist = update->persist;
    if (update->which & STORE_UPDATE_ACCOUNT)
        version.account = update->account;
    commit_version(store, row, &version);
    return 0;
}

int store_obj_revoke(struct store *store, uint32_t row, uint64_t epoch)
{
    int err = object_changeable(store, row);
    struct store_entry *entry;

    if (err < 0)
        return err;
    if (epoch > STORE_MONO_MAX)
        return -TWZ_ERANGE;
    entry = entry_of(store, row);
    if (epoch <= STORE_WORD_BODY(entry->revoke))
        return 0;
    persist_commit64(&entry->revoke, /* COMMIT: capabilities of lower epochs are void */
                     word_seal(epoch, row_of(store, row)->salt, STORE_LOC_REVOKE, 0));
    return 0;
}

/* --- ties ---------------------------------------------------------------------------------- */

uint32_t object_parent(const struct store *store, uint32_t row)
{
    objid_t parent = version_of(entry_of(store, row))->tie_parent;

    return objid_is_none(parent) ? STORE_NO_ROW : index_find(store, parent);
}

/* Is `row` the object `at`, or one that it is tied to? A circle, forged on the media, is a yes. */
static int is_above(const struct store *store, uint32_t row, uint32_t at)
{
    for (uint64_t steps = store->objects; steps && at != STORE_NO_ROW; steps--) {
        if (at == row)
            return 1;
        at = object_parent(store, at);
    }
    return at != STORE_NO_ROW;
}

int store_obj_tie(struct store *store, uint32_t row, objid_t parent)
{
    int err = object_changeable(store, row);
    uint32_t above = STORE_NO_ROW, old;
    struct store_version version;

    if (err < 0)
        return err;
    if (!objid_is_none(parent)) {
        above = index_find(store, parent);
        if (above == STORE_NO_ROW)
            return -TWZ_ENOOBJ;
        err = row_usable(store, above);
        if (err < 0)
            return err;
        if (is_above(store, row, above))
            return -TWZ_EINVAL;
    }
    old = object_parent(store, row);
    version = *version_of(entry_of(store, row));
    version.tie_parent = parent;
    commit_version(store, row, &version);
    if (old != STORE_NO_ROW)
        tie_unlink(store, row, old);
    if (above != STORE_NO_ROW)
        tie_link(store, row, above);
    return 0;
}
