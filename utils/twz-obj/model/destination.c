/* SPDX-License-Identifier: MIT */
/*
 * Crash protocol.
 *   new name      hier_create: the object is provisional with the directory's slot word as its
 *                 witness while it is filled; that word creates and names it.
 *   no name       provisional while it is filled, with a witness that never comes true; made
 *                 permanent by one commit word.
 *   old name      filled as without a name, made permanent, then hier_replace. A process that ends
 *                 between these two leaves the old state and one whole object without a name
 *                 (twz-obj lost); one that ends earlier leaves nothing.
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
    const struct place *place;
    int reported; /* the fill's result where it was 1: the message is out */
};

static int fill_object(struct filling *filling, objid_t id)
{
    uint32_t row;
    int err = store_lookup(filling->pool->store, id, &row);

    if (err >= 0)
        err = filling->place->fill(filling->place->ctx, filling->pool, row);
    if (err > 0) {
        filling->reported = 1;
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
        .perms = filling->place->perms,
        .fill = fill_created,
        .ctx = filling,
    };
    int err = hier_create(&where->dir, names_leaf(where), &create, &obj);

    if (err < 0)
        return err;
    *id = obj.id;
    twz_object_release(&obj);
    return 0;
}

static int make_unnamed(struct filling *filling, objid_t *id)
{
    /* The root directory's first metadata word is the magic for ever: recovery never finds ~0. */
    struct twz_create create = {
        .flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL,
        .perms = filling->place->perms,
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

static int replace_named(struct filling *filling, struct hier_where *where, objid_t *id)
{
    int err = make_unnamed(filling, id);
    bool pointed;

    if (err < 0)
        return err;
    pointed = refs_pointed(filling->pool, where->id, false);
    err = hier_replace(&where->dir, names_leaf(where), *id, pointed ? 0 : HIER_DELETE);
    if (err < 0 && plat_obj_delete(*id, TWZ_DELETE_NOW) < 0)
        return -TWZ_EDAMAGED;
    return err;
}

/* Walk to where the object goes: inside `path` where that is a directory. */
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

int destination_find(struct pool *pool, const char *path, const char *leaf, objid_t *id)
{
    struct hier_where where;
    int err = walk_to(pool, path, leaf, &where);

    if (err < 0)
        return err;
    *id = where.id;
    err = where.kind == HIER_OBJECT ? 0 : -TWZ_ENONAME;
    hier_where_close(&where);
    return err;
}

int destination_create(struct pool *pool, const char *path, const struct place *place, objid_t *id)
{
    struct filling filling = { .pool = pool, .place = place };
    struct hier_where where;
    int err = path ? walk_to(pool, path, place->leaf, &where) : 0;

    if (err >= 0 && path) {
        if (where.must_dir && !where.kind)
            err = -TWZ_ENONAME;
        else
            err =
                where.kind ? replace_named(&filling, &where, id) : make_named(&filling, &where, id);
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
