/* SPDX-License-Identifier: MIT */
/*
 * Owns grants. A grant is in three places: in the tree of its context, by the ID of its object; in
 * the list of its object, which the deletion of that needs; and in the list of its granter, which
 * may lose rights. Grants of one object in one context follow the first of them.
 *
 * A context with grants has one reference for them all. Each grant refers to its granter. When a
 * context's object is deleted, its grants are dropped, so no two contexts keep each other.
 *
 * Lock order: grants alone.
 */
#include <kernel/context.h>
#include <kernel/defer.h>
#include <kernel/kmem.h>

/* Grants that one step of a removal drops: a drop may free a context. */
#define DROP_STEP 8u

struct grant {
    struct id_node node;     /* in holder->grants, if it is the first of its object there */
    struct grant *next;      /* in the same context, of the same object */
    struct list_node of_obj; /* in granted->grants */
    struct given given;      /* in granter->given, if there is a granter */
    struct granted *granted;
    struct context *holder;
    struct grant_view view;
};

/* An object that grants are of. */
struct granted {
    struct id_node node;
    struct list grants;
    struct deferred work; /* after the object's deletion: their removal */
};

static SHARED_LOCK struct spinlock grants_lock; /* guards all of these, and each context's tree */
static struct id_tree all_granted;

static struct grant *first_of(const struct context *context, objid_t id)
{
    struct id_node *node = id_tree_find(&context->grants, id);

    return node ? ID_TREE_ITEM(node, struct grant, node) : NULL;
}

static struct granted *find_granted(objid_t id)
{
    struct id_node *node = id_tree_find(&all_granted, id);

    return node ? ID_TREE_ITEM(node, struct granted, node) : NULL;
}

/* True: the object is deleted, and its removal is owed. A sealed object of the same ID may exist.
 * */
static bool is_over(const struct grant *grant)
{
    return grant->granted->work.step != NULL;
}

/* --- addition --------------------------------------------------------------------------------- */

/* Memory for an addition. A part that is used is set to NULL. */
struct room {
    struct grant *grant;
    struct granted *granted;
};

static void widen(struct grant_view *view, uint32_t rights, uint64_t expires)
{
    view->rights |= rights;
    if (view->expires != 0 && (expires == 0 || expires > view->expires))
        view->expires = expires;
}

/* Adds a grant that is filled in but for its places. */
static void link_locked(struct grant *grant, struct grant *first, struct room *room)
{
    struct context *to = grant->holder;

    if (first) {
        grant->next = first->next;
        first->next = grant;
    } else {
        (void)id_tree_add(&to->grants, &grant->node);
    }
    grant->granted = find_granted(grant->node.id);
    if (!grant->granted) {
        grant->granted = room->granted;
        room->granted = NULL;
        grant->granted->node.id = grant->node.id;
        (void)id_tree_add(&all_granted, &grant->granted->node);
    }
    list_add_last(&grant->granted->grants, &grant->of_obj);
    if (to->ngrants++ == 0)
        context_ref(to);
    if (grant->view.granter) {
        grant->given.grant = grant;
        list_add_last(&grant->view.granter->given, &grant->given.link);
        context_ref(grant->view.granter);
    }
}

static int add_locked(struct context *to, struct object *obj, const struct grant_view *view,
                      struct room *room)
{
    struct grant *first = first_of(to, obj->id);
    unsigned count = 0;

    if (obj_is_deleted(obj) || __atomic_load_n(&to->deleted, __ATOMIC_ACQUIRE))
        return -TWZ_EDELETED;
    for (struct grant *g = first; g; g = g->next, count++) {
        if (g->view.granter == view->granter && !is_over(g)) {
            widen(&g->view, view->rights, view->expires);
            return 0;
        }
    }
    if (count >= GRANT_SOURCES || to->ngrants >= GRANTS_MAX)
        return -TWZ_EFULL;
    *room->grant = (struct grant){ .node.id = obj->id, .holder = to, .view = *view };
    link_locked(room->grant, first, room);
    room->grant = NULL;
    return 0;
}

int grant_add(struct context *to, struct object *obj, struct context *granter, uint32_t rights,
              uint64_t expires)
{
    struct grant_view view = { .granter = granter, .rights = rights, .expires = expires };
    struct room room = { kmem_alloc(sizeof(struct grant)), kmem_alloc(sizeof(struct granted)) };
    int err = room.grant && room.granted ? 0 : -TWZ_ENOMEM;

    if (err == 0) {
        spin_lock(&grants_lock);
        err = add_locked(to, obj, &view, &room);
        spin_unlock(&grants_lock);
    }
    kmem_free(room.grant, sizeof(*room.grant));
    kmem_free(room.granted, sizeof(*room.granted));
    if (err < 0)
        return err;
    obj_renew_stamp(obj);
    return 0;
}

/* --- look-up ---------------------------------------------------------------------------------- */

unsigned grants_find(struct context *in, objid_t id, struct grant_view out[GRANT_SOURCES])
{
    unsigned count = 0;

    if (__atomic_load_n(&in->ngrants, __ATOMIC_ACQUIRE) == 0)
        return 0;
    spin_lock(&grants_lock);
    for (const struct grant *g = first_of(in, id); g && count < GRANT_SOURCES; g = g->next) {
        if (is_over(g))
            continue;
        out[count] = g->view;
        if (out[count].granter)
            context_ref(out[count].granter);
        count++;
    }
    spin_unlock(&grants_lock);
    return count;
}

/* --- removal ---------------------------------------------------------------------------------- */

static void unlink_from_holder(struct grant *grant)
{
    struct context *holder = grant->holder;
    struct grant *first = first_of(holder, grant->node.id);

    if (first != grant) {
        while (first->next != grant)
            first = first->next;
        first->next = grant->next;
    } else if (grant->next) {
        id_tree_replace(&holder->grants, &grant->node, &grant->next->node);
    } else {
        id_tree_remove(&holder->grants, &grant->node);
    }
    holder->ngrants--;
}

/* Removes a grant from its context and from the lists of its object and granter. */
static void unlink_locked(struct grant *grant)
{
    unlink_from_holder(grant);
    if (grant->view.granter)
        list_remove(&grant->view.granter->given, &grant->given.link);
    list_remove(&grant->granted->grants, &grant->of_obj);
}

/* If no grant of the object is left, removes and returns what is known of it. */
static struct granted *take_empty_locked(struct granted *granted)
{
    if (granted->work.step || !list_is_empty(&granted->grants))
        return NULL;
    id_tree_remove(&all_granted, &granted->node);
    return granted;
}

/* Frees a grant that is in no place, and drops its references. */
static void free_grant(struct grant *grant, struct granted *empty, bool last)
{
    struct context *holder = grant->holder;

    context_put(grant->view.granter);
    kmem_free(grant, sizeof(*grant));
    kmem_free(empty, sizeof(*empty));
    if (last)
        context_put(holder);
}

static int remove_grant(struct context *from, objid_t id, const struct context *granter)
{
    struct granted *empty;
    struct grant *grant;
    bool last;

    spin_lock(&grants_lock);
    grant = first_of(from, id);
    while (grant && (grant->view.granter != granter || is_over(grant)))
        grant = grant->next;
    if (!grant) {
        spin_unlock(&grants_lock);
        return -TWZ_ENOOBJ;
    }
    unlink_locked(grant);
    empty = take_empty_locked(grant->granted);
    last = from->ngrants == 0;
    spin_unlock(&grants_lock);
    free_grant(grant, empty, last);
    return 0;
}

int grant_remove(struct context *from, struct object *obj, struct context *granter)
{
    struct obj_unmap *unmap = obj_unmap_prepare();
    int err = unmap ? remove_grant(from, obj->id, granter) : -TWZ_ENOMEM;

    if (err == 0)
        obj_renew_stamp(obj);
    return obj_unmap_finish(unmap, obj, err);
}

/* Narrows a creator's grant; removes it if no right remains. */
static int narrow_own(struct context *in, objid_t id, uint32_t rights)
{
    struct grant *grant;
    uint32_t rest;

    spin_lock(&grants_lock);
    grant = first_of(in, id);
    while (grant && (grant->view.granter || is_over(grant)))
        grant = grant->next;
    if (grant)
        grant->view.rights &= rights;
    rest = grant ? grant->view.rights : 0;
    spin_unlock(&grants_lock);
    if (!grant)
        return -TWZ_ENOOBJ;
    return rest == 0 ? remove_grant(in, id, NULL) : 0;
}

int grant_keep(struct context *in, struct object *obj, uint32_t rights)
{
    struct obj_unmap *unmap = obj_unmap_prepare();
    int err = unmap ? narrow_own(in, obj->id, rights) : -TWZ_ENOMEM;

    if (err == 0)
        obj_renew_stamp(obj);
    return obj_unmap_finish(unmap, obj, err);
}

/* Removes one grant of a deleted object. Returns false if there is none. */
static bool drop_one_of(struct granted *granted)
{
    struct grant *grant;
    bool last = false;

    spin_lock(&grants_lock);
    grant = LIST_FIRST(&granted->grants, struct grant, of_obj);
    if (grant) {
        unlink_locked(grant);
        last = grant->holder->ngrants == 0;
    }
    spin_unlock(&grants_lock);
    if (grant)
        free_grant(grant, NULL, last);
    return grant != NULL;
}

static bool drop_object_step(struct deferred *work)
{
    struct granted *granted = CONTAINER_OF(work, struct granted, work);

    for (unsigned i = 0; i < DROP_STEP; i++) {
        if (!drop_one_of(granted)) {
            kmem_free(granted, sizeof(*granted));
            return false;
        }
    }
    return true;
}

void grants_drop_object(objid_t id)
{
    struct granted *granted;

    if (!__atomic_load_n(&all_granted.root, __ATOMIC_ACQUIRE))
        return;
    spin_lock(&grants_lock);
    granted = find_granted(id);
    if (granted) {
        id_tree_remove(&all_granted, &granted->node);
        granted->work.step = drop_object_step;
    }
    spin_unlock(&grants_lock);
    if (granted)
        defer(&granted->work);
}

/* The first grant in a context, else the first one that it gave; NULL: there is none. */
static struct grant *any_of(const struct context *context)
{
    if (context->grants.root)
        return ID_TREE_ITEM(context->grants.root, struct grant, node);
    for (const struct list_node *at = context->given.first; at; at = at->next)
        if (LIST_ITEM(at, struct given, link)->grant)
            return LIST_ITEM(at, struct given, link)->grant;
    return NULL;
}

/* Removes one grant in a context or by it. Returns false if there is none. */
static bool drop_any_of(struct context *context)
{
    struct granted *empty = NULL;
    struct grant *grant;
    bool last = false;

    spin_lock(&grants_lock);
    grant = any_of(context);
    if (grant) {
        unlink_locked(grant);
        empty = take_empty_locked(grant->granted);
        last = grant->holder->ngrants == 0;
    }
    spin_unlock(&grants_lock);
    if (grant)
        free_grant(grant, empty, last);
    return grant != NULL;
}

bool grants_drop_some(struct context *context)
{
    for (unsigned i = 0; i < DROP_STEP; i++)
        if (!drop_any_of(context))
            return false;
    return true;
}

/* --- the grants of one granter ---------------------------------------------------------------- */

/* Moves the place behind the next grant, and returns that; at the end, removes it from the list. */
static const struct grant *next_given_locked(struct context *by, struct given *place, bool begun)
{
    struct list_node *at = begun ? place->link.next : by->given.first;

    if (begun)
        list_remove(&by->given, &place->link);
    while (at && !LIST_ITEM(at, struct given, link)->grant)
        at = at->next;
    if (!at)
        return NULL;
    list_add_after(&by->given, at, &place->link);
    return LIST_ITEM(at, struct given, link)->grant;
}

bool grants_given_next(struct context *by, struct given *place, bool begun, struct object **obj)
{
    const struct grant *grant;
    objid_t id = TWZ_OBJID_NONE;

    spin_lock(&grants_lock);
    grant = next_given_locked(by, place, begun);
    if (grant)
        id = grant->node.id;
    spin_unlock(&grants_lock);
    *obj = NULL;
    if (grant && obj_get(id, obj) < 0)
        *obj = NULL;
    return grant != NULL;
}
