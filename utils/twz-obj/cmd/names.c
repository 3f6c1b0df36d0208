/* SPDX-License-Identifier: MIT */
/* mkdir, ln, mv, rm. Each change is one of hier's: there or not, whatever happens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "ident.h"
#include "names.h"
#include "out.h"
#include "pool.h"

/* Close `where` and say what went wrong, if anything did. */
static int finish(struct hier_where *where, const char *path, int rc)
{
    hier_where_close(where);
    return rc < 0 ? fail_twz(path, rc) : TOOL_OK;
}

/* --- mkdir --------------------------------------------------------------------------------- */

static int make_directory(struct tool *tool, const char *path)
{
    static const struct hier_create create = {.kind = HIER_DIR};
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

static int link_object(struct tool *tool, const char *target, struct hier_where *where, bool force)
{
    struct ident object;
    int rc = ident_one(tool, target, &object);
    if (rc != TOOL_OK)
        return rc;
    bool directory = object.kind == HIER_DIR;
    bool first = object.kind == 0;
    ident_done(&object);
    if (directory)
        return fail(TOOL_NO, "%s: a directory has one name only: use ln -s", target);
    if (where->kind && force)
        rc = hier_remove(&where->dir, names_leaf(where), HIER_DELETE | HIER_NOT_DIR);
    if (rc >= 0)
        rc = first ? hier_insert(&where->dir, names_leaf(where), object.id)
                   : hier_link(&where->dir, names_leaf(where), object.id);
    return rc < 0 ? fail_twz(target, rc) : TOOL_OK;
}

static int link_text(const char *target, struct hier_where *where, bool force)
{
    int rc = 0;
    if (where->kind && force)
        rc = hier_remove(&where->dir, names_leaf(where), HIER_DELETE | HIER_NOT_DIR);
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
        rc = link_text(target, &where, force);
    else
        rc = link_object(tool, target, &where, force);
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
    rc = hier_rename(&from.dir, names_leaf(&from), &to.dir, names_leaf(&to), HIER_DELETE);
    hier_where_close(&to);
    return finish(&from, args->argv[0], rc);
}

/* --- rm ------------------------------------------------------------------------------------ */

static int remove_below(struct tool *tool, struct hier_where *where, bool recursive);

/* All names in a directory, then the caller's of the directory itself. */
static int empty_directory(struct tool *tool, objid_t id)
{
    struct name_list list;
    twzobj dir;
    int rc = names_list(id, &list);
    if (rc < 0)
        return rc;
    rc = twz_object_init_guid(&dir, id, TWZ_READ | TWZ_WRITE);
    for (size_t i = 0; rc >= 0 && i < list.count; i++) {
        struct hier_where inside = {.dir = dir, .id = list.name[i].id, .kind = list.name[i].kind};
        inside.len = strlen(list.name[i].text);
        memcpy(inside.leaf, list.name[i].text, inside.len);
        rc = remove_below(tool, &inside, true);
    }
    twz_object_release(&dir);
    names_list_free(&list);
    return rc;
}

static int remove_below(struct tool *tool, struct hier_where *where, bool recursive)
{
    int rc = 0;
    if (where->kind == HIER_DIR && recursive)
        rc = empty_directory(tool, where->id);
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
            one = -TWZ_ENONAME;
            if (where.len == 0)
                one = -TWZ_EBUSY;
            else if (where.kind)
                one = remove_below(tool, &where, args_flag(args, "recursive"));
            hier_where_close(&where);
        }
        if (one < 0 && !(force && one == -TWZ_ENONAME))
            rc = fail_first(rc, fail_twz(path, one));
    }
    return rc;
}
