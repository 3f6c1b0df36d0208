/* SPDX-License-Identifier: MIT */
/*
 * The worst arguments of every call. A thread of the highest priority sleeps for a short time again
 * and again, on the core on which the test makes its calls. How late it wakes is how long the
 * kernel keeps a core without a look at priorities, signals and kills. The clock counts
 * instructions. Each line is the worst lateness of one call; none may exceed LIMIT (worst.c).
 *
 * worst.py runs the program, adds the longest stay in the kernel to each line, and raises what the
 * program cannot: input of the console, a machine check. Its number for the program is 1 for the
 * large sizes, else 0.
 */
#ifndef TESTS_WORST_H
#define TESTS_WORST_H

#include "user.h"

#define PAGE TWZ_PAGE_SIZE
#define RW   (TWZ_READ | TWZ_WRITE)
#define MANY 10240u /* the first of many slots */

/* SHARED->word */
enum { READY, STOP, WORST, PERIOD, NOTHING, DONE, LARGE, DRIVEN, BEFORE, SCRATCH };

/* Logs and checks the worst lateness since the last report, as one line of call number `call`. */
void worst_report(unsigned call, const char *what);
#define NO_CALL            63u
#define REPORT(name, what) worst_report(TWZ_SYS_##name - TWZ_SYSCALL_BASE, #name ", " what)
#define REPORT_EVENT(what) worst_report(NO_CALL, what)

#define WORST_OF(name, what, call, wanted) \
    do {                                   \
        CHECK_IS(call, wanted);            \
        REPORT(name, what);                \
    } while (0)

/* A size for the ordinary run, and for the one with --long. */
static inline uint32_t worst_size(uint32_t ordinary, uint32_t large)
{
    return SHARED->word[LARGE] != 0 ? large : ordinary;
}

objid_t worst_object(uint32_t flags);
void worst_drop(objid_t id); /* deletes it */

/* Writes pages of an object: `count` from page 1 on, `stride` apart. */
void worst_write(objid_t id, uint32_t count, uint32_t stride);
objid_t worst_dense(uint32_t flags);
objid_t worst_sparse(uint32_t flags);
#define DENSE  2048u /* pages of a dense object */
#define SPARSE 200u  /* pages of a sparse object, each in a node of its own */

/* Sets `count` entries from slot MANY on, of this view or of one that is mapped at view_base. The
 * first touches and unmaps the slots. */
void worst_map_many(objid_t id, uint64_t rights, uint32_t count);
void worst_unmap_many(uint32_t count);
void worst_fill_view(objid_t view, uint64_t view_base, objid_t id, uint32_t count);

/* Lets other threads run until only those exist that existed at worst_threads_begin. */
void worst_threads_begin(void);
void worst_threads_gone(void);

/* Starts `count` threads without stack, each of which sleeps on the word at `addr` while it equals
 * `value`, until a deadline, then ends. Their deadlines are `step` apart. Their IDs are at
 * worst_id(0) and up. Returns when all sleep. */
void worst_sleepers(uint32_t count, volatile uint64_t *addr, uint64_t value, uint64_t deadline,
                    uint64_t step);
objid_t worst_id(uint32_t n);
objid_t *worst_id_at(uint32_t n);

/* The parts of the test. */
void worst_threads(void);  /* worst_threads.c */
void worst_words(void);    /* worst_words.c */
void worst_devices(void);  /* worst_devices.c */
void worst_contexts(void); /* worst_contexts.c */
void worst_gates(void);    /* worst_gates.c */

#endif
