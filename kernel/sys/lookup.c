/* SPDX-License-Identifier: MIT */
/* Shared by the handlers: look-up with rights, and the restart of a long call. */
#include <kernel/accountobj.h>
#include <kernel/arch_regs.h>
#include <kernel/sec.h>
#include <kernel/threadobj.h>
#include "calls.h"

int sys_get(objid_t id, unsigned need, struct object **out)
{
    int err = obj_get(id, out);

    if (err < 0)
        return err;
    err = sec_check(threadobj_context(current()), *out, need);
    if (err < 0) {
        obj_put(*out);
        *out = NULL;
    }
    return err;
}

int sys_get_account(objid_t id, struct account **payer, struct object **held)
{
    int err;

    *held = NULL;
    *payer = current()->account;
    if (objid_is_none(id))
        return 0;
    err = sys_get(id, TWZ_USE, held);
    if (err < 0)
        return err;
    err = accountobj_get(*held, payer);
    if (err == 0 && (__atomic_load_n(&(*held)->flags, __ATOMIC_RELAXED) & TWZ_OBJ_PROVISIONAL) != 0)
        err = -TWZ_EINVAL; /* recovery might free it, and retain what it pays for */
    if (err < 0) {
        obj_put(*held);
        *held = NULL;
    }
    return err;
}

int64_t sys_again(struct arch_frame *frame)
{
    arch_call_rewind(&frame->regs, arch_call_number(&frame->regs));
    return SYS_KEEP;
}
