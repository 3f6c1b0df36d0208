/* SPDX-License-Identifier: MIT */
/*
 * Handles over the platform's calls, and the user's metadata page.
 *
 * EXTENSION TAGS
 *   step                                     durable before   after a crash
 *   add     1 lock of the table              -                the next owner takes the lock over
 *           2 off                            the header       the entry is free, whatever its off
 *           3 COMMIT tag, on the line of off 2 (same line)    the header can be found
 *           4 unlock                         3                as 3
 *   delete  1 lock of the table              -                as add 1
 *           2 COMMIT tag := 0                1                the entry is free
 *           3 unlock                         2                as 2
 *
 * INVARIANTS
 *   - An entry is free if its tag is 0. So no crash loses an entry.
 *   - Only the owner of the lock stores to the table, so no tag is there twice.
 *   - While the lock is free, the table is durable. A thread that takes the lock of a dead owner
 *     makes it so; one that reads beside an owner, dead or alive, makes durable what it has seen.
 *   - A reader has the tag and the off of one header: it reads the tag again after the off, and an
 *     off changes only while the tag is 0.
 */
#include <twz/guard.h>
#include <twz/mutex.h>

#include "platform.h"

#define DEFAULT_PERMS (TWZ_READ | TWZ_WRITE | TWZ_USE | TWZ_DEL)

int twz_object_create(twzobj *obj, const struct twz_create *create)
{
    objid_t id;
    int err = plat_obj_create(create, &id);

    if (err < 0)
        return err;
    err = twz_object_init_guid(obj, id, TWZ_READ | TWZ_WRITE);
    if (err < 0)
        (void)plat_obj_delete(id, TWZ_DELETE_NOW);
    return err;
}

int twz_object_new(twzobj *obj, const twzobj *src, const twzobj *ku, uint64_t flags)
{
    struct twz_copy all = {
        .src_off = TWZ_OBJ_BASE,
        .dst_off = TWZ_OBJ_BASE,
        .len = TWZ_OBJ_RECORD - TWZ_OBJ_BASE,
    };
    struct twz_create create = { .perms = (uint32_t)(flags & TWZ_PERMS) };

    if (flags & ~(uint64_t)(TWZ_PERMS | TWZ_OC_PERSIST))
        return -TWZ_EINVAL;
    if (create.perms == 0)
        create.perms = DEFAULT_PERMS;
    if (flags & TWZ_OC_PERSIST)
        create.flags = TWZ_OBJ_PERSIST;
    if (ku)
        create.kuid = ku->id;
    if (src) {
        all.src = src->id;
        create.sources = (uint64_t)(uintptr_t)&all;
        create.source_size = sizeof(struct twz_copy);
        create.nsources = 1;
    }
    return twz_object_create(obj, &create);
}

int twz_object_init_guid(twzobj *obj, objid_t id, uint32_t rights)
{
    uint8_t *start;
    int err;

    if ((rights & ~(TWZ_READ | TWZ_WRITE | TWZ_EXEC)) || rights == 0 ||
        (rights & (TWZ_WRITE | TWZ_EXEC)) == (TWZ_WRITE | TWZ_EXEC))
        return -TWZ_EINVAL;
    if (objid_is_none(id))
        return -TWZ_ENOOBJ; /* a directory written by an adversary may name it */
    err = plat_map(id, rights, &start);
    if (err < 0)
        return err;
    *obj = (twzobj){ .start = start, .id = id, .rights = rights };
    twz_guard_opened(obj);
    return 0;
}

int twz_object_init_ptr(twzobj *obj, const void *p)
{
    uintptr_t start = (uintptr_t)p & ~(uintptr_t)(TWZ_OBJ_SIZE - 1);
    objid_t id;
    uint32_t rights;
    int err = plat_id_at(p, &id, &rights);

    if (err < 0)
        return err;
    *obj = (twzobj){ .start = (uint8_t *)start, .id = id, .rights = rights };
    return 0;
}

void twz_object_release(twzobj *obj)
{
    if (!obj->start)
        return;
    twz_guard_closed(obj);
    plat_unmap(obj->start, obj->id, obj->rights);
    *obj = (twzobj){ 0 };
}

int twz_object_delete(const twzobj *obj, uint64_t flags)
{
    return plat_obj_delete(obj->id, flags);
}

int twz_object_delete_guid(objid_t id, uint64_t flags)
{
    return plat_obj_delete(id, flags);
}

int twz_object_stat(objid_t id, struct twz_stat *stat)
{
    return plat_obj_stat(id, stat);
}

int twz_object_ctl(objid_t id, uint64_t op, uint64_t arg)
{
    return plat_obj_ctl(id, op, arg);
}

int twz_touch(const void *p, uint64_t len)
{
    return plat_touch(p, len);
}

/* --- the metadata page ----------------------------------------------------------------------- */

/* The lock of the extension tags. Objects made before it was known have 0 here: free. */
static struct twz_mutex *ext_mutex(struct twz_meta *meta)
{
    return (struct twz_mutex *)(void *)&meta->reserved[0];
}

/* An error is -TWZ_EBUSY. The table is durable on success. */
static int ext_lock(struct twz_meta *meta)
{
    struct twz_mutex *mutex = ext_mutex(meta);
    int ret = twz_mutex_trylock(mutex);

    if (ret < 0)
        ret = twz_mutex_lock_for(mutex, TWZ_GUARD_WAIT);
    if (ret < 0)
        return ret;
    twz_guard_lock(mutex);
    if (ret == TWZ_MUTEX_DIED)
        twz_persist(meta->ext, sizeof(meta->ext)); /* COMMIT: the change of the dead owner */
    return 0;
}

static void ext_unlock(struct twz_meta *meta)
{
    twz_guard_unlock(ext_mutex(meta));
    twz_mutex_unlock(ext_mutex(meta));
}

/* The off of a tag; 0: there is no such tag. The caller need not hold the lock. */
static uint64_t ext_find(const struct twz_meta *meta, uint64_t tag)
{
    for (uint32_t i = 0; i < TWZ_EXT_MAX; i++) {
        const struct twz_ext *ext = &meta->ext[i];
        uint64_t off;

        if (__atomic_load_n(&ext->tag, __ATOMIC_ACQUIRE) != tag)
            continue;
        off = __atomic_load_n(&ext->off, __ATOMIC_ACQUIRE);
        if (__atomic_load_n(&ext->tag, __ATOMIC_RELAXED) == tag)
            return off;
    }
    return 0;
}

void *twz_object_getext(const twzobj *obj, uint64_t tag)
{
    struct twz_meta *meta = twz_object_meta(obj);
    uint64_t off = tag ? ext_find(meta, tag) : 0;

    if (twz_mutex_is_held(ext_mutex(meta)))
        twz_persist(meta->ext, sizeof(meta->ext)); /* its owner may not have done so */
    if (off < TWZ_OBJ_BASE || off >= TWZ_OBJ_DATA_TOP)
        return NULL;
    return obj->start + off;
}

/* The entry with a tag, which may be 0; NULL: none. The caller holds the lock. */
static struct twz_ext *ext_with(struct twz_meta *meta, uint64_t tag)
{
    for (uint32_t i = 0; i < TWZ_EXT_MAX; i++) {
        if (__atomic_load_n(&meta->ext[i].tag, __ATOMIC_RELAXED) == tag)
            return &meta->ext[i];
    }
    return NULL;
}

static int ext_add(struct twz_meta *meta, uint64_t tag, uint64_t off)
{
    struct twz_ext *ext = ext_with(meta, 0);

    if (ext_with(meta, tag))
        return -TWZ_EEXIST;
    if (!ext)
        return -TWZ_EFULL;
    twz_persist_fence(); /* the header that the caller flushed, before the tag */
    twz_persist_store64(&ext->off, off);
    twz_persist_commit64(&ext->tag, tag); /* COMMIT: the header can be found */
    return 0;
}

int twz_object_addext(const twzobj *obj, uint64_t tag, const void *header)
{
    struct twz_meta *meta = twz_object_meta(obj);
    uint64_t off = (uint64_t)((const uint8_t *)header - obj->start);
    int err;

    if (tag == 0 || off < TWZ_OBJ_BASE || off >= TWZ_OBJ_DATA_TOP)
        return -TWZ_EINVAL;
    err = plat_touch(meta, sizeof(*meta));
    if (err >= 0)
        err = ext_lock(meta);
    if (err < 0)
        return err;
    err = ext_add(meta, tag, off);
    ext_unlock(meta);
    return err;
}

int twz_object_delext(const twzobj *obj, uint64_t tag)
{
    struct twz_meta *meta = twz_object_meta(obj);
    struct twz_ext *ext;
    int err = tag ? plat_touch(meta, sizeof(*meta)) : -TWZ_ENONAME;

    if (err >= 0)
        err = ext_lock(meta);
    if (err < 0)
        return err;
    ext = ext_with(meta, tag);
    if (ext)
        twz_persist_commit64(&ext->tag, 0); /* COMMIT: the tag is gone, and the entry free */
    ext_unlock(meta);
    return ext ? 0 : -TWZ_ENONAME;
}

uint64_t twz_object_size(const twzobj *obj)
{
    return __atomic_load_n(&twz_object_meta(obj)->size, __ATOMIC_RELAXED);
}

int twz_object_set_size(const twzobj *obj, uint64_t size)
{
    struct twz_meta *meta = twz_object_meta(obj);
    int err = plat_touch(meta, sizeof(*meta));

    if (err < 0)
        return err;
    if (meta->magic == 0)
        twz_persist_store64(&meta->magic, TWZ_META_MAGIC);
    twz_persist_commit64(&meta->size, size); /* COMMIT: the size, behind magic on its line */
    return 0;
}
