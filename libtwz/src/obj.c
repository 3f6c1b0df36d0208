/* SPDX-License-Identifier: MIT */
/*
 * Handles over the platform's calls, and the user's metadata page.
 *
 * EXTENSION TAGS
 *   step                                     durable before   after a crash
 *   add     1 claim: exchange off from 0     -                the entry stays unused
 *           2 COMMIT tag, on the line of off 1 (same line)    the header can be found
 *   delete  1 tag := 0                       -                the tag may be there or not
 *           2 COMMIT off := 0, on that line  1 (same line)    the entry can be claimed again
 * An entry with tag 0 names no header. With an off it is being filled, or a crash left it; an adder
 * must skip it.
 */
#include <twz/guard.h>

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

void *twz_object_getext(const twzobj *obj, uint64_t tag)
{
    const struct twz_meta *meta = twz_object_meta(obj);

    for (uint32_t i = 0; i < TWZ_EXT_MAX; i++) {
        uint64_t off = __atomic_load_n(&meta->ext[i].off, __ATOMIC_RELAXED);

        if (__atomic_load_n(&meta->ext[i].tag, __ATOMIC_ACQUIRE) != tag || tag == 0)
            continue;
        if (off < TWZ_OBJ_BASE || off >= TWZ_OBJ_DATA_TOP)
            return NULL;
        return obj->start + off;
    }
    return NULL;
}

/* Claim a free entry against other adders. */
static bool ext_claim(struct twz_ext *ext, uint64_t off)
{
    uint64_t none = 0;

    return __atomic_load_n(&ext->tag, __ATOMIC_ACQUIRE) == 0 &&
           __atomic_compare_exchange_n(&ext->off, &none, off, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

int twz_object_addext(const twzobj *obj, uint64_t tag, const void *header)
{
    struct twz_meta *meta = twz_object_meta(obj);
    uint64_t off = (uint64_t)((const uint8_t *)header - obj->start);
    int err;

    if (tag == 0 || off < TWZ_OBJ_BASE || off >= TWZ_OBJ_DATA_TOP)
        return -TWZ_EINVAL;
    if (twz_object_getext(obj, tag))
        return -TWZ_EEXIST;
    err = plat_touch(meta, sizeof(*meta));
    if (err < 0)
        return err;
    for (uint32_t i = 0; i < TWZ_EXT_MAX; i++) {
        struct twz_ext *ext = &meta->ext[i];

        if (!ext_claim(ext, off))
            continue;
        twz_persist_store64(&ext->off, off);
        twz_persist_commit64(&ext->tag, tag); /* COMMIT: the header can be found */
        return 0;
    }
    return -TWZ_EFULL;
}

int twz_object_delext(const twzobj *obj, uint64_t tag)
{
    struct twz_meta *meta = twz_object_meta(obj);

    for (uint32_t i = 0; i < TWZ_EXT_MAX; i++) {
        struct twz_ext *ext = &meta->ext[i];
        uint64_t expect = tag;

        if (tag == 0 || !__atomic_compare_exchange_n(&ext->tag, &expect, 0, 0, __ATOMIC_ACQ_REL,
                                                     __ATOMIC_RELAXED))
            continue;
        twz_persist_store64(&ext->tag, 0);
        twz_persist_commit64(&ext->off, 0); /* COMMIT: the tag is gone, and the entry free */
        return 0;
    }
    return -TWZ_ENONAME;
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
