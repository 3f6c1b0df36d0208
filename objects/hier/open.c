/* SPDX-License-Identifier: MIT */
/* Opens a directory and makes an empty one. Checks and hashes names. */
#include "inside.h"

int hier_name_check(struct hier_name name)
{
    if (name.len == 0 || name.len > TWZ_NAME_MAX)
        return name.len ? -TWZ_ENAMELEN : -TWZ_EINVAL;
    if (name.text[0] == '.' && (name.len == 1 || (name.len == 2 && name.text[1] == '.')))
        return -TWZ_EINVAL;
    for (size_t i = 0; i < name.len; i++) {
        if (name.text[i] == '/' || name.text[i] == 0)
            return -TWZ_EINVAL;
    }
    return 0;
}

uint32_t hier_hash(struct hier_name name)
{
    uint64_t hash = 0xcbf29ce484222325ull;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (uint8_t)name.text[i]) * 0x100000001b3ull;
    hash ^= hash >> 29;
    hash *= 0xbf58476d1ce4e5b9ull;
    return (uint32_t)(hash >> 32);
}

int hier_attach(const twzobj *obj, struct hier *h)
{
    struct hier_dir *dir;

    twz_guard_watch(obj->start);
    dir = twz_object_getext(obj, HIER_TAG);
    if (!dir || (uint8_t *)dir != obj->start + TWZ_OBJ_BASE || dir->magic != HIER_MAGIC)
        return -TWZ_ETYPE;
    if (dir->version != HIER_VERSION)
        return -TWZ_EVERSION;
    if (dir->start != HIER_START)
        return -TWZ_EDAMAGED;
    *h = (struct hier){ .start = obj->start, .dir = dir, .id = obj->id, .rights = obj->rights };
    return 0;
}

int hier_attrs_open(const struct hier *h, twzobj *table)
{
    const objid_t id = h->dir->attrs;

    return objid_is_none(id) ? -TWZ_ENOTSUP : attr_open(id, TWZ_READ | TWZ_WRITE, table);
}

int hier_open_name(const twzobj *obj, struct hier_name name, struct hier *h)
{
    int err = hier_name_check(name);

    return err < 0 ? err : hier_attach(obj, h);
}

/* The first table follows the header, so that a small directory is one page. */
int hier_init_at(const twzobj *obj, objid_t parent, objid_t attrs, uint32_t attr)
{
    struct hier h = { .start = obj->start, .dir = twz_object_base(obj), .id = obj->id };
    struct twz_meta *meta = twz_object_meta(obj);
    const uint32_t cells = 1 + HIER_BUCKETS_MIN * 8 / HIER_CELL;
    const uint64_t end = HIER_START + (uint64_t)cells * HIER_CELL;
    struct hier_dir *dir = h.dir;
    int err = twz_touch(dir, end - TWZ_OBJ_BASE);

    if (err >= 0)
        err = twz_touch(meta, sizeof(*meta));
    if (err < 0)
        return err;
    twz_persist_zero(dir, end - TWZ_OBJ_BASE);
    twz_persist_store64(hier_word(&h, HIER_START), HIER_CHUNK(HIER_CHUNK_TABLE, cells));
    twz_persist_store64(&dir->magic, HIER_MAGIC);
    twz_persist_store64(&dir->version, HIER_VERSION);
    twz_persist_store64(&dir->start, HIER_START);
    twz_persist_store64(&dir->table,
                        HIER_TABLE(HIER_START, (uint32_t)__builtin_ctz(HIER_BUCKETS_MIN)));
    twz_persist_store64(&dir->bump, end);
    twz_persist_store64(&dir->attrs.lo, attrs.lo);
    twz_persist_store64(&dir->attrs.hi, attrs.hi);
    twz_persist_store64(&dir->attr, attr);
    if (objid_is_none(parent))
        parent = obj->id;
    twz_persist_store64(&dir->parent[0].lo, parent.lo);
    twz_persist_store64(&dir->parent[0].hi, parent.hi);
    twz_persist_store64(&meta->magic, TWZ_META_MAGIC);
    twz_persist_store64(&meta->type, HIER_MAGIC);
    twz_persist_flush(meta, sizeof(*meta));
    twz_persist_flush(dir, end - TWZ_OBJ_BASE); /* addext fences; not reachable yet */
    return twz_object_addext(obj, HIER_TAG, dir);
}

int hier_init(const twzobj *dir, objid_t parent, objid_t attrs)
{
    return hier_init_at(dir, parent, attrs, 0);
}

static bool has_no_change(objid_t dir, uint32_t index)
{
    (void)dir;
    (void)index;
    return false;
}

/* The root has no name, so its record counts as a name. */
int hier_init_volume(const twzobj *dir, const twzobj *attrs)
{
    const struct attr_values values = { 0 };
    uint32_t attr;
    int err = attr_init(attrs, NULL);

    if (err >= 0)
        err = attr_new(attrs, dir->id, &values, TWZ_OBJID_NONE, has_no_change, &attr);
    return err < 0 ? err : hier_init_at(dir, TWZ_OBJID_NONE, attrs->id, attr);
}
