/* SPDX-License-Identifier: MIT */
/*
 * The recording persistence backend. It performs every store on the pool's memory at once, and
 *   - appends it (and each flush, fence, commit point) to the log, if there is one;
 *   - remembers which lines were stored to, so that they can be put back.
 * One call site of a flush or fence can be switched off: a mutant.
 */
#ifndef CRASH_RECORD_H
#define CRASH_RECORD_H

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
    EV_RETURN  /* value: operations that have returned */
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
    size_t room;
};

/* Lines that were stored to. */
struct dirty {
    uint8_t *flag; /* one a line */
    uint32_t *list;
    uint32_t count;
};

struct record {
    uint8_t *base;
    size_t size;
    struct event_log *log; /* NULL: not logging */
    struct dirty *dirty;   /* NULL: not tracking */
    uint32_t disabled;     /* site that does nothing; SITES_MAX: none */
    uint32_t shuffle; /* order of the words of one copy: 0 rising, 1 falling, else seed of a mix */
    uint64_t stores;  /* words that changed, logged or not */

    const char *site[SITES_MAX];
    uint32_t sites;
    uint8_t hit[SITES_MAX]; /* since last cleared by the user */
};

extern struct record record;

/* Work on a pool's memory. */
void record_attach(uint8_t *base, size_t size, struct event_log *log, struct dirty *dirty);
/* An operation has returned: `operations` of them by now. */
void record_return(uint64_t operations);

/* A number that depends on all of its arguments. */
uint64_t mix64(uint64_t a, uint64_t b);

#endif
