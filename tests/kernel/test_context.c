/* SPDX-License-Identifier: MIT */
/*
 * Security contexts without signatures: creators' grants, grants and regrants, masks, what a
 * context takes in, and the end of each while another core uses it. Each refusal has a twin that
 * works.
 *
 * Actors are threads in contexts of their own, which do what the first thread tells them. The first
 * thread runs in the first context, so it has default permissions and nothing else.
 */
#include <twz/sec.h>

#include "user.h"

#define RW    (TWZ_READ | TWZ_WRITE)
#define NONE  TWZ_OBJID_NONE
#define BLANK TWZ_CONTEXT_EMPTY

#define PERSISTENT 128u /* of a kind: the object is persistent */

/* The words of an actor. */
struct actor {
    uint64_t step, done;
    uint64_t order, arg, value;
    objid_t object, other;
    int64_t result;
    uint64_t spins; /* stores of SPIN so far */
    uint64_t pad;
};
#define ACTORS   4u
#define ACTOR(n) ((volatile struct actor *)(void *)&SHARED->word[4 + (n)*12])
#define SLOT(n)  (SLOT_TEST + (n)) /* where actor n maps what it uses */
_Static_assert(sizeof(struct actor) == 12 * sizeof(uint64_t), "an actor's words");
_Static_assert(4 + ACTORS * 12 <= 64, "the actors' words fit");

enum order {
    CREATE,
    CREATE_FOR,
    KEEP,
    LOAD,
    STORE,
    EXECUTE,
    GRANT,
    UNGRANT,
    MASK,
    RIGHTS,
    DELETE,
    SPIN,
    SPAWN,
    QUIT
};

static objid_t get_id(volatile objid_t *from)
{
    objid_t id = { from->lo, from->hi };

    return id;
}

static void set_id(volatile objid_t *to, objid_t id)
{
    to->lo = id.lo;
    to->hi = id.hi;
}

static long create(uint32_t perms, uint32_t kind, uint32_t context, objid_t *id)
{
    struct twz_create spec = { .perms = perms,
                               .kind = kind & ~PERSISTENT,
                               .flags = kind & PERSISTENT ? TWZ_OBJ_PERSIST : 0,
                               .context = context };

    return user_create(&spec, id);
}

/* A data object without default permissions whose holder is another context. */
static long create_for(objid_t holder, uint32_t keep, objid_t *id)
{
    struct twz_create spec = { .holder = holder, .keep = keep };

    return user_create(&spec, id);
}

static long rights_on(objid_t id)
{
    struct twz_stat stat;
    long err = CALL(obj_stat, IDARG(id), SIZED(&stat));

    return err < 0 ? err : (long)stat.rights;
}

/* Stores into the object until that faults. */
static void spin(unsigned n, volatile struct actor *a)
{
    a->spins = 0;
    while (!user_store_faults(TWZ_SLOT_ADDR(SLOT(n)) + TWZ_OBJ_BASE))
        a->spins++;
}

static long touch(unsigned n, volatile struct actor *a)
{
    uint64_t rights = a->order == LOAD ? TWZ_READ : a->order == EXECUTE ? TWZ_READ | TWZ_EXEC : RW;
    uint64_t addr = TWZ_SLOT_ADDR(SLOT(n)) + TWZ_OBJ_BASE;

    user_map(SLOT(n), get_id(&a->object), rights);
    if (a->order == LOAD)
        return user_load_faults(addr);
    return a->order == EXECUTE ? user_jump_faults(addr) : user_store_faults(addr);
}

static void child_nothing(uint64_t arg)
{
    (void)arg;
}

static long act(unsigned n, volatile struct actor *a)
{
    objid_t object = get_id(&a->object), other = get_id(&a->other);
    long ret;

    switch (a->order) {
    case CREATE:
        ret = create((uint32_t)a->value, (uint32_t)a->arg % 256, (uint32_t)a->arg / 256, &object);
        set_id(&a->object, object);
        return ret;
    case CREATE_FOR:
        ret = create_for(other, (uint32_t)a->value, &object);
        set_id(&a->object, object);
        return ret;
    case KEEP: return CALL(sec_change, IDARG(other), TWZ_SEC_KEEP, IDARG(object), a->value);
    case LOAD:
    case EXECUTE:
    case STORE: return touch(n, a);
    case GRANT: return CALL(sec_grant, IDARG(other), IDARG(object), a->arg, a->value);
    case UNGRANT: return CALL(sec_change, IDARG(other), TWZ_SEC_UNGRANT, IDARG(object), 0);
    case MASK: return CALL(sec_change, IDARG(other), a->arg, IDARG(object), a->value);
    case RIGHTS: return rights_on(object);
    case DELETE: return CALL(obj_delete, IDARG(object), TWZ_DELETE_NOW);
    case SPAWN: return user_spawn_in(n, object, user_view(), other, child_nothing, 0);
    default:
        user_map(SLOT(n), object, RW);
        spin(n, a);
        return 0;
    }
}

static void child_actor(uint64_t n)
{
    volatile struct actor *a = ACTOR(n);

    for (;;) {
        while (__atomic_load_n(&a->step, __ATOMIC_ACQUIRE) == a->done)
            user_wait(&a->step, a->done, TWZ_FOREVER);
        if (a->order == QUIT)
            return;
        a->result = act((unsigned)n, a);
        __atomic_store_n(&a->done, a->done + 1, __ATOMIC_RELEASE);
        user_wake(&a->done, 1);
    }
}

/* --- the first thread's side ------------------------------------------------------------------ */

static void begin(unsigned n, enum order order, objid_t object, objid_t other, uint64_t arg,
                  uint64_t value)
{
    volatile struct actor *a = ACTOR(n);

    a->order = order;
    set_id(&a->object, object);
    set_id(&a->other, other);
    a->arg = arg;
    a->value = value;
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

static long tell(unsigned n, enum order order, objid_t object, objid_t other, uint64_t arg,
                 uint64_t value)
{
    begin(n, order, object, other, arg, value);
    return end(n);
}

#define LOADS(n, id)              (tell(n, LOAD, id, NONE, 0, 0) == 0)
#define STORES(n, id)             (tell(n, STORE, id, NONE, 0, 0) == 0)
#define RIGHTS_OF(n, id)          tell(n, RIGHTS, id, NONE, 0, 0)
#define GRANTS(n, to, id, rights) tell(n, GRANT, id, to, rights, 0)

static objid_t make_of(unsigned n, uint32_t kind, uint64_t perms)
{
    CHECK_IS(tell(n, CREATE, NONE, NONE, kind, perms), 0);
    return get_id(&ACTOR(n)->object);
}

/* A context made by actor n. */
static objid_t context_of(unsigned n, uint32_t takes_in)
{
    return make_of(n, TWZ_KIND_SCTX | takes_in << 8, TWZ_READ | TWZ_USE);
}

/* A data object of actor n without default permissions. */
static objid_t secret_of(unsigned n)
{
    return make_of(n, TWZ_KIND_DATA, 0);
}

/* Starts actor n in a new context, which everybody may grant to. */
static objid_t start(unsigned n, uint32_t takes_in)
{
    objid_t context = NONE;

    CHECK_IS(create(TWZ_READ | TWZ_USE | TWZ_DEL, TWZ_KIND_SCTX, takes_in, &context), 0);
    user_thread_in(n, context, child_actor, n);
    return context;
}

static void stop(unsigned n, objid_t context)
{
    begin(n, QUIT, NONE, NONE, 0, 0);
    user_join(n);
    ACTOR(n)->done = ACTOR(n)->step;
    CALL(obj_delete, IDARG(context), TWZ_DELETE_NOW);
}

static long mask(objid_t context, uint64_t op, objid_t object, uint64_t arg)
{
    return CALL(sec_change, IDARG(context), op, IDARG(object), arg);
}

/* --- creators --------------------------------------------------------------------------------- */

static void test_creator(void)
{
    objid_t one = start(0, 0), two = start(1, 0), secret = secret_of(0);

    CHECK_IS(RIGHTS_OF(0, secret), TWZ_PERMS);
    CHECK(STORES(0, secret));
    CHECK_IS(RIGHTS_OF(1, secret), -TWZ_EDENIED);
    CHECK(!LOADS(1, secret));
    CHECK_IS(rights_on(secret), -TWZ_EDENIED);
    CHECK_IS(tell(1, DELETE, secret, NONE, 0, 0), -TWZ_EDENIED);
    CHECK_IS(tell(0, DELETE, secret, NONE, 0, 0), 0);
    stop(0, one);
    stop(1, two);
}

/* A persistent object that is open to its creator anyway has no grant. */
static void test_persistent(void)
{
    const uint32_t all = RW | TWZ_USE | TWZ_DEL;
    objid_t one = start(0, 0), open, closed;

    open = make_of(0, TWZ_KIND_DATA | PERSISTENT, all);
    closed = make_of(0, TWZ_KIND_DATA | PERSISTENT, all & ~TWZ_USE);
    CHECK_IS(RIGHTS_OF(0, open), all); /* without a grant */
    CHECK_IS(RIGHTS_OF(0, closed), TWZ_PERMS);
    CHECK_IS(rights_on(closed), all & ~TWZ_USE);
    CHECK_IS(mask(one, TWZ_SEC_MASK_DEFAULT, NONE, TWZ_PERMS & ~TWZ_DEL), 0);
    CHECK_IS(RIGHTS_OF(0, make_of(0, TWZ_KIND_DATA | PERSISTENT, all)), TWZ_PERMS);
    stop(0, one);
}

/* The rights on a new object go to its holder; its creator has those that it keeps. */
static void test_holder(void)
{
    objid_t one = start(0, 0), two = start(1, 0), closed = NONE, id = NONE;

    CHECK_IS(tell(0, CREATE_FOR, NONE, two, 0, TWZ_READ | TWZ_USE), 0);
    id = get_id(&ACTOR(0)->object);
    CHECK_IS(RIGHTS_OF(0, id), TWZ_READ | TWZ_USE);
    CHECK_IS(RIGHTS_OF(1, id), TWZ_PERMS);
    CHECK_IS(tell(0, KEEP, id, NONE, 0, TWZ_PERMS), 0); /* it adds nothing */
    CHECK_IS(RIGHTS_OF(0, id), TWZ_READ | TWZ_USE);
    CHECK_IS(tell(0, KEEP, id, NONE, 0, TWZ_USE), 0);
    CHECK_IS(RIGHTS_OF(0, id), TWZ_USE);
    CHECK_IS(tell(0, KEEP, id, two, 0, 0), 0); /* any context that it may use */
    CHECK_IS(RIGHTS_OF(1, id), -TWZ_EDENIED);
    CHECK_IS(tell(0, KEEP, id, NONE, 0, 0), 0);
    CHECK_IS(tell(0, KEEP, id, NONE, 0, 0), -TWZ_ENOOBJ);
    CHECK_IS(tell(0, CREATE_FOR, NONE, two, 0, 0), 0);
    CHECK_IS(RIGHTS_OF(0, get_id(&ACTOR(0)->object)), -TWZ_EDENIED);
    CHECK_IS(RIGHTS_OF(1, get_id(&ACTOR(0)->object)), TWZ_PERMS);
    CHECK_IS(create(TWZ_READ, TWZ_KIND_SCTX, 0, &closed), 0);
    CHECK_IS(tell(0, CREATE_FOR, NONE, closed, 0, 0), -TWZ_EDENIED);
    CHECK_IS(tell(0, CREATE_FOR, NONE, NONE, 0, TWZ_READ), -TWZ_EINVAL);
    CHECK_IS(tell(0, CREATE_FOR, NONE, two, 0, 64), -TWZ_EINVAL);
    CHECK_IS(tell(0, CREATE_FOR, NONE, id, 0, 0), -TWZ_EDENIED);
    stop(0, one);
    stop(1, two);
}

/* A spawn into a context needs USE on it. */
static void test_entry(void)
{
    objid_t one = start(0, 0), two = start(1, 0), own, thread;

    own = make_of(0, TWZ_KIND_SCTX, 0);
    thread = make_of(1, TWZ_KIND_THREAD, TWZ_PERMS);
    CHECK_IS(tell(1, SPAWN, thread, own, 0, 0), -TWZ_EDENIED);
    CHECK_IS(tell(1, SPAWN, thread, thread, 0, 0), -TWZ_ETYPE);
    CHECK_IS(tell(1, SPAWN, thread, user_view(), 0, 0), -TWZ_ETYPE);
    CHECK_IS(GRANTS(0, two, own, TWZ_USE), 0);
    CHECK_IS(tell(1, SPAWN, thread, own, 0, 0), 0);
    CHECK_IS(tell(0, DELETE, own, NONE, 0, 0), 0);
    thread = make_of(1, TWZ_KIND_THREAD, TWZ_PERMS);
    CHECK(tell(1, SPAWN, thread, own, 0, 0) != 0);
    stop(0, one);
    stop(1, two);
}

/* The words of a context cannot be written, whatever the rights. */
static void test_words(void)
{
    objid_t one = start(0, 0), own = make_of(0, TWZ_KIND_SCTX, 0), any = NONE;

    CHECK(!STORES(0, own));
    CHECK(!STORES(0, one));
    CHECK(LOADS(0, own));
    CHECK_IS(RIGHTS_OF(0, own), TWZ_READ | TWZ_USE | TWZ_DEL);
    CHECK_IS(create(TWZ_PERMS, TWZ_KIND_SCTX, 0, &any), 0);
    user_map(SLOT(0), any, RW);
    CHECK(user_store_faults(TWZ_SLOT_ADDR(SLOT(0)) + TWZ_OBJ_BASE));
    CHECK_IS(user_range(any, TWZ_RANGE_DISCARD, 1, 1), -TWZ_EDENIED);
    CHECK_IS(CALL(obj_delete, IDARG(any), 0), 0);
    CHECK_IS(create(0, TWZ_KIND_SCTX, 3, &any), -TWZ_EINVAL);
    CHECK_IS(create(0, TWZ_KIND_DATA, 1, &any), -TWZ_EINVAL);
    stop(0, one);
}

/* --- grants ----------------------------------------------------------------------------------- */

static void test_grant(void)
{
    objid_t one = start(0, 0), two = start(1, 0), secret = secret_of(0);

    CHECK_IS(GRANTS(0, two, secret, 0), -TWZ_EINVAL);
    CHECK_IS(GRANTS(0, two, secret, 64), -TWZ_EINVAL);
    CHECK_IS(GRANTS(0, secret, secret, TWZ_READ), -TWZ_ETYPE);
    CHECK_IS(GRANTS(1, two, secret, TWZ_READ), -TWZ_EDENIED);
    CHECK_IS(GRANTS(0, two, secret, TWZ_READ), 0);
    CHECK(LOADS(1, secret));
    CHECK(!STORES(1, secret));
    CHECK_IS(RIGHTS_OF(1, secret), TWZ_READ);
    CHECK_IS(GRANTS(1, one, secret, TWZ_READ | TWZ_WRITE), -TWZ_EDENIED);
    CHECK_IS(GRANTS(0, two, secret, TWZ_WRITE), 0);
    CHECK(STORES(1, secret));
    CHECK_IS(RIGHTS_OF(1, secret), RW);
    CHECK_IS(tell(1, UNGRANT, secret, two, 0, 0), -TWZ_ENOOBJ); /* not its own */
    CHECK_IS(tell(0, UNGRANT, secret, two, 0, 0), 0);
    CHECK_IS(tell(0, UNGRANT, secret, two, 0, 0), -TWZ_ENOOBJ);
    CHECK_IS(RIGHTS_OF(1, secret), -TWZ_EDENIED);
    CHECK(!LOADS(1, secret));
    stop(0, one);
    stop(1, two);
}

/* A grant that was passed on is worth what the one who passed it on has. */
static void test_regrant(void)
{
    objid_t one = start(0, 0), two = start(1, 0), three = start(2, 0), secret = secret_of(0);

    CHECK_IS(GRANTS(0, two, secret, RW | TWZ_USE), 0);
    CHECK_IS(GRANTS(1, three, secret, RW), 0);
    CHECK_IS(RIGHTS_OF(2, secret), RW);
    begin(2, SPIN, secret, NONE, 0, 0);
    CHECK_IS(tell(0, UNGRANT, secret, two, 0, 0), 0);
    end(2); /* its stores faulted */
    CHECK_IS(RIGHTS_OF(2, secret), -TWZ_EDENIED);
    CHECK_IS(GRANTS(0, two, secret, TWZ_READ), 0);
    CHECK_IS(RIGHTS_OF(2, secret), TWZ_READ);
    CHECK_IS(GRANTS(1, two, secret, TWZ_READ), 0); /* to itself: a circle */
    CHECK_IS(tell(0, UNGRANT, secret, two, 0, 0), 0);
    CHECK_IS(RIGHTS_OF(1, secret), -TWZ_EDENIED);
    CHECK_IS(RIGHTS_OF(2, secret), -TWZ_EDENIED);
    stop(0, one);
    stop(1, two);
    stop(2, three);
}

/* --- masks and bases -------------------------------------------------------------------------- */

/* All that an actor itself needs, to a context that masks everything. */
static void grant_needs(unsigned n, objid_t context)
{
    const uint32_t slots[] = { SLOT_TEXT, SLOT_SHARED, SLOT_THREAD + n, SLOT_STACK + n };
    volatile struct twz_view_entry *table =
        (volatile struct twz_view_entry *)(user_view_at() + TWZ_VIEW_TABLE);
    unsigned i;

    for (i = 0; i < 4; i++) {
        objid_t id = get_id(&table[slots[i]].id);

        CHECK_IS(CALL(sec_grant, IDARG(context), IDARG(id), table[slots[i]].flags & TWZ_PERMS, 0),
                 0);
    }
    CHECK_IS(CALL(sec_grant, IDARG(context), IDARG(user_view()), RW | TWZ_USE, 0), 0);
}

static void test_masks(void)
{
    objid_t one = start(0, BLANK), all = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t other = user_object(0, TWZ_PERMS, TWZ_KIND_DATA), secret = secret_of(0);

    grant_needs(0, one);
    CHECK(STORES(0, all));
    CHECK_IS(mask(one, TWZ_SEC_MASK_OBJECT, all, TWZ_READ | TWZ_USE), 0);
    CHECK(!STORES(0, all));
    CHECK(LOADS(0, all));
    CHECK(STORES(0, other));
    CHECK_IS(mask(one, TWZ_SEC_MASK_DEFAULT, NONE, TWZ_READ), 0);
    CHECK(!STORES(0, other));
    CHECK(LOADS(0, other));
    CHECK_IS(RIGHTS_OF(0, all), TWZ_READ | TWZ_USE);
    CHECK_IS(mask(one, TWZ_SEC_MASK_DEFAULT, NONE, TWZ_PERMS), 0); /* they only grow */
    CHECK_IS(mask(one, TWZ_SEC_MASK_OBJECT, all, TWZ_PERMS), 0);
    CHECK_IS(RIGHTS_OF(0, other), TWZ_READ);
    CHECK_IS(RIGHTS_OF(0, all), TWZ_READ | TWZ_USE);
    CHECK_IS(mask(one, TWZ_SEC_MASK_OBJECT, other, TWZ_PERMS), 0);
    CHECK_IS(RIGHTS_OF(0, other), TWZ_READ);
    CHECK_IS(RIGHTS_OF(0, secret), TWZ_PERMS);
    CHECK_IS(mask(one, TWZ_SEC_TAKE, NONE, TWZ_DEL), 0);
    CHECK_IS(RIGHTS_OF(0, secret), TWZ_PERMS & ~TWZ_DEL);
    stop(0, one);
}

static void test_mask_refusals(void)
{
    objid_t one = start(0, 0), all = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

    CHECK_IS(mask(one, TWZ_SEC_MASK_DEFAULT, all, TWZ_PERMS), -TWZ_EINVAL);
    CHECK_IS(mask(one, TWZ_SEC_MASK_OBJECT, NONE, TWZ_PERMS), -TWZ_EINVAL);
    CHECK_IS(mask(one, TWZ_SEC_TAKE, NONE, 1u << 31), -TWZ_EINVAL);
    CHECK_IS(mask(one, TWZ_SEC_KEEP + 1, NONE, 0), -TWZ_EINVAL);
    CHECK_IS(mask(all, TWZ_SEC_TAKE, NONE, 0), -TWZ_ETYPE);
    CHECK_IS(mask(NONE, TWZ_SEC_TAKE, NONE, 0), -TWZ_EINVAL); /* the first context has no masks */
    CHECK_IS(tell(0, MASK, NONE, NONE, TWZ_SEC_TAKE, TWZ_DEL), 0); /* its own */
    CHECK_IS(RIGHTS_OF(0, all), TWZ_PERMS & ~TWZ_DEL);
    stop(0, one);
}

/* A context made in another one has its masks; and what that takes in, unless it is to be empty. */
static void test_inheritance(void)
{
    objid_t one = start(0, BLANK), all = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t below, empty, within, secret = secret_of(0);

    grant_needs(0, one);
    CHECK_IS(mask(one, TWZ_SEC_MASK_OBJECT, all, TWZ_READ | TWZ_USE), 0);
    CHECK_IS(mask(one, TWZ_SEC_TAKE, NONE, TWZ_USE), 0);
    below = context_of(0, 0);
    empty = context_of(0, BLANK);
    within = context_of(0, TWZ_CONTEXT_WITHIN);
    user_thread_in(1, below, child_actor, 1);
    user_thread_in(2, empty, child_actor, 2);
    user_thread_in(3, within, child_actor, 3);
    CHECK_IS(RIGHTS_OF(1, all), TWZ_READ);
    CHECK_IS(RIGHTS_OF(2, all), TWZ_READ);
    CHECK_IS(RIGHTS_OF(1, secret), TWZ_PERMS & ~TWZ_USE); /* it takes in `one` */
    CHECK_IS(RIGHTS_OF(2, secret), -TWZ_EDENIED);
    CHECK_IS(RIGHTS_OF(3, secret), TWZ_PERMS & ~TWZ_USE);
    CHECK_IS(mask(below, TWZ_SEC_MASK_DEFAULT, NONE, TWZ_PERMS), 0);
    CHECK_IS(RIGHTS_OF(1, all), TWZ_READ);
    CHECK_IS(mask(one, TWZ_SEC_TAKE, NONE, TWZ_WRITE | TWZ_DEL), 0); /* of its base: it counts */
    stop(1, below);
    stop(2, empty);
    stop(3, within);
    stop(0, one);
}

/* --- the end of rights that another core uses ------------------------------------------------- */

/* Actor 1 stores into the object until that faults. */
static void begin_spinning(objid_t object)
{
    ACTOR(1)->spins = 0;
    begin(1, SPIN, object, NONE, 0, 0);
    while (__atomic_load_n(&ACTOR(1)->spins, __ATOMIC_RELAXED) < 1000)
        user_yield();
}

/* The stores have ended; nothing changes afterwards. The caller maps the object to see that. */
static void check_ended(objid_t object)
{
    uint64_t word;

    user_map(SLOT(3), object, TWZ_READ);
    word = *BASE(SLOT(3));
    CHECK_IS(end(1), 0);
    CHECK_IS(*BASE(SLOT(3)), word);
    CHECK_IS(word, 1);
}

static void test_live_keep(void)
{
    objid_t two = start(1, 0), object = make_of(1, TWZ_KIND_DATA, TWZ_READ);

    begin_spinning(object);
    CHECK_IS(mask(two, TWZ_SEC_KEEP, object, TWZ_READ), 0);
    check_ended(object);
    stop(1, two);
}

static void test_live_ungrant(void)
{
    objid_t one = start(0, 0), two = start(1, 0);
    objid_t object = make_of(0, TWZ_KIND_DATA, TWZ_READ);

    CHECK_IS(GRANTS(0, two, object, TWZ_WRITE), 0);
    begin_spinning(object);
    CHECK_IS(tell(0, UNGRANT, object, two, 0, 0), 0);
    check_ended(object);
    stop(0, one);
    stop(1, two);
}

static void test_live_mask(uint64_t op, int of_base)
{
    objid_t one = start(0, BLANK), two, object = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

    grant_needs(0, one);
    two = context_of(0, 0);
    user_thread_in(1, two, child_actor, 1);
    grant_needs(1, two);
    begin_spinning(object);
    CHECK_IS(mask(of_base ? one : two, op, op == TWZ_SEC_MASK_OBJECT ? object : NONE,
                  TWZ_PERMS & ~TWZ_WRITE),
             0);
    check_ended(object);
    stop(0, one);
    stop(1, two);
}

/* The granter's context is deleted. */
static void test_live_granter(void)
{
    objid_t one = start(0, 0), two = start(1, 0);
    objid_t object = make_of(0, TWZ_KIND_DATA, TWZ_READ);

    CHECK_IS(GRANTS(0, two, object, TWZ_WRITE), 0);
    begin_spinning(object);
    stop(0, one);
    check_ended(object);
    CHECK_IS(RIGHTS_OF(1, object), TWZ_READ);
    stop(1, two);
}

static void test_live_permissions(void)
{
    objid_t two = start(1, 0), object = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

    begin_spinning(object);
    CHECK_IS(CALL(obj_ctl, IDARG(object), TWZ_CTL_PERMS, TWZ_READ), 0);
    check_ended(object);
    stop(1, two);
}

/* Its own context is deleted, or loses a right that its stack needs: the thread ends. */
static void test_live_context(int is_deleted)
{
    objid_t two = start(1, 0), object = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t word;

    begin_spinning(object);
    if (is_deleted)
        CHECK_IS(CALL(obj_delete, IDARG(two), TWZ_DELETE_DEFERRED), 0);
    else
        CHECK_IS(mask(two, TWZ_SEC_TAKE, NONE, TWZ_WRITE), 0);
    user_map(SLOT(3), object, RW);
    *BASE(SLOT(3)) = word = 77;
    CHECK(user_join(1) != 0);
    CHECK_IS(*BASE(SLOT(3)), word);
    ACTOR(1)->done = ACTOR(1)->step;
}

/* The security time of now, in seconds. */
static uint64_t seconds(void)
{
    return (user_now() + (uint64_t)user_system()->wall_offset) / 1000000000u;
}

static void test_live_expiry(void)
{
    objid_t one = start(0, 0), two = start(1, 0), object = make_of(0, TWZ_KIND_DATA, TWZ_READ);
    uint64_t expires = seconds() + 2;

    CHECK_IS(tell(0, GRANT, object, two, TWZ_WRITE, expires - 3600), 0); /* it is over */
    CHECK_IS(RIGHTS_OF(1, object), TWZ_READ);
    CHECK_IS(tell(0, GRANT, object, two, TWZ_WRITE, expires), 0); /* the later end counts */
    CHECK_IS(RIGHTS_OF(1, object), RW);
    begin_spinning(object);
    CHECK_IS(end(1), 0);
    CHECK(seconds() >= expires);
    CHECK_IS(RIGHTS_OF(1, object), TWZ_READ);
    stop(0, one);
    stop(1, two);
}

/* --- bounds ----------------------------------------------------------------------------------- */

static uint64_t kernel_used(void)
{
    user_memory_free();
    return user_system()->kernel_used;
}

/* Objects of an actor, which deletes them after something was done with each. */
static void with_objects(unsigned n, unsigned count, objid_t context)
{
    objid_t id[64];
    unsigned i;

    for (i = 0; i < count; i++) {
        id[i] = secret_of(n);
        if (n == 0)
            CHECK_IS(GRANTS(0, context, id[i], TWZ_READ), 0);
        else
            CHECK_IS(mask(context, TWZ_SEC_MASK_OBJECT, id[i], 0), 0);
    }
    for (i = 0; i < count; i++)
        CHECK_IS(tell(n, DELETE, id[i], NONE, 0, 0), 0);
}

/* The memory of contexts, grants and masks is free again at the end. */
static void test_memory(void)
{
    uint64_t before = 0, round;

    for (round = 0; round < 4; round++) {
        objid_t one = start(0, 0), two = start(1, 0), secret = secret_of(0);

        CHECK_IS(GRANTS(0, two, secret, TWZ_READ), 0);
        CHECK_IS(GRANTS(1, one, secret, TWZ_READ), 0); /* a circle */
        with_objects(0, 64, two);
        with_objects(1, 32, one);
        CHECK_IS(tell(0, DELETE, secret, NONE, 0, 0), 0);
        stop(0, one);
        stop(1, two);
        if (round == 1)
            before = kernel_used();
    }
    CHECK(kernel_used() <= before + 8192); /* the threads and stacks of the actors are left */
}

static void test_full(void)
{
    objid_t two = start(1, 0), object = user_object(0, TWZ_PERMS, TWZ_KIND_DATA), other = NONE;
    unsigned i;

    for (i = 0; i < 128; i++)
        CHECK_IS(mask(two, TWZ_SEC_MASK_OBJECT, user_object(0, 0, TWZ_KIND_DATA), 0), 0);
    CHECK_IS(mask(two, TWZ_SEC_MASK_OBJECT, object, 0), -TWZ_EFULL);
    CHECK(STORES(1, object));
    for (i = 0; i < 9; i++) {
        objid_t one = start(0, 0);

        CHECK_IS(GRANTS(0, two, object, TWZ_READ), i < 8 ? 0 : -TWZ_EFULL);
        begin(0, QUIT, NONE, NONE, 0, 0); /* its context stays */
        user_join(0);
        ACTOR(0)->done = ACTOR(0)->step;
        other = one;
    }
    CHECK_IS(CALL(obj_delete, IDARG(other), 0), 0);
    stop(1, two);
}

/* A chain of grants is worth something up to a depth of 8. */
static void test_depth(void)
{
    objid_t first = start(0, 0), context[10], object = secret_of(0);
    unsigned i;

    context[0] = first;
    for (i = 1; i < 10; i++) {
        context[i] = start(1, 0);
        CHECK_IS(GRANTS(0, context[i], object, TWZ_READ), i < 9 ? 0 : -TWZ_EDENIED);
        CHECK_IS(RIGHTS_OF(1, object), i < 8 ? (long)TWZ_READ : -TWZ_EDENIED);
        begin(0, QUIT, NONE, NONE, 0, 0);
        user_join(0);
        ACTOR(0)->done = ACTOR(0)->step;
        begin(1, QUIT, NONE, NONE, 0, 0);
        user_join(1);
        ACTOR(1)->done = ACTOR(1)->step;
        user_thread_in(0, context[i], child_actor, 0);
    }
    stop(0, NONE);
    for (i = 0; i < 10; i++)
        CHECK_IS(CALL(obj_delete, IDARG(context[i]), 0), 0);
}

void test_main(void)
{
    user_handlers();
    test_creator();
    test_persistent();
    test_holder();
    test_entry();
    test_words();
    test_grant();
    test_regrant();
    test_masks();
    test_mask_refusals();
    test_inheritance();
    test_live_ungrant();
    test_live_keep();
    test_live_mask(TWZ_SEC_MASK_DEFAULT, 0);
    test_live_mask(TWZ_SEC_MASK_OBJECT, 1);
    test_live_mask(TWZ_SEC_MASK_OBJECT, 0);
    test_live_granter();
    test_live_permissions();
    test_live_context(0);
    test_live_context(1);
    test_live_expiry();
    test_memory();
    test_full();
    test_depth();
}
