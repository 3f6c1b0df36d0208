/* SPDX-License-Identifier: MIT */
/*
 * Objects in the kernel. A struct object is an in-core object: the kernel's volatile data about an
 * object in use. It is found by ID, counted by references, and owns the object's page-table
 * subtree. A volatile object is nothing more, and the leaves of the subtree are the truth about its
 * pages. Of a persistent object it is a cache, and the store's page words are the truth.
 *
 * The struct is shared by kernel/page, kernel/obj and kernel/kso; the functions are kernel/obj's.
 * "Long": the function works in batches with preemption points between them, so its caller must
 * hold no lock. No function blocks.
 *
 * Lock order: table -> object (obj->tree.lock) -> pool -> kmem -> phys; object -> address space.
 * Of two objects the one at the lower address is first.
 */
#ifndef KERNEL_OBJECT_H
#define KERNEL_OBJECT_H

#include <kernel/addrspace.h>
#include <lib/list.h>
#include <twz/fault.h>
#include <twz/object.h>

#define OBJ_NO_ROW UINT32_MAX /* not in the store */

#define MIGRATE_NONE    0u
#define MIGRATE_TO_NVM  1u /* volatile to persistent */
#define MIGRATE_TO_DRAM 2u /* persistent to volatile */

struct thread;
struct object;

/* The functions of a driver in dev/ for its DEVICE object. */
struct device {
    int64_t (*ctl)(struct object *obj, uint64_t op, uint64_t arg); /* dev_ctl; USE was checked */
};

struct object {
    /* constant while the object can be found */
    objid_t id;
    objid_t kuid;
    uint64_t nonce[2];
    uint64_t account;
    uint64_t revocation_epoch;
    uint32_t kind;
    uint32_t perms_id; /* default permissions as they went into the ID */
    /* under the table's lock */
    struct object *hash_next;
    struct object *row_next;   /* persistent: of the same row bucket */
    struct list_node lru_link; /* cached: of the LRU list; evicting: of the evicted objects */
    bool cached;               /* persistent and without a reference, in the LRU list */
    bool evicting;             /* taken from the LRU list, being flushed and freed */
    bool pinned;               /* the pin holds a reference */
    bool exists; /* the existence reference is held: volatile or migrating, and not deleted */
    struct list_node tie_link; /* of tie_parent's list */
    struct object *tie_parent; /* volatile child: its parent, referenced */
    struct list tie_children;  /* volatile children */
    /* under tree.lock */
    struct subtree tree;
    uint32_t flags;     /* TWZ_OBJ_*; DELETED is atomic, and set and read without the lock too */
    uint32_t perms;     /* in force; also read without the lock */
    uint32_t persist;   /* TWZ_PERSIST_* */
    uint32_t row;       /* OBJ_NO_ROW: volatile; a change needs the table's lock as well */
    uint64_t pages;     /* DRAM frames of its pages */
    phys_t record;      /* the record page's frame; PHYS_NONE until it is mapped */
    uint32_t flush_at;  /* the page at which the periodic write-back continues */
    uint32_t migrating; /* MIGRATE_* */
    uint32_t migrated;  /* pages below this one have migrated */
    int migrate_error;  /* why a migration to NVM was turned back */
    /* THREAD: kernel-only pages, never in the subtree */
    phys_t kpages;
    unsigned korder;
    /* VIEW: its address spaces, under addrspaces_lock */
    struct spinlock addrspaces_lock;
    struct addrspace *addrspaces;
    /* THREAD: the thread that runs on it, under the thread table's lock. DEVICE: constant. */
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
 * Creates an object without pages; *out is referenced. A persistent object exists durably on
 * return, live or provisional. -TWZ_EINVAL; -TWZ_ENOMEM, -TWZ_ENOSPC, -TWZ_EFULL; -TWZ_ENOOBJ,
 * -TWZ_EDELETED: the parent or the witness; -TWZ_ENOTSUP: persistent, and there is no pool. Long.
 */
MUST_CHECK int obj_create(const struct obj_spec *spec, struct object **out);

/* Finds an object by ID, in core or in the store; *out is referenced. -TWZ_ENOOBJ, -TWZ_EDELETED,
 * -TWZ_EDAMAGED, -TWZ_ENOMEM. Long. */
MUST_CHECK int obj_get(objid_t id, struct object **out);

static inline struct object *obj_of_tree(struct subtree *tree)
{
    return CONTAINER_OF(tree, struct object, tree);
}

/* The caller must hold a reference already. */
static inline void obj_ref(struct object *obj)
{
    subtree_get(&obj->tree);
}

/* Drops a reference; with the last one the object is cached or freed. Long. */
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

/*
 * Deletes an object and those tied to it: look-ups fail at once, and the last reference frees the
 * memory. `now` unmaps the object everywhere as well. The deletion of a persistent object is
 * durable on return. -TWZ_EDELETED: it was deleted before (0 with `now`); -TWZ_EDAMAGED. Long.
 */
MUST_CHECK int obj_delete(struct object *obj, bool now);

/*
 * Ties child's life to parent's; NULL unties it. The tie of a persistent child is durable on
 * return. -TWZ_EINVAL: a circle, or a persistent child and a volatile parent; -TWZ_EDELETED;
 * -TWZ_EFULL: too many parents above one another; -TWZ_EBUSY: one of them migrates. Long.
 */
MUST_CHECK int obj_tie(struct object *child, struct object *parent);

/* Takes or drops the object's pin, which is one reference. -TWZ_EDELETED. Long. */
MUST_CHECK int obj_pin(struct object *obj, bool pin);

/* Of a damaged object, pages are counted up to the damage. Long. */
void obj_stat(struct object *obj, struct twz_stat *out);

/* Changes a property (TWZ_CTL_*); durable on return. 1: the caller must call again.
 * -TWZ_EINVAL; -TWZ_EDENIED: more permissions than before; -TWZ_EBUSY: it migrates; those of
 * obj_migrate. Long. */
MUST_CHECK int obj_ctl(struct object *obj, uint64_t op, uint64_t arg);

/*
 * Does one batch of a migration between volatile and persistent. 1: the caller must call again; 0:
 * done, durably. A migration to NVM that fails is turned back first; then its error is returned.
 * -TWZ_EDELETED; -TWZ_EBUSY: ties, or its former row is still being released; -TWZ_ENOTSUP: not
 * plain data, or no pool; -TWZ_ENOSPC, -TWZ_EFULL, -TWZ_ENOMEM, -TWZ_EPOISON, -TWZ_EDAMAGED. Long.
 */
MUST_CHECK int obj_migrate(struct object *obj, bool persistent);

/* Writes back every persistent object in core, for the orderly shutdown. The caller must hold no
 * lock. */
void obj_flush_all(void);

/* The upcalls release_subtree, deferred_work and media_error (kernel/upcall.h). */
void obj_release(struct subtree *tree);
void flush_periodic(void);
void obj_media_error(phys_t addr);

#endif
