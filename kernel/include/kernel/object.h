/* SPDX-License-Identifier: MIT */
/*
 * Objects as the kernel keeps them. A struct object is the volatile record of an object in use:
 * found by ID, counted, holding the object's page-table subtree. Of a volatile object it is all
 * there is, and the leaves of the subtree are the one truth about its pages; of a persistent one
 * it is a cache, and the store's page words are the truth.
 *
 * Lock order: table -> pool; subtree (the object's) -> space; subtree -> pool. Two objects' locks:
 * lower address first.
 */
#ifndef KERNEL_OBJECT_H
#define KERNEL_OBJECT_H

#include <kernel/addrspace.h>
#include <twz/fault.h>
#include <twz/object.h>

#define OBJ_NO_ROW UINT32_MAX /* not in the store */

#define MIGRATE_NONE    0u
#define MIGRATE_TO_NVM  1u /* volatile to persistent */
#define MIGRATE_TO_DRAM 2u /* persistent to volatile */

struct thread;
struct object;

/* What a driver in dev/ gives its DEVICE object (obj->device). */
struct device {
    int64_t (*ctl)(struct object *obj, uint64_t op, uint64_t arg); /* dev_ctl; USE was checked */
};

struct object {
    /* constant */
    objid_t id;
    objid_t kuid;
    uint64_t nonce[2];
    uint64_t account;
    uint64_t revocation_epoch;
    uint32_t kind;
    uint32_t perms_id; /* default permissions as they went into the ID */
    /* under the table's lock */
    struct object *hash_next;
    struct object *row_next; /* persistent: of the same row bucket */
    struct object *lru_next; /* persistent ones nobody uses, least recent first */
    struct object *lru_prev;
    bool cached;
    bool evicting;           /* evicted, being flushed */
    bool pinned;             /* the pin holds a reference */
    bool exists;             /* its existence does: volatile, or becoming persistent */
    struct object *tie_next; /* volatile children of one parent */
    struct object *tie_prev;
    struct object *tie_parent; /* referenced */
    struct object *tie_children;
    /* under tree.lock */
    struct subtree tree;
    uint32_t flags;     /* TWZ_OBJ_*; DELETED is also read without the lock */
    uint32_t perms;     /* in force */
    uint32_t persist;   /* TWZ_PERSIST_* */
    uint32_t row;       /* in the store; OBJ_NO_ROW: volatile */
    uint64_t pages;     /* frames of a volatile object */
    phys_t record;      /* the record page's frame; PHYS_NONE until touched */
    uint32_t flush_at;  /* place of the periodic walk in it */
    uint32_t migrating; /* MOVE_*: leaves of both sorts are there; see obj/move.c */
    uint32_t migrated;  /* pages below are done */
    int migrate_error;  /* why a move in turned into one out */
    /* THREAD: kernel-only pages, never in the subtree */
    phys_t kpages;
    unsigned korder;
    /* VIEW: its spaces, under addrspaces_lock */
    struct spinlock addrspaces_lock;
    struct addrspace *addrspaces;
    /* THREAD: while it runs, under the thread table's lock; DEVICE: constant */
    struct thread *thread;
    const struct device *device;
};

struct obj_spec {
    uint32_t flags; /* TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL */
    uint32_t perms;
    uint32_t kind;
    uint32_t persist;
    objid_t kuid;
    objid_t witness;
    uint64_t witness_off;
    uint64_t witness_value;
    objid_t tie;
};

/*
 * A new object without pages; *out is referenced. -TWZ_EINVAL, -TWZ_ENOMEM, -TWZ_ENOSPC,
 * -TWZ_EFULL, -TWZ_ENOOBJ (parent or witness), -TWZ_ENOTSUP (persistent and no pool).
 */
MUST_CHECK int obj_create(const struct obj_spec *spec, struct object **out);

/* The object of that ID, referenced. -TWZ_ENOOBJ, -TWZ_EDELETED, -TWZ_EDAMAGED, -TWZ_ENOMEM. */
MUST_CHECK int obj_get(objid_t id, struct object **out);

static inline struct object *obj_of_tree(struct subtree *tree)
{
    return CONTAINER_OF(tree, struct object, tree);
}

static inline void obj_ref(struct object *obj)
{
    subtree_get(&obj->tree);
}

static inline void obj_put(struct object *obj)
{
    subtree_put(&obj->tree);
}

static inline bool obj_is_persistent(const struct object *obj)
{
    return obj->row != OBJ_NO_ROW;
}

static inline bool obj_is_deleted(const struct object *obj)
{
    return (__atomic_load_n(&obj->flags, __ATOMIC_ACQUIRE) & TWZ_OBJ_DELETED) != 0;
}

/* Kills the ID at once, and those tied to it. now: unhangs it everywhere as well. */
MUST_CHECK int obj_delete(struct object *obj, bool now);

/* Binds child's life to parent's; NULL: to nobody's. -TWZ_EINVAL persistent to volatile, circle. */
MUST_CHECK int obj_tie(struct object *child, struct object *parent);

MUST_CHECK int obj_pin(struct object *obj, bool pin);
/* Breathes: no lock may be held. Of a damaged object, pages are counted up to the damage. */
void obj_stat(struct object *obj, struct twz_stat *out);
/* Returns 1 while there is more to do (TWZ_CTL_PERSIST goes in pieces). */
MUST_CHECK int obj_ctl(struct object *obj, uint64_t op, uint64_t arg);
/* Changes an object live between volatile and persistent: a bounded piece. 1: more to do. */
MUST_CHECK int obj_migrate(struct object *obj, bool persistent);

/* Orderly shutdown: every persistent object in use or idle. */
void obj_flush_all(void);

/* The upcalls release_subtree, deferred_work and media_error (kernel/upcall.h). */
void obj_release(struct subtree *tree);
void flush_periodic(void);
void obj_media_error(phys_t addr);

#endif
