/* SPDX-License-Identifier: MIT */
/*
 * Owns the verdict: what a context may do with an object. Today default permissions alone; what a
 * capability gives or a mask takes joins here and nowhere else. Which right each call needs is the
 * table in kernel/sec.h.
 */
#include <kernel/sec.h>

unsigned sec_decide(objid_t sctx, const struct object *obj)
{
    (void)sctx;
    return __atomic_load_n(&obj->perms, __ATOMIC_RELAXED) & TWZ_PERMS;
}

int sec_check(objid_t sctx, const struct object *obj, unsigned need)
{
    return (sec_decide(sctx, obj) & need) == need ? 0 : -TWZ_EDENIED;
}
