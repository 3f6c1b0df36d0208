/* SPDX-License-Identifier: MIT */
/*
 * mkdir, ln, mv, rm. They change names, never the object that a symbolic link leads to. A last name
 * that is a link is followed only to find out whether it leads to a directory to put names into.
 *
 * Crash protocol: each change is one operation of hier, which a crash leaves done or not done.
 * ln --force makes the new name first and then replaces the old one by one operation. A refusal or
 * a crash before that operation leaves the old name.
 *
 *                  step                                          after a crash
 * symbolic link    1  make it in a scratch directory             as before; recovery deletes the
 *                     (names_scratch)                              directory
 *                  2  COMMIT: hier_rename over PATH              PATH is the new link
 * nameless object  1  COMMIT: hier_replace                       PATH means the object
 * named object     1  hier_link: a temporary name beside PATH    as before, and the temporary name
 *                  2  COMMIT: hier_rename over PATH              PATH means the object
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twz/error.h>

#include "command.h"
#include "explain.h"
#include "ident.h"
#include "names.h"
#include "out.h"
#include "pool.h"
#include "posix.h"
#include "refs.h"

/* --- mkdir --------------------------------------------------------------------------------- */

static int make_directory(struct tool *tool, const char *path)
{
    static const struct hier_create create = { .kind = HIER_DIR };
    struct hier_where where;
    int err = names_walk_entry(tool->pool, path, &where);

    if (err < 0)
        return explain_make(tool->pool, path, err);
    err = where.kind ? -TWZ_EEXIST : hier_create(&where.dir, names_leaf(&where), &create, NULL);
    hier_where_close(&where);
    return err < 0 ? explain_make(tool->pool, path, err) : TOOL_OK;
}

int cmd_mkdir(struct tool *tool, const struct args *args)
{
    int err = TOOL_OK;

    for (int i = 0; i < args->argc; i++) {
        const char *path = args->argv[i];
        int made;

        if (!args_flag(args, "parents")) {
            err = fail_first(err, make_directory(tool, path));
            continue;
        }
        made = names_mkdir_parents(tool->pool, path, NULL);
        if (made < 0)
            err = fail_first(err, explain_make(tool->pool, path, made));
    }
    return err;
}

/* --- ln ------------------------------------------------------------------------------------ */

/* The path leads to no object, or to no directory; a second walk decides if that is an error. */
static bool is_dead_end(int err)
{
    return err == -TWZ_ENONAME || err == -TWZ_ENOTDIR || err == -TWZ_ELOOP || err == -TWZ_ENAMELEN;
}

/* Walk to the new name: PATH itself, or inside PATH if that leads to a directory. */
static int walk_destination(struct tool *tool, const char *path, const char *source,
                            struct hier_where *where)
{
    objid_t id;
    uint32_t kind;
    int err = names_find(tool->pool, path, &id, &kind);
    char *leaf;
    char *inside;

    if (err < 0 && !is_dead_end(err))
        return err;
    if (err < 0 || kind != HIER_DIR)
        return names_walk_entry(tool->pool, path, where);
    leaf = names_base(source);
    inside = leaf ? names_join(path, leaf) : NULL;
    err = inside ? names_walk_entry(tool->pool, inside, where) : -TWZ_ENOMEM;
    free(inside);
    free(leaf);
    return err;
}

/* Flags for replacing a name: the old object is deleted with its last name, unless something points
 * to it. */
static uint32_t replace_flags(struct tool *tool, const struct hier_where *where)
{
    if (where->kind != HIER_OBJECT || refs_pointed(tool->pool, where->id, false))
        return 0;
    return HIER_DELETE;
}

/* Replace a name by a further name of an object. */
static int replace_by_link(struct tool *tool, const struct hier_where *where,
                           const struct hier_found *found)
{
    char text[32];
    struct hier_name beside = { .text = text };
    int err = -TWZ_EEXIST;

    for (unsigned n = 0; err == -TWZ_EEXIST; n++) {
        beside.len = (size_t)snprintf(text, sizeof(text), ".twz-obj.ln.%u", n);
        err = hier_link(&where->dir, beside, found);
    }
    if (err < 0)
        return err;
    err = hier_rename(&where->dir, beside, &where->dir, names_leaf(where),
                      replace_flags(tool, where));
    /* The object has another name, so this removes the temporary name and never the object. */
    if (err < 0 && hier_remove(&where->dir, beside, HIER_DELETE) < 0)
        return -TWZ_EDAMAGED;
    return err;
}

static const struct attr_values plain; /* of a first name */

/* Give an object the name at `where`, and replace what is there. */
static int link_object(struct tool *tool, const char *target, const struct hier_where *where)
{
    struct hier_found found = { .kind = HIER_OBJECT };
    struct ident object;
    int err = ident_one(tool, target, &object);
    twzobj obj;
    int opened;
    bool named;
    bool directory;
    bool itself;

    if (err != TOOL_OK)
        return err;
    /* An object given by its ID may have any number of names. A first name is no link. */
    found.id = object.id;
    found.attr = posix_index(tool->pool, object.id, 0);
    named = found.attr && (object.kind || refs_pointed(tool->pool, object.id, true));
    directory = object.kind == HIER_DIR || names_is_directory(object.id);
    itself = objid_equal(object.id, where->id);
    opened = twz_object_init_guid(&obj, object.id, TWZ_READ); /* refuses a damaged object */
    ident_done(&object);
    if (opened < 0)
        return fail_twz(target, opened);
    twz_object_release(&obj);
    if (directory)
        return fail(TOOL_NO, "%s: a directory can have only one name: use ln -s", target);
    if (itself)
        return TOOL_OK;
    if (where->kind && named)
        err = replace_by_link(tool, where, &found);
    else if (where->kind)
        err = hier_replace(&where->dir, names_leaf(where), object.id, &plain,
                           replace_flags(tool, where));
    else if (named)
        err = hier_link(&where->dir, names_leaf(where), &found);
    else
        err = hier_insert(&where->dir, names_leaf(where), object.id, &plain);
    return err < 0 ? fail_twz(target, err) : TOOL_OK;
}

/* Replace a name by a symbolic link. */
static int replace_by_symlink(struct tool *tool, const struct hier_where *where, const char *text)
{
    twzobj scratch;
    struct hier_name leaf = names_leaf(where);
    int err = names_scratch(tool->pool, where->dir.id, &scratch);
    int ended;

    if (err < 0)
        return err;
    err = hier_symlink(&scratch, leaf, text, strlen(text));
    if (err >= 0)
        err = hier_rename(&scratch, leaf, &where->dir, leaf, replace_flags(tool, where));
    ended = names_scratch_delete(&scratch);
    return err < 0 ? err : ended;
}

static int link_symbolic(struct tool *tool, const char *target, const struct hier_where *where)
{
    int err = where->kind ? replace_by_symlink(tool, where, target)
                          : hier_symlink(&where->dir, names_leaf(where), target, strlen(target));

    return err < 0 ? fail_twz(target, err) : TOOL_OK;
}

int cmd_ln(struct tool *tool, const struct args *args)
{
    struct hier_where where;
    const char *target = args->argv[0];
    const char *path = args->argv[1];
    bool force = args_flag(args, "force");
    int err;

    if (!*target)
        return fail(TOOL_USAGE, "ln: TARGET is empty: give a path or an ID");
    err = walk_destination(tool, path, target, &where);
    if (err < 0)
        return explain_make(tool->pool, path, err);
    if (where.kind && !force)
        err = fail_twz(path, -TWZ_EEXIST);
    else if (where.kind == HIER_DIR)
        err = fail_twz(path, -TWZ_EISDIR);
    else if (where.must_dir)
        err = explain_make(tool->pool, path, -TWZ_ENONAME);
    else if (args_flag(args, "symbolic"))
        err = link_symbolic(tool, target, &where);
    else
        err = link_object(tool, target, &where);
    hier_where_close(&where);
    return err;
}

/* --- mv ------------------------------------------------------------------------------------ */

/* Rename `from` to path[1]; path[0] is for messages. */
static int move_to(struct tool *tool, const struct hier_where *from, char **path)
{
    struct hier_where to;
    int err = walk_destination(tool, path[1], path[0], &to);
    bool nowhere;

    if (err < 0)
        return explain_make(tool->pool, path[1], err);
    nowhere = !to.kind && to.must_dir && from->kind != HIER_DIR;
    if (!nowhere)
        err = hier_rename(&from->dir, names_leaf(from), &to.dir, names_leaf(&to),
                          replace_flags(tool, &to));
    hier_where_close(&to);
    if (nowhere)
        return explain_make(tool->pool, path[1], -TWZ_ENONAME);
    if (err == -TWZ_EINVAL && from->kind == HIER_DIR)
        return fail(TOOL_USAGE, "%s: a directory cannot be moved into itself (%s)", path[0],
                    path[1]);
    return err < 0 ? explain_path(tool->pool, path[0], err) : TOOL_OK;
}

int cmd_mv(struct tool *tool, const struct args *args)
{
    struct hier_where from;
    const char *path = args->argv[0];
    int err = names_walk_entry(tool->pool, path, &from);

    if (err < 0)
        return explain_path(tool->pool, path, err);
    if (from.len == 0)
        err = explain_nameless(tool->pool, path, from.id, "moved");
    else if (!from.kind)
        err = explain_path(tool->pool, path, -TWZ_ENONAME);
    else
        err = move_to(tool, &from, args->argv);
    hier_where_close(&from);
    return err;
}

/* --- rm ------------------------------------------------------------------------------------ */

static int remove_entry(objid_t id, const char *name)
{
    twzobj dir;
    int err = twz_object_init_guid(&dir, id, TWZ_READ | TWZ_WRITE);

    if (err < 0)
        return err;
    err = hier_remove(&dir, (struct hier_name){ name, strlen(name) }, 0);
    twz_object_release(&dir);
    return err;
}

/* Remove all names in a directory and below. A directory that was seen before has a second name,
 * which is damage. */
static int empty_directory(struct names_seen *seen, objid_t id, unsigned depth)
{
    struct name_list list;
    int err;

    if (depth > TWZ_PATH_MAX / 2)
        return -TWZ_ENAMELEN;
    if (!names_seen_add(seen, id))
        return -TWZ_EDAMAGED;
    err = names_list(id, &list);
    for (size_t i = 0; err >= 0 && i < list.count; i++) {
        if (list.name[i].kind == HIER_DIR)
            err = empty_directory(seen, list.name[i].id, depth + 1);
        if (err >= 0)
            err = remove_entry(id, list.name[i].text);
    }
    names_list_free(&list);
    return err;
}

static int remove_tree(const struct pool *pool, objid_t dir)
{
    struct names_seen seen;
    int err = names_seen_init(&seen, pool);

    if (err >= 0)
        err = empty_directory(&seen, dir, 0);
    names_seen_free(&seen);
    return err;
}

static int remove_found(const struct pool *pool, const struct hier_where *where, bool recursive)
{
    int err;

    if (where->kind == 0)
        return -TWZ_ENONAME;
    err = where->kind == HIER_DIR && recursive ? remove_tree(pool, where->id) : 0;
    return err < 0 ? err : hier_remove(&where->dir, names_leaf(where), 0);
}

static int remove_path(const struct pool *pool, const char *path, bool recursive, bool force)
{
    struct hier_where where;
    int err = names_walk_entry(pool, path, &where);

    if (err >= 0) {
        bool nameless = where.len == 0;

        err = nameless ? 0 : remove_found(pool, &where, recursive);
        hier_where_close(&where);
        if (nameless)
            return explain_nameless(pool, path, where.id, "removed");
    }
    return err < 0 && !(force && err == -TWZ_ENONAME) ? explain_path(pool, path, err) : TOOL_OK;
}

int cmd_rm(struct tool *tool, const struct args *args)
{
    bool recursive = args_flag(args, "recursive");
    bool force = args_flag(args, "force");
    int err = TOOL_OK;

    for (int i = 0; i < args->argc; i++)
        err = fail_first(err, remove_path(tool->pool, args->argv[i], recursive, force));
    return err;
}
