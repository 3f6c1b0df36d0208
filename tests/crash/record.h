/* SPDX-License-Identifier: MIT */
/*
 * The recording persistence backend. It performs every store on the memory of the pool at once, and
 *   - appends stores, flushes, fences and commit points to the log, if there is one;
 *   - lists the lines that were stored to, so that the caller can restore them.
 * One call site of a flush or fence can be disabled, which makes a mutant of the store.
 */
#ifndef CRASH_RECORD_H
#define CRASH_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE  64u
#define WORDS (LINE / 8u)

enum event_type {
    EV_STORE,  /* cached, ordered within its line */
    EV_STREAM, /* non-temporal */
    EV_FLUSH,  /* at: line */
    EV_FENCE,
    EV_COMMIT, /* a commit word was just stored */
    EV_RETURN  /* value: number of operations that have returned */
};

struct event {
    uint64_t value;
    uint32_t at; /* word number in the pool, or line number */
    uint16_t site;
    uint8_t type;
    uint8_t pad;
};

#define SITES_MAX 256u

struct event_log {
    struct event *event;
    size_t count;
    size_t capacity;
};

/* Lines that were stored to. */
struct dirty {
    uint8_t *flag; /* one for each line */
    uint32_t *list;
    uint32_t count;
};

struct record {
    uint8_t *base;
    size_t size;
    struct event_log *log; /* NULL: not logging */
    struct dirty *dirty;   /* NULL: not tracking */
    uint32_t disabled;     /* site that has no effect; SITES_MAX: none */
    uint32_t shuffle;      /* order of the words of a copy: 0 rising, 1 falling, else a seed */
    uint64_t stores;       /* number of stores that changed a word, logged or not */

    const char *site[SITES_MAX];
    uint32_t sites;
    bool hit[SITES_MAX]; /* until the caller clears it */
};

extern struct record record;

/* Use this memory as the pool. `log` and `dirty` may be NULL. */
void record_attach(uint8_t *base, size_t size, struct event_log *log, struct dirty *dirty);
/* Log the return of an operation. `operations` is the number of returns so far. */
void record_return(uint64_t operations);

/* A hash of two numbers. */
uint64_t mix64(uint64_t a, uint64_t b);

#endif
