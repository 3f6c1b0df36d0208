/* SPDX-License-Identifier: MIT */
#include "ident.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <twz/error.h>

#include "explain.h"
#include "ids.h"
#include "names.h"
#include "out.h"

#define CANDIDATES 16

/* Append one object; takes over `path`. A damaged object is accepted. */
static int add_ident(struct tool *tool, struct ident_list *list, const char *text, char *path,
                     objid_t id, uint32_t kind)
{
    struct ident *more = realloc(list->item, (list->count + 1) * sizeof(*more));
    uint32_t row = STORE_NO_ROW;
    int err;

    if (!more) {
        free(path);
        return fail(TOOL_FULL, "out of memory");
    }
    list->item = more;
    err = store_lookup(tool->pool->store, id, &row);
    if (err < 0 && !(err == -TWZ_EDAMAGED && row != STORE_NO_ROW)) {
        free(path);
        return fail_twz(text, err);
    }
    list->item[list->count++] = (struct ident){ id, row, kind, path, path ? path : text };
    return TOOL_OK;
}

static bool is_glob(const char *text)
{
    return strpbrk(text, "*?[") != NULL;
}

/* A path as it is printed: one '/' in front, none at the end. */
static char *display_path(const char *text)
{
    size_t len = strlen(text);
    char *copy;
    char *path;

    while (len > 1 && text[len - 1] == '/')
        len--;
    copy = strndup(text, len);
    if (!copy || copy[0] == '/')
        return copy;
    path = names_join("/", copy);
    free(copy);
    return path;
}

/* --- globs --------------------------------------------------------------------------------- */

/* Append the objects that match the rest `pattern` of a glob, below directory `dir` at `path`. */
static int match_below(struct tool *tool, objid_t dir, const char *path, const char *pattern,
                       struct ident_list *list)
{
    size_t len;
    const char *rest;
    char *part;
    struct name_list names = { 0 };
    int err;

    pattern += strspn(pattern, "/");
    len = strcspn(pattern, "/");
    rest = pattern + len + strspn(pattern + len, "/");
    part = strndup(pattern, len);
    err = part ? names_list(dir, &names) : -TWZ_ENOMEM;
    err = err < 0 ? fail_twz(path, err) : TOOL_OK;
    for (size_t i = 0; err == TOOL_OK && i < names.count; i++) {
        struct name *name = &names.name[i];
        char *below;
        objid_t id;
        uint32_t kind;
        bool found;

        if (fnmatch(part, name->text, FNM_PERIOD) != 0)
            continue;
        below = names_join(path, name->text);
        id = name->id;
        kind = name->kind;
        found = below && (kind != HIER_SYMLINK || names_find(tool->pool, below, &id, &kind) >= 0);
        if (found && *rest && kind == HIER_DIR) {
            err = match_below(tool, id, below, rest, list);
        } else if (found && !*rest) {
            err = add_ident(tool, list, below, below, id, kind);
            below = NULL;
        }
        free(below);
    }
    names_list_free(&names);
    free(part);
    return err;
}

static int add_matches(struct tool *tool, const char *text, struct ident_list *list)
{
    size_t before = list->count;
    int err = match_below(tool, tool->pool->names, "/", text, list);

    if (err != TOOL_OK || list->count > before)
        return err;
    return fail(TOOL_MISSING, "%s: no name matches", text);
}

/* --- paths and IDs ------------------------------------------------------------------------- */

static int fail_missing(const char *text, bool maybe_id)
{
    if (maybe_id)
        return fail(TOOL_MISSING, "%s: no such name, and no ID begins with it", text);
    return fail(TOOL_MISSING, "%s: no such name", text);
}

static int fail_ambiguous(struct tool *tool, const char *text, const objid_t *found, int64_t count,
                          bool named)
{
    fail_warn("%s: ambiguous: give a path that begins with '/', or more digits of one of", text);
    if (named)
        fail_warn("    /%s", text);
    for (int64_t i = 0; i < count && i < CANDIDATES; i++) {
        char id[OUT_ID_TEXT];

        fail_warn("    %s", out_id_text(id, found[i], ids_shown(tool->pool, found[i])));
    }
    if (count > CANDIDATES)
        fail_warn("    and %lld more", (long long)(count - CANDIDATES));
    return TOOL_MISSING;
}

int ident_get(struct tool *tool, const char *text, struct ident_list *list)
{
    char hex[33];
    objid_t found[CANDIDATES];
    objid_t id;
    uint32_t kind;
    int digits;
    int64_t count;
    int err;

    if (!*text)
        return fail(TOOL_USAGE, "the name is empty: give a path or an ID");
    digits = strchr(text, '/') ? 0 : ids_prefix(text, hex);
    count = digits ? ids_find(tool->pool, hex, digits, found, CANDIDATES) : 0;
    err = digits == 32 && count == 1 ? -TWZ_ENONAME : names_find(tool->pool, text, &id, &kind);
    if (count > 1 || (count == 1 && err >= 0))
        return fail_ambiguous(tool, text, found, count, err >= 0);
    if (count == 1)
        return add_ident(tool, list, text, NULL, found[0], 0);
    if (err >= 0) {
        char *path = display_path(text);

        return path ? add_ident(tool, list, text, path, id, kind)
                    : fail(TOOL_FULL, "out of memory");
    }
    if (is_glob(text) && err == -TWZ_ENONAME)
        return add_matches(tool, text, list);
    return err == -TWZ_ENONAME ? fail_missing(text, digits > 0)
                               : explain_path(tool->pool, text, err);
}

int ident_all(struct tool *tool, const struct args *args, struct ident_list *list)
{
    int err = TOOL_OK;

    *list = (struct ident_list){ 0 };
    for (int i = 0; i < args->argc; i++)
        err = fail_first(err, ident_get(tool, args->argv[i], list));
    return err;
}

int ident_all_or(struct tool *tool, const struct args *args, const char *otherwise,
                 struct ident_list *list)
{
    if (args->argc)
        return ident_all(tool, args, list);
    *list = (struct ident_list){ 0 };
    return ident_get(tool, otherwise, list);
}

bool ident_list_has(const struct ident_list *list, objid_t id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (objid_equal(list->item[i].id, id))
            return true;
    }
    return false;
}

void ident_done(struct ident *ident)
{
    free(ident->path);
    ident->path = NULL;
}

void ident_free(struct ident_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        ident_done(&list->item[i]);
    free(list->item);
    *list = (struct ident_list){ 0 };
}

int ident_one(struct tool *tool, const char *text, struct ident *out)
{
    struct ident_list list = { 0 };
    int err = ident_get(tool, text, &list);

    if (err == TOOL_OK && list.count > 1)
        err = fail(TOOL_MISSING, "%s: matches %zu objects: name one of them", text, list.count);
    if (err == TOOL_OK) {
        *out = list.item[0];
        free(list.item);
        return TOOL_OK;
    }
    ident_free(&list);
    return err;
}
