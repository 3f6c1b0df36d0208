/* SPDX-License-Identifier: MIT */
/*
 * Persistent pointers: resolving, and the foreign object table (FOT).
 *
 * ADDING AN ENTRY
 *   step                                   durable before   after a crash
 *   1 index = fetch-add of fot_count       -                the index is a hole: never referred to
 *   2 resolver and ID of the entry         -                as 1
 *   3 COMMIT flags, behind 2 on its line   2 (same line)    the entry exists
 *   4 fot_count and the entry are flushed  1 to 3           a pointer may have the index
 * fot_count itself may be lost before 4. So an adder must skip an index whose flags are not 0.
 *
 * FINDING AN ENTRY
 *   step                                   durable before   after a crash
 *   1 flags, resolver and ID are as wanted -                as 1 to 3 of adding
 *   2 fot_count and the entry are flushed  1                a pointer may have the index
 * The thread that added the entry may stand before its step 4, or have died there. So the finder
 * does step 4 itself: an index that make_foreign gave has a durable entry. To resolve a pointer
 * flushes nothing, since its index was given so.
 */
#include <twz/ptr.h>
#include <twz/name.h>
#include <twz/typed.h>
#include <twz/fault.h>

#include "platform.h"
#include "ptrcache.h"

static twz_resolver_t resolvers[TWZ_RESOLVERS];

int twz_resolver_set(uint32_t index, twz_resolver_t resolver)
{
    if (index >= TWZ_RESOLVERS)
        return -TWZ_ERANGE;
    __atomic_store_n(&resolvers[index], resolver, __ATOMIC_RELEASE);
    return 0;
}

/* --- the foreign object table ----------------------------------------------------------------- */

struct twz_fot_entry *twz_fot_entry(const twzobj *obj, uint32_t index)
{
    if (index == 0 || index > TWZ_FOT_MAX)
        return NULL;
    return (struct twz_fot_entry *)(void *)(obj->start + TWZ_OBJ_META -
                                            (uint64_t)index * TWZ_FOT_ENTRY);
}

/* The object may change meanwhile, so its name is copied first. */
static int resolve_name(const twzobj *obj, const struct twz_fot_entry *entry, objid_t *id)
{
    uint64_t off = entry->name.name_off;
    twz_resolver_t resolver;
    char name[TWZ_PATH_MAX];
    size_t len = 0;

    if (entry->resolver >= TWZ_RESOLVERS)
        return -TWZ_EINVAL;
    resolver = __atomic_load_n(&resolvers[entry->resolver], __ATOMIC_ACQUIRE);
    if (!resolver && entry->resolver == 0)
        resolver = twz_name_resolve;
    if (!resolver || off < TWZ_OBJ_BASE)
        return -TWZ_EINVAL;
    for (; len < sizeof(name) && off + len < TWZ_OBJ_DATA_TOP; len++) {
        name[len] = (char)obj->start[off + len];
        if (name[len] == 0)
            return resolver(name, id);
    }
    return -TWZ_EINVAL;
}

int twz_fot_target(const twzobj *obj, uint32_t index, objid_t *id, uint32_t *rights)
{
    const struct twz_fot_entry *entry = twz_fot_entry(obj, index);
    uint64_t flags;

    if (!entry)
        return -TWZ_EINVAL;
    flags = __atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE);
    if (!(flags & TWZ_FOT_VALID))
        return -TWZ_EINVAL;
    *rights = (uint32_t)flags & (TWZ_READ | TWZ_WRITE | TWZ_EXEC);
    if (flags & TWZ_FOT_NAME)
        return resolve_name(obj, entry, id);
    *id = entry->id;
    return 0;
}

/* The index of an entry like `want`, which is durable then; 0: there is none. */
static int fot_find(const twzobj *obj, const struct twz_fot_entry *want)
{
    const struct twz_meta *meta = twz_object_meta(obj);
    uint64_t count = __atomic_load_n(&meta->fot_count, __ATOMIC_RELAXED);

    for (uint32_t i = 1; i <= count && i <= TWZ_FOT_MAX; i++) {
        const struct twz_fot_entry *entry = twz_fot_entry(obj, i);

        if (__atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE) != want->flags ||
            entry->resolver != want->resolver || !objid_equal(entry->id, want->id))
            continue;
        twz_persist_flush(&meta->fot_count, sizeof(meta->fot_count));
        twz_persist(entry, sizeof(*entry)); /* COMMIT: the entry that another may have stored */
        return (int)i;
    }
    return 0;
}

/* The index of a new entry. -TWZ_EFULL, or an error of plat_touch. */
static int fot_add(const twzobj *obj, const struct twz_fot_entry *want)
{
    struct twz_meta *meta = twz_object_meta(obj);
    int err = plat_touch(meta, sizeof(*meta));

    if (err < 0)
        return err;
    for (;;) {
        uint64_t index = __atomic_add_fetch(&meta->fot_count, 1, __ATOMIC_RELAXED);
        struct twz_fot_entry *entry;

        if (index == 0 || index > TWZ_FOT_MAX) { /* 0: it has wrapped */
            __atomic_store_n(&meta->fot_count, TWZ_FOT_MAX, __ATOMIC_RELAXED);
            return -TWZ_EFULL;
        }
        entry = twz_fot_entry(obj, (uint32_t)index);
        err = plat_touch(entry, sizeof(*entry));
        if (err < 0)
            return err;
        if (__atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE) != 0)
            continue;
        twz_persist_store64(&entry->resolver, want->resolver);
        twz_persist_store64(&entry->id.lo, want->id.lo);
        twz_persist_store64(&entry->id.hi, want->id.hi);
        twz_persist_flush(&meta->fot_count, sizeof(meta->fot_count));
        twz_persist_commit64(&entry->flags, want->flags); /* COMMIT: the entry exists */
        return (int)index;
    }
}

/* A p-ptr through the entry `want`, which is added if there is none like it. */
static int make_foreign(const twzobj *obj, const struct twz_fot_entry *want, uint64_t off,
                        twz_pptr_t *out)
{
    int index;

    if (off < TWZ_OBJ_BASE || off >= TWZ_OBJ_DATA_TOP)
        return -TWZ_ERANGE;
    index = fot_find(obj, want);
    if (index == 0)
        index = fot_add(obj, want);
    if (index < 0)
        return index;
    out->raw = TWZ_PPTR(index, off);
    return 0;
}

int twz_ptr_make(const twzobj *obj, objid_t target, uint64_t off, uint32_t rights, twz_pptr_t *out)
{
    struct twz_fot_entry want = { .flags = TWZ_FOT_VALID | rights, .id = target };

    if (rights & ~(TWZ_READ | TWZ_WRITE | TWZ_EXEC))
        return -TWZ_EINVAL;
    if (objid_equal(target, obj->id)) {
        if (off < TWZ_OBJ_BASE || off >= TWZ_OBJ_DATA_TOP)
            return -TWZ_ERANGE;
        out->raw = off;
        return 0;
    }
    return make_foreign(obj, &want, off, out);
}

int twz_ptr_store_guid(const twzobj *obj, twz_pptr_t *loc, objid_t target, uint64_t off,
                       uint32_t rights)
{
    twz_pptr_t p;
    int err = twz_ptr_make(obj, target, off, rights, &p);

    if (err >= 0)
        twz_persist_commit64(&loc->raw, p.raw); /* COMMIT: the pointer */
    return err < 0 ? err : 0;
}

/* Whether [p, p + len) lies in obj, and its size covers these bytes. */
static bool is_below_size(const twzobj *obj, const void *p, uint64_t len)
{
    uint64_t size = twz_object_size(obj);
    uint64_t off = (uintptr_t)p - (uintptr_t)twz_object_base(obj);

    return off < size && size - off >= len;
}

int twz_ptr_store_name(const twzobj *obj, twz_pptr_t *loc, const char *name, uint64_t off,
                       uint64_t resolver, uint32_t rights)
{
    struct twz_fot_entry want = { .flags = TWZ_FOT_VALID | TWZ_FOT_NAME | rights,
                                  .resolver = resolver };
    size_t len = 0;
    twz_pptr_t p;
    char *copy;
    int err;

    while (len < TWZ_PATH_MAX && name[len])
        len++;
    if (len == 0 || len == TWZ_PATH_MAX || resolver >= TWZ_RESOLVERS ||
        (rights & ~(TWZ_READ | TWZ_WRITE | TWZ_EXEC)))
        return -TWZ_EINVAL;
    if (!is_below_size(obj, loc, sizeof(*loc)))
        return -TWZ_EINVAL; /* the name would be written over loc */
    copy = twz_new_space(loc, len + 1, 1);
    if (!copy)
        return twz_error_last();
    twz_persist_copy(copy, name, len + 1);
    twz_persist_flush(copy, len + 1);
    want.name.name_off = (uint64_t)(copy - (char *)obj->start);
    err = make_foreign(obj, &want, off, &p);
    if (err < 0)
        return err;
    twz_persist_commit64(&loc->raw, p.raw); /* COMMIT: the pointer */
    return 0;
}

int twz_ptr_swizzle(const twzobj *obj, const void *p, uint32_t rights, twz_pptr_t *out)
{
    twzobj target;
    int err;

    if (ptr_slot(p) == ptr_slot(obj->start)) {
        *out = twz_ptr_local(p);
        return 0;
    }
    err = twz_object_init_ptr(&target, p);
    if (err < 0)
        return err;
    return twz_ptr_make(obj, target.id, twz_ptr_local(p).raw, rights, out);
}

/* --- resolving -------------------------------------------------------------------------------- */

static inline bool is_data_offset(uint64_t off)
{
    return off - TWZ_OBJ_BASE < TWZ_OBJ_DATA_MAX;
}

static int resolve_foreign(const void *holder, uint32_t index, uint8_t **start)
{
    twzobj obj = { .start = (uint8_t *)((uintptr_t)holder & ~(uintptr_t)(TWZ_OBJ_SIZE - 1)) };
    uint32_t rights;
    objid_t id;
    int err = twz_fot_target(&obj, index, &id, &rights);

    if (err < 0)
        return err;
    err = plat_map(id, rights ? rights : TWZ_READ, start);
    if (err < 0)
        return err;
    ptr_cache_put(holder, index, *start);
    return 0;
}

/* The fast path, inlined into its two callers. -TWZ_ERANGE if the offset lies outside of
 * the data. */
static inline int resolve(const void *holder, twz_pptr_t p, void **out)
{
    uint64_t off = TWZ_PPTR_OFF(p.raw);
    uint64_t index = TWZ_PPTR_FOT(p.raw);
    uint64_t slot;
    uint8_t *start;
    int err;

    if (!is_data_offset(off))
        return p.raw == 0 ? -TWZ_EINVAL : -TWZ_ERANGE;
    if (index == 0) {
        *out = (void *)(((uintptr_t)holder & ~(uintptr_t)(TWZ_OBJ_SIZE - 1)) + off);
        return 0;
    }
    if (index > TWZ_FOT_MAX)
        return -TWZ_EINVAL;
    if (ptr_cache_get(holder, index, &slot)) {
        *out = (void *)(uintptr_t)(slot << TWZ_OBJ_SHIFT | off);
        return 0;
    }
    err = resolve_foreign(holder, (uint32_t)index, &start);
    if (err < 0)
        return err;
    *out = start + off;
    return 0;
}

int twz_ptr_lea_try(const void *holder, twz_pptr_t p, void **out)
{
    return resolve(holder, p, out);
}

static uint32_t reason_of_error(twz_pptr_t p, int error)
{
    switch (error) {
    case -TWZ_ERANGE: return TWZ_REASON_OFFSET;
    case -TWZ_ENONAME:
    case -TWZ_ENOTDIR:
    case -TWZ_ELOOP: return TWZ_REASON_NAME;
    case -TWZ_ENOOBJ: return TWZ_REASON_NOOBJ;
    case -TWZ_EDELETED: return TWZ_REASON_DELETED;
    default: return p.raw == 0 ? TWZ_REASON_NULLPTR : TWZ_REASON_FOT;
    }
}

static void *resolve_or_fault(const void *holder, twz_pptr_t p, const void *caller)
{
    void *d;
    int err;

    while ((err = resolve(holder, p, &d)) < 0) {
        objid_t id = TWZ_OBJID_NONE;
        uint32_t rights;

        (void)plat_id_at(holder, &id, &rights);
        plat_pointer_fault(holder, id, reason_of_error(p, err), caller);
    }
    return d;
}

void *twz_ptr_lea(const void *holder, twz_pptr_t p)
{
    return resolve_or_fault(holder, p, __builtin_return_address(0));
}

void *twz_object_lea(const twzobj *obj, twz_pptr_t p)
{
    return resolve_or_fault(obj->start, p, __builtin_return_address(0));
}
