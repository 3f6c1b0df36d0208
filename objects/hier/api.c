/* SPDX-License-Identifier: MIT */
/*
 * The functions of hier.h that work on directories of other programs, each under a guard
 * (twz/guard.h): a page of a directory or of its attribute table may be a hole, poisoned or
 * protected, and the objects may be denied or deleted. A fault ends the operation as the death of
 * its thread would, but its locks are released; the next owner finishes the change.
 */
#include "inside.h"

int hier_probe(const twzobj *dir)
{
    return TWZ_GUARDED(hier_do_probe(dir));
}

int hier_lookup(const twzobj *dir, struct hier_name name, struct hier_found *found)
{
    return TWZ_GUARDED(hier_do_lookup(dir, name, found));
}

int hier_readlink(const twzobj *dir, struct hier_name name, char *text, size_t size)
{
    return TWZ_GUARDED(hier_do_readlink(dir, name, text, size));
}

int hier_parent(const twzobj *dir, objid_t *parent)
{
    return TWZ_GUARDED(hier_do_parent(dir, parent));
}

uint32_t hier_count(const twzobj *dir)
{
    int count = TWZ_GUARDED(hier_do_count(dir));

    return count < 0 ? 0 : (uint32_t)count;
}

int hier_iter_some(const twzobj *dir, uint64_t *cursor, struct hier_item *item, uint64_t *steps)
{
    return TWZ_GUARDED(hier_do_iter_some(dir, cursor, item, steps));
}

int hier_iter(const twzobj *dir, uint64_t *cursor, struct hier_item *item)
{
    uint64_t steps = UINT64_MAX;

    return hier_iter_some(dir, cursor, item, &steps);
}

int hier_insert(const twzobj *dir, struct hier_name name, objid_t id,
                const struct attr_values *values)
{
    return TWZ_GUARDED(hier_do_insert(dir, name, id, values));
}

int hier_insert_dir(const twzobj *dir, struct hier_name name, objid_t id)
{
    return TWZ_GUARDED(hier_do_insert_dir(dir, name, id));
}

int hier_link(const twzobj *dir, struct hier_name name, const struct hier_found *found)
{
    return TWZ_GUARDED(hier_do_link(dir, name, found));
}

int hier_symlink(const twzobj *dir, struct hier_name name, const char *text, size_t text_len)
{
    return TWZ_GUARDED(hier_do_symlink(dir, name, text, text_len));
}

int hier_create(const twzobj *dir, struct hier_name name, const struct hier_create *create,
                twzobj *obj)
{
    return TWZ_GUARDED(hier_do_create(dir, name, create, obj));
}

int hier_replace(const twzobj *dir, struct hier_name name, objid_t id,
                 const struct attr_values *values, uint32_t flags)
{
    return TWZ_GUARDED(hier_do_replace(dir, name, id, values, flags));
}

int hier_remove(const twzobj *dir, struct hier_name name, uint32_t flags)
{
    return TWZ_GUARDED(hier_do_remove(dir, name, flags));
}

int hier_rename(const twzobj *from, struct hier_name name, const twzobj *to,
                struct hier_name new_name, uint32_t flags)
{
    return TWZ_GUARDED(hier_do_rename(from, name, to, new_name, flags));
}

int hier_walk(objid_t root, objid_t cwd, const char *path, uint32_t flags, struct hier_where *where)
{
    int err = TWZ_GUARDED(hier_do_walk(root, cwd, path, flags, where));

    if (err < 0)
        *where = (struct hier_where){ 0 };
    return err;
}

int hier_path_of(objid_t root, objid_t dir, char *path, size_t size)
{
    return TWZ_GUARDED(hier_do_path_of(root, dir, path, size));
}
