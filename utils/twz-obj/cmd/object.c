/* SPDX-License-Identifier: MIT */
/*
 * new, id, del.
 *
 * Crash protocol: `new PATH` is hier_create, whose one commit word creates and names the object. An
 * unnamed object appears by one commit word of the store. del --force removes the names first, then
 * deletes the object by one commit word; a crash in between leaves an object without a name (lost).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twz/error.h>

#include "command.h"
#include "explain.h"
#include "ident.h"
#include "ids.h"
#include "names.h"
#include "out.h"
#include "platform.h"
#include "pool.h"
#include "refs.h"
#include "text.h"

#define DEFAULT_PERMS (TWZ_READ | TWZ_WRITE | TWZ_USE | TWZ_DEL)

static void print_object_id(struct tool *tool, objid_t id, const char *path)
{
    char text[OUT_ID_TEXT];

    if (out_is_json()) {
        out_begin();
        out_id("id", id);
        if (path)
            out_str("path", path);
        out_end();
        return;
    }
    puts(out_id_text(text, id, ids_shown(tool->pool, id)));
}

/* --- new ----------------------------------------------------------------------------------- */

static int new_unnamed(struct tool *tool, uint64_t count, uint32_t perms)
{
    struct twz_create create = { .flags = TWZ_OBJ_PERSIST, .perms = perms };

    for (uint64_t i = 0; i < count; i++) {
        objid_t id;
        char text[OUT_ID_TEXT];
        int err = plat_obj_create(&create, &id);

        if (err < 0)
            return explain_pool(tool->pool, err);
        if (count == 1 || out_is_json())
            print_object_id(tool, id, NULL);
        else
            puts(out_id_text(text, id, 32));
    }
    return TOOL_OK;
}

/* Create an object and its name. */
static int new_named(struct tool *tool, const char *path, uint32_t perms)
{
    struct hier_where where;
    twzobj obj;
    struct hier_create create = { .kind = HIER_OBJECT, .perms = perms };
    int err = names_walk(tool->pool, path, 0, &where);

    if (err < 0)
        return explain_make(tool->pool, path, err);
    if (where.kind != 0 || where.must_dir)
        err = where.kind ? -TWZ_EEXIST : -TWZ_ENONAME;
    else
        err = hier_create(&where.dir, names_leaf(&where), &create, &obj);
    hier_where_close(&where);
    if (err < 0)
        return explain_make(tool->pool, path, err);
    print_object_id(tool, obj.id, path);
    twz_object_release(&obj);
    return TOOL_OK;
}

int cmd_new(struct tool *tool, const struct args *args)
{
    uint64_t count = 1;
    uint32_t perms = DEFAULT_PERMS;
    const char *count_text = args_option(args, "count");
    const char *perms_text = args_option(args, "perms");

    if (count_text && (!text_size(count_text, &count) || args->argc))
        return fail(TOOL_USAGE, "new: --count needs a number, and allows no PATH");
    if (perms_text && (!text_perms(perms_text, &perms) || perms == 0))
        return fail(TOOL_USAGE, "--perms %s: give letters of rwxud", perms_text);
    if (args->argc)
        return new_named(tool, args->argv[0], perms);
    return new_unnamed(tool, count, perms);
}

/* --- id ------------------------------------------------------------------------------------ */

int cmd_id(struct tool *tool, const struct args *args)
{
    struct ident_list list;
    int err = ident_all(tool, args, &list);

    for (size_t i = 0; i < list.count; i++)
        print_object_id(tool, list.item[i].id, list.item[i].path);
    ident_free(&list);
    return err;
}

/* --- del ----------------------------------------------------------------------------------- */

struct deletion {
    struct ident_list *list;
    bool force;
    char **path; /* names to remove with --force */
    size_t paths;
    int err; /* exit code of a refusal, after its message */
};

static int add_path(struct deletion *deletion, const char *path)
{
    char **more = realloc(deletion->path, (deletion->paths + 1) * sizeof(*more));

    if (!more)
        return -TWZ_ENOMEM;
    deletion->path = more;
    more[deletion->paths] = strdup(path);
    return more[deletion->paths++] ? 0 : -TWZ_ENOMEM;
}

/* A damaged object may point to any object of the list. True: refused. */
static bool refuse_gap(struct deletion *deletion, const struct ref *ref)
{
    if (deletion->force || ident_list_has(deletion->list, ref->from))
        return false;
    deletion->err = fail(TOOL_DAMAGED,
                         "%s " IDFMT ": %s: it may point to the object to be deleted: "
                         "del it first, or use --force",
                         ref->path ? ref->path : "object", IDPR(ref->from), fail_text(ref->error));
    return true;
}

/* A refs_visitor: refuse the deletion for this reference, or collect a name to remove. */
static int check_ref(void *ctx, const struct ref *ref)
{
    struct deletion *deletion = ctx;
    char id[OUT_ID_TEXT];

    if (ref->kind == REF_GAP)
        return refuse_gap(deletion, ref);
    if (!ident_list_has(deletion->list, ref->to) || ident_list_has(deletion->list, ref->from) ||
        ref->kind == REF_TIE)
        return 0;
    out_id_text(id, ref->to, 32);
    if (ref->kind == REF_ROOT) {
        deletion->err =
            fail(TOOL_NO, "%s: a root of the pool (%s): cannot be deleted", id, ref->path);
        return 1;
    }
    if (deletion->force)
        return ref->kind == REF_NAME ? add_path(deletion, ref->path) : 0;
    if (ref->kind == REF_NAME)
        deletion->err =
            fail(TOOL_NO, "%s: %s names it: 'rm' the name first, or use --force", id, ref->path);
    else
        deletion->err = fail(TOOL_NO, "%s: object " IDFMT " points to it: use --force to delete it",
                             id, IDPR(ref->from));
    return 1;
}

/* Refuse the root, a directory that is not empty, and without --force an object that its default
 * permissions protect. */
static int check_deletable(struct tool *tool, const struct ident_list *list, bool force)
{
    for (size_t i = 0; i < list->count; i++) {
        struct store_stat stat;
        struct name_list names;
        const struct ident *item = &list->item[i];
        int err;

        if (objid_equal(item->id, tool->pool->names))
            return explain_nameless(tool->pool, item->text, item->id, "deleted");
        if (names_list(item->id, &names) >= 0) {
            size_t count = names.count;

            names_list_free(&names);
            if (count)
                return fail(TOOL_NO, "%s: directory not empty: 'rm -r' it first", item->text);
        }
        err = store_obj_stat(tool->pool->store, item->row, &stat);
        if (err >= 0 && !(stat.perms & TWZ_DEL) && !force)
            return fail(TOOL_DENIED, "%s: its permissions do not allow deletion: use --force",
                        item->text);
    }
    return TOOL_OK;
}

static int unlink_path(struct tool *tool, const char *path)
{
    struct hier_where where;
    int err = names_walk(tool->pool, path, HIER_NOFOLLOW, &where);

    if (err < 0)
        return err;
    err = hier_remove(&where.dir, names_leaf(&where), 0);
    hier_where_close(&where);
    return err == -TWZ_ENONAME ? 0 : err;
}

static int delete_all(struct tool *tool, const struct deletion *deletion)
{
    for (size_t i = 0; i < deletion->paths; i++) {
        int err = unlink_path(tool, deletion->path[i]);

        if (err < 0)
            return fail_twz(deletion->path[i], err);
    }
    for (size_t i = 0; i < deletion->list->count; i++) {
        const struct ident *item = &deletion->list->item[i];
        int err = plat_obj_delete(item->id, TWZ_DELETE_DEFERRED);

        /* A directory was deleted with its name, a tied object with its parent. */
        if (err < 0 && err != -TWZ_ENOOBJ && err != -TWZ_EDELETED)
            return fail_twz(item->text, err);
    }
    return TOOL_OK;
}

int cmd_del(struct tool *tool, const struct args *args)
{
    struct ident_list list;
    bool force = args_flag(args, "force");
    struct deletion deletion = { .list = &list, .force = force };
    int err = ident_all(tool, args, &list);
    int walked;

    if (err == TOOL_OK)
        err = check_deletable(tool, &list, force);
    walked = err == TOOL_OK ? refs_each(tool->pool, check_ref, &deletion) : 0;
    if (walked < 0)
        err = fail_twz(tool->pool->path, walked);
    if (err == TOOL_OK)
        err = deletion.err;
    if (err == TOOL_OK)
        err = delete_all(tool, &deletion);
    for (size_t i = 0; i < deletion.paths; i++)
        free(deletion.path[i]);
    free(deletion.path);
    ident_free(&list);
    return err;
}
