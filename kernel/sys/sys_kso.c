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

/* The answer of one stay of kso_attach or kso_detach, which has reached entry `at`. */
static int64_t answer(struct arch_frame *frame, int err, uint64_t at)
{
    if (err == -TWZ_EAGAIN) {
        progress_begin(&frame->regs);
        current()->progress.index = at;
        return sys_again(frame);
    }
    if (progress_of(&frame->regs) != 0)
        progress_end();
    return err < 0 ? err : (int64_t)at;
}

int64_t sys_kso_attach(struct arch_frame *frame, objid_t parent, objid_t child, uint64_t index)
{
    uint64_t at = progress_of(&frame->regs);
    struct object *p, *c;
    int err = sys_get(parent, TWZ_USE, &p);

    if (err < 0)
        return err;
    err = sys_get(child, TWZ_USE, &c);
    if (err == 0) {
        err = kso_attach(p, c, index, &at);
        obj_put(c);
    }
    obj_put(p);
    return answer(frame, err, at);
}

int64_t sys_kso_detach(struct arch_frame *frame, objid_t parent, objid_t child, uint64_t index)
{
    uint64_t at = progress_of(&frame->regs);
    struct object *p;
    int err = sys_get(parent, TWZ_USE, &p);

    if (err < 0)
        return err;
    err = kso_detach(p, child, index, &at);
    obj_put(p);
    return answer(frame, err, at);
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
