/* SPDX-License-Identifier: MIT */
/* Security contexts: calls of the kernel; enter.S has the one that replaces all registers. */
#include <twz/context.h>

#include "guest.h"

#define CPUID_FSGSBASE 1u

int64_t context_enter(struct twz_become *become, uint64_t size, uint64_t number)
    __attribute__((visibility("hidden")));

_Static_assert(offsetof(struct twz_become, regs) == 56 && offsetof(struct twz_regs, rbx) == 8 &&
                   offsetof(struct twz_regs, rbp) == 48 && offsetof(struct twz_regs, rsp) == 56 &&
                   offsetof(struct twz_regs, r12) == 96 && offsetof(struct twz_regs, rip) == 128,
               "offsets of enter.S");

int twz_context_new(objid_t *context)
{
    struct twz_create create = { .perms = TWZ_USE | TWZ_DEL,
                                 .kind = TWZ_KIND_SCTX,
                                 .tie = view_id(),
                                 .context = TWZ_CONTEXT_WITHIN };

    return plat_obj_create(&create, context);
}

int twz_context_mask(objid_t context, objid_t object, uint32_t rights)
{
    return (int)twz_sys_sec_change(context, TWZ_SEC_MASK_OBJECT, object, rights);
}

int twz_context_grant(objid_t context, objid_t object, uint32_t rights, uint64_t expires)
{
    return (int)twz_sys_sec_grant(context, object, rights, expires);
}

static bool has_fsgsbase(void)
{
    uint32_t a = 7, b, c = 0, d;

    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (b & CPUID_FSGSBASE) != 0;
}

int twz_context_enter(objid_t context)
{
    struct twz_become become = { .view = view_id(), .sctx = context };
    int err;

    if (!has_fsgsbase())
        return -TWZ_ENOTSUP;
    __asm__ volatile("rdfsbase %0" : "=r"(become.regs.fsbase));
    become.regs.gsbase = (uint64_t)(uintptr_t)twz_thread_repr_base();
    err = (int)context_enter(&become, sizeof(become), TWZ_SYS_thread_become);
    if (err == 0)
        twz_thread_repr_base()->context = context;
    return err;
}
