/* SPDX-License-Identifier: MIT */
/*
 * The last phase of recovery: what lives and what goes.
 *
 *   named    a provisional object is iff its witness word holds its value. Where the word cannot be
 *            read because its object is damaged, it counts as named: nothing is deleted on a
 *            suspicion
 *   dying    dead objects, provisional ones that are not named, objects tied to dying ones, and
 *            provisional ones whose witness word lies in a dying one. An object's witness is older
 *            than the object, so names form no circles
 *
 * The verdict is complete before the first store. COMMIT: each provisional object that is not dying
 * becomes live. COMMIT: each dying one becomes free, last found first: an object is found after the
 * one it depends on, so a power failure in between leaves the cause of what is still to go.
 */
#include <store/inside.h>

struct reclaim {
    struct store *store;
    uint32_t *queue; /* rows that go, causes before effects */
    uint32_t count;
};

static bool is_provisional(const struct cursor *cursor)
{
    return cursor->row->state == STORE_PROVISIONAL;
}

static bool is_committed(const struct cursor *cursor)
{
    const struct store_version *version = entry_version(cursor->entry);
    struct cursor holder;
    uint64_t value;

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

/* Lists of what depends on what; returns how many objects are not simply live. */
static uint32_t link_all(const struct store *store)
{
    struct cursor cursor;
    uint32_t unsettled = 0;

    for (uint32_t number = 0; store_obj_next(store, &number) == 0; number++) {
        cursor_set(&cursor, store, number);
        unsettled += cursor.row->state != STORE_LIVE;
        if (!(cursor.row->flags & ROW_DAMAGED))
            link_tie(&cursor);
        if (is_provisional(&cursor))
            link_witness(&cursor);
    }
    return unsettled;
}

static void mark(struct reclaim *reclaim, uint32_t number)
{
    struct row *row = table_row(reclaim->store, number);

    if (row->flags & ROW_MARKED)
        return;
    row->flags |= ROW_MARKED;
    reclaim->queue[reclaim->count++] = number;
}

static void mark_all(struct reclaim *reclaim)
{
    struct store *store = reclaim->store;
    struct cursor cursor;

    for (uint32_t number = 0; store_obj_next(store, &number) == 0; number++) {
        cursor_set(&cursor, store, number);
        if (cursor.row->state == STORE_DELETED ||
            (is_provisional(&cursor) && !is_committed(&cursor)))
            mark(reclaim, number);
    }
    for (uint32_t i = 0; i < reclaim->count; i++) {
        const struct row *cause = table_row(store, reclaim->queue[i]);

        for (uint32_t at = cause->tie_first; at; at = table_row(store, at - 1)->tie_next)
            mark(reclaim, at - 1);
        for (uint32_t at = cause->wit_first; at; at = table_row(store, at - 1)->wit_next)
            if (table_row(store, at - 1)->state == STORE_PROVISIONAL)
                mark(reclaim, at - 1);
    }
}

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

static void free_marked(struct reclaim *reclaim, struct store_recovery *result)
{
    struct store *store = reclaim->store;
    struct cursor cursor;

    while (reclaim->count) {
        cursor_set(&cursor, store, reclaim->queue[--reclaim->count]);
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

int reclaim_objects(struct store *store, struct store_recovery *result)
{
    struct reclaim reclaim = { .store = store };
    size_t bytes = (size_t)store->objects * sizeof(*reclaim.queue);

    if (!link_all(store))
        return 0;
    reclaim.queue = env_alloc(store, bytes);
    if (!reclaim.queue)
        return -TWZ_ENOMEM;
    mark_all(&reclaim);
    retain_provisional(store, result);
    free_marked(&reclaim, result);
    env_free(store, reclaim.queue, bytes);
    return 0;
}
