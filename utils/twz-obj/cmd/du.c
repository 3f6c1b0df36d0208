/* SPDX-License-Identifier: MIT */
/* du: shows the media that objects and all below directories take. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twz/error.h>

#include "command.h"
#include "content.h"
#include "attrs.h"
#include "ident.h"
#include "names.h"
#include "out.h"
#include "pool.h"

struct usage {
    struct pool *pool;
    struct names_seen seen; /* an object with two names counts once */
    uint64_t objects, media, length;
};

/* Add an object, and those that continue its file. */
static void add_object(struct usage *usage, objid_t id)
{
    uint32_t row;

    while (names_seen_add(&usage->seen, id) && store_lookup(usage->pool->store, id, &row) >= 0) {
        struct attrs attrs;
        uint32_t next;

        if (attrs_get(usage->pool, row, ATTRS_UNNAMED, &attrs) < 0)
            return;
        usage->objects++;
        usage->media += attrs_media(&attrs);
        usage->length += strcmp(attrs.type, "directory") == 0 ? 0 : attrs.meta.size;
        if (content_next(usage->pool, row, &attrs.meta, &next) < 0 || next == STORE_NO_ROW)
            return;
        id = store_obj_id_of(usage->pool->store, next);
    }
}

static int add_visited(void *ctx, const struct name_visit *visit)
{
    if (visit->name->kind != HIER_SYMLINK)
        add_object(ctx, visit->name->id);
    return 0;
}

static int measure_usage(struct usage *usage, const struct ident *item)
{
    int err = names_seen_init(&usage->seen, usage->pool);

    if (err < 0)
        return err;
    usage->objects = usage->media = usage->length = 0;
    add_object(usage, item->id);
    err = names_each_below(usage->pool, item->id, item->text, add_visited, usage);
    names_seen_free(&usage->seen);
    return err == -TWZ_ETYPE ? 0 : err;
}

/* Measure and print one operand. */
static int print_usage(struct usage *usage, const struct ident *item, bool human)
{
    char text[OUT_SIZE_TEXT];
    int err = measure_usage(usage, item);

    if (err < 0)
        return fail_twz(item->text, err);
    if (out_is_json()) {
        out_begin();
        if (item->path)
            out_str("path", item->path);
        out_id("id", item->id);
        out_u64("media", usage->media);
        out_u64("size", usage->length);
        out_u64("objects", usage->objects);
        out_end();
        return TOOL_OK;
    }
    printf("%14s  ", out_size_text(text, usage->media, human));
    out_name(item->text);
    putchar('\n');
    return TOOL_OK;
}

int cmd_du(struct tool *tool, const struct args *args)
{
    struct ident_list list;
    struct usage usage = { .pool = tool->pool };
    int err = ident_all_or(tool, args, "/", &list);

    for (size_t i = 0; i < list.count; i++)
        err = fail_first(err, print_usage(&usage, &list.item[i], args_flag(args, "human")));
    ident_free(&list);
    return err;
}
