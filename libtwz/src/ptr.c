/* SPDX-License-Identifier: MIT */
/*
 * Persistent pointers: resolving, and the foreign object table.
 *
 * The cache has one word for each resolved (holder's slot, FOT index) -> target's slot, a slot
 * being an address divided by 1 GiB. A word holds question and answer together, so readers need no
 * lock and a torn entry cannot exist; a miss costs no more than resolving again. The mapping that
 * an answer stands for is kept for ever; a holder that is unmapped is forgotten (twz_ptr_forget)
 * before its address means anything else.
 *
 * CRASH PROTOCOL of adding an entry: index by fetch-add (not made durable on its own: an index is
 * also passed by where its flags are not 0); target words stored, then COMMIT flags, which follow
 * them on the same line.
 */
#include <twz/ptr.h>
#include <twz/name.h>
#include <twz/typed.h>
#include <twz/fault.h>

#include "platform.h"

#define CACHE_WORDS 1024u
#define SLOT_BITS   17
#define SLOT_MASK   ((1ull << SLOT_BITS) - 1)

static uint64_t cache[CACHE_WORDS];
static uint32_t cached; /* 1 once there was ever anything in it */
static twz_resolver_t resolvers[TWZ_RESOLVERS];

static inline uint64_t slot_of(const void *p)
{
    return (uint64_t)(uintptr_t)p >> TWZ_OBJ_SHIFT;
}

static inline uint64_t cache_key(uint64_t slot, uint64_t index)
{
    return slot << 16 | index;
}

static inline uint64_t *cache_word(uint64_t key)
{
    return &cache[(key ^ key >> 16) % CACHE_WORDS];
}

void twz_ptr_forget(const uint8_t *start)
{
    uint64_t slot = slot_of(start);

    if (!__atomic_load_n(&cached, __ATOMIC_ACQUIRE))
        return;
    for (uint32_t i = 0; i < CACHE_WORDS; i++) {
        uint64_t word = __atomic_load_n(&cache[i], __ATOMIC_RELAXED);

        if ((word & SLOT_MASK) == slot || word >> (SLOT_BITS + 16) == slot)
            __atomic_store_n(&cache[i], 0, __ATOMIC_RELEASE);
    }
}

int twz_resolver_set(uint32_t slot, twz_resolver_t resolver)
{
    if (slot >= TWZ_RESOLVERS)
        return -TWZ_ERANGE;
    __atomic_store_n(&resolvers[slot], resolver, __ATOMIC_RELEASE);
    return 0;
}

/* --- the table -------------------------------------------------------------------------------- */

struct twz_fot_entry *twz_fot_entry(const twzobj *obj, uint32_t index)
{
    if (index == 0 || index > TWZ_FOT_MAX)
        return NULL;
    return (struct twz_fot_entry *)(void *)(obj->start + TWZ_OBJ_META -
                                            (uint64_t)index * TWZ_FOT_ENTRY);
}

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

static int fot_find(const twzobj *obj, const struct twz_fot_entry *want)
{
    uint64_t count = __atomic_load_n(&twz_object_meta(obj)->fot_count, __ATOMIC_RELAXED);

    for (uint32_t i = 1; i <= count && i <= TWZ_FOT_MAX; i++) {
        const struct twz_fot_entry *entry = twz_fot_entry(obj, i);

        if (__atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE) == want->flags &&
            entry->resolver == want->resolver && objid_equal(entry->id, want->id))
            return (int)i;
    }
    return 0;
}

static int fot_add(const twzobj *obj, const struct twz_fot_entry *want)
{
    struct twz_meta *meta = twz_object_meta(obj);
    int err = plat_touch(meta, sizeof(*meta));

    if (err < 0)
        return err;
    for (;;) {
        uint64_t index = __atomic_add_fetch(&meta->fot_count, 1, __ATOMIC_RELAXED);
        struct twz_fot_entry *entry;

        if (index > TWZ_FOT_MAX) {
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
        twz_persist_commit64(&entry->flags, want->flags); /* COMMIT: the entry is there */
        return (int)index;
    }
}

static int make_entry(const twzobj *obj, const struct twz_fot_entry *want, uint64_t off,
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
    return make_entry(obj, &want, off, out);
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
    copy = twz_new_room(obj->start + TWZ_OBJ_BASE, len + 1, 1);
    if (!copy)
        return twz_error_last();
    twz_persist_copy(copy, name, len + 1);
    twz_persist_flush(copy, len + 1);
    want.name.name_off = (uint64_t)(copy - (char *)obj->start);
    err = make_entry(obj, &want, off, &p);
    if (err < 0)
        return err;
    twz_persist_commit64(&loc->raw, p.raw); /* COMMIT: the pointer */
    return 0;
}

int twz_ptr_swizzle(const twzobj *obj, const void *p, uint32_t rights, twz_pptr_t *out)
{
    twzobj target;
    int err;

    if (slot_of(p) == slot_of(obj->start)) {
        *out = twz_ptr_local(p);
        return 0;
    }
    err = twz_object_init_ptr(&target, p);
    if (err < 0)
        return err;
    return twz_ptr_make(obj, target.id, twz_ptr_local(p).raw, rights, out);
}

/* --- resolving -------------------------------------------------------------------------------- */

static inline int offset_good(uint64_t off)
{
    return off - TWZ_OBJ_BASE < TWZ_OBJ_DATA_MAX;
}

static int resolve_foreign(const void *holder, uint32_t index, uint8_t **start)
{
    twzobj obj = { .start = (uint8_t *)((uintptr_t)holder & ~(uintptr_t)(TWZ_OBJ_SIZE - 1)) };
    uint64_t key = cache_key(slot_of(holder), index);
    uint32_t rights;
    objid_t id;
    int err = twz_fot_target(&obj, index, &id, &rights);

    if (err < 0)
        return err;
    err = plat_map(id, rights ? rights : TWZ_READ, start);
    if (err < 0)
        return err;
    __atomic_store_n(&cached, 1, __ATOMIC_RELEASE);
    __atomic_store_n(cache_word(key), key << SLOT_BITS | slot_of(*start), __ATOMIC_RELEASE);
    return 0;
}

static inline int lea(const void *holder, twz_pptr_t p, void **out)
{
    uint64_t off = TWZ_PPTR_OFF(p.raw);
    uint64_t index = TWZ_PPTR_FOT(p.raw);
    uint64_t key, word;
    uint8_t *start;
    int err;

    if (!offset_good(off))
        return p.raw == 0 ? -TWZ_EINVAL : -TWZ_ERANGE;
    if (index == 0) {
        *out = (void *)(((uintptr_t)holder & ~(uintptr_t)(TWZ_OBJ_SIZE - 1)) + off);
        return 0;
    }
    if (index > TWZ_FOT_MAX)
        return -TWZ_EINVAL;
    key = cache_key(slot_of(holder), index);
    word = __atomic_load_n(cache_word(key), __ATOMIC_ACQUIRE);
    if (word >> SLOT_BITS == key) {
        *out = (void *)(uintptr_t)((word & SLOT_MASK) << TWZ_OBJ_SHIFT | off);
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
    return lea(holder, p, out);
}

static uint32_t reason_of(twz_pptr_t p, int error)
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

static void *lea_or_fault(const void *holder, twz_pptr_t p, const void *caller)
{
    void *d;
    int err;

    while ((err = lea(holder, p, &d)) < 0) {
        objid_t id = TWZ_OBJID_NONE;
        uint32_t rights;

        (void)plat_id_at(holder, &id, &rights);
        plat_pointer_fault(holder, id, reason_of(p, err), caller);
    }
    return d;
}

void *twz_ptr_lea(const void *holder, twz_pptr_t p)
{
    return lea_or_fault(holder, p, __builtin_return_address(0));
}

void *twz_object_lea(const twzobj *obj, twz_pptr_t p)
{
    return lea_or_fault(obj->start, p, __builtin_return_address(0));
}
