/* SPDX-License-Identifier: MIT */
/*
 * Views: the object that an address means for a thread, and the rights on it. The kernel reads a
 * view entry on a fault, never trusts it, and maps the object in the thread's address space.
 *
 * The caller of each function must hold no lock. No function blocks.
 */
#ifndef KERNEL_VIEW_H
#define KERNEL_VIEW_H

#include <kernel/object.h>
#include <twz/view.h>

/* Returns in *out a reference on the address space of (view, context), which is created if there is
 * none. Errors: -TWZ_ETYPE if view is no view; -TWZ_ENOMEM. */
MUST_CHECK int view_addrspace_get(struct object *view, struct context *context,
                                  struct addrspace **out);

/* Adds a reference. The caller must hold a reference already, or the view's addrspaces_lock. */
void view_addrspace_ref(struct addrspace *addrspace);

/* The same without one. False: the address space is being freed. */
MUST_CHECK bool view_addrspace_try_ref(struct addrspace *addrspace);

/* Drops a reference. After the last one the running thread owes the destruction of the address
 * space (kernel/defer.h). */
void view_addrspace_put(struct addrspace *addrspace);

/*
 * Resolves a touch of addr that needs one of TWZ_READ, WRITE, EXEC. Returns 0 if the thread may try
 * the access again. Otherwise returns -TWZ_EFAULT, with all fields of *fault set but ip.
 */
MUST_CHECK int view_fault(struct addrspace *addrspace, uint64_t addr, unsigned need,
                          struct twz_fault *fault);

/* Returns a reference on the object that is mapped at addr, and the mapping's rights. Returns NULL
 * if none is mapped; view_lookup may map it. Takes the address space's lock. */
struct object *view_find(struct addrspace *addrspace, uint64_t addr, unsigned *rights);

/* Returns in *obj a reference on the object that the view has at addr. Returns -TWZ_EFAULT if there
 * is none, or not with the right `need`. */
MUST_CHECK int view_lookup(struct addrspace *addrspace, uint64_t addr, unsigned need,
                           struct object **obj);

/* Returns the address of the handler for a kind of fault, or 0 if there is none. */
uint64_t view_fault_entry(struct addrspace *addrspace, unsigned kind);

/* Does one batch: unmaps slots of [*first, end) in each address space of the view, so that the next
 * touch reads their entries again, and advances *first. Returns true if slots are left. */
MUST_CHECK bool view_invalidate_some(struct object *view, uint32_t *first, uint32_t end);

/* Writes an entry of a view, which no thread must be using. Returns the errors of obj_write. */
MUST_CHECK int view_set(struct object *view, uint32_t slot, objid_t id, unsigned rights);

#endif
