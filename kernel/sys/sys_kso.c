/* SPDX-License-Identifier: MIT */
/* Handlers of the kso_* calls and dev_ctl. */
#include <kernel/context.h>
#include <kernel/kso.h>
#include <kernel/progress.h>
#include <kernel/sec.h>
#include <kernel/service.h>
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
    if (err < 0 && current()->retry)
        return err;
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

/* Copies the words of a service, and takes references on its view and its context. */
static int prepare_service(struct object *child, struct service_spec *spec)
{
    int err = service_read(child, current()->wanted, &spec->words);

    if (err == 0)
        err = sys_get_context(spec->words.sctx, &spec->context);
    if (err < 0)
        return err;
    err = sys_get(spec->words.view, TWZ_USE, &spec->view);
    if (err < 0)
        context_put(spec->context);
    return err;
}

/* Enters a service into the directory, then makes it one that can be called. */
static int attach_service(struct object *parent, struct object *child, uint64_t index, uint64_t *at)
{
    struct service_spec spec = { .parent = parent->id };
    int err = prepare_service(child, &spec);

    if (err < 0)
        return err;
    err = kso_attach(parent, child, index, at);
    if (err == 0) {
        spec.index = *at;
        err = service_attach(child, &spec);
        if (err < 0 && kso_detach(parent, child->id, spec.index, at) < 0)
            err = -TWZ_EDAMAGED;
    }
    obj_put(spec.view);
    context_put(spec.context);
    return err;
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
        err = c->kind == TWZ_KIND_SERVICE ? attach_service(p, c, index, &at)
                                          : kso_attach(p, c, index, &at);
        obj_put(c);
    }
    obj_put(p);
    return answer(frame, err, at);
}

/* A service that is to be detached, referenced; NULL: the child is none, or is deleted. */
static int get_detached_service(objid_t child, struct object **out)
{
    struct object *obj;
    int err;

    *out = NULL;
    if (obj_get(child, &obj) < 0)
        return 0;
    err = obj->kind == TWZ_KIND_SERVICE ? sys_get(child, TWZ_USE, out) : 0;
    obj_put(obj);
    return err;
}

int64_t sys_kso_detach(struct arch_frame *frame, objid_t parent, objid_t child, uint64_t index)
{
    uint64_t at = progress_of(&frame->regs);
    struct object *p, *service;
    int err = sys_get(parent, TWZ_USE, &p);

    if (err < 0)
        return err;
    err = get_detached_service(child, &service);
    if (err == 0)
        err = kso_detach(p, child, index, &at);
    if (err == 0 && service && service_is_at(service, parent, at))
        service_detach(service);
    if (service)
        obj_put(service);
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
