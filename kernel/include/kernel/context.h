/* SPDX-License-Identifier: MIT */
/*
 * Security contexts in the kernel. A context is an object of kind SCTX; struct context is the
 * kernel's volatile data about one in use. It says which rights the context adds to the default
 * permissions of objects, and which it masks. kernel/sec makes the decision from that.
 *
 * A context takes in another one, its base: what the base has, the context has too. The kernel
 * alone makes that edge, at the context's creation. Masks of the base hold for the context.
 *
 * A grant gives a context rights on one object. Its worth at each decision is what its granter has
 * then, and no more than was granted. The grant that a creator gets has no granter, and stands by
 * itself. Grants are in memory only. They end with the object, with either context, and at boot.
 *
 * The caller of each function must hold no lock, unless its comment says otherwise. No function
 * blocks.
 *
 * Lock order: view's list of address spaces, contexts -> context -> in-core object; grants alone.
 */
#ifndef KERNEL_CONTEXT_H
#define KERNEL_CONTEXT_H

#include <kernel/object.h>
#include <lib/idtree.h>
#include <sctx.h>

#define CONTEXT_DEPTH 8u     /* contexts of a chain of bases, at most */
#define GRANT_SOURCES 8u     /* grants of one object in one context, at most */
#define GRANTS_MAX    65536u /* grants in one context, at most */

/* A decision (kernel/sec.h). */
struct decision {
    unsigned rights;
    unsigned by_default; /* those of them that default permissions give */
    uint64_t stamp;      /* of the object, from before the decision */
    uint64_t until;      /* the decision may change then; seconds of security time; 0: never */
};

/* A grant in the list of its granter; or a place in that list, with grant NULL. */
struct given {
    struct list_node link;
    struct grant *grant;
};

/* Work that unmaps what a context, and those that depend on it, have mapped (kso/withdraw.c). */
struct context_withdrawal {
    struct deferred work;
    bool is_allocated;       /* the work frees itself */
    struct context *of;      /* referenced, as are the next three: the context that lost rights */
    struct context *at;      /* the walk has reached this context ... */
    struct addrspace *space; /* ... this address space of it ... */
    uint32_t slot;           /* ... this slot; or ... */
    struct given place;      /* ... this grant of it ... */
    bool has_place;
    struct object *obj;         /* ... of this object ... */
    struct unmap_walk walk;     /* ... and these mappings of the object */
    struct obj_renewal renewal; /* ... or the objects that it may have delegated rights on */
};

struct context {
    _Atomic uint32_t refs; /* address spaces, grants, bases, works */
    /* constant */
    objid_t id;
    struct object *obj;   /* referenced; NULL: the first context */
    struct context *base; /* referenced; NULL: none */
    uint32_t depth;       /* number of its bases */
    uint64_t serial;      /* unique over all contexts of this boot */
    /* under the lock of all contexts */
    struct list_node sibling; /* in base->takers */
    struct list takers;       /* contexts that take this one in */
    /* atomic */
    uint64_t stamp;        /* obj_draw_stamp, anew at each change of what it adds or masks */
    uint32_t default_mask; /* of the default permissions of objects without a mask of their own */
    uint32_t taken;        /* rights that it has on no object */
    bool has_table;        /* there may be capabilities in the object */
    bool delegates;        /* a decision has used a delegation by it; one more reference */
    bool deleted;          /* it has no rights, and cannot be entered */
    /* under lock */
    struct spinlock lock;
    struct list addrspaces;
    struct id_tree masks; /* of single objects */
    struct list mask_list;
    uint32_t nmasks;
    /* under the lock of grants */
    struct id_tree grants;
    uint32_t ngrants;
    struct list given; /* struct given: the grants to others */
    /* deletion */
    struct context_withdrawal death;
    struct deferred drop;
};

/* The context of threads that no pool gives another one: default permissions, and nothing else. */
struct context *context_first(void);

/* Returns in *out a reference on the context of an SCTX object. Errors: -TWZ_ETYPE; -TWZ_EDELETED;
 * -TWZ_EDAMAGED if its masks cannot be read; -TWZ_ENOMEM. */
MUST_CHECK int context_get(struct object *obj, struct context **out);

/* Makes the context of a new SCTX object, which no look-up has found yet. takes_in: TWZ_CONTEXT_*;
 * a persistent one takes in nothing. It has the masks of `creator` in any case. -TWZ_ENOMEM,
 * -TWZ_ENOSPC; -TWZ_EFULL: the chain of bases is too long. */
MUST_CHECK int context_create(struct object *obj, struct context *creator, unsigned takes_in);

/* The context of an SCTX object, referenced, if it is in the kernel; else NULL. */
struct context *context_find(struct object *obj);

/* Must be called before a delegation by the context counts. */
void context_set_delegates(struct context *context);

/* Makes the context of a new volatile SCTX object. It takes in `base`; NULL: nothing.
 * -TWZ_ENOMEM. */
MUST_CHECK int context_create_on(struct object *obj, struct context *base);

void context_ref(struct context *context);
void context_put(struct context *context);

/* The greatest stamp of the context and its bases: it changes whenever one of these does. */
static inline uint64_t context_stamp(const struct context *context)
{
    uint64_t stamp = 0;

    for (; context; context = context->base) {
        uint64_t own = __atomic_load_n(&context->stamp, __ATOMIC_ACQUIRE);

        stamp = own > stamp ? own : stamp;
    }
    return stamp;
}

/* Counts the changes that may concern decisions on any object: of owners' keys and epochs, of
 * capabilities for all objects of an owner, of contexts that have delegated. */
uint64_t context_changes(void);
void context_changed(void);

/* --- masks ------------------------------------------------------------------------------------ */

/* The default permissions of an object that the context and its bases let through. */
unsigned context_default_mask(struct context *context, objid_t id);

/* The rights that the context or a base has on no object. */
unsigned context_taken(const struct context *context);

/* The changes of masks alone, durable in a persistent context. -TWZ_EFULL, -TWZ_ENOMEM,
 * -TWZ_ENOSPC. */
MUST_CHECK int context_set_default(struct context *context, uint32_t mask);
MUST_CHECK int context_set_taken(struct context *context, uint32_t rights);
MUST_CHECK int context_set_mask(struct context *context, objid_t id, uint32_t mask);

/* Makes the decisions void that were made of the context before. Must follow each change. */
void context_renew_stamp(struct context *context);

/* The end of rights of a context, and of those that depend on it: their slots are unmapped, and the
 * objects that they granted to others. The running thread owes that. The change must have been made
 * before, with a new stamp; the memory is allocated before the change. NULL: no memory. */
struct context_withdrawal *context_withdrawal_prepare(void);
void context_withdrawal_start(struct context_withdrawal *withdrawal, struct context *context);
void context_withdrawal_drop(struct context_withdrawal *withdrawal);

/* The changes of masks. Each only takes rights away; what it takes is unmapped before the running
 * thread returns to user mode. -TWZ_ENOMEM, -TWZ_ENOSPC; -TWZ_EFULL: too many objects have masks.
 * */
MUST_CHECK int context_mask_default(struct context *context, uint32_t mask);
MUST_CHECK int context_mask_object(struct context *context, objid_t id, uint32_t mask);
MUST_CHECK int context_take(struct context *context, uint32_t rights);

/* --- grants ----------------------------------------------------------------------------------- */

/* A grant as a decision sees it. */
struct grant_view {
    struct context *granter; /* referenced; NULL: the creator's grant */
    uint32_t rights;
    uint64_t expires; /* seconds of security time; 0: never */
};

/* Gives `to` rights on the object. Another grant of the same granter gets the rights, too, and the
 * later end. -TWZ_EDELETED; -TWZ_EFULL: too many grants in `to`, or of one object; -TWZ_ENOMEM. */
MUST_CHECK int grant_add(struct context *to, struct object *obj, struct context *granter,
                         uint32_t rights, uint64_t expires);

/* Removes a grant, and unmaps the object where it may have counted before the running thread
 * returns to user mode. -TWZ_ENOOBJ: there is none; -TWZ_ENOMEM. */
MUST_CHECK int grant_remove(struct context *from, struct object *obj, struct context *granter);

/* Leaves of a creator's grant the rights that `rights` has, too, and unmaps as grant_remove does.
 * -TWZ_ENOOBJ: the context has no such grant; -TWZ_ENOMEM. */
MUST_CHECK int grant_keep(struct context *in, struct object *obj, uint32_t rights);

/* The grants of an object in one context, without its bases. Returns their number; the caller must
 * put the granters. */
unsigned grants_find(struct context *in, objid_t id, struct grant_view out[GRANT_SOURCES]);

/* Removes the grants of a deleted object. The running thread owes most of that. */
void grants_drop_object(objid_t id);

/* Does one batch of removing all grants in a deleted context and by it. Returns true if some are
 * left. */
MUST_CHECK bool grants_drop_some(struct context *context);

/* Moves a place in the list of what a context gave behind the next grant, and returns a reference
 * on the object of that, in *obj. Returns false, with the place in no list, at the end. The place
 * is in the list if the walk has begun. An object that no longer exists is NULL. */
MUST_CHECK bool grants_given_next(struct context *by, struct given *place, bool begun,
                                  struct object **obj);

/* --- the end of rights ------------------------------------------------------------------------ */

/* Has an object unmapped, where more than its default permissions is mapped, when security time
 * reaches `end`. Must come before a mapping by a right that ends then. -TWZ_ENOMEM. */
MUST_CHECK int expiry_watch(const struct object *obj, uint64_t end);

/* The context after `at` in the walk over `of` and all that take it in, directly or not;
 * referenced. `at` loses its reference. NULL at the end. */
struct context *context_next_taker(struct context *at, struct context *of);

/* An upcall (kernel/upcall.h): an object was deleted. obj is NULL if it is not in core. */
void context_object_deleted(objid_t id, struct object *obj);

#endif
