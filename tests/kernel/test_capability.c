/* SPDX-License-Identifier: MIT */
/*
 * Capabilities, delegations and revocations. The test signs them itself, with keys that it makes
 * from fixed seeds, and seals the public-key objects. Actors are threads in contexts of their own;
 * the first thread has default permissions and nothing else. Each refusal has a twin that works.
 */
#include "owner.h"

/* The words of an actor. */
struct actor {
    uint64_t step, done;
    uint64_t spin; /* 1: store into the object until that faults; 0: find out the rights on it */
    objid_t object;
    int64_t result;
    uint64_t spins, pad;
};
#define ACTORS   4u
#define ACTOR(n) ((volatile struct actor *)(void *)&SHARED->word[4 + (n)*8])
#define SLOT(n)  (SLOT_TEST + (n))
_Static_assert(sizeof(struct actor) == 8 * sizeof(uint64_t), "an actor's words");

static long rights_on(objid_t id)
{
    struct twz_stat stat;
    long err = CALL(obj_stat, IDARG(id), SIZED(&stat));

    return err < 0 ? err : (long)stat.rights;
}

static long spin(unsigned n, objid_t object)
{
    volatile struct actor *a = ACTOR(n);

    user_map(SLOT(n), object, RW);
    while (!user_store_faults(TWZ_SLOT_ADDR(SLOT(n)) + TWZ_OBJ_BASE))
        a->spins++;
    return 0;
}

static void child_actor(uint64_t n)
{
    volatile struct actor *a = ACTOR(n);

    for (;;) {
        objid_t object;

        while (__atomic_load_n(&a->step, __ATOMIC_ACQUIRE) == a->done)
            user_wait(&a->step, a->done, TWZ_FOREVER);
        object.lo = a->object.lo;
        object.hi = a->object.hi;
        if (objid_is_none(object))
            return;
        a->result = a->spin != 0 ? spin((unsigned)n, object) : rights_on(object);
        __atomic_store_n(&a->done, a->done + 1, __ATOMIC_RELEASE);
        user_wake(&a->done, 1);
    }
}

static void begin(unsigned n, objid_t object, uint64_t spins)
{
    volatile struct actor *a = ACTOR(n);

    a->object.lo = object.lo;
    a->object.hi = object.hi;
    a->spin = spins;
    a->spins = 0;
    __atomic_store_n(&a->step, a->step + 1, __ATOMIC_RELEASE);
    user_wake(&a->step, 1);
}

static long end(unsigned n)
{
    volatile struct actor *a = ACTOR(n);
    uint64_t done;

    while ((done = __atomic_load_n(&a->done, __ATOMIC_ACQUIRE)) != a->step)
        user_wait(&a->done, done, TWZ_FOREVER);
    return a->result;
}

/* The rights of actor n's context on an object. */
static long rights_of(unsigned n, objid_t object)
{
    begin(n, object, 0);
    return end(n);
}

#define DENIED (-TWZ_EDENIED)

/* Starts actor n in a new context of that owner. */
static objid_t start(unsigned n, const struct owner *o)
{
    objid_t context = owner_object(o, TWZ_KIND_SCTX, TWZ_READ | TWZ_USE | TWZ_DEL);

    user_thread_in(n, context, child_actor, n);
    return context;
}

static void stop(unsigned n, objid_t context)
{
    begin(n, NONE, 0);
    user_join(n);
    ACTOR(n)->done = ACTOR(n)->step;
    CHECK_IS(CALL(obj_delete, IDARG(context), TWZ_DELETE_NOW), 0);
}

/* --- capabilities ----------------------------------------------------------------------------- */

static void test_capability(const struct owner *o, const struct owner *other)
{
    objid_t context = start(0, o), object = owner_object(o, TWZ_KIND_DATA, 0);
    objid_t foreign = owner_object(other, TWZ_KIND_DATA, 0);
    struct sec_cap cap = owner_cap(context, object, RW | TWZ_USE), more;

    CHECK_IS(rights_of(0, object), DENIED);
    CHECK_IS(cap_add(&cap), -TWZ_EINVAL); /* no version, no signature */
    owner_add(&cap, o);
    CHECK_IS(rights_of(0, object), RW | TWZ_USE);
    CHECK_IS(rights_of(0, foreign), DENIED);
    CHECK_IS(cap_add(&cap), -TWZ_EEXIST);
    more = owner_cap(context, object, TWZ_DEL);
    owner_add(&more, o);
    CHECK_IS(rights_of(0, object), RW | TWZ_USE | TWZ_DEL);
    more = owner_cap(context, foreign, TWZ_READ);
    owner_add(&more, o); /* by the key of another owner */
    CHECK_IS(rights_of(0, foreign), DENIED);
    CHECK_IS(owner_withdraw(&cap), 0);
    CHECK_IS(owner_withdraw(&cap), -TWZ_ENOOBJ);
    CHECK_IS(rights_of(0, object), TWZ_DEL);
    more = owner_cap(object, object, TWZ_READ);
    CHECK_IS(sign_cap(&more, &o->key), SEC_REASON_NONE);
    CHECK_IS(cap_add(&more), -TWZ_EDENIED); /* the first context has no right on the object */
    stop(0, context);
}

/* Adds a capability with one bit changed. True: it gives no right. */
static bool is_refused(struct sec_cap *cap, objid_t object, unsigned bit)
{
    uint8_t *bytes = (uint8_t *)cap;
    objid_t context = cap->accessor;
    long ret, rights;

    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    ret = CALL(sec_change, IDARG(context), TWZ_SEC_ADD, IDARG(NONE), cap);
    rights = rights_of(0, object);
    if (ret == 0)
        CHECK_IS(CALL(sec_change, IDARG(context), TWZ_SEC_REMOVE, IDARG(NONE), cap), 0);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    return rights == DENIED && (ret == 0 || ret == -TWZ_EINVAL);
}

static void test_each_bit(const struct owner *o)
{
    objid_t context = start(0, o), object = owner_object(o, TWZ_KIND_DATA, 0);
    struct sec_cap cap = owner_cap(context, object, TWZ_READ);
    unsigned refused = 0, bit;

    cap.not_before = 5;
    CHECK_IS(sign_cap(&cap, &o->key), SEC_REASON_NONE);
    for (bit = 0; bit < 8 * sizeof(cap); bit++)
        refused += is_refused(&cap, object, bit);
    CHECK_IS(refused, 8 * sizeof(cap));
    CHECK_IS(cap_add(&cap), 0);
    CHECK_IS(rights_of(0, object), TWZ_READ);
    stop(0, context);
}

static void test_elsewhere(const struct owner *o)
{
    objid_t one = start(0, o), two = start(1, o), object = owner_object(o, TWZ_KIND_DATA, 0);
    objid_t second = owner_object(o, TWZ_KIND_DATA, 0);
    struct sec_cap cap = owner_cap(one, object, TWZ_READ);

    owner_add(&cap, o);
    CHECK_IS(CALL(sec_change, IDARG(two), TWZ_SEC_ADD, IDARG(NONE), &cap), -TWZ_EINVAL);
    CHECK_IS(rights_of(0, object), TWZ_READ);
    CHECK_IS(rights_of(1, object), DENIED);
    CHECK_IS(rights_of(0, second), DENIED);
    stop(0, one);
    stop(1, two);
}

/* For all objects of an owner; but not for those of others, and not for those without. */
static void test_all_of_an_owner(const struct owner *o, const struct owner *other)
{
    objid_t context = start(0, o), object = owner_object(o, TWZ_KIND_DATA, 0);
    objid_t foreign = owner_object(other, TWZ_KIND_DATA, 0);
    objid_t ownerless = user_object(0, 0, TWZ_KIND_DATA);
    struct sec_cap cap = owner_cap_all(context, o, RW);

    CHECK_IS(rights_of(0, object), DENIED);
    owner_add(&cap, o);
    CHECK_IS(rights_of(0, object), RW);
    CHECK_IS(rights_of(0, owner_object(o, TWZ_KIND_DATA, 0)), RW);
    CHECK_IS(rights_of(0, foreign), DENIED);
    CHECK_IS(rights_of(0, ownerless), DENIED);
    CHECK_IS(owner_withdraw(&cap), 0);
    CHECK_IS(rights_of(0, object), DENIED);
    cap = owner_cap_all(context, other, RW);
    owner_add(&cap, o);
    CHECK_IS(rights_of(0, foreign), DENIED);
    stop(0, context);
}

/* --- time ------------------------------------------------------------------------------------- */

static uint64_t seconds(void)
{
    return (user_now() + (uint64_t)user_system()->wall_offset) / 1000000000u;
}

static void await(uint64_t second)
{
    while (seconds() < second)
        user_wait(&SHARED->word[63], 0, user_now() + 100000000u);
}

static void test_time(const struct owner *o)
{
    objid_t context = start(0, o), object = owner_object(o, TWZ_KIND_DATA, 0);
    struct sec_cap cap = owner_cap(context, object, TWZ_READ), later;
    uint64_t now = seconds();

    cap.expires = now - 1;
    owner_add(&cap, o);
    CHECK_IS(rights_of(0, object), DENIED);
    later = owner_cap(context, object, TWZ_USE);
    later.not_before = now + 2;
    later.expires = now + 4;
    owner_add(&later, o);
    CHECK_IS(rights_of(0, object), DENIED);
    await(now + 2);
    CHECK_IS(rights_of(0, object), TWZ_USE);
    await(now + 4);
    CHECK_IS(rights_of(0, object), DENIED);
    stop(0, context);
}

/* --- the end of rights that another core uses ------------------------------------------------- */

static void begin_spinning(objid_t object)
{
    begin(1, object, 1);
    while (__atomic_load_n(&ACTOR(1)->spins, __ATOMIC_RELAXED) < 1000)
        user_yield();
}

/* Adds a capability for READ, so that the first thread may see that nothing changes. */
static void check_ended(objid_t object)
{
    uint64_t word;

    user_map(SLOT(3), object, TWZ_READ);
    word = *BASE(SLOT(3));
    CHECK_IS(end(1), 0);
    CHECK_IS(*BASE(SLOT(3)), word);
    CHECK_IS(word, 1);
}

enum ending { WITHDRAW, WITHDRAW_ALL, REVOKE, REVOKE_OWNER, EXPIRE };

static void test_live(const struct owner *o, enum ending how)
{
    objid_t context = start(1, o), object = owner_object(o, TWZ_KIND_DATA, TWZ_READ);
    bool all = how == WITHDRAW_ALL || how == REVOKE_OWNER;
    struct sec_cap cap =
        all ? owner_cap_all(context, o, TWZ_WRITE) : owner_cap(context, object, TWZ_WRITE);

    if (how == EXPIRE)
        cap.expires = seconds() + 2;
    owner_add(&cap, o);
    begin_spinning(object);
    if (how == WITHDRAW || how == WITHDRAW_ALL)
        CHECK_IS(owner_withdraw(&cap), 0);
    else if (how != EXPIRE)
        CHECK_IS(owner_revoke(cap.target, cap.epoch + 1, o), 0);
    else
        CHECK_IS(end(1), 0);
    check_ended(object);
    CHECK_IS(rights_of(1, object), TWZ_READ);
    stop(1, context);
}

static void test_revocation(const struct owner *o, const struct owner *other)
{
    objid_t context = start(0, o), object = owner_object(o, TWZ_KIND_DATA, 0);
    struct sec_cap cap = owner_cap(context, object, RW), next;
    const uint64_t epoch = OWNER_EPOCH;
    struct sec_revocation bad = { .domain = SEC_DOMAIN_REVOCATION,
                                  .target = object,
                                  .epoch = epoch + 1 };

    owner_add(&cap, o);
    CHECK_IS(rights_of(0, object), RW);
    CHECK_IS(owner_revoke(object, epoch + 1, other), DENIED);
    CHECK_IS(owner_revoke(object, 1ull << 40, o), DENIED);
    CHECK_IS(CALL(sec_revoke, &bad), -TWZ_EINVAL);
    CHECK_IS(sign_revocation(&bad, &o->key), SEC_REASON_NONE);
    bad.signature[40] ^= 1;
    CHECK_IS(CALL(sec_revoke, &bad), DENIED);
    CHECK_IS(rights_of(0, object), RW);
    CHECK_IS(owner_revoke(object, epoch + 2, o), 0);
    CHECK_IS(rights_of(0, object), DENIED);
    CHECK_IS(owner_revoke(object, epoch + 2, o), DENIED);
    CHECK_IS(owner_revoke(object, epoch + 1, o), DENIED);
    next = owner_cap(context, object, TWZ_READ);
    next.epoch = epoch + 2;
    owner_add(&next, o);
    CHECK_IS(rights_of(0, object), TWZ_READ);
    next.epoch = epoch + 3; /* of the future */
    next.perms = TWZ_WRITE;
    owner_add(&next, o);
    CHECK_IS(rights_of(0, object), TWZ_READ);
    stop(0, context);
}

/* --- delegations ------------------------------------------------------------------------------ */

static void test_delegation(const struct owner *o, const struct owner *other)
{
    objid_t one = start(0, o), two = start(1, o), object = owner_object(o, TWZ_KIND_DATA, TWZ_READ);
    struct sec_cap cap = owner_cap(one, object, RW), wide;
    struct sec_cap passed = owner_delegation(one, two, object, RW);

    owner_add(&passed, o);
    CHECK_IS(rights_of(1, object), TWZ_READ); /* the delegator has nothing yet */
    owner_add(&cap, o);
    CHECK_IS(rights_of(1, object), RW);
    wide = owner_delegation(one, two, object, TWZ_PERMS);
    owner_add(&wide, o);
    CHECK_IS(rights_of(1, object), RW);
    begin_spinning(object);
    CHECK_IS(owner_withdraw(&cap), 0);
    check_ended(object);
    CHECK_IS(rights_of(1, object), TWZ_READ);
    owner_add(&cap, o);
    CHECK_IS(rights_of(1, object), RW);
    begin_spinning(object);
    CHECK_IS(owner_revoke(one, OWNER_EPOCH + 1, o), 0); /* delegations by it end */
    check_ended(object);
    CHECK_IS(rights_of(1, object), TWZ_READ);
    CHECK_IS(rights_of(0, object), RW);
    wide = owner_delegation(one, two, object, RW);
    wide.delegator_epoch = OWNER_EPOCH + 1;
    owner_add(&wide, other); /* not the delegator's owner */
    CHECK_IS(rights_of(1, object), TWZ_READ);
    CHECK_IS(owner_withdraw(&wide), 0);
    owner_add(&wide, o);
    CHECK_IS(rights_of(1, object), RW);
    begin_spinning(object);
    stop(0, one); /* the delegator's end */
    check_ended(object);
    CHECK_IS(rights_of(1, object), TWZ_READ);
    stop(1, two);
}

/* A chain of `depth` delegations, and a circle that leads to nothing. */
static void test_chain(const struct owner *o)
{
    objid_t context[10], object = owner_object(o, TWZ_KIND_DATA, 0);
    struct sec_cap cap;
    unsigned i;

    for (i = 0; i < 10; i++)
        context[i] = owner_object(o, TWZ_KIND_SCTX, TWZ_READ | TWZ_USE | TWZ_DEL);
    for (i = 0; i + 1 < 10; i++) {
        cap = owner_delegation(context[i], context[i + 1], object, TWZ_READ);
        owner_add(&cap, o);
    }
    cap = owner_delegation(context[9], context[0], object, TWZ_READ);
    owner_add(&cap, o);
    user_thread_in(0, context[3], child_actor, 0);
    CHECK_IS(rights_of(0, object), DENIED);
    cap = owner_cap(context[0], object, TWZ_READ);
    owner_add(&cap, o);
    CHECK_IS(rights_of(0, object), TWZ_READ);
    stop(0, context[3]);
    cap = owner_delegation(context[0], context[4], object, TWZ_READ);
    owner_add(&cap, o); /* the chain without its fourth */
    user_thread_in(0, context[9], child_actor, 0);
    CHECK_IS(rights_of(0, object), TWZ_READ);
    stop(0, context[9]);
}

static void test_depth(const struct owner *o)
{
    objid_t before = owner_object(o, TWZ_KIND_SCTX, TWZ_READ | TWZ_USE | TWZ_DEL);
    objid_t object = owner_object(o, TWZ_KIND_DATA, 0);
    struct sec_cap cap = owner_cap(before, object, TWZ_READ);
    unsigned i;

    owner_add(&cap, o);
    for (i = 1; i < 10; i++) {
        objid_t context = start(0, o);

        cap = owner_delegation(before, context, object, TWZ_READ);
        owner_add(&cap, o);
        CHECK_IS(rights_of(0, object), i < 8 ? (long)TWZ_READ : DENIED);
        begin(0, NONE, 0);
        user_join(0);
        ACTOR(0)->done = ACTOR(0)->step;
        before = context;
    }
}

void test_main(void)
{
    struct owner one, two;

    user_handlers();
    owner_make(&one, 1);
    owner_make(&two, 2);
    test_capability(&one, &two);
    test_each_bit(&one);
    test_elsewhere(&one);
    test_all_of_an_owner(&one, &two);
    test_time(&one);
    test_live(&one, WITHDRAW);
    test_live(&one, WITHDRAW_ALL);
    test_live(&one, REVOKE);
    test_live(&one, EXPIRE);
    test_revocation(&one, &two);
    test_delegation(&one, &two);
    test_chain(&one);
    test_depth(&one);
    test_live(&one, REVOKE_OWNER);
}
