/* SPDX-License-Identifier: MIT */
/*
 * Persistent pointers (p-ptr, twz_pptr_t) and ordinary ones (d-ptr, what the processor can
 * dereference). A p-ptr means something only together with the object that holds it: its upper
 * part indexes that object's foreign object table (FOT), 0 being the object itself.
 *
 * Resolving: a local p-ptr is a mask and an add; an external one that was met before is one look-up
 * in a table that takes no lock; otherwise the FOT entry is read and the target mapped, where it
 * stays until the program ends. What does not resolve (null, offset outside the data, bad or free
 * FOT entry, name unknown, object gone) is a fault of kind TWZ_FAULT_POINTER, with the reason; the
 * functions named _try give an error instead.
 *
 * FOT entries are written once and never change while VALID. Adding one: an index is claimed by
 * fetch-add on meta.fot_count, the entry's target is stored, then the flags word, on the same line.
 * COMMIT is the flags word: a claimed index without it is a hole and is never referred to.
 */
#ifndef TWZ_PTR_H
#define TWZ_PTR_H

#include <twz/obj.h>

/* The p-ptr, good inside the object that p points into. NULL gives the null p-ptr. */
static inline twz_pptr_t twz_ptr_local(const void *p)
{
    return (twz_pptr_t){ (uint64_t)(uintptr_t)p & (TWZ_OBJ_SIZE - 1) };
}

static inline int twz_ptr_null(twz_pptr_t p)
{
    return p.raw == 0;
}

/* d-ptr of p, which object obj holds. Faults; never returns NULL. */
void *twz_object_lea(const twzobj *obj, twz_pptr_t p);

/* The same; the object is found from any d-ptr into it, usually the field that holds p. */
void *twz_ptr_lea(const void *holder, twz_pptr_t p);

/* The same without the fault: -TWZ_EINVAL null or bad entry, -TWZ_ERANGE, -TWZ_ENONAME, or what
 * mapping says. */
TWZ_CHECKED int twz_ptr_lea_try(const void *holder, twz_pptr_t p, void **out);

/* A p-ptr for obj that means target + off; adds a FOT entry where none says so yet (rights:
 * TWZ_READ | TWZ_WRITE | TWZ_EXEC asked for). Durable on return. -TWZ_EFULL. */
TWZ_CHECKED int twz_ptr_make(const twzobj *obj, objid_t target, uint64_t off, uint32_t rights,
                             twz_pptr_t *out);

/* Make the p-ptr and store it at *loc, a word inside obj: one atomic store, durable on return. */
TWZ_CHECKED int twz_ptr_store_guid(const twzobj *obj, twz_pptr_t *loc, objid_t target, uint64_t off,
                                   uint32_t rights);

/* The same for a target found by its name whenever somebody resolves the pointer. `name` is copied
 * into obj; resolver is an index into the reader's own table, 0 being its root directory. */
TWZ_CHECKED int twz_ptr_store_name(const twzobj *obj, twz_pptr_t *loc, const char *name,
                                   uint64_t off, uint64_t resolver, uint32_t rights);

/* A p-ptr for obj that means the same as d-ptr p, into whatever open object it points. */
TWZ_CHECKED int twz_ptr_swizzle(const twzobj *obj, const void *p, uint32_t rights, twz_pptr_t *out);

/* The target that entry `index` names: its ID (names are resolved). -TWZ_EINVAL free or bad. */
TWZ_CHECKED int twz_fot_target(const twzobj *obj, uint32_t index, objid_t *id, uint32_t *rights);

/* Where the entry lies; NULL if index is 0 or past TWZ_FOT_MAX. */
struct twz_fot_entry *twz_fot_entry(const twzobj *obj, uint32_t index);

/* The reader's table of resolvers: who turns a FOT entry's name into an ID. Slot 0 starts as
 * twz_name_resolve; slots up to TWZ_RESOLVERS - 1 are free. */
#define TWZ_RESOLVERS 16u
typedef int (*twz_resolver_t)(const char *name, objid_t *id);
TWZ_CHECKED int twz_resolver_set(uint32_t slot, twz_resolver_t resolver);

#endif
