/* SPDX-License-Identifier: MIT */
/*
 * Owns the access decision. Today the default permissions decide alone; capabilities and masks must
 * be added here and nowhere else. The table in kernel/sec.h has the rights that each call needs.
 *
 * Lock order: takes no lock. The permissions are one word, which only loses bits.
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
