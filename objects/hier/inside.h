/* SPDX-License-Identifier: MIT */
/*
 * What the files of hier share. A struct hier is an open directory whose header was looked at;
 * everything else in the object is validated when it is read, since readers race with changes and
 * the object may come from anywhere.
 */
#ifndef HIER_INSIDE_H
#define HIER_INSIDE_H

#include <hier/hier.h>
#include <twz/persist.h>

#define HIER_DEPTH        65536u /* of the tree, when going up: no more parents than that */
#define HIER_PROBE        4096u  /* slots looked at for one name; a table at 3/4 needs few */
#define HIER_AGAIN        1000u  /* times that an operation starts over */
#define HIER_LOCK_TIMEOUT 30000000000ull /* nanoseconds for a lock, whose holder may be an enemy */

struct hier {
    uint8_t *start;
    struct hier_dir *dir;
    objid_t id;
    uint32_t rights;
    objid_t busy_obj; /* with -TWZ_EAGAIN: this object's links ... */
    objid_t busy_dir; /* ... are being changed in this directory; 0: just try again */
    uint32_t again;   /* times that it was tried again */
};

/* An entry to be written. */
struct hier_new {
    struct hier_name name;
    uint32_t hash;
    uint32_t kind;
    objid_t id;
    const char *text;
    size_t text_len;
};

/* A place in the table. */
struct hier_place {
    uint64_t slot;  /* offset of the slot word; 0: no such name */
    uint64_t value; /* the word */
    struct hier_found found;
};

/* --- open.c: header and names ----------------------------------------------------------------- */

int hier_attach(const twzobj *obj, struct hier *h);
/* Attach, and look at the name. */
int hier_open_name(const twzobj *obj, struct hier_name name, struct hier *h);
int hier_name_good(struct hier_name name);
uint32_t hier_hash(struct hier_name name);

static inline uint64_t *hier_word(const struct hier *h, uint64_t off)
{
    return (uint64_t *)(void *)(h->start + off);
}

/* --- space.c: chunks and table; from hier_chunk_alloc on: locked, op is HIER_DIRTY ------------- */

int hier_table_get(const struct hier *h, uint64_t *slots, uint32_t *bits); /* offset of slot 0 */
int hier_entry_get(const struct hier *h, uint64_t off, const struct hier_entry **entry);
int hier_find(const struct hier *h, struct hier_name name, struct hier_place *place);

/* 0 if this is a slot word of the table that can be stored to. */
int hier_bucket_is_own(const struct hier *h, uint64_t off);

/* 1 if no slot word refers to an entry. */
int hier_is_empty(const struct hier *h);

/* 1 if a slot word says that the entry at `off` is there. */
int hier_live(const struct hier *h, uint64_t off, uint32_t hash);

uint32_t hier_cells(const struct hier_new *entry);
int hier_chunk_alloc(struct hier *h, uint32_t cells, uint64_t *off);
void hier_chunk_free(struct hier *h, uint64_t off);
void hier_entry_write(struct hier *h, uint64_t off, const struct hier_new *entry);
/* A table with room for one more name; then the slot where it goes. */
int hier_table_room(struct hier *h);
int hier_bucket_pick(const struct hier *h, uint32_t hash, uint64_t *slot);
/* Lists, count, used and bump from chunks and table. */
int hier_rebuild(struct hier *h);
void hier_count_add(struct hier *h, int count, int used);

/* --- change.c: locks, what a crash left ------------------------------------------------------- */

/* Lock directories (all, or none on an error), any order given, doubles allowed; interrupted
 * changes of theirs are finished first. */
int hier_lock(struct hier *const *set, size_t n);
void hier_unlock(struct hier *const *set, size_t n);

/* One directory; -TWZ_EDELETED where it was removed. */
int hier_lock_one(struct hier *h);
void hier_unlock_one(struct hier *h);

int hier_tree_lock(objid_t dir, twzobj *root);
void hier_tree_unlock(twzobj *root);
void hier_tree_moving(const twzobj *root, objid_t to);

/* A read that takes no lock where it can: body is called until it ran undisturbed. */
int hier_reading(const struct hier *h, int (*body)(const struct hier *h, void *ctx), void *ctx);

/* --- intent.c: crash protocol ----------------------------------------------------------------- */

void hier_begin(struct hier *h);
void hier_end(struct hier *h);

/* Fill in h's intent and COMMIT it, carry it out, and go back to HIER_DIRTY. */
void hier_complete(struct hier *h, struct hier *from, const struct hier_intent *intent);

/* Carry out the intent that stands in h, as far as what it changes agrees (layout.h, TRUST).
 * `from`: its other directory, locked; NULL: there is none any more. */
void hier_complete_found(struct hier *h, struct hier *from);
void hier_see_clear(struct hier *h);

int hier_parent_get(const struct hier *h, objid_t *parent);

/* 1 if directory `id` says that `parent`, another one, is its; an error: it cannot be stored to. */
int hier_is_child(objid_t id, objid_t parent);

/* --- read.c ----------------------------------------------------------------------------------- */

/* hier_iter, over no more than *steps chunks, which are counted down: -TWZ_EFULL. */
int hier_iter_some(const twzobj *dir, uint64_t *cursor, struct hier_item *item, uint64_t *steps);

/* --- impl.c, links.c -------------------------------------------------------------------------- */

/* Room for an entry and its slot, nothing visible yet. h is locked and begun. */
int hier_place_new(struct hier *h, const struct hier_new *entry, uint64_t *chunk, uint64_t *slot);

/* What happens to the object that loses a name; its links_lock is held where `obj` is open. */
struct hier_victim {
    twzobj obj;
    objid_t id;
    uint64_t links;
};
/* An entry goes: what of its object? One that is gone already may always lose its name. h is
 * locked; -TWZ_EAGAIN: unlock, then hier_again. */
int hier_victim_prepare(struct hier *h, const struct hier_found *found, uint32_t flags,
                        struct hier_victim *v);
/* h is about to commit an intent about it; when it was carried out: done. */
void hier_victim_mark(const struct hier *h, const struct hier_victim *v);
void hier_victim_done(struct hier_victim *v);

/* Nothing is locked. 1: r was -TWZ_EAGAIN, and what stood in the way was dealt with. */
int hier_again(struct hier *h, int r);

#endif
