/* SPDX-License-Identifier: MIT */
/* Implements twz/name.h with hier. Every path starts at the root directory of the machine. */
#include "inside.h"

#define SEARCH_DEPTH 64u
#define SEARCH_STEPS (1u << 18) /* chunks read in all; directories may contain each other */

static const struct attr_values plain; /* of a name that POSIX did not make */

static int walk_from_root(const char *path, uint32_t flags, struct hier_where *where)
{
    objid_t root = twz_name_root();

    if (objid_is_none(root))
        return -TWZ_ENONAME;
    return hier_walk(root, root, path, flags, where);
}

static struct hier_name leaf_name(const struct hier_where *where)
{
    return (struct hier_name){ where->leaf, where->len };
}

/* Walk to a name that must not exist yet. -TWZ_EEXIST. */
static int walk_to_new(const char *path, struct hier_where *where)
{
    int err = walk_from_root(path, HIER_NOFOLLOW, where);

    if (err < 0)
        return err;
    if (where->kind != 0) {
        hier_where_close(where);
        return -TWZ_EEXIST;
    }
    return 0;
}

_Static_assert(TWZ_NAME_OBJECT == HIER_OBJECT && TWZ_NAME_DIR == HIER_DIR &&
                   TWZ_NAME_SYMLINK == HIER_SYMLINK,
               "kinds of names are those of hier");

int twz_name_lookup(const char *path, struct twz_name_info *info)
{
    struct hier_where where;
    int err = walk_from_root(path, 0, &where);

    if (err < 0)
        return err;
    *info = (struct twz_name_info){ .id = where.id, .kind = where.kind };
    hier_where_close(&where);
    return where.kind ? 0 : -TWZ_ENONAME;
}

int twz_name_resolve(const char *path, objid_t *id)
{
    struct twz_name_info info;
    int err = twz_name_lookup(path, &info);

    if (err >= 0)
        *id = info.id;
    return err;
}

int twz_object_init_name(twzobj *obj, const char *name, uint32_t rights)
{
    objid_t id;
    int err = twz_name_resolve(name, &id);

    return err < 0 ? err : twz_object_init_guid(obj, id, rights);
}

int twz_name_assign(const char *path, objid_t id)
{
    struct hier_where where;
    int err = walk_to_new(path, &where);

    if (err < 0)
        return err;
    err = where.must_dir ? -TWZ_ENOTDIR : hier_insert(&where.dir, leaf_name(&where), id, &plain);
    hier_where_close(&where);
    return err;
}

int twz_name_reassign(const char *path, objid_t id)
{
    struct hier_where where;
    int err = walk_from_root(path, 0, &where);

    if (err < 0)
        return err;
    if (where.len == 0 || where.must_dir)
        err = -TWZ_EISDIR;
    else
        err = hier_replace(&where.dir, leaf_name(&where), id, &plain, 0);
    hier_where_close(&where);
    return err;
}

int twz_name_unassign(const char *path)
{
    struct hier_where where;
    int err = walk_from_root(path, HIER_NOFOLLOW, &where);

    if (err < 0)
        return err;
    if (where.len == 0)
        err = -TWZ_EINVAL;
    else
        err = hier_remove(&where.dir, leaf_name(&where), where.must_dir ? HIER_WANT_DIR : 0);
    hier_where_close(&where);
    return err;
}

int twz_name_rename(const char *from, const char *to)
{
    struct hier_where old, new;
    int err = walk_from_root(from, HIER_NOFOLLOW, &old);

    if (err < 0)
        return err;
    err = walk_from_root(to, HIER_NOFOLLOW, &new);
    if (err < 0)
        goto out;
    if (old.len == 0 || new.len == 0)
        err = -TWZ_EINVAL;
    else if (old.kind == 0)
        err = -TWZ_ENONAME;
    else if (new.must_dir && old.kind != HIER_DIR)
        err = -TWZ_ENOTDIR;
    else
        err = hier_rename(&old.dir, leaf_name(&old), &new.dir, leaf_name(&new), 0);
    hier_where_close(&new);
out:
    hier_where_close(&old);
    return err;
}

static int create_at_path(const char *path, const struct hier_create *spec, twzobj *obj)
{
    struct hier_where where;
    int err = walk_to_new(path, &where);

    if (err < 0)
        return err;
    if (where.must_dir && spec->kind != HIER_DIR)
        err = -TWZ_EISDIR;
    else
        err = hier_create(&where.dir, leaf_name(&where), spec, obj);
    hier_where_close(&where);
    return err;
}

int twz_name_mkdir(const char *path)
{
    struct hier_create spec = { .kind = HIER_DIR };

    return create_at_path(path, &spec, NULL);
}

int twz_name_create(const char *path, uint32_t perms, twz_fill fill, void *ctx, twzobj *obj)
{
    struct hier_create spec = { .kind = HIER_OBJECT, .perms = perms, .fill = fill, .ctx = ctx };

    return create_at_path(path, &spec, obj);
}

/* --- the name of an object -------------------------------------------------------------------- */

struct search {
    objid_t id;
    char *path;
    size_t size;
    uint64_t steps; /* left */
};

/* Search below directory `dir`; s->path[0 .. len) is its path. The result is the length of the path
 * found. Opens directories for reading only, so it takes no lock: a fault handler may call it while
 * its thread holds one. */
static int search_below(struct search *s, objid_t dir, size_t len, uint32_t depth)
{
    struct hier_item item;
    uint64_t cursor = 0;
    int found = 0;
    twzobj obj;

    if (depth > SEARCH_DEPTH || twz_object_init_guid(&obj, dir, TWZ_READ) < 0)
        return -TWZ_ENONAME;
    while (hier_iter_some(&obj, &cursor, &item, &s->steps) > 0) {
        size_t end = len + 1 + item.len;

        if (item.found.kind == HIER_SYMLINK || end + 1 > s->size)
            continue;
        s->path[len] = '/';
        __builtin_memcpy(s->path + len + 1, item.name, item.len + 1);
        if (objid_equal(item.found.id, s->id))
            found = (int)end;
        else if (item.found.kind == HIER_DIR)
            found = search_below(s, item.found.id, end, depth + 1);
        if (found > 0 || s->steps == 0)
            break;
    }
    twz_object_release(&obj);
    return found > 0 ? found : s->steps ? -TWZ_ENONAME : -TWZ_EFULL;
}

int twz_name_of(objid_t id, char *path, size_t size)
{
    struct search s = { .id = id, .path = path, .size = size, .steps = SEARCH_STEPS };
    objid_t root = twz_name_root();

    if (size < 2)
        return -TWZ_ERANGE;
    if (objid_is_none(root) || objid_is_none(id))
        return -TWZ_ENONAME;
    if (objid_equal(root, id)) {
        path[0] = '/';
        path[1] = 0;
        return 1;
    }
    return search_below(&s, root, 0, 0);
}
