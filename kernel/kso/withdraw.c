/* SPDX-License-Identifier: MIT */
/*
 * Owns the end of rights that a context loses: by a mask, by its deletion, or with a capability for
 * all objects of an owner. The change comes first, with a new stamp. The work then visits the
 * context and all that take it in. It unmaps the slots of their address spaces. The objects that
 * they granted to others get a new stamp, and are unmapped where more than default permissions is
 * mapped; so are all objects, if the context has delegated. The next touch makes a new decision.
 *
 * A fault that decided before the change cannot map after it: the unmapping raises
 * addrspace->changes first, which the fault compares under the address space's lock.
 *
 * Lock order: context alone; object -> address space.
 */
#include <kernel/context.h>
#include <kernel/defer.h>
#include <kernel/kmem.h>
#include <kernel/view.h>

/* The address space of a context after `before`, which loses its reference, or the first one;
 * referenced. */
static struct addrspace *next_space(struct context *context, struct addrspace *before)
{
    struct addrspace *ret = NULL;
    struct list_node *at;

    spin_lock(&context->lock);
    at = before ? before->context_link.next : context->addrspaces.first;
    for (; at && !ret; at = at->next) {
        struct addrspace *space = LIST_ITEM(at, struct addrspace, context_link);

        ret = view_addrspace_try_ref(space) ? space : NULL;
    }
    spin_unlock(&context->lock);
    if (before)
        view_addrspace_put(before);
    return ret;
}

/* Estimated instructions of one step of the walk, without the unmapping. */
#define STEP_COST 500u

/* Moves on to the next address space of the context, or to the next object that it granted, or to
 * the next context; w->at is NULL at the end. */
static void advance(struct context_withdrawal *w)
{
    w->slot = 0;
    if (!w->has_place) {
        w->space = next_space(w->at, w->space);
        if (w->space)
            return;
    }
    if (grants_given_next(w->at, &w->place, w->has_place, &w->obj)) {
        w->has_place = true;
        w->walk.begun = false;
        if (w->obj)
            obj_renew_stamp(w->obj);
        return;
    }
    w->has_place = false;
    w->at = context_next_taker(w->at, w->of);
}

/* Does one batch of what the walk has reached. Returns true if that is not complete. */
static bool unmap_some(struct context_withdrawal *w, uint32_t *budget)
{
    unsigned keep;

    if (w->space)
        return addrspace_unmap_some(w->space, &w->slot, TWZ_SLOTS, budget);
    if (!w->obj)
        return false;
    keep = __atomic_load_n(&w->obj->perms, __ATOMIC_RELAXED);
    if (addrspace_unmap_excess(&w->obj->tree, keep, &w->walk, budget))
        return true;
    obj_put(w->obj);
    w->obj = NULL;
    return false;
}

static bool withdraw_step(struct deferred *work)
{
    struct context_withdrawal *w = CONTAINER_OF(work, struct context_withdrawal, work);
    uint32_t budget = DEFERRED_STEP;
    struct context *of = w->of;

    while (w->at) {
        if (budget <= STEP_COST)
            return true;
        budget -= STEP_COST;
        if (!unmap_some(w, &budget))
            advance(w);
    }
    if (of->delegates && obj_renewal_some(&w->renewal))
        return true;
    if (w->is_allocated)
        kmem_free(w, sizeof(*w));
    context_put(of);
    return false;
}

static void start(struct context_withdrawal *w, struct context *context, bool is_allocated)
{
    if (context->delegates)
        context_changed();
    context_ref(context);
    context_ref(context);
    *w = (struct context_withdrawal){
        .work.step = withdraw_step, .of = context, .at = context, .is_allocated = is_allocated
    };
    defer(&w->work);
}

struct context_withdrawal *context_withdrawal_prepare(void)
{
    return kmem_alloc(sizeof(struct context_withdrawal));
}

void context_withdrawal_start(struct context_withdrawal *withdrawal, struct context *context)
{
    start(withdrawal, context, true);
}

void context_withdrawal_drop(struct context_withdrawal *withdrawal)
{
    kmem_free(withdrawal, sizeof(*withdrawal));
}

/* --- masks ------------------------------------------------------------------------------------ */

/* The change was made, or `err` says why not. */
static int finish_change(struct context *context, struct context_withdrawal *w, int err)
{
    if (err < 0) {
        kmem_free(w, sizeof(*w));
        return err;
    }
    context_renew_stamp(context);
    start(w, context, true);
    return 0;
}

int context_mask_default(struct context *context, uint32_t mask)
{
    struct context_withdrawal *w = kmem_alloc(sizeof(*w));
    int err = w ? context_set_default(context, mask) : -TWZ_ENOMEM;

    return finish_change(context, w, err);
}

int context_take(struct context *context, uint32_t rights)
{
    struct context_withdrawal *w = kmem_alloc(sizeof(*w));
    int err = w ? context_set_taken(context, rights) : -TWZ_ENOMEM;

    return finish_change(context, w, err);
}

int context_mask_object(struct context *context, objid_t id, uint32_t mask)
{
    struct context_withdrawal *w = kmem_alloc(sizeof(*w));
    int err = w ? context_set_mask(context, id, mask) : -TWZ_ENOMEM;

    return finish_change(context, w, err);
}

/* --- deletion --------------------------------------------------------------------------------- */

static bool drop_step(struct deferred *work)
{
    struct context *context = CONTAINER_OF(work, struct context, drop);

    if (grants_drop_some(context))
        return true;
    context_put(context);
    return false;
}

/* Ends the rights of a deleted context, and drops the reference that its object had on it. */
static void delete_context(struct context *context)
{
    __atomic_store_n(&context->deleted, true, __ATOMIC_RELEASE);
    context_renew_stamp(context);
    start(&context->death, context, false);
    context->drop.step = drop_step;
    defer(&context->drop);
}

void context_object_deleted(objid_t id, struct object *obj)
{
    struct context *context = NULL;

    grants_drop_object(id);
    if (!obj || obj->kind != TWZ_KIND_SCTX)
        return;
    context = context_find(obj);
    if (!context)
        return;
    delete_context(context);
    if (!obj_is_persistent(obj))
        context_put(context);
    if (__atomic_load_n(&context->delegates, __ATOMIC_ACQUIRE))
        context_put(context);
}
