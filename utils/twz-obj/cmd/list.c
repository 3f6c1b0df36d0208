/* SPDX-License-Identifier: MIT */
/* ls and tree: list names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twz/error.h>

#include "command.h"
#include "attrs.h"
#include "ident.h"
#include "ids.h"
#include "names.h"
#include "out.h"
#include "pool.h"

struct listing {
    struct tool *tool;
    bool lengthy, recursive, human;
    struct names_seen seen; /* directories listed: --recursive lists each once */
    bool any;               /* something was printed: the next header needs a blank line */
};

static int colour_of(const struct name *name, const struct attrs *attrs)
{
    if (name->kind == HIER_DIR)
        return 34;
    if (name->kind == HIER_SYMLINK)
        return 36;
    return attrs->posix.mode & 0111 ? 32 : 0;
}

/* The attributes of the object that a name means; zeroes: a symbolic link or a missing object. */
static void attrs_of_name(const struct listing *ls, const struct name *name, struct attrs *attrs)
{
    uint32_t row;
    int err;

    memset(attrs, 0, sizeof(*attrs));
    attrs->type = name->kind == HIER_SYMLINK ? "symlink" : "missing";
    if (name->kind == HIER_SYMLINK)
        return;
    err = store_lookup(ls->tool->pool->store, name->id, &row);
    if (err == 0 || err == -TWZ_EDAMAGED)
        err = attrs_get(ls->tool->pool, row, name->attr, attrs);
    if (err < 0)
        attrs->type = "missing";
}

static void name_json(const char *path, objid_t dir, const struct name *name,
                      const struct attrs *attrs)
{
    out_begin();
    out_str("path", path);
    out_str("name", name->text);
    if (name->kind == HIER_SYMLINK) {
        char *target = names_link_text(dir, name->text);

        out_str("type", "symlink");
        out_str("target", target ? target : "");
        free(target);
    } else {
        attrs_fields(attrs);
    }
    out_end();
}

/* One line of ls. */
static void name_text(const struct listing *ls, objid_t dir, const struct name *name,
                      const struct attrs *attrs)
{
    char mode[ATTRS_MODE_TEXT];
    char perms[OUT_PERMS_TEXT];
    char size[OUT_SIZE_TEXT];
    char when[OUT_TIME_TEXT];
    char id[OUT_ID_TEXT] = "-";
    bool link = name->kind == HIER_SYMLINK;
    int colour;
    char *target;

    if (ls->lengthy) {
        attrs_mode(mode, attrs);
        if (link)
            memcpy(mode, "lrwxrwxrwx", sizeof(mode));
        if (!link)
            out_id_text(id, name->id, ids_shown(ls->tool->pool, name->id));
        printf("%s %s %*s %s %*s ", mode, out_perms_text(perms, attrs->stat.perms),
               ls->human ? 6 : 12, out_size_text(size, attrs->length, ls->human),
               out_time_text(when, attrs->posix.mtime_ns), out_terminal() ? -8 : -32, id);
    }
    colour = colour_of(name, attrs);
    fputs(colour ? out_colour(colour) : "", stdout);
    out_name(name->text);
    fputs(colour ? out_plain() : "", stdout);
    if (out_terminal() && name->kind == HIER_DIR)
        putchar('/');
    target = link && ls->lengthy ? names_link_text(dir, name->text) : NULL;
    if (target) {
        fputs(" -> ", stdout);
        out_name(target);
        free(target);
    }
    putchar('\n');
}

static void print_name(struct listing *ls, const char *path, objid_t dir, const struct name *name)
{
    struct attrs attrs = { .type = "" };
    bool wanted = ls->lengthy || out_is_json() || out_terminal();

    if (wanted)
        attrs_of_name(ls, name, &attrs);
    if (out_is_json())
        name_json(path, dir, name, &attrs);
    else
        name_text(ls, dir, name, &attrs);
    ls->any = true;
}

static void print_header(struct listing *ls, const char *path)
{
    if (out_is_json())
        return;
    if (ls->any)
        putchar('\n');
    out_name(path);
    puts(":");
    ls->any = true;
}

/* List one directory, then with --recursive those below. */
static int list_directory(struct listing *ls, objid_t dir, const char *path, bool with_header)
{
    struct name_list list;
    int err;

    if (strlen(path) > TWZ_PATH_MAX)
        return fail_twz(path, -TWZ_ENAMELEN);
    err = names_list(dir, &list);
    if (err < 0)
        return fail_twz(path, err);
    if (with_header)
        print_header(ls, path);
    err = TOOL_OK;
    for (size_t i = 0; i < list.count; i++) {
        char *below = names_join(path, list.name[i].text);

        if (below)
            print_name(ls, below, dir, &list.name[i]);
        free(below);
    }
    for (size_t i = 0; ls->recursive && i < list.count; i++) {
        char *below;

        if (list.name[i].kind != HIER_DIR || !names_seen_add(&ls->seen, list.name[i].id))
            continue;
        below = names_join(path, list.name[i].text);
        if (below)
            err = fail_first(err, list_directory(ls, list.name[i].id, below, true));
        free(below);
    }
    names_list_free(&list);
    return err;
}

static bool is_listable(const struct ident *item)
{
    struct name_list list;

    if (item->kind == HIER_DIR)
        return true;
    if (item->kind != 0 || names_list(item->id, &list) < 0)
        return false;
    names_list_free(&list);
    return true;
}

/* List the operands that are not directories, then the directories, with headers if several. */
static int list_all(struct listing *ls, const struct ident_list *list)
{
    bool headers = list->count > 1 || ls->recursive;
    int err = TOOL_OK;

    for (size_t i = 0; i < list->count; i++) {
        const struct ident *item = &list->item[i];
        struct name name = { (char *)item->text, item->id, item->kind, 0 };

        if (!is_listable(item))
            print_name(ls, item->text, TWZ_OBJID_NONE, &name);
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct ident *item = &list->item[i];

        if (!is_listable(item))
            continue;
        if (names_seen_init(&ls->seen, ls->tool->pool) < 0)
            return fail(TOOL_FULL, "out of memory");
        (void)names_seen_add(&ls->seen, item->id);
        err = fail_first(err, list_directory(ls, item->id, item->text, headers));
        names_seen_free(&ls->seen);
    }
    return err;
}

int cmd_ls(struct tool *tool, const struct args *args)
{
    struct ident_list list;
    struct listing ls = {
        .tool = tool,
        .lengthy = args_flag(args, "long"),
        .recursive = args_flag(args, "recursive"),
        .human = args_flag(args, "human"),
    };
    int err = ident_all_or(tool, args, "/", &list);

    err = fail_first(err, list_all(&ls, &list));
    ident_free(&list);
    return err;
}

/* --- tree ---------------------------------------------------------------------------------- */

#define TREE_DEPTH (TWZ_PATH_MAX / 2 + 1) /* no path has more parts */

struct drawing {
    struct listing ls;
    bool last[TREE_DEPTH];
    uint64_t directories, others;
};

/* One line of the tree. */
static int draw_name(void *ctx, const struct name_visit *visit)
{
    struct drawing *drawing = ctx;

    drawing->last[visit->depth] = visit->last;
    if (visit->name->kind == HIER_DIR)
        drawing->directories++;
    else
        drawing->others++;
    if (out_is_json()) {
        print_name(&drawing->ls, visit->path, visit->dir, visit->name);
        return 0;
    }
    for (unsigned i = 0; i < visit->depth; i++)
        fputs(drawing->last[i] ? "    " : "│   ", stdout);
    fputs(visit->last ? "└── " : "├── ", stdout);
    out_name(visit->name->text);
    if (visit->name->kind == HIER_SYMLINK) {
        char *target = names_link_text(visit->dir, visit->name->text);

        fputs(" -> ", stdout);
        out_name(target ? target : "");
        free(target);
    }
    putchar('\n');
    return 0;
}

int cmd_tree(struct tool *tool, const struct args *args)
{
    struct ident root;
    struct drawing drawing = { .ls = { .tool = tool } };
    int err = ident_one(tool, args->argc ? args->argv[0] : "/", &root);

    if (err != TOOL_OK)
        return err;
    if (!out_is_json()) {
        out_name(root.text);
        putchar('\n');
    }
    err = names_each_below(tool->pool, root.id, root.text, draw_name, &drawing);
    if (err < 0)
        err = fail_twz(root.text, err);
    else if (err == 0 && !out_is_json())
        printf("\n%llu directories, %llu other names\n", (unsigned long long)drawing.directories,
               (unsigned long long)drawing.others);
    ident_done(&root);
    return err;
}
