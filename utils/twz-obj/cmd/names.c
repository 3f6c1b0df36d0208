/* SPDX-License-Identifier: MIT */
/* mkdir, ln, mv, rm. Each change is one of hier's: there or not, whatever happens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twz/error.h>

#include "command.h"
#include "ident.h"
#include "names.h"
#include "out.h"
#include "pool.h"
#include "refs.h"

/* Close `where` and say what went wrong, if anything did. */
static int finish(struct hier_where *where, const char *path, int rc)
{
    hier_where_close(where);
    return rc < 0 ? fail_twz(path, rc) : TOOL_OK;
}

/* --- mkdir --------------------------------------------------------------------------------- */

static int make_directory(struct tool *tool, const char *path)
{
    static const struct hier_create create = { .kind = HIER_DIR };
    struct hier_where where;
    int rc = names_walk(tool->pool, path, HIER_NOFOLLOW, &where);
    if (rc < 0)
        return fail_twz(path, rc);
    rc = where.kind ? -TWZ_EEXIST : hier_create(&where.dir, names_leaf(&where), &create, NULL);
    return finish(&where, path, rc);
}

int cmd_mkdir(struct tool *tool, const struct args *args)
{
    int rc = TOOL_OK;
    for (int i = 0; i < args->argc; i++) {
        const char *path = args->argv[i];
        if (!args_flag(args, "parents")) {
            rc = fail_first(rc, make_directory(tool, path));
            continue;
        }
        int made = names_mkdir_parents(tool->pool, path, NULL);
        if (made < 0)
            rc = fail_first(rc, fail_twz(path, made));
    }
    return rc;
}

static bool is_directory(objid_t id)
{
    twzobj obj;
    if (twz_object_init_guid(&obj, id, TWZ_READ) < 0)
        return false;
    bool is = hier_probe(&obj) >= 0;
    twz_object_release(&obj);
    return is;
}

/* --- ln ------------------------------------------------------------------------------------ */

/* Where the new name goes: PATH itself, or inside it where that is a directory. */
static int walk_target(struct tool *tool, const char *path, const char *source,
                       struct hier_where *where)
{
    int rc = names_walk(tool->pool, path, 0, where);
    if (rc < 0 || where->kind != HIER_DIR)
        return rc;
    hier_where_close(where);
    char *leaf = names_base(source);
    char *inside = leaf ? names_join(path, leaf) : NULL;
    rc = inside ? names_walk(tool->pool, inside, HIER_NOFOLLOW, where) : -TWZ_ENOMEM;
    free(inside);
    free(leaf);
    return rc;
}

/* Flags for taking away what a name means: the object goes with its last name, unless something
 * else points to it. */
static int victim_flags(struct tool *tool, const struct hier_where *where, uint32_t *flags)
{
    *flags = 0;
    if (where->kind != HIER_OBJECT)
        return 0;
    int pointed = refs_pointed(tool->pool, where->id, false);
    *flags = pointed == 0 ? HIER_DELETE : 0;
    return pointed < 0 ? pointed : 0;
}

/* ln --force: what stands there goes first. */
static int make_way(struct tool *tool, const struct hier_where *where)
{
    uint32_t flags;
    if (!where->kind)
        return 0;
    int rc = victim_flags(tool, where, &flags);
    return rc < 0 ? rc : hier_remove(&where->dir, names_leaf(where), flags | HIER_NOT_DIR);
}

static int link_object(struct tool *tool, const char *target, const struct hier_where *where)
{
    struct ident object;
    int rc = ident_one(tool, target, &object);
    if (rc != TOOL_OK)
        return rc;
    /* By its ID it may have any number of names; the first is no link. */
    int named = object.kind ? 1 : refs_pointed(tool->pool, object.id, true);
    bool directory = object.kind == HIER_DIR || is_directory(object.id);
    bool itself = twz_objid_equal(object.id, where->id);
    ident_done(&object);
    if (directory)
        return fail(TOOL_NO, "%s: a directory has one name only: use ln -s", target);
    if (itself)
        return TOOL_OK;
    rc = named < 0 ? named : make_way(tool, where);
    if (rc >= 0 && named)
        rc = hier_link(&where->dir, names_leaf(where), object.id);
    else if (rc >= 0)
        rc = hier_insert(&where->dir, names_leaf(where), object.id);
    return rc < 0 ? fail_twz(target, rc) : TOOL_OK;
}

static int link_text(struct tool *tool, const char *target, const struct hier_where *where)
{
    int rc = make_way(tool, where);
    if (rc >= 0)
        rc = hier_symlink(&where->dir, names_leaf(where), target, strlen(target));
    return rc < 0 ? fail_twz(target, rc) : TOOL_OK;
}

int cmd_ln(struct tool *tool, const struct args *args)
{
    struct hier_where where;
    const char *target = args->argv[0];
    const char *path = args->argv[1];
    bool force = args_flag(args, "force");
    int rc = walk_target(tool, path, target, &where);
    if (rc < 0)
        return fail_twz(path, rc);
    if (where.kind && !force)
        rc = fail_twz(path, -TWZ_EEXIST);
    else if (args_flag(args, "symbolic"))
        rc = link_text(tool, target, &where);
    else
        rc = link_object(tool, target, &where);
    hier_where_close(&where);
    return rc;
}

/* --- mv ------------------------------------------------------------------------------------ */

int cmd_mv(struct tool *tool, const struct args *args)
{
    struct hier_where from;
    struct hier_where to;
    int rc = names_walk(tool->pool, args->argv[0], HIER_NOFOLLOW, &from);
    if (rc < 0)
        return fail_twz(args->argv[0], rc);
    if (!from.kind)
        return finish(&from, args->argv[0], -TWZ_ENONAME);
    rc = walk_target(tool, args->argv[1], args->argv[0], &to);
    if (rc < 0)
        return finish(&from, args->argv[1], rc);
    uint32_t flags;
    rc = victim_flags(tool, &to, &flags);
    if (rc >= 0)
        rc = hier_rename(&from.dir, names_leaf(&from), &to.dir, names_leaf(&to), flags);
    hier_where_close(&to);
    return finish(&from, args->argv[0], rc);
}

/* --- rm ------------------------------------------------------------------------------------ */

static int remove_one(objid_t id, const char *name)
{
    twzobj dir;
    int rc = twz_object_init_guid(&dir, id, TWZ_READ | TWZ_WRITE);
    if (rc < 0)
        return rc;
    rc = hier_remove(&dir, (struct hier_name){ name, strlen(name) }, 0);
    twz_object_release(&dir);
    return rc;
}

/* All names in a directory and below. */
static int empty_directory(objid_t id, unsigned depth)
{
    struct name_list list;
    if (depth > TWZ_PATH_MAX / 2)
        return -TWZ_ENAMELEN;
    int rc = names_list(id, &list);
    for (size_t i = 0; rc >= 0 && i < list.count; i++) {
        if (list.name[i].kind == HIER_DIR)
            rc = empty_directory(list.name[i].id, depth + 1);
        if (rc >= 0)
            rc = remove_one(id, list.name[i].text);
    }
    names_list_free(&list);
    return rc;
}

static int remove_name(const struct hier_where *where, bool recursive)
{
    if (where->len == 0)
        return -TWZ_EBUSY;
    if (where->kind == 0)
        return -TWZ_ENONAME;
    int rc = where->kind == HIER_DIR && recursive ? empty_directory(where->id, 0) : 0;
    return rc < 0 ? rc : hier_remove(&where->dir, names_leaf(where), 0);
}

int cmd_rm(struct tool *tool, const struct args *args)
{
    bool force = args_flag(args, "force");
    int rc = TOOL_OK;
    for (int i = 0; i < args->argc; i++) {
        struct hier_where where;
        const char *path = args->argv[i];
        int one = names_walk(tool->pool, path, HIER_NOFOLLOW, &where);
        if (one >= 0) {
            one = remove_name(&where, args_flag(args, "recursive"));
            hier_where_close(&where);
        }
        if (one < 0 && !(force && one == -TWZ_ENONAME))
            rc = fail_first(rc, fail_twz(path, one));
    }
    return rc;
}
