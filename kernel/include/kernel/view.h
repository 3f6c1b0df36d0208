/* SPDX-License-Identifier: MIT */
/*
 * Views: which object an address means for a thread, and with what rights. Entries are read from
 * the view object on a fault, never trusted, and turned into mappings of the thread's space.
 */
#ifndef KERNEL_VIEW_H
#define KERNEL_VIEW_H

#include <kernel/object.h>
#include <twz/view.h>

/* The space of (view, sctx), made if there is none; referenced. -TWZ_ETYPE, -TWZ_ENOMEM. */
MUST_CHECK int view_addrspace_get(struct object *view, objid_t sctx, struct addrspace **out);
void view_addrspace_ref(struct addrspace *addrspace);
/* The last reference unhangs everything; no core has it loaded then. */
void view_addrspace_put(struct addrspace *addrspace);

/*
 * Resolves a touch of addr that needs `need` (one of TWZ_READ, WRITE, EXEC): 0 when the access can
 * be tried again, or an error with *fault filled in (all but ip).
 */
MUST_CHECK int view_fault(struct addrspace *addrspace, uint64_t addr, unsigned need,
                          struct twz_fault *fault);

/* The object at addr, referenced, and the offset in it, if the space may do `need` there. */
MUST_CHECK int view_lookup(struct addrspace *addrspace, uint64_t addr, unsigned need,
                           struct object **obj, uint64_t *off);

/* Entry point for a kind of fault, 0: none. */
uint64_t view_fault_entry(struct addrspace *addrspace, unsigned kind);

/* Forgets what hangs in slots [first, first + count) of every space of this view. */
void view_invalidate(struct object *view, uint32_t first, uint32_t count);

/* Writes an entry: flags = 0, id, flags. For the kernel's own views (init). */
MUST_CHECK int view_set(struct object *view, uint32_t slot, objid_t id, unsigned rights);

#endif
