/* SPDX-License-Identifier: MIT */
/*
 * Owns views. The kernel follows an address to a view entry, its object and rights, a mapping, and
 * a page.
 *
 * An entry is user memory. The kernel copies it under the view's lock, reads its flags once more,
 * and checks everything that the entry asks for. The rights of a slot are those that both the entry
 * and the access decision give. A slot without READ gets no rights, because the processor cannot
 * deny reads.
 *
 * Revoke and delete change the object first, then take its lock to unmap it. A fault makes the
 * access decision and tests for deletion under the same lock. If the fault does not see the change,
 * the following unmap removes the mapping that the fault made.
 *
 * A mapping keeps its rights until its entry is invalidated, or until a touch needs more rights.
 * The kernel then reads the entry again.
 *
 * Lock order: a view's addrspaces_lock alone; object -> address space, one object at a time.
 */
#include <kernel/context.h>
#include <kernel/defer.h>
#include <kernel/page.h>
#include <kernel/upcall.h>
#include <kernel/view.h>

#define RETRIES 64u /* times that an entry may change during one fault */

/* --- address spaces --------------------------------------------------------------------------- */

static struct addrspace *find_addrspace_locked(struct object *view, const struct context *context)
{
    struct addrspace *addrspace = view->addrspaces;

    while (addrspace && addrspace->context != context)
        addrspace = addrspace->next;
    return addrspace;
}

/* Destroys an address space without a reference, and drops its reference on the view. */
static bool destroy_step(struct deferred *work)
{
    struct addrspace *addrspace = CONTAINER_OF(work, struct addrspace, work);
    struct context *context = addrspace->context;
    struct object *view = addrspace->owner;

    if (addrspace_destroy_some(addrspace))
        return true;
    context_put(context);
    obj_put(view);
    return false;
}

static void destroy_later(struct addrspace *addrspace)
{
    addrspace->work.step = destroy_step;
    defer(&addrspace->work);
}

static void add_addrspace_locked(struct object *view, struct addrspace *addrspace)
{
    struct context *context = addrspace->context;

    addrspace->next = view->addrspaces;
    view->addrspaces = addrspace;
    spin_lock(&context->lock);
    list_add_last(&context->addrspaces, &addrspace->context_link);
    spin_unlock(&context->lock);
}

static void remove_addrspace_locked(struct object *view, struct addrspace *addrspace)
{
    struct context *context = addrspace->context;
    struct addrspace **at;

    for (at = &view->addrspaces; *at != addrspace; at = &(*at)->next)
        continue;
    *at = addrspace->next;
    spin_lock(&context->lock);
    list_remove(&context->addrspaces, &addrspace->context_link);
    spin_unlock(&context->lock);
}

int view_addrspace_get(struct object *view, struct context *context, struct addrspace **out)
{
    struct addrspace *addrspace, *fresh = NULL;
    int err;

    if (view->kind != TWZ_KIND_VIEW)
        return -TWZ_ETYPE;
    for (;;) {
        spin_lock(&view->addrspaces_lock);
        addrspace = find_addrspace_locked(view, context);
        if (addrspace) {
            view_addrspace_ref(addrspace);
        } else if (fresh) {
            add_addrspace_locked(view, fresh);
            addrspace = fresh;
            fresh = NULL;
        }
        spin_unlock(&view->addrspaces_lock);
        if (addrspace)
            break;
        err = addrspace_create(view, context, view->payer, &fresh);
        if (err < 0)
            return err;
        fresh->first = view->first;
        obj_ref(view);
        context_ref(context);
    }
    if (fresh)
        destroy_later(fresh);
    *out = addrspace;
    return 0;
}

void view_addrspace_ref(struct addrspace *addrspace)
{
    atomic_fetch_add_explicit(&addrspace->refs, 1, memory_order_relaxed);
}

bool view_addrspace_try_ref(struct addrspace *addrspace)
{
    uint32_t refs = atomic_load_explicit(&addrspace->refs, memory_order_relaxed);

    while (refs != 0)
        if (atomic_compare_exchange_weak_explicit(&addrspace->refs, &refs, refs + 1,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}

void view_addrspace_put(struct addrspace *addrspace)
{
    struct object *view = addrspace->owner;
    bool last;

    spin_lock(&view->addrspaces_lock);
    last = atomic_fetch_sub_explicit(&addrspace->refs, 1, memory_order_acq_rel) == 1;
    if (last)
        remove_addrspace_locked(view, addrspace);
    spin_unlock(&view->addrspaces_lock);
    if (last)
        destroy_later(addrspace);
}

/* --- entries ---------------------------------------------------------------------------------- */

static uint64_t entry_offset(uint32_t slot)
{
    return TWZ_VIEW_TABLE + (uint64_t)slot * sizeof(struct twz_view_entry);
}

/* Reads a consistent copy of the entry. If its flags change meanwhile, out->flags is 0. */
static int read_entry(struct object *view, uint32_t slot, struct twz_view_entry *out)
{
    uint64_t again = 0;
    int err = obj_read(view, entry_offset(slot), out, sizeof(*out));

    if (err == 0)
        err = obj_read(view, entry_offset(slot) + offsetof(struct twz_view_entry, flags), &again,
                       sizeof(again));
    if (err == 0 && again != out->flags)
        out->flags = 0;
    return err;
}

int view_set(struct object *view, uint32_t slot, objid_t id, unsigned rights)
{
    struct twz_view_entry entry = { .id = id, .flags = TWZ_VE_VALID | rights };

    return obj_write(view, entry_offset(slot), &entry, sizeof(entry));
}

uint64_t view_fault_entry(struct addrspace *addrspace, unsigned kind)
{
    uint64_t entry = 0;

    if (kind >= TWZ_FAULT_KINDS ||
        obj_read(addrspace->owner,
                 TWZ_OBJ_BASE + offsetof(struct twz_view, fault_entry) + kind * sizeof(entry),
                 &entry, sizeof(entry)) < 0)
        return 0;
    return entry;
}

/* --- faults ----------------------------------------------------------------------------------- */

static int set_view_fault(struct twz_fault *fault, uint32_t kind, uint32_t reason)
{
    fault->kind = kind;
    fault->reason = reason;
    return -TWZ_EFAULT;
}

static int set_lookup_fault(struct twz_fault *fault, int error)
{
    switch (-error) {
    case TWZ_EDELETED: return set_view_fault(fault, TWZ_FAULT_OBJECT, TWZ_REASON_DELETED);
    case TWZ_EDAMAGED: return set_view_fault(fault, TWZ_FAULT_OBJECT, TWZ_REASON_DAMAGED);
    case TWZ_ENOMEM: return set_view_fault(fault, TWZ_FAULT_PAGE, TWZ_REASON_NOMEM);
    default: return set_view_fault(fault, TWZ_FAULT_OBJECT, TWZ_REASON_NOOBJ);
    }
}

/* The state that a fault saw before it took the object's lock. */
struct seen {
    uint64_t changes; /* addrspace_changes */
    struct decision decision;
};
/* The rights that a slot may give: the kernel alone writes the page of an account. */
static unsigned rights_of_kind(const struct object *obj)
{
    return obj->kind == TWZ_KIND_ACCOUNT ? TWZ_READ : TWZ_READ | TWZ_WRITE | TWZ_EXEC;
}

/* Maps the object with the rights that both the entry and the access decision give. The caller must
 * hold the object's lock. Returns -TWZ_EFAULT, with *fault set; -TWZ_EAGAIN, also if the decision
 * is no longer valid; or -TWZ_EBUSY of addrspace_map_locked. */
static int map_slot_locked(struct addrspace *addrspace, uint32_t slot, struct object *obj,
                           unsigned asked, const struct seen *seen, struct twz_fault *fault)
{
    unsigned rights = asked & seen->decision.rights & rights_of_kind(obj);
    unsigned granted = (rights & ~seen->decision.by_default) != 0 ? MAPPING_GRANTED : 0;
    int err;

    fault->have = rights;
    if (obj_stamp(obj) != seen->decision.stamp)
        return -TWZ_EAGAIN;
    if (obj_is_deleted(obj))
        return set_view_fault(fault, TWZ_FAULT_OBJECT, TWZ_REASON_DELETED);
    if ((rights & TWZ_READ) == 0)
        fault->need |= TWZ_READ;
    if ((rights & fault->need) != fault->need)
        return set_view_fault(fault, TWZ_FAULT_PERM, TWZ_REASON_NONE);
    err = addrspace_map_locked(addrspace, slot, &obj->tree, rights | granted, seen->changes);
    if (err == 0 && (rights & TWZ_WRITE) != 0)
        obj_written_locked(obj);
    if (err == -TWZ_EDENIED)
        return set_view_fault(fault, TWZ_FAULT_PERM, TWZ_REASON_WX);
    if (err == -TWZ_EQUOTA)
        return set_view_fault(fault, TWZ_FAULT_PAGE, TWZ_REASON_QUOTA);
    return err == -TWZ_ENOMEM ? set_view_fault(fault, TWZ_FAULT_PAGE, TWZ_REASON_NOMEM) : err;
}

/* Maps the object as map_slot_locked does. If the slot maps another object, unmaps that object
 * first. */
static int map_slot(struct addrspace *addrspace, uint32_t slot, struct object *obj, unsigned asked,
                    const struct seen *seen, struct twz_fault *fault)
{
    const unsigned wx = TWZ_WRITE | TWZ_EXEC;
    int err;

    asked &= TWZ_READ | wx;
    if ((asked & wx) == wx) {
        fault->have = asked & seen->decision.rights;
        return set_view_fault(fault, TWZ_FAULT_PERM, TWZ_REASON_WX);
    }
    if (seen->decision.until != 0 && expiry_watch(obj, seen->decision.until) < 0)
        return set_view_fault(fault, TWZ_FAULT_PAGE, TWZ_REASON_NOMEM);
    do {
        spin_lock(&obj->tree.lock);
        err = map_slot_locked(addrspace, slot, obj, asked, seen, fault);
        spin_unlock(&obj->tree.lock);
        if (err == -TWZ_EBUSY)
            addrspace_unmap(addrspace, slot);
    } while (err == -TWZ_EBUSY);
    return err;
}

/* Reads the slot's entry, maps the object that it names, and returns a reference in *out. Returns
 * -TWZ_EAGAIN if the entry may have changed meanwhile. */
static int map_entry(struct addrspace *addrspace, uint32_t slot, struct object **out,
                     struct twz_fault *fault)
{
    struct seen seen = { .changes = addrspace_changes(addrspace) };
    struct twz_view_entry entry;
    struct object *obj;
    int err = read_entry(addrspace->owner, slot, &entry);

    if (err < 0 || (entry.flags & TWZ_VE_VALID) == 0)
        return set_view_fault(fault, TWZ_FAULT_OBJECT, TWZ_REASON_EMPTY);
    fault->object = entry.id;
    if ((entry.flags & ~TWZ_VE_KNOWN) != 0 || entry.pad != 0)
        return set_view_fault(fault, TWZ_FAULT_OBJECT, TWZ_REASON_FLAGS);
    err = obj_get(entry.id, &obj);
    if (err < 0)
        return set_lookup_fault(fault, err);
    err = upcall.decide_access(addrspace->context, obj, &seen.decision);
    if (err < 0) /* for -TWZ_EAGAIN, thread->retry is set, and the fault does not count */
        err = set_view_fault(fault, TWZ_FAULT_PAGE, TWZ_REASON_NOMEM);
    else
        err = map_slot(addrspace, slot, obj, (unsigned)entry.flags, &seen, fault);
    if (err < 0)
        obj_put(obj);
    else
        *out = obj;
    return err;
}

/* Returns in *out a reference on the object that the slot maps. If the slot maps none, or without
 * the right `need`, the function first maps the object of the slot's entry. */
static int get_slot_object(struct addrspace *addrspace, uint32_t slot, unsigned need,
                           struct object **out, struct twz_fault *fault)
{
    unsigned rights = 0;
    struct subtree *tree = addrspace_slot(addrspace, slot, &rights);
    int err = -TWZ_EAGAIN;

    if (tree && (rights & need) == need) {
        *out = obj_of_tree(tree);
        fault->object = (*out)->id;
        fault->have = rights;
        return 0;
    }
    if (tree)
        subtree_put(tree);
    for (unsigned retry = 0; err == -TWZ_EAGAIN && retry < RETRIES; retry++)
        err = map_entry(addrspace, slot, out, fault);
    return err == -TWZ_EAGAIN ? set_view_fault(fault, TWZ_FAULT_OBJECT, TWZ_REASON_EMPTY) : err;
}

static int get_object_at(struct addrspace *addrspace, uint64_t addr, unsigned need,
                         struct object **obj, struct twz_fault *fault)
{
    uint64_t slot = addr >> TWZ_OBJ_SHIFT;

    *fault = (struct twz_fault){ .need = need, .addr = addr };
    if (slot >= TWZ_SLOTS)
        return set_view_fault(fault, TWZ_FAULT_PERM, TWZ_REASON_KERNEL);
    if (slot == TWZ_SLOT_NONE)
        return set_view_fault(fault, TWZ_FAULT_NULL, TWZ_REASON_NONE);
    return get_slot_object(addrspace, (uint32_t)slot, need, obj, fault);
}

int view_fault(struct addrspace *addrspace, uint64_t addr, unsigned need, struct twz_fault *fault)
{
    uint32_t page = (uint32_t)(addr >> TWZ_PAGE_SHIFT) % TWZ_OBJ_PAGES;
    struct object *obj;
    int err = get_object_at(addrspace, addr, need, &obj, fault);

    if (err < 0)
        return err;
    err = page_fault(obj, page, (need & TWZ_WRITE) != 0, fault);
    obj_put(obj);
    return err;
}

struct object *view_find(struct addrspace *addrspace, uint64_t addr, unsigned *rights)
{
    struct subtree *tree = NULL;

    if (addr >> TWZ_OBJ_SHIFT < TWZ_SLOTS)
        tree = addrspace_slot(addrspace, (uint32_t)(addr >> TWZ_OBJ_SHIFT), rights);
    return tree ? obj_of_tree(tree) : NULL;
}

int view_lookup(struct addrspace *addrspace, uint64_t addr, unsigned need, struct object **obj)
{
    struct twz_fault fault;

    return get_object_at(addrspace, addr, need, obj, &fault);
}

/* Returns a referenced address space of the view: the one after `before`, which loses its
 * reference, or the first one. NULL: there is none. The reference keeps an address space in the
 * list. */
static struct addrspace *next_addrspace(struct object *view, struct addrspace *before)
{
    struct addrspace *next;

    spin_lock(&view->addrspaces_lock);
    next = before ? before->next : view->addrspaces;
    if (next)
        view_addrspace_ref(next);
    spin_unlock(&view->addrspaces_lock);
    if (before)
        view_addrspace_put(before);
    return next;
}

bool view_invalidate_some(struct object *view, uint32_t *first, uint32_t end)
{
    struct addrspace *addrspace = next_addrspace(view, NULL);
    uint32_t budget = DEFERRED_STEP, reached = end;

    for (; addrspace; addrspace = next_addrspace(view, addrspace)) {
        uint32_t slot = *first;

        budget = budget > 0 ? budget : 1; /* one slot at least */
        (void)addrspace_unmap_some(addrspace, &slot, reached, &budget);
        reached = slot; /* the others need not get further */
    }
    *first = reached;
    return reached < end;
}
