/* SPDX-License-Identifier: MIT */
/* The parts of the storm: test_storm.c, storm_own.c, storm_threads.c. */
#ifndef TESTS_STORM_H
#define TESTS_STORM_H

#include "user.h"

#define WORKERS  4u
#define OWN      6u
#define PAGES    6u
#define FIRST    509u /* first page of the known contents; they cross a page table's end */
#define COMMON   16u
#define CHILDREN 6u
#define RW       (TWZ_READ | TWZ_WRITE)
#define MS       1000000ull

#define WORKER_SLOTS   24u
#define SLOT_OWN(w, i) (SLOT_TEST + (w)*WORKER_SLOTS + (i))
#define SLOT_COMMON(w) (SLOT_OWN(w, OWN))
#define SLOT_VIEW(w)   (SLOT_OWN(w, OWN + 1))
#define SLOT_TURN(w)   (SLOT_OWN(w, OWN + 2)) /* of the child views: its entry changes */
#define CHILD(w, i)    (WORKERS + (w)*CHILDREN + (i))
#define THREADS        CHILD(WORKERS, 0)

/* Behind struct shared, in the same page. */
struct storm {
    uint64_t seed;
    uint64_t ops;
    uint64_t broken; /* pages with other contents than their owner knows */
    uint64_t done;   /* operations of workers and children, over all rounds */
    uint64_t lean;   /* 1: the pool is almost full, so any call may fail for space */
    objid_t common[COMMON];
    objid_t anchor[WORKERS];
    objid_t child[WORKERS][CHILDREN]; /* that take signals at any time */
    uint64_t go[WORKERS];             /* children sleep while it is 0 */
    uint64_t ping[WORKERS];           /* words of wake_wait */
    uint64_t pong[WORKERS];
};
#define STORM ((struct storm *)((uint8_t *)SHARED + 2048))
_Static_assert(sizeof(struct shared) <= 2048, "the storm is behind it");
_Static_assert(2048 + sizeof(struct storm) <= TWZ_PAGE_SIZE, "the storm fits");

struct page {
    uint64_t value; /* its first word */
    bool hole;
    bool protected;
};

struct worker {
    uint64_t random;
    unsigned number;
    bool is_child; /* may be killed between two calls, and must leave nothing behind */
    objid_t id[OWN];
    unsigned pins[OWN];
    struct page page[OWN][PAGES];
};

static inline uint64_t next(struct worker *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random * 0x2545f4914f6cdd1dull >> 16;
}

/* The flag of an object that a worker may make persistent, because it expects no failure. */
static inline uint32_t any_flags(struct worker *w)
{
    return (next(w) & 1) != 0 && STORM->lean == 0 ? TWZ_OBJ_PERSIST : 0;
}

/* May be torn, and names no object then. */
static inline objid_t common_id(uint64_t n)
{
    volatile objid_t *id = &STORM->common[n % COMMON];

    return (objid_t){ id->lo, id->hi };
}

/* A deadline that is over soon, if not already. */
static inline uint64_t soon(struct worker *w)
{
    uint64_t n = next(w);

    return user_now() + ((n & 15) == 0 ? n >> 8 & 0x7fff : n >> 8 & 0x7ff);
}

/* storm_own.c: creates, deletes, changes and checks the objects of a worker. */
void storm_make_own(struct worker *w, unsigned i, unsigned from);
void storm_drop_own(struct worker *w, unsigned i);
void storm_check_own(struct worker *w, unsigned i);
void storm_change_own(struct worker *w, unsigned i);

/* test_storm.c: makes one call with common objects. */
void storm_use_common(struct worker *w);
void storm_copy_common(objid_t a, objid_t b, uint64_t n);

/* storm_threads.c: starts children, races with them, and joins them. */
void storm_use_threads(struct worker *w);
void storm_delete_slot(uint32_t slot, uint64_t now);
void storm_delete_thread(unsigned n, uint64_t now);

#endif
