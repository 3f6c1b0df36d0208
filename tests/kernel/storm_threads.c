/* SPDX-License-Identifier: MIT */
/*
 * The children of a worker: they sleep, mask signals, pass a word on, make calls until they are
 * killed, or run in a view whose entries change.
 */
#include "storm.h"

#define MANY       40u /* words */
#define MANY_FIRST 10u /* SHARED->word, and up */

/* As user_thread, but its objects may be persistent, and the view another one. */
static objid_t start_child(struct worker *w, unsigned i, objid_t view, void (*fn)(uint64_t arg))
{
    unsigned n = CHILD(w->number, i);
    objid_t thread = user_object(any_flags(w), TWZ_PERMS, TWZ_KIND_THREAD);
    objid_t stack = user_object(any_flags(w), TWZ_PERMS, TWZ_KIND_DATA);

    user_map(SLOT_THREAD + n, thread, RW);
    user_map(SLOT_STACK + n, stack, RW);
    user_thread_page(n)->self = (uint64_t)(uintptr_t)user_thread_page(n);
    user_thread_page(n)->view = user_view_at();
    if (objid_equal(view, user_view())) {
        STORM->child[w->number][i] = thread;
        CHECK_IS(user_spawn(n, thread, view, fn, w->number), 0);
        return thread;
    }
    user_map_in(view, TWZ_SLOT_ADDR(SLOT_VIEW(w->number)), SLOT_THREAD + n, thread, RW);
    user_map_in(view, TWZ_SLOT_ADDR(SLOT_VIEW(w->number)), SLOT_STACK + n, stack, RW);
    user_thread_page(n)->view = TWZ_SLOT_ADDR(SLOT_VIEW(w->number));
    CHECK_IS(user_spawn(n, thread, view, fn, w->number), 0);
    return thread;
}

void storm_delete_slot(uint32_t slot, uint64_t now)
{
    const struct twz_record *r = (const struct twz_record *)(TWZ_SLOT_ADDR(slot) + TWZ_OBJ_RECORD);
    objid_t id = r->id;

    user_map(slot, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), now), 0);
}

void storm_delete_thread(unsigned n, uint64_t now)
{
    storm_delete_slot(SLOT_THREAD + n, now);
    storm_delete_slot(SLOT_STACK + n, now);
}

static void child_ends(uint64_t number)
{
    CALL(thread_exit, number);
}

static void child_sleeps(uint64_t number)
{
    volatile uint64_t *word = &STORM->go[number];

    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0)
        user_wait(word, 0, TWZ_FOREVER);
    CALL(thread_exit, number);
}

/* Sleeps on many words at once, of which only the first one is woken. The others must not be words
 * of a ping-pong, whose wakes are for one thread. */
static void child_sleeps_on_many(uint64_t number)
{
    volatile uint64_t *word = &STORM->go[number];
    struct twz_sync ops[MANY];
    unsigned i;

    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0) {
        for (i = 0; i < MANY; i++) {
            volatile uint64_t *other = &SHARED->word[MANY_FIRST + i];

            ops[i].addr = (uint64_t)(uintptr_t)(i == 0 ? word : other);
            ops[i].value = i == 0 ? 0 : *other;
            ops[i].op = TWZ_SYNC_SLEEP | TWZ_SYNC_64;
            ops[i].result = 0;
        }
        CALL(thread_sync, ops, MANY, TWZ_FOREVER);
    }
    CALL(thread_exit, number);
}

/* Makes itself deaf to signals, then sleeps. */
static void child_masks(uint64_t number)
{
    CALL(thread_ctl, 0, 0, TWZ_THREAD_MASK, ~0ull, 0);
    child_sleeps(number);
}

static void child_rests(uint64_t number)
{
    switch (user_now() % 3) {
    case 0: child_sleeps(number); break;
    case 1: child_masks(number); break;
    default: child_sleeps_on_many(number); break;
    }
}

/* Hands the core to its worker and back. */
static void child_pongs(uint64_t number)
{
    volatile uint64_t *ping = &STORM->ping[number], *pong = &STORM->pong[number];
    uint64_t i;

    for (i = 1; i <= 20; i++) {
        while (__atomic_load_n(ping, __ATOMIC_ACQUIRE) < i)
            CALL(thread_wait, ping, i - 1, TWZ_FOREVER, TWZ_SYNC_64);
        __atomic_store_n(pong, i, __ATOMIC_RELEASE);
        CALL(thread_wake_wait, pong, ping, i, i < 20 ? TWZ_FOREVER : 0, TWZ_SYNC_64);
    }
    CALL(thread_exit, number);
}

/* Calls that are killed in their midst. Each object that they create is tied to the anchor. */
static void call_once(struct worker *c)
{
    uint64_t n = next(c), page = n >> 8 & 63;
    objid_t anchor = STORM->anchor[c->number], id = TWZ_OBJID_NONE;
    struct twz_copy pages = { .src = common_id(n >> 40),
                              .src_off = TWZ_PAGE_SIZE,
                              .dst_off = TWZ_PAGE_SIZE,
                              .len = 100 * TWZ_PAGE_SIZE };
    struct twz_create spec = { .perms = TWZ_PERMS,
                               .tie = anchor,
                               .source_size = sizeof(pages),
                               .sources = (uint64_t)(uintptr_t)&pages,
                               .nsources = 1 };

    switch (n & 7) {
    case 0:
        spec.nsources = 0;
        user_create(&spec, &id);
        break;
    case 1: user_create(&spec, &id); break;
    case 2: storm_copy_common(common_id(n >> 32), anchor, n); break;
    case 3: storm_copy_common(anchor, common_id(n >> 32), n); break;
    case 4: CALL(obj_ctl, IDARG(anchor), TWZ_CTL_PERSIST, n >> 16 & 1); break;
    case 5:
        user_range(anchor, n >> 16 & 1 ? TWZ_RANGE_POPULATE : TWZ_RANGE_DISCARD, 1 + page, 64);
        break;
    case 6: user_wait(&STORM->go[c->number], 0, soon(c)); break;
    default: storm_use_common(c); break;
    }
}

static void child_calls(uint64_t number)
{
    struct worker c = { .random = user_now() | 1, .number = (unsigned)number, .is_child = true };

    while (__atomic_load_n(&STORM->go[number], __ATOMIC_ACQUIRE) == 0) {
        call_once(&c);
        __atomic_fetch_add(&STORM->done, 1, __ATOMIC_RELAXED);
    }
    CALL(thread_exit, number);
}

/* Touches an address whose entry changes, in a view of its own; then continues in the first one. */
static void child_becomes(uint64_t number)
{
    uint64_t at = (uint64_t)(uintptr_t)BASE(SLOT_TURN(number));
    struct twz_become next_state = { .view = { SHARED->word[0], SHARED->word[1] } };
    unsigned n = CHILD((unsigned)number, 0);

    while (__atomic_load_n(&STORM->go[number], __ATOMIC_ACQUIRE) == 0) {
        user_store_faults(at);
        user_load_faults(at + TWZ_PAGE_SIZE);
    }
    next_state.regs.rip = (uint64_t)(uintptr_t)child_ends;
    next_state.regs.rsp = TWZ_SLOT_ADDR(SLOT_STACK + n) + TWZ_OBJ_DATA_TOP - 8;
    next_state.regs.rdi = number;
    next_state.regs.gsbase = (uint64_t)(uintptr_t)user_thread_page(n);
    CALL(thread_become, SIZED(&next_state));
    CALL(thread_exit, 99);
}

static void let_go(struct worker *w)
{
    __atomic_store_n(&STORM->go[w->number], 1, __ATOMIC_RELEASE);
    user_wake(&STORM->go[w->number], ~0ull);
}

/* --- what workers do with children ------------------------------------------------------------ */

static void kill(objid_t thread)
{
    CALL(thread_signal, IDARG(thread), TWZ_SIGNAL_KILL, 0);
}

/* Many threads end at the same time: some are killed, some may go. */
static void end_many(struct worker *w)
{
    objid_t child[CHILDREN];
    uint64_t n = next(w);
    unsigned i;

    for (i = 0; i < CHILDREN; i++)
        child[i] = start_child(w, i, user_view(), child_rests);
    for (i = 0; i < CHILDREN; i++) {
        CALL(thread_signal, IDARG(child[i]), 20, n);
        CALL(thread_ctl, IDARG(child[i]), TWZ_THREAD_PRIORITY, 10 + (n >> (8 + i) & 7));
        CALL(thread_ctl, IDARG(child[i]), TWZ_THREAD_CORES, 1 + (n >> (16 + i) & 14));
    }
    for (i = 0; i < CHILDREN; i++)
        if ((n >> (24 + i) & 1) != 0)
            kill(child[i]);
    let_go(w);
    for (i = 0; i < CHILDREN; i++) {
        uint64_t code = user_join(CHILD(w->number, i));

        CHECK(code == w->number ||
              ((n >> (24 + i) & 1) != 0 && code == TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_KILL)));
        storm_delete_thread(CHILD(w->number, i), n >> 32 & 1);
    }
}

static void make_anchor(struct worker *w)
{
    STORM->anchor[w->number] = user_object(any_flags(w), TWZ_PERMS, TWZ_KIND_DATA);
}

/* Two children make calls until they are killed, or their anchor is deleted under them. */
static void kill_in_call(struct worker *w)
{
    uint64_t n = next(w), turns = n >> 8 & 1023;
    objid_t child[2];
    unsigned i;

    make_anchor(w);
    for (i = 0; i < 2; i++)
        child[i] = start_child(w, i, user_view(), child_calls);
    for (i = 0; i < (n & 7); i++)
        user_yield();
    while (turns-- > 0)
        __asm__ volatile("pause");
    if ((n >> 20 & 1) != 0)
        CHECK_IS(CALL(obj_delete, IDARG(STORM->anchor[w->number]), n >> 21 & 1), 0);
    for (i = 0; i < 2; i++)
        kill(child[i]);
    for (i = 0; i < 2; i++) {
        CHECK_IS(user_join(CHILD(w->number, i)), TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_KILL));
        storm_delete_thread(CHILD(w->number, i), n >> 22 & 1);
    }
    if ((n >> 20 & 1) == 0)
        CHECK_IS(CALL(obj_delete, IDARG(STORM->anchor[w->number]), n >> 21 & 1), 0);
}

static void play_ping_pong(struct worker *w)
{
    volatile uint64_t *ping = &STORM->ping[w->number], *pong = &STORM->pong[w->number];
    uint64_t i;

    *ping = *pong = 0;
    start_child(w, 0, user_view(), child_pongs);
    for (i = 1; i <= 20; i++) {
        __atomic_store_n(ping, i, __ATOMIC_RELEASE);
        CALL(thread_wake_wait, ping, pong, i - 1, TWZ_FOREVER, TWZ_SYNC_64);
        while (__atomic_load_n(pong, __ATOMIC_ACQUIRE) < i)
            CALL(thread_wait, pong, i - 1, TWZ_FOREVER, TWZ_SYNC_64);
    }
    CHECK_IS(user_join(CHILD(w->number, 0)), w->number);
    storm_delete_thread(CHILD(w->number, 0), next(w) & 1);
}

static objid_t make_view(struct worker *w)
{
    const uint32_t same[] = { SLOT_TEXT, SLOT_SHARED, TWZ_SLOT_SYSTEM };
    volatile struct twz_view_entry *mine =
        (volatile struct twz_view_entry *)(user_view_at() + TWZ_VIEW_TABLE);
    objid_t view = user_object(any_flags(w), TWZ_PERMS, TWZ_KIND_VIEW);
    uint64_t base = TWZ_SLOT_ADDR(SLOT_VIEW(w->number));
    unsigned i;

    user_map(SLOT_VIEW(w->number), view, RW);
    for (i = 0; i < 3; i++)
        user_map_in(view, base, same[i], (objid_t){ mine[same[i]].id.lo, mine[same[i]].id.hi },
                    mine[same[i]].flags & TWZ_PERMS);
    for (i = 0; i < TWZ_FAULT_KINDS; i++)
        ((volatile struct twz_view *)(base + TWZ_OBJ_BASE))->fault_entry[i] =
            ((volatile struct twz_view *)(user_view_at() + TWZ_OBJ_BASE))->fault_entry[i];
    return view;
}

/* The entries of a view change under its only thread, which then leaves the view, or is killed. */
static void turn_view(struct worker *w)
{
    uint64_t n = next(w), base = TWZ_SLOT_ADDR(SLOT_VIEW(w->number)), i, code;
    objid_t view = make_view(w);
    objid_t child = start_child(w, 0, view, child_becomes);

    for (i = 0; i < (n & 31); i++) {
        objid_t id = next(w) & 1 ? common_id(next(w)) : w->id[next(w) % OWN];

        user_map_in(view, base, SLOT_TURN(w->number), id, next(w) & 1 ? TWZ_READ : 0);
        if ((n >> 8 & 1) != 0)
            user_yield();
        if (i % 8 == 0)
            CALL(kso_invalidate, IDARG(view), 0, 1000);
    }
    if ((n >> 9 & 3) == 0)
        kill(child);
    let_go(w);
    if ((n >> 11 & 1) != 0)
        storm_delete_slot(SLOT_VIEW(w->number), 0);
    code = user_join(CHILD(w->number, 0));
    CHECK(code == w->number || ((n >> 9 & 3) == 0 && code == TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_KILL)));
    if ((n >> 11 & 1) == 0)
        storm_delete_slot(SLOT_VIEW(w->number), 1);
    storm_delete_thread(CHILD(w->number, 0), 1);
}

void storm_use_threads(struct worker *w)
{
    __atomic_store_n(&STORM->go[w->number], 0, __ATOMIC_RELEASE);
    switch (next(w) & 7) {
    case 0: end_many(w); break;
    case 1:
    case 2:
    case 3: kill_in_call(w); break;
    case 4: play_ping_pong(w); break;
    default: turn_view(w); break;
    }
}
