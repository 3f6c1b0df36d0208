/* SPDX-License-Identifier: MIT */
/* ls and tree: walks through the namespace. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twz/error.h>

#include "command.h"
#include "facts.h"
#include "ident.h"
#include "ids.h"
#include "names.h"
#include "out.h"
#include "pool.h"

struct listing {
    struct tool *tool;
    bool lengthy, recursive, human;
    struct names_seen seen; /* directories listed: none is listed twice on a way down */
    bool any;               /* something was printed: a blank line goes before the next header */
};

static int colour_of(const struct name *name, const struct facts *facts)
{
    if (name->kind == HIER_DIR)
        return 34;
    if (name->kind == HIER_SYMLINK)
        return 36;
    return facts->meta.mode & 0111 ? 32 : 0;
}

/* Facts of what a name means; zeroes for a symbolic link or an object that is not there. */
static void facts_of(const struct listing *ls, const struct name *name, struct facts *facts)
{
    uint32_t row;
    int err;

    memset(facts, 0, sizeof(*facts));
    facts->type = name->kind == HIER_SYMLINK ? "symlink" : "missing";
    if (name->kind == HIER_SYMLINK)
        return;
    err = store_lookup(ls->tool->pool->store, name->id, &row);
    if (err == 0 || err == -TWZ_EDAMAGED)
        err = facts_get(ls->tool->pool, row, facts);
    if (err < 0)
        facts->type = "missing";
}

static void row_record(const char *path, objid_t dir, const struct name *name,
                       const struct facts *facts)
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
        facts_fields(facts);
    }
    out_end();
}

static void row_text(const struct listing *ls, objid_t dir, const struct name *name,
                     const struct facts *facts)
{
    char mode[FACTS_MODE_TEXT];
    char perms[OUT_PERMS_TEXT];
    char size[OUT_SIZE_TEXT];
    char when[OUT_TIME_TEXT];
    char id[OUT_ID_TEXT] = "-";
    bool link = name->kind == HIER_SYMLINK;
    int colour;
    char *target;

    if (ls->lengthy) {
        facts_mode(mode, facts);
        if (link)
            memcpy(mode, "lrwxrwxrwx", sizeof(mode));
        if (!link)
            out_id_text(id, name->id, ids_shown(ls->tool->pool, name->id));
        printf("%s %s %*s %s %*s ", mode, out_perms_text(perms, facts->stat.perms),
               ls->human ? 6 : 12, out_size_text(size, facts->length, ls->human),
               out_time_text(when, facts->meta.mtime_ns), out_terminal() ? -8 : -32, id);
    }
    colour = colour_of(name, facts);
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

static void row(struct listing *ls, const char *path, objid_t dir, const struct name *name)
{
    struct facts facts = { .type = "" };
    bool wanted = ls->lengthy || out_records() || out_terminal();

    if (wanted)
        facts_of(ls, name, &facts);
    if (out_records())
        row_record(path, dir, name, &facts);
    else
        row_text(ls, dir, name, &facts);
    ls->any = true;
}

static void header(struct listing *ls, const char *path)
{
    if (out_records())
        return;
    if (ls->any)
        putchar('\n');
    out_name(path);
    puts(":");
    ls->any = true;
}

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
        header(ls, path);
    err = TOOL_OK;
    for (size_t i = 0; i < list.count; i++) {
        char *below = names_join(path, list.name[i].text);

        if (below)
            row(ls, below, dir, &list.name[i]);
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

static bool is_directory(const struct ident *item)
{
    struct name_list list;

    if (item->kind == HIER_DIR)
        return true;
    if (item->kind != 0 || names_list(item->id, &list) < 0)
        return false;
    names_list_free(&list);
    return true;
}

/* What is no directory first, then the directories with headers where there are several. */
static int list_all(struct listing *ls, const struct ident_list *list)
{
    bool headers = list->count > 1 || ls->recursive;
    int err = TOOL_OK;

    for (size_t i = 0; i < list->count; i++) {
        const struct ident *item = &list->item[i];
        struct name name = { (char *)item->text, item->id, item->kind };

        if (!is_directory(item))
            row(ls, item->text, TWZ_OBJID_NONE, &name);
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct ident *item = &list->item[i];

        if (!is_directory(item))
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

static int draw(void *ctx, const struct name_visit *visit)
{
    struct drawing *drawing = ctx;

    drawing->last[visit->depth] = visit->last;
    if (visit->name->kind == HIER_DIR)
        drawing->directories++;
    else
        drawing->others++;
    if (out_records()) {
        row(&drawing->ls, visit->path, visit->dir, visit->name);
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
    if (!out_records()) {
        out_name(root.text);
        putchar('\n');
    }
    err = names_each_below(tool->pool, root.id, root.text, draw, &drawing);
    if (err < 0)
        err = fail_twz(root.text, err);
    else if (err == 0 && !out_records())
        printf("\n%llu directories, %llu other names\n", (unsigned long long)drawing.directories,
               (unsigned long long)drawing.others);
    ident_done(&root);
    return err;
}
