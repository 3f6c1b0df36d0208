/* SPDX-License-Identifier: MIT */
/*
 * What a pool should hold, written down the simplest way: a list of objects with lists of pages. It
 * shares no code with the store, and decides what recovery keeps by its own, slower means.
 */
#ifndef CRASH_MODEL_H
#define CRASH_MODEL_H

#include <store/store.h>

#define MODEL_OBJECTS 24u
#define MODEL_PAGES   40u
#define MODEL_WORDS   3u

struct model_page {
    uint32_t page;
    uint8_t state; /* STORE_HOLE ... STORE_POISONED; absent pages are not listed */
    uint8_t flags;
    uint8_t fill;  /* every byte of it ... */
    uint8_t words; /* ... but these */
    uint16_t at[MODEL_WORDS];
    uint64_t word[MODEL_WORDS];
};

struct model_object {
    objid_t id;
    uint32_t state; /* 0: gone */
    uint32_t perms;
    uint32_t persist;
    uint32_t pages;
    uint64_t revoke;
    objid_t tie;
    objid_t witness;
    uint64_t witness_off;
    uint64_t witness_value;
    struct model_page page[MODEL_PAGES];
};

struct model {
    uint32_t count; /* objects ever made; their numbers stay */
    struct model_object object[MODEL_OBJECTS];
    struct store_roots roots;
    uint64_t mono[STORE_MONO_COUNT];
};

/* The page, or NULL where it is absent. */
struct model_page *model_page(struct model_object *object, uint32_t page);
/* Make it `state`, filled with `fill`; STORE_ABSENT takes it off the list. NULL: off, or full. */
struct model_page *model_set(struct model_object *object, uint32_t page, uint32_t state,
                             uint8_t fill);
/* Its word `at` (number in the page) is `value`. 0 where too many words are set apart. */
int model_word(struct model_page *page, uint16_t at, uint64_t value);
/* Kill an object and what is tied to it. */
void model_kill(struct model *model, uint32_t number);
/* What a recovery makes of it. */
void model_recover(struct model *model);

/*
 * Is the store in the state of `a`? With `mixed`, each page may as well be as in `b`. NULL, or what
 * is different. Only for recovered stores: no provisional and no dead objects.
 */
const char *model_differs(struct store *store, const struct model *a, const struct model *b,
                          int mixed);

#endif
