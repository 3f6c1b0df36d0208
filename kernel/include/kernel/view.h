/* SPDX-License-Identifier: MIT */
/*
 * Views: the object that an address means for a thread, and the rights on it. The kernel reads a
 * view entry on a fault, never trusts it, and maps the object in the thread's address space.
 *
 * The caller of each function must hold no lock. None blocks.
 */
#ifndef KERNEL_VIEW_H
#define KERNEL_VIEW_H

#include <kernel/object.h>
#include <twz/view.h>

/* The address space of (view, sctx), referenced; it is created if there is none. -TWZ_ETYPE,
 * -TWZ_ENOMEM. */
MUST_CHECK int view_addrspace_get(struct object *view, objid_t sctx, struct addrspace **out);

/* The caller must hold a reference already. */
void view_addrspace_ref(struct addrspace *addrspace);

/* Drops a reference; the last one unmaps everything and frees the address space. It passes
 * preemption points. */
void view_addrspace_put(struct addrspace *addrspace);

/*
 * Resolves a touch of addr that needs one of TWZ_READ, WRITE, EXEC. 0: the access may be tried
 * again. -TWZ_EFAULT: all fields of *fault but ip are set.
 */
MUST_CHECK int view_fault(struct addrspace *addrspace, uint64_t addr, unsigned need,
                          struct twz_fault *fault);

/* The object mapped at addr, referenced, and the offset in it. -TWZ_EFAULT: nothing is mapped
 * there, or not with the right `need`. */
MUST_CHECK int view_lookup(struct addrspace *addrspace, uint64_t addr, unsigned need,
                           struct object **obj, uint64_t *off);

/* The address of the handler for a kind of fault; 0: none. */
uint64_t view_fault_entry(struct addrspace *addrspace, unsigned kind);

/* Unmaps slots [first, first + count) in each address space of the view, so that the next touch
 * reads their entries again. It passes preemption points. */
void view_invalidate(struct object *view, uint32_t first, uint32_t count);

/* Writes an entry of a view that the kernel makes and no thread uses yet. Errors of obj_write. */
MUST_CHECK int view_set(struct object *view, uint32_t slot, objid_t id, unsigned rights);

#endif
