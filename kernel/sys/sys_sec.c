/* SPDX-License-Identifier: MIT */
/* Handlers of the sec_* calls. */
#include <format.h>
#include <kernel/sec.h>
#include <kernel/threadobj.h>
#include <twz/sec.h>
#include "calls.h"

int sys_get_context(objid_t id, struct context **out)
{
    struct object *obj;
    int err;

    *out = threadobj_context(current());
    if (objid_is_none(id) || objid_equal(id, (*out)->id)) {
        context_ref(*out);
        return 0;
    }
    err = sys_get(id, TWZ_USE, &obj);
    if (err < 0)
        return err;
    err = context_get(obj, out);
    obj_put(obj);
    return err;
}

/* A context that the caller must name, and must have the rights `need` on. */
static int get_named(objid_t id, unsigned need, struct context **out)
{
    struct object *obj;
    int err = sys_get(id, need, &obj);

    if (err < 0)
        return err;
    err = context_get(obj, out);
    obj_put(obj);
    return err;
}

int64_t sys_sec_grant(objid_t context, objid_t object, uint64_t rights, uint64_t expires)
{
    struct context *to;
    struct object *obj;
    int err;

    if (rights == 0 || (rights & ~(uint64_t)TWZ_PERMS) != 0)
        return -TWZ_EINVAL;
    err = get_named(context, TWZ_USE, &to);
    if (err < 0)
        return err;
    err = sys_get(object, (unsigned)rights, &obj);
    if (err == 0) {
        err = grant_add(to, obj, threadobj_context(current()), (uint32_t)rights, expires);
        obj_put(obj);
    }
    context_put(to);
    return err;
}

static int ungrant(objid_t context, objid_t object)
{
    struct context *from;
    struct object *obj;
    int err = get_named(context, TWZ_USE, &from);

    if (err < 0)
        return err;
    err = sys_get(object, 0, &obj);
    if (err == 0) {
        err = grant_remove(from, obj, threadobj_context(current()));
        obj_put(obj);
    }
    context_put(from);
    return err;
}

static int mask(struct context *context, uint64_t op, objid_t object, uint32_t arg)
{
    if ((op == TWZ_SEC_MASK_OBJECT) == objid_is_none(object) || context == context_first())
        return -TWZ_EINVAL;
    switch (op) {
    case TWZ_SEC_MASK_DEFAULT: return context_mask_default(context, arg);
    case TWZ_SEC_MASK_OBJECT: return context_mask_object(context, object, arg);
    default: return context_take(context, arg);
    }
}

/* The creator may keep less in its own context; USE is needed on another one. */
static int keep(objid_t context, objid_t object, uint64_t rights)
{
    struct context *c;
    struct object *obj;
    int err = (rights & ~(uint64_t)TWZ_PERMS) != 0 ? -TWZ_EINVAL : sys_get_context(context, &c);

    if (err < 0)
        return err;
    err = sys_get(object, 0, &obj);
    if (err == 0) {
        err = grant_keep(c, obj, (uint32_t)rights);
        obj_put(obj);
    }
    context_put(c);
    return err;
}

/* Adds a capability, or removes it. */
static int change_table(objid_t context, uint64_t op, objid_t object, uint64_t arg)
{
    unsigned need = op == TWZ_SEC_ADD ? TWZ_USE : TWZ_USE | TWZ_DEL;
    struct context *c;
    struct sec_cap cap;
    int err = objid_is_none(object) ? user_copy_in(&cap, arg, sizeof(cap)) : -TWZ_EINVAL;

    if (err == 0)
        err = get_named(context, need, &c);
    if (err < 0)
        return err;
    err = op == TWZ_SEC_ADD ? sec_table_add(c, &cap) : sec_table_remove(c, &cap);
    context_put(c);
    return err;
}

int64_t sys_sec_revoke(struct user_statement statement)
{
    struct sec_revocation in;
    int err = USER_IN(&in, statement);

    return err < 0 ? err : sec_revoke(&in);
}

int64_t sys_sec_change(objid_t context, uint64_t op, objid_t object, uint64_t arg)
{
    struct context *c;
    int err;

    if (op == TWZ_SEC_ADD || op == TWZ_SEC_REMOVE)
        return change_table(context, op, object, arg);
    if (op == TWZ_SEC_KEEP)
        return keep(context, object, arg);
    if (op > TWZ_SEC_TAKE || (arg & ~(uint64_t)TWZ_PERMS) != 0)
        return -TWZ_EINVAL;
    if (op == TWZ_SEC_UNGRANT)
        return arg != 0 ? -TWZ_EINVAL : ungrant(context, object);
    err = sys_get_context(context, &c);
    if (err < 0)
        return err;
    err = mask(c, op, object, (uint32_t)arg);
    context_put(c);
    return err;
}
