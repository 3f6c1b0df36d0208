/* SPDX-License-Identifier: MIT */
/*
 * Objects in the kernel. A struct object is an in-core object: the kernel's volatile data about an
 * object in use. The kernel finds it by ID and counts its references. It owns the object's
 * page-table subtree. A volatile object has no other data: the leaves of the subtree are the truth
 * about its pages. For a persistent object the in-core object is a cache, and the store's page
 * words are the truth.
 *
 * kernel/page, kernel/obj and kernel/kso share the struct; the functions are kernel/obj's. "Long":
 * the function works in batches with preemption points between them, so its caller must hold no
 * lock. No function blocks.
 *
 * Lock order: table -> shard of the table -> object (obj->tree.lock) -> pool -> kmem -> phys;
 * object -> address space. A caller that locks two objects must first lock the one at the lower
 * address.
 */
#ifndef KERNEL_OBJECT_H
#define KERNEL_OBJECT_H

#include <kernel/addrspace.h>
#include <kernel/deferred.h>
#include <lib/list.h>
#include <twz/fault.h>
#include <twz/object.h>

#define OBJ_NO_ROW UINT32_MAX /* not in the store */

#define MIGRATE_NONE    0u
#define MIGRATE_TO_NVM  1u /* volatile to persistent */
#define MIGRATE_TO_DRAM 2u /* persistent to volatile */

struct context;
struct thread;
struct service;
struct sealed;
struct sealing;
struct object;

/* The functions of a driver in dev/ for its DEVICE object. */
struct device {
    /* Serves dev_ctl. The caller must have checked the right USE. */
    int64_t (*ctl)(struct object *obj, uint64_t op, uint64_t arg);
};

struct object {
    /* constant while the object can be found */
    objid_t id;
    objid_t kuid;
    uint64_t nonce[2];
    objid_t account;       /* of its payer */
    struct account *payer; /* the account that pays for the object and its pages, or NULL */
    objid_t hash_tree;     /* sealed: the object with the levels of its hash tree */
    struct sealed *sealed; /* sealed: the results for its pages (page/sealed.c); else NULL */
    uint32_t kind;
    uint32_t class_;   /* TWZ_CLASS_* */
    uint32_t perms_id; /* default permissions that are part of the ID */
    /* under the lock of the ID's shard of the table */
    struct object *hash_next;
    struct list_node lru_link; /* cached: in the LRU list */
    bool creating;             /* persistent, not in the store yet: look-ups do not find it */
    bool cached;               /* persistent, without a reference, in the LRU list */
    bool evicting;             /* removed from the LRU list, being written back */
    /* under the table's lock */
    /* has the existence reference: the object is volatile or migrates, and is not deleted */
    bool exists;
    struct list_node tie_link; /* in tie_parent->tie_children */
    struct object *tie_parent; /* parent of a volatile child, referenced */
    struct list tie_children;  /* volatile children */
    /* under tree.lock */
    struct subtree tree;
    uint32_t flags; /* TWZ_OBJ_*; DELETED is atomic, and set and read without the lock too */
    uint32_t perms; /* permissions in force; also read without the lock */
    uint64_t revocation_epoch; /* atomic; only rises */
    uint64_t stamp;            /* atomic; drawn anew at each change of rights on the object */
    uint32_t persist;          /* TWZ_PERSIST_* */
    uint32_t row;              /* OBJ_NO_ROW if volatile; a change needs the table's lock as well */
    uint64_t pages;            /* number of DRAM frames that are pages of the object */
    bool has_lost;             /* volatile: leaves may be lost (ARCH_PT_LOST) */
    phys_t record;             /* frame of the record page; PHYS_NONE until the first fault on it */
    bool written;       /* mapped with WRITE since the last complete write-back without mappings */
    struct pin *pin;    /* list of the holders of pins (obj/pin.c) */
    uint32_t pins;      /* in that list; if there are any, they hold a reference */
    uint32_t migrating; /* MIGRATE_* */
    uint32_t migrated;  /* pages below this one have migrated */
    int migrate_error;  /* error that turned a migration to NVM back, or 0 */
    /* write-back at the last use (incore.c): the struct holds a reference while it is queued */
    struct deferred clean;
    uint32_t clean_at; /* page that it has reached */
    /* deletion of what is tied to the object, then its destruction (delete.c, incore.c) */
    struct deferred work;
    uint32_t work_at;     /* destruction: the page that it has reached */
    uint32_t release_row; /* deletion: row of a tied object, being released, or OBJ_NO_ROW */
    struct account *release_payer; /* deletion: the account of that object */
    bool unmap_now;                /* deletion: the object is unmapped everywhere */
    /* periodic write-back, under the lock of flush.c */
    struct list_node watch_link;
    bool watched;
    uint32_t flush_round; /* in which it was written back last */
    uint32_t flush_at;    /* under tree.lock: the page at which it continues */
    /* THREAD: kernel-only pages, never in the subtree */
    phys_t kpages;
    unsigned korder;
    bool first; /* VIEW: of the first program; constant */
    /* VIEW: its address spaces, under addrspaces_lock */
    struct spinlock addrspaces_lock;
    struct addrspace *addrspaces;
    /* SCTX: its context in the kernel, under the lock of all contexts; not referenced */
    struct context *context;
    /* THREAD: the thread that runs on this, under the thread table's lock. DEVICE: constant. */
    struct thread *thread;
    const struct device *device;
    struct service *service; /* SERVICE, under tree.lock: referenced, while it is attached */
};

struct obj_spec {
    uint32_t flags; /* TWZ_OBJ_PERSIST, TWZ_OBJ_PROVISIONAL, TWZ_OBJ_FLAT */
    uint32_t perms;
    uint32_t kind;
    uint32_t persist;
    uint32_t class_;
    objid_t kuid;
    struct account *payer; /* for a persistent object, the nearest persistent account pays */
    objid_t witness;
    uint64_t witness_off;
    uint64_t witness_value;
    objid_t tie;
    bool unfinished;       /* the caller makes it permanent when it is complete */
    const uint64_t *nonce; /* of one of the kernel's own objects; NULL: a random one */
};

/*
 * Creates an object without pages, and returns a reference in *out. A persistent object exists
 * durably on return, live or provisional; an unfinished one is provisional without a witness, so a
 * power failure removes it. Errors: -TWZ_EINVAL; -TWZ_ENOMEM, -TWZ_ENOSPC, -TWZ_EQUOTA, -TWZ_EFULL;
 * -TWZ_ENOOBJ or -TWZ_EDELETED for the parent or the witness; -TWZ_EEXIST if the witness word has
 * its value already; -TWZ_ENOTSUP for a persistent object without a pool. Long.
 */
MUST_CHECK int obj_create(const struct obj_spec *spec, struct object **out);

/* Finds an object by ID, in core or in the store, and returns a reference in *out. Errors:
 * -TWZ_ENOOBJ, -TWZ_EDELETED, -TWZ_EDAMAGED, -TWZ_ENOMEM. */
MUST_CHECK int obj_get(objid_t id, struct object **out);

static inline struct object *obj_of_tree(struct subtree *tree)
{
    return CONTAINER_OF(tree, struct object, tree);
}

/* Adds a reference. The caller must hold a reference already, or the lock of the ID's shard. */
static inline void obj_ref(struct object *obj)
{
    subtree_get(&obj->tree);
}

/* Drops a reference. The drop of the last one caches the object, or the running thread owes its
 * write-back or destruction (kernel/defer.h). */
static inline void obj_put(struct object *obj)
{
    subtree_put(&obj->tree);
}

static inline bool obj_is_persistent(const struct object *obj)
{
    return obj->row != OBJ_NO_ROW;
}

static inline bool obj_is_flat(const struct object *obj)
{
    return (obj->flags & TWZ_OBJ_FLAT) != 0; /* constant */
}

/* The pages that may hold data or metadata of the user: [first, end). */
static inline uint32_t obj_first_page(const struct object *obj)
{
    return obj_is_flat(obj) ? 0 : 1;
}

static inline uint32_t obj_end_page(const struct object *obj)
{
    return obj_is_flat(obj) ? TWZ_OBJ_PAGES : TWZ_PAGE_RECORD;
}

static inline uint64_t obj_stamp(const struct object *obj)
{
    return __atomic_load_n(&obj->stamp, __ATOMIC_ACQUIRE);
}

static inline bool obj_is_deleted(const struct object *obj)
{
    return (__atomic_load_n(&obj->flags, __ATOMIC_ACQUIRE) & TWZ_OBJ_DELETED) != 0;
}

/*
 * Deletes an object: look-ups fail at once, and the drop of the last reference frees the memory.
 * The deletion of a persistent object is durable on return. The running thread owes the deletion of
 * the objects tied to it and, with `now`, the removal of all mappings (kernel/defer.h). Errors:
 * -TWZ_EDELETED if the object was deleted before; -TWZ_EDAMAGED; -TWZ_ENOTSUP for a persistent
 * object without a pool.
 */
MUST_CHECK int obj_delete(struct object *obj, bool now);

/*
 * Ties child's life to parent's, or unties child if parent is NULL. The tie of a persistent child
 * is durable on return. Errors: -TWZ_EINVAL for a circle, or for a persistent child of a volatile
 * parent; -TWZ_EDELETED; -TWZ_EFULL for too long a chain of parents; -TWZ_EBUSY while either object
 * migrates.
 */
MUST_CHECK int obj_tie(struct object *child, struct object *parent);

/* A number that was never drawn before. */
uint64_t obj_draw_stamp(void);

/* Gives the object a new stamp. Must follow each change of the rights on it. */
void obj_renew_stamp(struct object *obj);

/* Work that unmaps an object wherever more than its default permissions is mapped, or what a grant
 * or a capability gave. The running thread owes it. Must follow a change that takes rights, and the
 * new stamp; its memory is allocated before the change. prepare: NULL if there is no memory. */
struct obj_unmap;
struct obj_unmap *obj_unmap_prepare(void);
void obj_unmap_start(struct obj_unmap *unmap, struct object *obj);
void obj_unmap_drop(struct obj_unmap *unmap);

/* After the change: starts the work, or drops its memory if `err`, which is returned, is negative.
 * */
int obj_unmap_finish(struct obj_unmap *unmap, struct object *obj, int err);

/* Adds a pin of a holder, or removes one of its pins. A pinned object keeps its frames, and does
 * not migrate. A deletion removes all pins. Errors: -TWZ_EINVAL if the holder has no pin to remove;
 * -TWZ_EBUSY while the object migrates; -TWZ_EFULL for too many holders or pins; -TWZ_EDELETED;
 * -TWZ_ENOMEM. */
MUST_CHECK int obj_pin(struct object *obj, objid_t holder, bool pin);

/* Describes an object. */
void obj_stat(struct object *obj, struct twz_stat *out);

/* Changes a property (TWZ_CTL_*), durably on return. Returns 1 if the caller must call again.
 * Errors: -TWZ_EINVAL; -TWZ_EDENIED if `arg` adds permissions; -TWZ_EBUSY while the object
 * migrates; errors of obj_migrate. Long. */
MUST_CHECK int obj_ctl(struct object *obj, uint64_t op, uint64_t arg);

/*
 * Does one batch of a migration between volatile and persistent. Returns 1 if the caller must call
 * again, and 0 if the migration is complete and durable. If a migration to NVM fails, the following
 * calls turn it back; the last of these returns the error. Errors: -TWZ_EDELETED; -TWZ_EBUSY if the
 * store has ties of the object, or its former row is still being released; -TWZ_ENOTSUP if the
 * object is not DATA or has a volatile tie to a parent, or there is no pool; -TWZ_ENOSPC,
 * -TWZ_EFULL, -TWZ_ENOMEM, -TWZ_EDAMAGED. A page that the media lost stays lost. Long.
 */
MUST_CHECK int obj_migrate(struct object *obj, bool persistent);

/* Raises the revocation epoch, unless it is that high already. A persistent object has it durably
 * on return, before any decision counts with it. The running thread owes the unmapping of granted
 * rights. -TWZ_EDELETED, -TWZ_ENOMEM, -TWZ_ERANGE, -TWZ_EDAMAGED. */
MUST_CHECK int obj_revoke(struct object *obj, uint64_t epoch);

/* Work that gives all objects in core, or those of one owner (kuid not 0), new stamps, and unmaps
 * granted rights on them. The running thread owes it. It must follow a change that takes rights;
 * its memory is allocated before the change. prepare: NULL if there is no memory. Other work may
 * contain the struct, all zero but for the kuid, and do its batches: some returns true if there are
 * more. */
struct obj_renewal {
    struct deferred work;
    objid_t kuid;
    uint32_t chain;     /* of the table */
    struct object *obj; /* referenced, in that chain; NULL: before the first one */
    struct unmap_walk walk;
};
MUST_CHECK bool obj_renewal_some(struct obj_renewal *renewal);
struct obj_renewal *obj_renewal_prepare(void);
void obj_renewal_start(struct obj_renewal *renewal, objid_t kuid);
void obj_renewal_drop(struct obj_renewal *renewal);

/*
 * Does one batch of sealing the content of an object. *progress must be NULL at the first call.
 * Returns 1 if the caller must call again, and 0 with the ID of the sealed object in *id; the
 * caller must then call obj_seal_commit. Errors: -TWZ_EINVAL if the object is not of kind DATA,
 * flat, has a hole, or would have neither an owner nor a default right; -TWZ_EBUSY if the object
 * migrates, its metadata page is locked, or a deleted object of the ID is in use; -TWZ_EEXIST if
 * another content has the ID; -TWZ_EDAMAGED if the object of the ID is not what it promises;
 * -TWZ_EPOISON, -TWZ_ENOMEM, -TWZ_ENOSPC, -TWZ_EFULL, -TWZ_ENOTSUP. The caller must hold no lock.
 * Long.
 */
MUST_CHECK int obj_seal(struct object *src, struct sealing **progress, objid_t *id);

/* Makes the sealed object and its tree exist, durably. Returns 1 if an object of the ID has come to
 * exist meanwhile: the caller must go on with obj_seal. *progress is NULL after 0. Errors:
 * -TWZ_ENOMEM, -TWZ_ENOTSUP. Long. */
MUST_CHECK int obj_seal_commit(struct sealing **progress);

/* Drops what an unfinished sealing has made. *progress is NULL afterwards. Long. */
void obj_seal_drop(struct sealing **progress);

/* Number of in-core objects, cached ones included. */
uint64_t obj_count(void);

/* Locked (obj->tree.lock). Must be called when an address space maps the object with WRITE, and
 * when a mapped one becomes persistent or PERIODIC: its pages may become dirty. */
void obj_written_locked(struct object *obj);

/* Writes back every persistent in-core object, for the orderly shutdown. The caller must hold no
 * lock. */
void obj_flush_all(void);

/* The upcalls release_subtree and media_error, and a part of deferred_work (kernel/upcall.h), which
 * returns true if there was work. */
void obj_release(struct subtree *tree);
void obj_media_error(phys_t addr);
bool flush_periodic(void);

#endif
