/* SPDX-License-Identifier: MIT */
/*
 * Crash protocol. The object is provisional while it is filled; a crash then leaves nothing of it.
 *
 *            step                                       after a crash
 * new name   1  hier_create with fill                   as before
 *            2  COMMIT: hier's bucket word, the witness  the name means the whole object
 * no name    1  fill; the witness never holds           as before
 *            2  COMMIT: TWZ_CTL_PERMANENT               a whole object without a name
 * old name,  1  as without a name                       as before, or a whole object without a
 * or a made                                             name, which twz-obj lost shows
 * object     2  COMMIT: hier_replace                    the name means the new object
 */
#include "destination.h"

#include <stdlib.h>
#include <string.h>
#include <twz/error.h>

#include "explain.h"
#include "fail.h"
#include "names.h"
#include "platform.h"
#include "refs.h"
#include "window.h"

struct filling {
    struct pool *pool;
    const struct object_spec *spec;
    bool reported; /* the fill failed and printed its message */
};

static int fill_object(struct filling *filling, objid_t id)
{
    uint32_t row;
    int err = store_lookup(filling->pool->store, id, &row);

    if (err >= 0)
        err = filling->spec->fill(filling->spec->ctx, filling->pool, row);
    if (err > 0) {
        filling->reported = true;
        return -TWZ_EIO;
    }
    return err < 0 ? err : window_refresh(row);
}

static int fill_created(const twzobj *obj, void *ctx)
{
    return fill_object(ctx, obj->id);
}

static int make_named(struct filling *filling, struct hier_where *where, objid_t *id)
{
    twzobj obj;
    struct hier_create create = {
        .kind = HIER_OBJECT,
        .perms = filling->spec->perms,
        .fill = fill_created,
        .ctx = filling,
        .values = filling->spec->values,
    };
    int err = hier_create(&where->dir, names_leaf(where), &create, &obj);

    if (err < 0)
        return err;
    *id = obj.id;
    twz_object_release(&obj);
    return 0;
}

/* A filled object without a name; deleted again after an error. */
static int fill_unnamed(struct filling *filling, objid_t *id)
{
    /* The witness never holds: the root directory's first metadata word is its magic for ever. */
    struct twz_create create = {
        .flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL,
        .perms = filling->spec->perms,
        .witness = filling->pool->names,
        .witness_off = TWZ_OBJ_META,
        .witness_value = UINT64_MAX,
    };
    int err = plat_obj_create(&create, id);

    if (err < 0)
        return err;
    err = fill_object(filling, *id);
    if (err >= 0)
        err = plat_obj_ctl(*id, TWZ_CTL_PERMANENT, 0);
    if (err < 0 && plat_obj_delete(*id, TWZ_DELETE_NOW) < 0)
        return -TWZ_EDAMAGED;
    return err;
}

/* 1: the object was there before. */
static int make_unnamed(struct filling *filling, objid_t *id)
{
    if (filling->spec->make)
        return filling->spec->make(filling->spec->ctx, filling->pool, id);
    return fill_unnamed(filling, id);
}

static int replace_named(struct filling *filling, struct hier_where *where, objid_t *id)
{
    int made = make_unnamed(filling, id);
    bool pointed;
    int err;

    if (made < 0)
        return made;
    pointed = refs_pointed(filling->pool, where->id, false);
    err = hier_replace(&where->dir, names_leaf(where), *id, &filling->spec->values,
                       pointed ? 0 : HIER_DELETE);
    if (err < 0 && made == 0 && plat_obj_delete(*id, TWZ_DELETE_NOW) < 0)
        return -TWZ_EDAMAGED;
    return err;
}

static int make_at(struct filling *filling, struct hier_where *where, objid_t *id)
{
    if (where->must_dir && !where->kind)
        return -TWZ_ENONAME;
    if (where->kind && filling->spec->fresh)
        return -TWZ_EEXIST;
    if (where->kind || filling->spec->make)
        return replace_named(filling, where, id);
    return make_named(filling, where, id);
}

/* Walk to the destination's name: `path`, or `leaf` inside it if `path` is a directory. */
static int walk_to(struct pool *pool, const char *path, const char *leaf, struct hier_where *where)
{
    int err = names_walk(pool, path, 0, where);
    char *inside;

    if (err < 0 || where->kind != HIER_DIR)
        return err;
    hier_where_close(where);
    inside = names_join(path, leaf);
    err = inside ? names_walk(pool, inside, 0, where) : -TWZ_ENOMEM;
    free(inside);
    if (err >= 0 && where->kind == HIER_DIR) {
        hier_where_close(where);
        err = -TWZ_EISDIR;
    }
    return err;
}

int destination_find(struct pool *pool, const char *path, const char *leaf, objid_t *id,
                     uint32_t *attr)
{
    struct hier_where where;
    int err = walk_to(pool, path, leaf, &where);

    if (err < 0)
        return err;
    *id = where.id;
    *attr = where.attr;
    err = where.kind == HIER_OBJECT ? 0 : -TWZ_ENONAME;
    hier_where_close(&where);
    return err;
}

int destination_create(struct pool *pool, const char *path, const struct object_spec *spec,
                       objid_t *id)
{
    struct filling filling = { .pool = pool, .spec = spec };
    struct hier_where where;
    int err = path ? walk_to(pool, path, spec->leaf, &where) : 0;

    if (err >= 0 && path) {
        err = make_at(&filling, &where, id);
        hier_where_close(&where);
    } else if (err >= 0) {
        err = make_unnamed(&filling, id);
    }
    if (filling.reported)
        return TOOL_NO;
    if (err >= 0)
        return TOOL_OK;
    return path ? explain_make(pool, path, err) : explain_pool(pool, err);
}
