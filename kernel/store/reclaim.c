/* SPDX-License-Identifier: MIT */
/*
 * The last phase of recovery: which objects are retained, and which are reclaimed.
 *
 *   committed   a provisional object whose witness word has its value. If the word cannot be read
 *               because its object is damaged or its page is poisoned, the object counts as
 *               committed: suspicion alone must not delete an object. A provisional object without
 *               a witness is never committed, whatever is damaged.
 *   marked      an object that is deleted, or provisional and not committed. Also an object that is
 *               tied to a marked one, and a provisional one whose witness word is in a marked one.
 *               The witness of an object is older than the object, so witnesses form no circle. An
 *               object of a later version is never marked.
 *
 *   step                                    durable before it     after a crash in this step
 *   1 mark objects; the queue has each      -                     old state
 *     after the object it depends on
 *   2 COMMIT: each provisional object that  -                     some are LIVE; recovery finds the
 *     is not marked becomes LIVE                                  others committed again
 *   3 COMMIT: each marked object becomes    all that depend on    some are FREE; recovery marks the
 *     FREE, the last of the queue first     it are FREE           others again
 */
#include <store/inside.h>

/* The queue of marked objects is linked through their rows, so a recovery of any size needs no
 * memory for it. A link is the number of a row + 1; 0 ends the queue. */
struct reclaim {
    struct store *store;
    uint32_t first;
    uint32_t last;
};

static bool is_provisional(const struct cursor *cursor)
{
    return cursor->row->state == STORE_PROVISIONAL;
}

static bool is_later(const struct cursor *cursor)
{
    return (cursor->row->flags & ROW_LATER) != 0;
}

/* The version of the object is intact and names no witness. */
static bool is_unnamed(const struct cursor *cursor)
{
    const struct store_entry *entry = cursor->entry;
    const struct store_version *version = entry_version(entry);

    return objid_is_none(version->witness) &&
           entry_crc(entry->id, &entry->identity, version) == STORE_COMMIT_CRC(entry->commit);
}

/* For a provisional object. */
static bool is_committed(const struct cursor *cursor)
{
    const struct store_version *version = entry_version(cursor->entry);
    struct cursor holder;
    uint64_t value;

    if (is_unnamed(cursor))
        return false;
    if (cursor->row->flags & ROW_DAMAGED)
        return true;
    if (!index_find(cursor->store, version->witness, &holder) || holder.row->state == STORE_DELETED)
        return false;
    if (walk_value(&holder, version->witness_off, &value) < 0)
        return true;
    return value == version->witness_value || (!value && holder.row->flags & ROW_DAMAGED);
}

static void link_witness(const struct cursor *cursor)
{
    struct cursor holder;

    if (!index_find(cursor->store, entry_version(cursor->entry)->witness, &holder))
        return;
    cursor->row->wit_next = holder.row->wit_first;
    holder.row->wit_first = cursor->number + 1;
}

static void link_tie(const struct cursor *cursor)
{
    struct cursor parent;

    if (object_parent(cursor, &parent) && parent.number != cursor->number)
        tie_link(cursor, &parent);
}

/* Build the lists of dependent objects. Returns the number of objects that are not LIVE. */
static uint32_t link_objects(const struct store *store)
{
    struct cursor cursor;
    uint32_t not_live = 0;

    for (uint32_t number = 0; store_obj_next(store, &number) == 0; number++) {
        cursor_set(&cursor, store, number);
        not_live += cursor.row->state != STORE_LIVE;
        if (cursor.row->flags & ROW_DAMAGED)
            continue;
        link_tie(&cursor);
        if (is_provisional(&cursor))
            link_witness(&cursor);
    }
    return not_live;
}

static void mark_object(struct reclaim *reclaim, uint32_t number)
{
    struct row *row = table_row(reclaim->store, number);

    if (row->flags & ROW_MARKED)
        return;
    row->flags |= ROW_MARKED;
    row->marked_next = 0;
    if (reclaim->last)
        table_row(reclaim->store, reclaim->last - 1)->marked_next = number + 1;
    else
        reclaim->first = number + 1;
    reclaim->last = number + 1;
}

/* Step 1. */
static void mark_objects(struct reclaim *reclaim)
{
    struct store *store = reclaim->store;
    struct cursor cursor;

    for (uint32_t number = 0; store_obj_next(store, &number) == 0; number++) {
        cursor_set(&cursor, store, number);
        if (is_later(&cursor))
            continue;
        if (cursor.row->state == STORE_DELETED ||
            (is_provisional(&cursor) && !is_committed(&cursor)))
            mark_object(reclaim, number);
    }
    for (uint32_t in = reclaim->first; in; in = table_row(store, in - 1)->marked_next) {
        const struct row *cause = table_row(store, in - 1);

        for (uint32_t at = cause->tie_first; at; at = table_row(store, at - 1)->tie_next)
            mark_object(reclaim, at - 1);
        for (uint32_t at = cause->wit_first; at; at = table_row(store, at - 1)->wit_next)
            if (table_row(store, at - 1)->state == STORE_PROVISIONAL)
                mark_object(reclaim, at - 1);
    }
}

/* Step 2. */
static void retain_provisional(struct store *store, struct store_recovery *result)
{
    struct cursor cursor;

    for (uint32_t number = 0; store_obj_next(store, &number) == 0; number++) {
        cursor_set(&cursor, store, number);
        if (!is_provisional(&cursor) || cursor.row->flags & (ROW_MARKED | ROW_DAMAGED))
            continue;
        result->retained++;
        if (!store->readonly)
            object_commit_state(&cursor, STORE_LIVE);
    }
}

/* Reverse the queue, so that the objects that depend on another one come first. */
static void reverse_queue(struct reclaim *reclaim)
{
    uint32_t before = 0, at = reclaim->first;

    while (at) {
        struct row *row = table_row(reclaim->store, at - 1);
        uint32_t next = row->marked_next;

        row->marked_next = before;
        before = at;
        at = next;
    }
    reclaim->last = reclaim->first;
    reclaim->first = before;
}

/* Step 3. In a read-only store, only leave the objects out. */
static void free_marked(struct reclaim *reclaim, struct store_recovery *result)
{
    struct store *store = reclaim->store;
    struct cursor cursor;

    reverse_queue(reclaim);
    while (reclaim->first) {
        cursor_set(&cursor, store, reclaim->first - 1);
        reclaim->first = cursor.row->marked_next;
        cursor.row->marked_next = 0;
        if (is_provisional(&cursor))
            result->reclaimed++;
        else
            result->deleted++;
        if (store->readonly)
            cursor.row->state = STORE_DELETED;
        else
            object_free(store, &cursor);
    }
}

void reclaim_objects(struct store *store, struct store_recovery *result)
{
    struct reclaim reclaim = { .store = store };

    if (!link_objects(store))
        return;
    mark_objects(&reclaim);
    retain_provisional(store, result);
    free_marked(&reclaim, result);
}
