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

struct sweep {
    struct store *store;
    uint32_t *queue; /* rows that go, causes before effects */
    uint32_t count;
};

static int provisional(const struct store *store, uint32_t row)
{
    return row_of(store, row)->state == STORE_PROVISIONAL;
}

static int named(const struct store *store, uint32_t row)
{
    const struct store_version *version = version_of(entry_of(store, row));
    uint32_t holder = index_find(store, version->witness);
    uint64_t value;

    if (row_of(store, row)->flags & ROW_DAMAGED)
        return 1;
    if (holder == STORE_NO_ROW || row_of(store, holder)->state == STORE_DEAD)
        return 0;
    if (walk_value(store, holder, version->witness_off, &value) < 0)
        return 1;
    return value == version->witness_value ||
           (!value && row_of(store, holder)->flags & ROW_DAMAGED);
}

static void link_witness(struct store *store, uint32_t row)
{
    uint32_t holder = index_find(store, version_of(entry_of(store, row))->witness);
    struct row *first;

    if (holder == STORE_NO_ROW)
        return;
    first = row_of(store, holder);
    row_of(store, row)->wit_next = first->wit_first;
    first->wit_first = row + 1;
}

static void link_tie(struct store *store, uint32_t row)
{
    objid_t id = version_of(entry_of(store, row))->tie_parent;
    uint32_t parent = objid_is_none(id) ? STORE_NO_ROW : index_find(store, id);

    if (parent != STORE_NO_ROW && parent != row)
        tie_link(store, row, parent);
}

/* Lists of what depends on what; returns how many objects are not simply live. */
static uint32_t link_all(struct store *store)
{
    uint32_t unsettled = 0;

    for (uint32_t row = 0; store_obj_next(store, &row) == 0; row++) {
        struct row *state = row_of(store, row);

        unsettled += state->state != STORE_LIVE;
        if (!(state->flags & ROW_DAMAGED))
            link_tie(store, row);
        if (provisional(store, row))
            link_witness(store, row);
    }
    return unsettled;
}

static void doom(struct sweep *sweep, uint32_t row)
{
    struct row *state = row_of(sweep->store, row);

    if (state->flags & ROW_DYING)
        return;
    state->flags |= ROW_DYING;
    sweep->queue[sweep->count++] = row;
}

static void doom_all(struct sweep *sweep)
{
    struct store *store = sweep->store;

    for (uint32_t row = 0; store_obj_next(store, &row) == 0; row++) {
        if (row_of(store, row)->state == STORE_DEAD ||
            (provisional(store, row) && !named(store, row)))
            doom(sweep, row);
    }
    for (uint32_t i = 0; i < sweep->count; i++) {
        const struct row *cause = row_of(store, sweep->queue[i]);

        for (uint32_t at = cause->tie_first; at; at = row_of(store, at - 1)->tie_next)
            doom(sweep, at - 1);
        for (uint32_t at = cause->wit_first; at; at = row_of(store, at - 1)->wit_next)
            if (provisional(store, at - 1))
                doom(sweep, at - 1);
    }
}

static void settle(struct sweep *sweep, struct store_recovery *result)
{
    struct store *store = sweep->store;

    for (uint32_t row = 0; store_obj_next(store, &row) == 0; row++) {
        struct row *state = row_of(store, row);

        if (state->state != STORE_PROVISIONAL || state->flags & (ROW_DYING | ROW_DAMAGED))
            continue;
        result->kept++;
        if (!store->readonly)
            object_commit_state(store, row, STORE_LIVE);
    }
    while (sweep->count) {
        uint32_t row = sweep->queue[--sweep->count];

        if (provisional(store, row))
            result->swept++;
        else
            result->dead++;
        if (store->readonly)
            row_of(store, row)->state = STORE_DEAD;
        else
            object_free(store, row);
    }
}

int sweep_objects(struct store *store, struct store_recovery *result)
{
    struct sweep sweep = { .store = store };
    size_t bytes = (size_t)store->objects * sizeof(*sweep.queue);

    if (!link_all(store))
        return 0;
    sweep.queue = env_alloc(store, bytes);
    if (!sweep.queue)
        return -TWZ_ENOMEM;
    doom_all(&sweep);
    settle(&sweep, result);
    env_free(store, sweep.queue, bytes);
    return 0;
}
