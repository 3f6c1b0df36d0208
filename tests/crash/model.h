/* SPDX-License-Identifier: MIT */
/*
 * The expected state of a pool in the simplest form: a list of objects with lists of pages. The
 * model shares no code with the store. It has its own, slower rules for what recovery retains.
 */
#ifndef CRASH_MODEL_H
#define CRASH_MODEL_H

#include <stdbool.h>
#include <store/store.h>

#define MODEL_OBJECTS 24u
#define MODEL_PAGES   40u
#define MODEL_WORDS   3u

struct model_page {
    uint32_t page;
    uint8_t state; /* STORE_HOLE ... STORE_POISONED; absent pages are not listed */
    uint8_t flags;
    uint8_t fill; /* value of every byte outside of these words */
    uint8_t words;
    uint16_t at[MODEL_WORDS];
    uint64_t word[MODEL_WORDS];
};

struct model_object {
    objid_t id;
    uint32_t state; /* 0: freed */
    uint32_t perms;
    uint32_t persist;
    uint32_t pages;
    uint64_t revoke;
    objid_t tie;
    objid_t account;
    objid_t hash_tree;
    objid_t witness; /* of a provisional object; 0: unnamed */
    uint64_t witness_off;
    uint64_t witness_value;
    struct model_page page[MODEL_PAGES];
};

struct model {
    uint32_t count; /* objects created so far; an object keeps its number */
    struct model_object object[MODEL_OBJECTS];
    uint64_t bad; /* frames on the bad-frame list */
    struct store_roots roots;
    uint64_t mono[STORE_MONO_COUNT];
};

/* The page, or NULL if it is absent. */
struct model_page *model_page(struct model_object *object, uint32_t page);
/* Set the state of a page and fill it. STORE_ABSENT removes it. NULL if removed, or if the list is
 * full. */
struct model_page *model_set(struct model_object *object, uint32_t page, uint32_t state,
                             uint8_t fill);
/* Set word number `at` of a page. False if the page has no entry left for it. */
bool model_word(struct model_page *page, uint16_t at, uint64_t value);
/* Delete an object and the objects tied to it. */
void model_delete(struct model *model, uint32_t number);
/* Apply a recovery by a writer. */
void model_recover(struct model *model);

/*
 * Compare a store with `a`. With `mixed`, each page may be as in `b` instead. NULL, or the
 * difference. The store must be recovered: it has no provisional and no deleted objects. Does not
 * compare the writer generation.
 */
const char *model_differs(struct store *store, const struct model *a, const struct model *b,
                          bool mixed);

#endif
