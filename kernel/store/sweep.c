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
    uint32_t *queue; /* slots that go, causes before effects */
    uint32_t count;
};

static int none(objid_t id)
{
    return !id.lo && !id.hi;
}

static int provisional(const struct store *store, uint32_t slot)
{
    return slot_of(store, slot)->state == STORE_PROVISIONAL;
}

static int named(const struct store *store, uint32_t slot)
{
    const struct store_version *version = version_of(entry_of(store, slot));
    uint32_t holder = index_find(store, version->witness);
    uint64_t value;

    if (slot_of(store, slot)->flags & SLOT_DAMAGED)
        return 1;
    if (holder == STORE_NO_SLOT || slot_of(store, holder)->state == STORE_DEAD)
        return 0;
    if (walk_value(store, holder, version->witness_off, &value) < 0)
        return 1;
    return value == version->witness_value ||
           (!value && slot_of(store, holder)->flags & SLOT_DAMAGED);
}

static void link_witness(struct store *store, uint32_t slot)
{
    uint32_t holder = index_find(store, version_of(entry_of(store, slot))->witness);
    struct slot *first;

    if (holder == STORE_NO_SLOT)
        return;
    first = slot_of(store, holder);
    slot_of(store, slot)->wit_next = first->wit_first;
    first->wit_first = slot + 1;
}

static void link_tie(struct store *store, uint32_t slot)
{
    objid_t id = version_of(entry_of(store, slot))->tie_parent;
    uint32_t parent = none(id) ? STORE_NO_SLOT : index_find(store, id);

    if (parent != STORE_NO_SLOT && parent != slot)
        tie_link(store, slot, parent);
}

/* Lists of what depends on what; returns how many objects are not simply live. */
static uint32_t link_all(struct store *store)
{
    uint32_t unsettled = 0;

    for (uint32_t slot = 0; store_obj_next(store, &slot) == 0; slot++) {
        struct slot *state = slot_of(store, slot);

        unsettled += state->state != STORE_LIVE;
        if (!(state->flags & SLOT_DAMAGED))
            link_tie(store, slot);
        if (provisional(store, slot))
            link_witness(store, slot);
    }
    return unsettled;
}

static void doom(struct sweep *sweep, uint32_t slot)
{
    struct slot *state = slot_of(sweep->store, slot);

    if (state->flags & SLOT_DYING)
        return;
    state->flags |= SLOT_DYING;
    sweep->queue[sweep->count++] = slot;
}

static void doom_all(struct sweep *sweep)
{
    struct store *store = sweep->store;

    for (uint32_t slot = 0; store_obj_next(store, &slot) == 0; slot++) {
        if (slot_of(store, slot)->state == STORE_DEAD ||
            (provisional(store, slot) && !named(store, slot)))
            doom(sweep, slot);
    }
    for (uint32_t i = 0; i < sweep->count; i++) {
        const struct slot *cause = slot_of(store, sweep->queue[i]);

        for (uint32_t at = cause->tie_first; at; at = slot_of(store, at - 1)->tie_next)
            doom(sweep, at - 1);
        for (uint32_t at = cause->wit_first; at; at = slot_of(store, at - 1)->wit_next)
            if (provisional(store, at - 1))
                doom(sweep, at - 1);
    }
}

static void settle(struct sweep *sweep, struct store_recovery *result)
{
    struct store *store = sweep->store;

    for (uint32_t slot = 0; store_obj_next(store, &slot) == 0; slot++) {
        struct slot *state = slot_of(store, slot);

        if (state->state != STORE_PROVISIONAL || state->flags & (SLOT_DYING | SLOT_DAMAGED))
            continue;
        result->kept++;
        if (!store->readonly)
            object_commit_state(store, slot, STORE_LIVE);
    }
    while (sweep->count) {
        uint32_t slot = sweep->queue[--sweep->count];

        if (provisional(store, slot))
            result->swept++;
        else
            result->dead++;
        if (store->readonly)
            slot_of(store, slot)->state = STORE_DEAD;
        else
            object_free(store, slot);
    }
}

int sweep_objects(struct store *store, struct store_recovery *result)
{
    struct sweep sweep = { .store = store };
    size_t bytes = (size_t)store->objects * sizeof(*sweep.queue);

    if (!link_all(store))
        return 0;
    sweep.queue = store_alloc(store, bytes);
    if (!sweep.queue)
        return -TWZ_ENOMEM;
    doom_all(&sweep);
    settle(&sweep, result);
    store_free(store, sweep.queue, bytes);
    return 0;
}
