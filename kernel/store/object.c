/* SPDX-License-Identifier: MIT */
/*
 * Objects: look-up and changes of the entry. Their creation is in create.c, their deletion in
 * release.c.
 *
 *   operation    durable before the COMMIT        COMMIT
 *   update, tie  the version not in use           commit word with sequence + 1: that version is
 *                                                 current
 *   permanent    -                                commit word LIVE
 *   revoke       the revocation floor, at least   revocation word
 *                as high (super.c)
 *
 * After a crash each of them has happened completely, or not at all.
 */
#include <lib/crc32c.h>
#include <store/inside.h>
#include <verify/tree.h>

/* --- look-up ------------------------------------------------------------------------------- */

objid_t object_derived_id(const struct store_entry *entry)
{
    const struct store_identity *identity = &entry->identity;

    if ((entry_version(entry)->flags & STORE_OBJ_SEALED) == 0)
        return hash_objid(identity->nonce, identity->perms, identity->kuid);
    if (identity->kind != TWZ_KIND_DATA || (identity->perms & TWZ_WRITE) != 0)
        return TWZ_OBJID_NONE;
    return tree_objid(identity->nonce, identity->perms, identity->kuid, identity->seal);
}

/* Compare the ID with the one derived from the identity, once for each object. */
static int verify_id(const struct cursor *cursor)
{
    const struct store_entry *entry = cursor->entry;
    struct row *row = cursor->row;
    objid_t derived;

    if (row->flags & (ROW_VERIFIED | ROW_DAMAGED))
        return row->flags & ROW_DAMAGED ? -TWZ_EDAMAGED : 0;
    derived = object_derived_id(entry);
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
                                 .frames = cursor.row->pages + cursor.row->nodes,
                                 .state = cursor.row->state,
                                 .damaged = err == -TWZ_EDAMAGED,
                                 .later = (cursor.row->flags & ROW_LATER) != 0,
                                 .perms = entry->identity.perms & version->perms_mask,
                                 .perms_id = entry->identity.perms,
                                 .kind = entry->identity.kind,
                                 .persist = version->persist,
                                 .flags = version->flags,
                                 .class_ = version->class_ };
    memcpy(stat->seal, entry->identity.seal, sizeof(stat->seal));
    return 0;
}

uint64_t store_obj_frames(const struct store *store, uint32_t row)
{
    const struct row *r = table_row(store, row);

    return r->pages + r->nodes;
}

bool store_has_charged(const struct store *store)
{
    return store->charged;
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
    if ((version.flags & STORE_OBJ_SEALED) != 0 && (update->which & STORE_UPDATE_TREE) != 0)
        return -TWZ_EINVAL; /* it has one tree for life */
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
    err = store_mono_raise(store, STORE_MONO_REVOKE, epoch);
    if (err < 0)
        return err;
    persist_commit64(&cursor.entry->revoke, /* COMMIT: capabilities of lower epochs are void */
                     word_seal(epoch, cursor.salt, STORE_LOC_REVOKE, 0));
    return 0;
}

/* --- ties ---------------------------------------------------------------------------------- */

int object_find_parent(const struct store *store, objid_t id, struct cursor *parent)
{
    return index_find(store, id, parent) ? cursor_usable(parent) : -TWZ_ENOOBJ;
}

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
        err = object_find_parent(store, parent, &above);
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
