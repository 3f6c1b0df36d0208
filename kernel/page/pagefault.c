/* SPDX-License-Identifier: MIT */
/*
 * Owns faults on pages. page_fault refuses the pages that user code must not touch, and lets
 * volatile.c or stored.c resolve the fault. It turns an error of these into a fault for user code.
 *
 * Lock order: object -> pool -> kmem -> phys.
 */
#include <kernel/page.h>
#include <kernel/thread.h>
#include <twz/thread.h>
#include "inside.h"

#define KERNEL_PAGES 16u /* kernel-only pages of a thread object, from TWZ_THREAD_KPAGE on */

static int set_page_fault(struct twz_fault *fault, uint32_t kind, uint32_t reason, uint32_t have)
{
    fault->kind = kind;
    fault->reason = reason;
    fault->have &= have;
    return -TWZ_EFAULT;
}

static int set_fault_of_error(struct twz_fault *fault, int error)
{
    switch (-error) {
    case TWZ_ENOSPC: return set_page_fault(fault, TWZ_FAULT_PAGE, TWZ_REASON_NOSPC, TWZ_PERMS);
    case TWZ_ENOMEM: return set_page_fault(fault, TWZ_FAULT_PAGE, TWZ_REASON_NOMEM, TWZ_PERMS);
    case TWZ_EQUOTA: return set_page_fault(fault, TWZ_FAULT_PAGE, TWZ_REASON_QUOTA, TWZ_PERMS);
    case TWZ_EPOISON: return set_page_fault(fault, TWZ_FAULT_PAGE, TWZ_REASON_POISON, TWZ_PERMS);
    case TWZ_EDENIED:
        return set_page_fault(fault, TWZ_FAULT_PERM, TWZ_REASON_NONE, TWZ_PERMS & ~TWZ_WRITE);
    case TWZ_EFAULT: return set_page_fault(fault, TWZ_FAULT_PAGE, TWZ_REASON_HOLE, TWZ_PERMS);
    default: return set_page_fault(fault, TWZ_FAULT_OBJECT, TWZ_REASON_DAMAGED, 0);
    }
}

bool page_is_kernel_only(const struct object *obj, uint32_t page)
{
    return obj->kind == TWZ_KIND_THREAD && page - TWZ_THREAD_KPAGE < KERNEL_PAGES;
}

static int touch_page(struct object *obj, uint32_t page, unsigned how)
{
    int err = 0;

    if (obj->sealed && (how & TOUCH_WRITE) != 0)
        return -TWZ_EDENIED;
    if (obj->sealed && !sealed_is_good(obj, page))
        return -TWZ_EDAMAGED; /* the caller must have verified it */
    if (phys_is_none(obj->tree.pt.top))
        err = arch_ptree_init(&obj->tree.pt);
    if (err < 0)
        return err;
    if (obj_is_persistent(obj))
        return stored_fault_locked(obj, page, how);
    return volatile_fault_locked(obj, page, how);
}

int page_ensure_locked(struct object *obj, uint32_t page, bool write)
{
    return touch_page(obj, page, write ? TOUCH_WRITE : 0);
}

/* Verifies the page before it gets a leaf. */
static int fault_of_sealed(struct object *obj, uint32_t page, struct twz_fault *fault)
{
    int err = sealed_check(obj, page);

    if (err == 1) {
        current()->retry = true; /* the fault does not count: it comes again for the next batch */
        return -TWZ_EFAULT;
    }
    if (err == -TWZ_EDAMAGED)
        return set_page_fault(fault, TWZ_FAULT_PAGE, TWZ_REASON_SEAL, TWZ_PERMS);
    return err < 0 ? set_fault_of_error(fault, err) : 0;
}

int page_fault(struct object *obj, uint32_t page, bool write, struct twz_fault *fault)
{
    int err;

    if (page < obj_first_page(obj))
        return set_page_fault(fault, TWZ_FAULT_NULL, TWZ_REASON_NONE, 0);
    if (page_is_kernel_only(obj, page))
        return set_page_fault(fault, TWZ_FAULT_PERM, TWZ_REASON_KERNEL, 0);
    if (page >= obj_end_page(obj) && write)
        return set_page_fault(fault, TWZ_FAULT_PERM, TWZ_REASON_KERNEL, TWZ_PERMS & ~TWZ_WRITE);
    if (obj->sealed && !write && page < obj_end_page(obj)) {
        err = fault_of_sealed(obj, page, fault);
        if (err != 0)
            return err;
    }
    spin_lock(&obj->tree.lock);
    if (page >= obj_end_page(obj))
        err = record_map_locked(obj);
    else
        err = touch_page(obj, page, write ? TOUCH_WRITE | TOUCH_AHEAD : 0);
    spin_unlock(&obj->tree.lock);
    return err < 0 ? set_fault_of_error(fault, err) : 0;
}
