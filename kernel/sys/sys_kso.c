/* SPDX-License-Identifier: MIT */
/* Handlers of the kso_* calls and dev_ctl. */
#include <kernel/kso.h>
#include <kernel/progress.h>
#include <kernel/sec.h>
#include "calls.h"

int64_t sys_kso_invalidate(struct arch_frame *frame, objid_t id, uint64_t first, uint64_t count)
{
    struct object *obj;
    int err;

    progress_begin(&frame->regs);
    err = sys_get(id, TWZ_USE, &obj);
    if (err == 0) {
        err = kso_invalidate(obj, first, count, &current()->progress.at);
        obj_put(obj);
    }
    if (err == 1)
        return sys_again(frame);
    progress_end();
    return err;
}

int64_t sys_kso_attach(objid_t parent, objid_t child, uint64_t index)
{
    struct object *p, *c;
    int64_t ret = sys_get(parent, TWZ_USE, &p);

    if (ret < 0)
        return ret;
    ret = sys_get(child, TWZ_USE, &c);
    if (ret == 0) {
        ret = kso_attach(p, c, index);
        obj_put(c);
    }
    obj_put(p);
    return ret;
}

int64_t sys_kso_detach(objid_t parent, objid_t child, uint64_t index)
{
    struct object *p;
    int64_t ret = sys_get(parent, TWZ_USE, &p);

    if (ret < 0)
        return ret;
    ret = kso_detach(p, child, index);
    obj_put(p);
    return ret;
}

int64_t sys_dev_ctl(objid_t device, uint64_t op, uint64_t arg)
{
    struct object *obj;
    int64_t ret = sys_get(device, TWZ_USE, &obj);

    if (ret < 0)
        return ret;
    ret = obj->device ? obj->device->ctl(obj, op, arg) : -TWZ_ETYPE;
    obj_put(obj);
    return ret;
}
