/* SPDX-License-Identifier: MIT */
/*
 * Persistent pointers (p-ptr, twz_pptr_t) and ordinary ones (d-ptr, an address of this program). A
 * p-ptr means something only together with the object that holds it: its upper part is an index
 * into that object's foreign object table (FOT). Index 0 is the object itself.
 *
 * Resolving a local p-ptr is a mask and an add. A foreign one that was resolved before is one
 * look-up in a table without a lock. Otherwise its FOT entry is read and the target mapped; the
 * target stays mapped until the program ends.
 *
 * A p-ptr does not resolve if it is null, if its offset lies outside the data, if its FOT entry is
 * free or malformed, if a name is unknown, or if the object is gone. That is a fault of kind
 * TWZ_FAULT_POINTER with the reason. The functions named _try return an error instead.
 *
 * A FOT entry is written once and does not change while TWZ_FOT_VALID is set. Its flags are its
 * commit word: an index that was claimed without them is a hole, and no p-ptr refers to it.
 *
 * Any thread may call these functions, without locks. None blocks.
 */
#ifndef TWZ_PTR_H
#define TWZ_PTR_H

#include <twz/obj.h>

/* The p-ptr to p, valid in the object that p points into. NULL gives the null p-ptr. */
static inline twz_pptr_t twz_ptr_local(const void *p)
{
    return (twz_pptr_t){ (uint64_t)(uintptr_t)p & (TWZ_OBJ_SIZE - 1) };
}

static inline bool twz_ptr_is_null(twz_pptr_t p)
{
    return p.raw == 0;
}

/* The d-ptr of p, which object obj holds. Faults if it does not resolve; never NULL. */
void *twz_object_lea(const twzobj *obj, twz_pptr_t p);

/* As twz_object_lea. holder: any d-ptr into the object that holds p, usually the field itself. */
void *twz_ptr_lea(const void *holder, twz_pptr_t p);

/* As twz_ptr_lea, with an error instead of the fault: -TWZ_EINVAL null or malformed entry,
 * -TWZ_ERANGE, an error of the resolver, or -TWZ_ENOOBJ, -TWZ_EFULL of the mapping. */
TWZ_CHECKED int twz_ptr_lea_try(const void *holder, twz_pptr_t p, void **out);

/* *out: a p-ptr for obj that means `target` + `off`, an offset in the data. Adds a FOT entry if
 * there is none like it. rights: those asked for when it is followed. Durable on return.
 * -TWZ_ERANGE, -TWZ_EINVAL, -TWZ_EFULL, an error of twz_touch. */
TWZ_CHECKED int twz_ptr_make(const twzobj *obj, objid_t target, uint64_t off, uint32_t rights,
                             twz_pptr_t *out);

/* Make the p-ptr and store it at loc, which must lie in obj: one atomic store, durable on return.
 * */
TWZ_CHECKED int twz_ptr_store_guid(const twzobj *obj, twz_pptr_t *loc, objid_t target, uint64_t off,
                                   uint32_t rights);

/* As twz_ptr_store_guid, but the target is found by its name when the pointer is first followed.
 * `name` is copied into obj. resolver: an index into the reader's own table; 0: its namespace. */
TWZ_CHECKED int twz_ptr_store_name(const twzobj *obj, twz_pptr_t *loc, const char *name,
                                   uint64_t off, uint64_t resolver, uint32_t rights);

/* *out: a p-ptr for obj that means the same as the d-ptr p into an open object. Errors as
 * twz_ptr_make. */
TWZ_CHECKED int twz_ptr_swizzle(const twzobj *obj, const void *p, uint32_t rights, twz_pptr_t *out);

/* The ID and the rights of FOT entry `index`; a name is resolved. -TWZ_EINVAL free or malformed. */
TWZ_CHECKED int twz_fot_target(const twzobj *obj, uint32_t index, objid_t *id, uint32_t *rights);

/* The address of the entry; NULL if index is 0 or past TWZ_FOT_MAX. */
struct twz_fot_entry *twz_fot_entry(const twzobj *obj, uint32_t index);

/* The reader's table of resolvers. A resolver turns the name of a FOT entry into an ID. Index 0
 * starts as twz_name_resolve. -TWZ_ERANGE. */
#define TWZ_RESOLVERS 16u
typedef int (*twz_resolver_t)(const char *name, objid_t *id);
TWZ_CHECKED int twz_resolver_set(uint32_t index, twz_resolver_t resolver);

#endif
