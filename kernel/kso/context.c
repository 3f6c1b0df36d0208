/* SPDX-License-Identifier: MIT */
/*
 * Owns security contexts: their in-core structs, the edges between them, and their masks.
 *
 * A struct lives as long as something refers to it: an address space, a grant, another context. One
 * of a volatile object has one more reference until the object is deleted, because the edge to its
 * base and its masks are nowhere else. That of a persistent object is made from the object's page
 * when it is needed (security/sctx.h), and has no base.
 *
 * The count falls from 1 to 0 only under contexts_lock, which a look-up holds too, so a look-up
 * never finds a context that is being freed. A context that is freed has no grants and no address
 * space.
 *
 * A change of what a context allows comes before its new stamp. A decision reads the stamps first,
 * so a decision that missed the change has a stamp that is no longer valid.
 *
 * Crash protocol: a mask of a persistent context is durable before it counts, by one COMMIT word
 * each (security/sctx.h). The head of a new one is written first; its magic number, without which
 * no context can be used, is the COMMIT. Both happen under the context's lock.
 *
 * Lock order: contexts -> context -> in-core object.
 */
#include <kernel/context.h>
#include <kernel/kmem.h>
#include <kernel/page.h>
#include <verify/context.h>

static SHARED_LOCK struct spinlock contexts_lock; /* guards obj->context, takers, last counts */
static uint64_t last_serial;
static _Atomic uint64_t changes;

static struct context first = { .refs = 1, .serial = 0, .default_mask = TWZ_PERMS };

struct context *context_first(void)
{
    return &first;
}

uint64_t context_changes(void)
{
    return atomic_load_explicit(&changes, memory_order_acquire);
}

void context_changed(void)
{
    atomic_fetch_add_explicit(&changes, 1, memory_order_release);
}

void context_renew_stamp(struct context *context)
{
    __atomic_store_n(&context->stamp, obj_draw_stamp(), __ATOMIC_RELEASE);
}

/* --- masks ------------------------------------------------------------------------------------ */

struct mask {
    struct id_node node;
    struct list_node link; /* in mask_list */
    uint32_t index;        /* in that list, and of its override in a persistent context */
    uint32_t mask;
};

static struct mask *find_mask_locked(const struct context *context, objid_t id)
{
    struct id_node *node = id_tree_find(&context->masks, id);

    return node ? ID_TREE_ITEM(node, struct mask, node) : NULL;
}

/* The mask that one context has for an object, without its bases. */
static unsigned own_mask(struct context *context, objid_t id)
{
    unsigned ret = __atomic_load_n(&context->default_mask, __ATOMIC_RELAXED);
    const struct mask *own;

    if (__atomic_load_n(&context->nmasks, __ATOMIC_ACQUIRE) == 0)
        return ret;
    spin_lock(&context->lock);
    own = find_mask_locked(context, id);
    if (own)
        ret = own->mask;
    spin_unlock(&context->lock);
    return ret;
}

unsigned context_default_mask(struct context *context, objid_t id)
{
    unsigned ret = TWZ_PERMS;

    for (; context; context = context->base)
        ret &= own_mask(context, id);
    return ret;
}

unsigned context_taken(const struct context *context)
{
    unsigned ret = 0;

    for (; context; context = context->base)
        ret |= __atomic_load_n(&context->taken, __ATOMIC_RELAXED);
    return ret;
}

/* Writes bytes of the head of a persistent context, durably. */
static int write_head(const struct context *context, size_t off, const void *from, size_t len)
{
    if (!obj_is_persistent(context->obj))
        return 0;
    return obj_write(context->obj, TWZ_OBJ_BASE + off, from, len) < 0 ? -TWZ_ENOSPC : 0;
}

static int write_override(const struct context *context, const struct mask *mask)
{
    struct sec_override out = { .id = mask->node.id, .mask = mask->mask };

    return write_head(context, offsetof(struct sec_context, override) + mask->index * sizeof(out),
                      &out, sizeof(out));
}

/* Writes a new override, then the count that includes it. */
static int write_new_override(const struct context *context, const struct mask *mask)
{
    uint64_t count = mask->index + 1;
    int err = write_override(context, mask);

    if (err < 0)
        return err;
    /* COMMIT: the override counts */
    return write_head(context, offsetof(struct sec_context, noverrides), &count, sizeof(count));
}

/* Takes more from the mask that an object has. */
static int narrow_mask_locked(const struct context *context, struct mask *own, uint32_t mask)
{
    struct mask narrow = { .node.id = own->node.id, .index = own->index, .mask = own->mask & mask };
    int err = write_override(context, &narrow); /* COMMIT: only the word of the mask differs */

    if (err == 0)
        own->mask = narrow.mask;
    return err;
}

/* The object must have no mask of its own yet. */
static void insert_mask(struct context *context, struct mask *mask)
{
    (void)id_tree_add(&context->masks, &mask->node);
    list_add_last(&context->mask_list, &mask->link);
    __atomic_store_n(&context->nmasks, context->nmasks + 1, __ATOMIC_RELEASE);
}

/* Sets the mask of an object, or takes more from it. *fresh is set to NULL if it is used. */
static int set_mask_locked(struct context *context, objid_t id, uint32_t mask, struct mask **fresh)
{
    struct mask *own = find_mask_locked(context, id);
    int err;

    if (own)
        return narrow_mask_locked(context, own, mask);
    if (context->nmasks >= SEC_OVERRIDES)
        return -TWZ_EFULL;
    **fresh = (struct mask){ .node.id = id,
                             .index = context->nmasks,
                             .mask = context->default_mask & mask };
    err = write_new_override(context, *fresh);
    if (err < 0)
        return err;
    insert_mask(context, *fresh);
    *fresh = NULL;
    return 0;
}

int context_set_mask(struct context *context, objid_t id, uint32_t mask)
{
    struct mask *fresh = kmem_alloc(sizeof(*fresh));
    int err;

    if (!fresh)
        return -TWZ_ENOMEM;
    spin_lock(&context->lock);
    err = set_mask_locked(context, id, mask, &fresh);
    spin_unlock(&context->lock);
    kmem_free(fresh, sizeof(*fresh));
    return err;
}

int context_set_default(struct context *context, uint32_t mask)
{
    int err;

    spin_lock(&context->lock);
    mask &= context->default_mask;
    /* COMMIT: the mask */
    err = write_head(context, offsetof(struct sec_context, default_mask), &mask, sizeof(mask));
    if (err == 0)
        __atomic_store_n(&context->default_mask, mask, __ATOMIC_RELAXED);
    spin_unlock(&context->lock);
    return err;
}

int context_set_taken(struct context *context, uint32_t rights)
{
    int err;

    spin_lock(&context->lock);
    rights |= context->taken;
    /* COMMIT: the mask */
    err = write_head(context, offsetof(struct sec_context, global_mask), &rights, sizeof(rights));
    if (err == 0)
        __atomic_store_n(&context->taken, rights, __ATOMIC_RELAXED);
    spin_unlock(&context->lock);
    return err;
}

static void free_masks(struct context *context)
{
    while (!list_is_empty(&context->mask_list)) {
        struct mask *mask = LIST_FIRST(&context->mask_list, struct mask, link);

        list_remove(&context->mask_list, &mask->link);
        kmem_free(mask, sizeof(*mask));
    }
}

/* --- references ------------------------------------------------------------------------------- */

void context_ref(struct context *context)
{
    atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
}

void context_set_delegates(struct context *context)
{
    if (!__atomic_load_n(&context->delegates, __ATOMIC_RELAXED) &&
        !__atomic_exchange_n(&context->delegates, true, __ATOMIC_ACQ_REL))
        context_ref(context);
}

/* Adds a reference, unless there is none any more. */
static bool context_try_ref(struct context *context)
{
    uint32_t refs = atomic_load_explicit(&context->refs, memory_order_relaxed);

    while (refs != 0)
        if (atomic_compare_exchange_weak_explicit(&context->refs, &refs, refs + 1,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}

static void free_context(struct context *context)
{
    struct object *obj = context->obj;

    free_masks(context);
    kmem_free(context, sizeof(*context));
    obj_put(obj);
}

/* Drops one reference. Returns true if it was the last one; no look-up finds the context then. */
static bool drop_reference(struct context *context)
{
    bool last;

    spin_lock(&contexts_lock);
    last = atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) == 1;
    if (last) {
        if (context->base)
            list_remove(&context->base->takers, &context->sibling);
        context->obj->context = NULL;
    }
    spin_unlock(&contexts_lock);
    return last;
}

/* Drops a reference that is not the last one, without the lock. False: it may be the last one. */
static bool drop_other(struct context *context)
{
    uint32_t refs = atomic_load_explicit(&context->refs, memory_order_relaxed);

    while (refs > 1)
        if (atomic_compare_exchange_weak_explicit(&context->refs, &refs, refs - 1,
                                                  memory_order_release, memory_order_relaxed))
            return true;
    return false;
}

void context_put(struct context *context)
{
    while (context) {
        struct context *base = context->base;

        if (drop_other(context) || !drop_reference(context))
            return;
        free_context(context);
        context = base;
    }
}

/* --- creation and look-up --------------------------------------------------------------------- */

static struct context *alloc_context(struct object *obj)
{
    struct context *context = kmem_alloc(sizeof(*context));

    if (!context)
        return NULL;
    context->refs = 1;
    context->id = obj->id;
    context->obj = obj;
    context->default_mask = TWZ_PERMS;
    context->has_table = obj_is_persistent(obj);
    context->stamp = obj_draw_stamp();
    obj_ref(obj);
    return context;
}

/* Lets look-ups find the context. Returns false if the object has one by now. */
static bool publish(struct context *context)
{
    struct object *obj = context->obj;
    bool done;

    spin_lock(&contexts_lock);
    done = !obj->context;
    if (done) {
        obj->context = context;
        context->serial = ++last_serial;
        if (context->base)
            list_add_last(&context->base->takers, &context->sibling);
    }
    spin_unlock(&contexts_lock);
    return done;
}

/* Adds the mask of an object to a context that no look-up finds yet, if the object has none. */
static int add_mask(struct context *context, objid_t id, uint32_t mask)
{
    struct mask *fresh;

    if (find_mask_locked(context, id))
        return 0;
    if (context->nmasks >= SEC_OVERRIDES)
        return -TWZ_EFULL;
    fresh = kmem_alloc(sizeof(*fresh));
    if (!fresh)
        return -TWZ_ENOMEM;
    *fresh = (struct mask){ .node.id = id, .index = context->nmasks, .mask = mask };
    insert_mask(context, fresh);
    return 0;
}

/* Adds the objects that have a mask of their own in `from`. */
static int copy_masked(struct context *to, struct context *from)
{
    int err = 0;

    spin_lock(&from->lock);
    for (const struct list_node *at = from->mask_list.first; at && err == 0; at = at->next)
        err = add_mask(to, LIST_ITEM(at, struct mask, link)->node.id, TWZ_PERMS);
    spin_unlock(&from->lock);
    return err;
}

/* Gives a new context the masks of the contexts from `from` up to `end`, without `end`. */
static int inherit_masks(struct context *to, struct context *from, const struct context *end)
{
    int err = 0;

    for (struct context *c = from; c != end && err == 0; c = c->base) {
        to->default_mask &= __atomic_load_n(&c->default_mask, __ATOMIC_RELAXED);
        to->taken |= __atomic_load_n(&c->taken, __ATOMIC_RELAXED);
        err = copy_masked(to, c);
    }
    for (struct list_node *at = to->mask_list.first; at && err == 0; at = at->next) {
        struct mask *mask = LIST_ITEM(at, struct mask, link);

        mask->mask = TWZ_PERMS;
        for (struct context *c = from; c != end; c = c->base)
            mask->mask &= own_mask(c, mask->node.id);
    }
    return err;
}

static void set_base(struct context *context, struct context *base)
{
    if (base == &first)
        base = NULL;
    if (base)
        context_ref(base);
    context->base = base;
    context->depth = base ? base->depth + 1 : 0;
}

int context_create_on(struct object *obj, struct context *base)
{
    struct context *context = alloc_context(obj);

    if (!context)
        return -TWZ_ENOMEM;
    set_base(context, base);
    (void)publish(context);
    return 0;
}

/* Adds the masks of a persistent context, as they stand in its head. */
static int add_masks(struct context *context, const struct sec_context *head)
{
    int err = 0;

    context->default_mask = head->default_mask;
    context->taken = head->global_mask;
    for (uint64_t i = 0; i < head->noverrides && err == 0; i++)
        err = add_mask(context, head->override[i].id, (uint32_t)head->override[i].mask);
    if (err == 0 && context->nmasks != head->noverrides)
        err = -TWZ_EDAMAGED; /* an object has two */
    return err;
}

/* Loads the masks of a persistent context. */
static int load_masks(struct context *context)
{
    struct sec_context *head = kmem_alloc(sizeof(*head));
    int err;

    if (!head)
        return -TWZ_ENOMEM;
    err = obj_read(context->obj, TWZ_OBJ_BASE, head, sizeof(*head));
    if (err == 0 && sec_context_problem(head))
        err = -TWZ_EDAMAGED;
    if (err == 0)
        err = add_masks(context, head);
    kmem_free(head, sizeof(*head));
    return err;
}

/* Writes the head of a new persistent context with its masks. Without its magic number, a context
 * cannot be used. */
static int store_masks(struct context *context)
{
    const uint64_t magic = SEC_CONTEXT_MAGIC;
    struct sec_context *head = kmem_alloc(sizeof(*head));
    int err = head ? 0 : -TWZ_ENOMEM;

    for (const struct list_node *at = context->mask_list.first; at && err == 0; at = at->next)
        err = write_override(context, LIST_ITEM(at, struct mask, link));
    if (err == 0) {
        head->version = SEC_CONTEXT_VERSION;
        head->default_mask = context->default_mask;
        head->global_mask = context->taken;
        head->noverrides = context->nmasks;
        err = write_head(context, 0, head, offsetof(struct sec_context, override));
    }
    kmem_free(head, sizeof(*head));
    /* COMMIT: the context is complete */
    return err < 0 ? err : write_head(context, 0, &magic, sizeof(magic));
}

/* A new context with the masks of its creator's, and a base or none. */
static int alloc_below(struct object *obj, struct context *creator, struct context *base,
                       struct context **out)
{
    int err;

    *out = alloc_context(obj);
    if (!*out)
        return -TWZ_ENOMEM;
    err = inherit_masks(*out, creator, base);
    if (err < 0)
        free_context(*out);
    else
        set_base(*out, base);
    return err;
}

int context_create(struct object *obj, struct context *creator, unsigned takes_in)
{
    struct context *base = creator;
    struct context *context;
    int err;

    if (takes_in == TWZ_CONTEXT_TAKES_IN && creator->base)
        base = creator->base;
    if (takes_in == TWZ_CONTEXT_EMPTY || obj_is_persistent(obj))
        base = NULL;
    if (base && base->depth + 1 >= CONTEXT_DEPTH)
        return -TWZ_EFULL;
    err = alloc_below(obj, creator, base, &context);
    if (err < 0)
        return err;
    if (!obj_is_persistent(obj)) {
        (void)publish(context); /* its first reference ends with the deletion of the object */
        return 0;
    }
    err = store_masks(context);
    free_context(context);
    return err;
}

struct context *context_find(struct object *obj)
{
    struct context *context;

    spin_lock(&contexts_lock);
    context = obj->context;
    if (context && !context_try_ref(context))
        context = NULL;
    spin_unlock(&contexts_lock);
    return context;
}

static int alloc_loaded(struct object *obj, struct context **out)
{
    struct context *context = alloc_context(obj);
    int err = context ? load_masks(context) : -TWZ_ENOMEM;

    if (context && err < 0)
        free_context(context);
    *out = err < 0 ? NULL : context;
    return err;
}

int context_get(struct object *obj, struct context **out)
{
    struct context *fresh = NULL;
    int err;

    if (obj->kind != TWZ_KIND_SCTX)
        return -TWZ_ETYPE;
    for (;;) {
        *out = context_find(obj);
        if (*out)
            break;
        err = fresh ? 0 : alloc_loaded(obj, &fresh);
        if (err < 0)
            return err;
        if (publish(fresh)) {
            *out = fresh;
            return 0;
        }
    }
    if (fresh)
        free_context(fresh);
    err = __atomic_load_n(&(*out)->deleted, __ATOMIC_ACQUIRE) ? -TWZ_EDELETED : 0;
    if (err < 0)
        context_put(*out);
    return err;
}

/* Adds a reference to the first context of a list from `at` on that has one. */
static struct context *ref_first_locked(struct list_node *at)
{
    for (; at; at = at->next) {
        struct context *context = LIST_ITEM(at, struct context, sibling);

        if (context_try_ref(context))
            return context;
    }
    return NULL;
}

struct context *context_next_taker(struct context *at, struct context *of)
{
    struct context *next, *c = at;

    spin_lock(&contexts_lock);
    next = ref_first_locked(at->takers.first);
    for (; !next && c != of; c = c->base)
        next = ref_first_locked(c->sibling.next);
    spin_unlock(&contexts_lock);
    context_put(at);
    return next;
}
