/* SPDX-License-Identifier: MIT */
/*
 * Persistent pointers. A p-ptr (twz_pptr_t) is a pointer that an object may hold. A d-ptr is an
 * ordinary pointer, an address of this program. A p-ptr has a meaning only together with the object
 * that holds it. The upper part of a p-ptr is an index into that object's foreign object table
 * (FOT). Index 0 means that object itself; such a p-ptr is local, all others are foreign.
 *
 * To resolve a local p-ptr costs a mask and an add. To resolve a foreign p-ptr again costs one
 * look-up in a table, without a lock. The first time, the library reads the FOT entry and maps the
 * target. The target stays mapped until the program ends.
 *
 * A p-ptr does not resolve if
 *   - it is null, or its offset lies outside of the data;
 *   - its FOT entry is free or malformed;
 *   - the resolver does not know the name in the entry;
 *   - the target does not exist.
 * The function then raises a fault of kind TWZ_FAULT_POINTER with the reason. A function whose name
 * ends in _try returns an error instead.
 *
 * The flags of a FOT entry are its commit word. An entry does not change while TWZ_FOT_VALID is set
 * in its flags. A crash may leave an index that was claimed and has no flags; no p-ptr refers to
 * it.
 *
 * Any thread may call these functions, and needs no lock. A function blocks only if it resolves a
 * name (twz/name.h).
 */
#ifndef TWZ_PTR_H
#define TWZ_PTR_H

#include <twz/obj.h>

/* Returns a local p-ptr to p, for a field in the object into which p points. NULL gives the null
 * p-ptr. */
static inline twz_pptr_t twz_ptr_local(const void *p)
{
    return (twz_pptr_t){ (uint64_t)(uintptr_t)p & (TWZ_OBJ_SIZE - 1) };
}

static inline bool twz_ptr_is_null(twz_pptr_t p)
{
    return p.raw == 0;
}

/* Resolve p, which obj holds. Raises a fault if p does not resolve, so the result is never NULL. */
void *twz_object_lea(const twzobj *obj, twz_pptr_t p);

/* As twz_object_lea. holder is any d-ptr into the object that holds p, usually the address of p. */
void *twz_ptr_lea(const void *holder, twz_pptr_t p);

/* As twz_ptr_lea, but returns an error instead of a fault: -TWZ_EINVAL if p is null or its entry is
 * free or malformed, -TWZ_ERANGE, an error of the resolver, -TWZ_ENOOBJ, or -TWZ_EFULL if there is
 * no free slot for the target. */
TWZ_CHECKED int twz_ptr_lea_try(const void *holder, twz_pptr_t p, void **out);

/* Make a p-ptr for obj that leads to offset `off` of object `target`. The function adds a FOT entry
 * to obj, unless obj has the same entry. The entry is durable on return. rights: the rights with
 * which the target is mapped. -TWZ_ERANGE if `off` lies outside of the data, -TWZ_EINVAL,
 * -TWZ_EFULL if the FOT is full, or an error of twz_touch. */
TWZ_CHECKED int twz_ptr_make(const twzobj *obj, objid_t target, uint64_t off, uint32_t rights,
                             twz_pptr_t *out);

/* As twz_ptr_make, then store the p-ptr at loc with one atomic store. loc must lie in obj. The
 * store is durable on return. */
TWZ_CHECKED int twz_ptr_store_guid(const twzobj *obj, twz_pptr_t *loc, objid_t target, uint64_t off,
                                   uint32_t rights);

/*
 * As twz_ptr_store_guid, for a target that is found by its name when a program first resolves the
 * pointer. resolver is an index into the table of resolvers of the program that resolves the
 * pointer; 0 is its namespace.
 *
 * The function copies `name` into space of obj. The space begins at the object's size
 * (twz_object_size), which grows by it. An object from twz_object_new or twz_name_create has size
 * 0: the caller must set the size to cover all data in use before. -TWZ_EINVAL if the size does not
 * cover loc, the name is empty or has TWZ_PATH_MAX bytes or more, or there is no such resolver;
 * else an error of twz_new (twz/typed.h) or twz_ptr_make.
 */
TWZ_CHECKED int twz_ptr_store_name(const twzobj *obj, twz_pptr_t *loc, const char *name,
                                   uint64_t off, uint64_t resolver, uint32_t rights);

/* Make a p-ptr for obj that leads to the same address as d-ptr p. p must point into an open object.
 * -TWZ_ENOOBJ, or an error of twz_ptr_make. */
TWZ_CHECKED int twz_ptr_swizzle(const twzobj *obj, const void *p, uint32_t rights, twz_pptr_t *out);

/* Get the ID and the rights of a FOT entry. If the entry has a name, the function resolves it.
 * -TWZ_EINVAL if the entry is free or malformed, or an error of the resolver. */
TWZ_CHECKED int twz_fot_target(const twzobj *obj, uint32_t index, objid_t *id, uint32_t *rights);

/* The resolver word of an entry by ID has no meaning to the library. In the first program's object,
 * twz-obj boot marks its entries for the directories of the system by TWZ_FOT_SYSTEM + 1 and so on
 * (utils/init/names.h). */
#define TWZ_FOT_SYSTEM 0x7379732e7a777400ull

/* Returns the address of a FOT entry; NULL if index is 0 or above TWZ_FOT_MAX. */
struct twz_fot_entry *twz_fot_entry(const twzobj *obj, uint32_t index);

/* Set an entry of this program's table of resolvers. A resolver turns the name in a FOT entry into
 * an ID. Index 0 is twz_name_resolve until it is set. -TWZ_ERANGE if index is too large. */
#define TWZ_RESOLVERS 16u
typedef int (*twz_resolver_t)(const char *name, objid_t *id);
TWZ_CHECKED int twz_resolver_set(uint32_t index, twz_resolver_t resolver);

#endif
