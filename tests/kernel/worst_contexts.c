/* SPDX-License-Identifier: MIT */
/* Security contexts: many grants, many mappings of a context, and the widest decision (worst.h). */
#include "owner.h"
#include "worst.h"

static objid_t new_context(void)
{
    return user_object(0, TWZ_READ | TWZ_USE | TWZ_DEL, TWZ_KIND_SCTX);
}

static long grant(objid_t context, objid_t object)
{
    return CALL(sec_grant, IDARG(context), IDARG(object), TWZ_READ, 0);
}

static void worst_grants(void)
{
    uint32_t count = worst_size(1000, 8000), i;
    objid_t object = worst_object(0), context = new_context();

    for (i = 0; i < count; i++) {
        objid_t other = new_context();

        CHECK_IS(grant(other, object), 0);
        *worst_id_at(i) = other;
    }
    REPORT(sec_grant, "one object, to many contexts");
    WORST_OF(sec_change, "UNGRANT, one of many",
             CALL(sec_change, IDARG(worst_id(0)), TWZ_SEC_UNGRANT, IDARG(object), 0), 0);
    WORST_OF(obj_delete, "object with many grants", CALL(obj_delete, IDARG(object), 0), 0);
    for (i = 0; i < count; i++)
        worst_drop(worst_id(i));
    REPORT(obj_delete, "many contexts");
    for (i = 0; i < count; i++) {
        object = worst_object(0);
        CHECK_IS(grant(context, object), 0);
        *worst_id_at(i) = object;
    }
    REPORT(sec_grant, "many objects, to one context");
    WORST_OF(obj_delete, "context with many grants", CALL(obj_delete, IDARG(context), 0), 0);
    for (i = 0; i < count; i++)
        worst_drop(worst_id(i));
}

/* Maps many slots in its own context, then stays until the word changes. */
static void child_map(uint64_t id)
{
    objid_t object = *worst_id_at((uint32_t)id);

    worst_map_many(object, RW, worst_size(10000, 100000));
    SHARED->word[SCRATCH] = 1;
    user_wake(&SHARED->word[SCRATCH], 1);
    while (__atomic_load_n(&SHARED->word[SCRATCH], __ATOMIC_ACQUIRE) == 1)
        user_wait(&SHARED->word[SCRATCH], 1, TWZ_FOREVER);
}

static void worst_mask(void)
{
    objid_t context = new_context();

    *worst_id_at(0) = worst_object(0);
    SHARED->word[SCRATCH] = 0;
    user_thread_in(1, context, child_map, 0);
    while (__atomic_load_n(&SHARED->word[SCRATCH], __ATOMIC_ACQUIRE) == 0)
        user_wait(&SHARED->word[SCRATCH], 0, TWZ_FOREVER);
    REPORT_EVENT("faults in another context");
    WORST_OF(
        sec_change, "MASK_DEFAULT, many mappings",
        CALL(sec_change, IDARG(context), TWZ_SEC_MASK_DEFAULT, IDARG(NONE), TWZ_PERMS & ~TWZ_DEL),
        0);
    SHARED->word[SCRATCH] = 2;
    user_wake(&SHARED->word[SCRATCH], 1);
    user_join(1);
    worst_unmap_many(worst_size(10000, 100000));
    worst_drop(context);
    worst_drop(worst_id(0));
}

/* Passes the object on to each context of its level's next one. */
static void child_pass(uint64_t first)
{
    uint32_t i;

    for (i = 0; i < 8; i++)
        CHECK_IS(grant(*worst_id_at((uint32_t)first + i), *worst_id_at(64)), 0);
}

static void child_use(uint64_t slot)
{
    CHECK_IS(user_load_faults(TWZ_SLOT_ADDR(slot) + TWZ_OBJ_BASE), 0);
}

/* Each context of a level has eight grants, one of each context of the level above. */
static void worst_decision(void)
{
    uint32_t level, i;

    *worst_id_at(64) = user_object(0, TWZ_READ | TWZ_DEL, TWZ_KIND_DATA);
    user_map(SLOT_TEST, *worst_id_at(64), TWZ_READ);
    for (i = 0; i < 64; i++)
        *worst_id_at(i) = new_context();
    for (level = 0; level + 1 < 8; level++) {
        for (i = 0; i < 8; i++) {
            user_thread_in(1, worst_id(level * 8 + i), child_pass, (level + 1) * 8);
            user_join(1);
        }
    }
    REPORT(sec_grant, "eight sources of each of eight");
    user_thread_in(1, worst_id(56), child_use, SLOT_TEST);
    user_join(1);
    REPORT_EVENT("fault with the widest decision");
    user_map(SLOT_TEST, NONE, 0);
    for (i = 0; i < 65; i++)
        worst_drop(worst_id(i));
}

static void child_stat(uint64_t index)
{
    struct twz_stat stat;

    CHECK_IS(CALL(obj_stat, IDARG(worst_id((uint32_t)index)), SIZED(&stat)), 0);
}

/* Eight capabilities of one object, and delegations by contexts that have eight each. */
static void worst_capabilities(void)
{
    objid_t object, context, delegator;
    struct owner o;
    uint32_t i, j;

    owner_make(&o, 1);
    context = owner_object(&o, TWZ_KIND_SCTX, TWZ_READ | TWZ_USE | TWZ_DEL);
    object = owner_object(&o, TWZ_KIND_DATA, 0);
    *worst_id_at(0) = object;
    for (i = 0; i < 4; i++) {
        struct sec_cap cap = owner_cap(context, object, TWZ_READ << i);

        owner_add(&cap, &o);
        delegator = owner_object(&o, TWZ_KIND_SCTX, TWZ_READ | TWZ_USE | TWZ_DEL);
        for (j = 0; j < 8; j++) {
            cap = owner_cap(delegator, object, TWZ_READ);
            cap.not_before = j + 1;
            owner_add(&cap, &o);
        }
        cap = owner_delegation(delegator, context, object, TWZ_READ);
        owner_add(&cap, &o);
    }
    REPORT(sec_change, "ADD");
    user_thread_in(1, context, child_stat, 0);
    user_join(1);
    REPORT_EVENT("obj_stat with many capabilities, first");
    CHECK_IS(owner_revoke(object, OWNER_EPOCH + 1, &o), 0);
    REPORT(sec_revoke, "one object");
    CHECK_IS(owner_revoke(context, OWNER_EPOCH + 1, &o), 0);
    REPORT(sec_revoke, "a context");
    worst_drop(context);
}

static void worst_statements(void)
{
    struct sec_revocation statement = { .version = SEC_VERSION };

    WORST_OF(sec_revoke, "not well formed", CALL(sec_revoke, &statement), -TWZ_EINVAL);
}

void worst_contexts(void)
{
    user_log("contexts");
    worst_grants();
    worst_mask();
    worst_decision();
    worst_capabilities();
    worst_statements();
}
