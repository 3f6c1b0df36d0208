/* SPDX-License-Identifier: MIT */
/* du: media that names and all below them take. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twz/error.h>

#include "command.h"
#include "content.h"
#include "facts.h"
#include "ident.h"
#include "names.h"
#include "out.h"
#include "pool.h"

struct usage {
    const struct pool *pool;
    uint8_t *seen; /* a bit for each slot: an object with two names counts once */
    size_t seen_size;
    uint64_t objects, media, length;
};

static void add_object(struct usage *usage, objid_t id)
{
    struct facts facts;
    uint32_t slot;
    if (store_lookup(usage->pool->store, id, &slot) < 0 ||
        usage->seen[slot / 8] & (1u << (slot % 8)) || facts_get(usage->pool, slot, &facts) < 0)
        return;
    usage->seen[slot / 8] |= (uint8_t)(1u << (slot % 8));
    usage->objects++;
    usage->media += facts_media(&facts);
    usage->length += strcmp(facts.type, "directory") == 0 ? 0 : facts.length;
    uint32_t next;
    if (content_next(usage->pool, slot, &facts.meta, &next) == 0 && next != STORE_NO_SLOT)
        add_object(usage, store_obj_id_of(usage->pool->store, next));
}

static int add_name(void *ctx, const struct name_visit *visit)
{
    if (visit->name->kind != HIER_SYMLINK)
        add_object(ctx, visit->name->id);
    return 0;
}

static int usage_of(struct usage *usage, const struct ident *item, bool human)
{
    char text[OUT_SIZE_TEXT];
    usage->objects = usage->media = usage->length = 0;
    memset(usage->seen, 0, usage->seen_size);
    add_object(usage, item->id);
    int rc = names_each_below(item->id, item->text, add_name, usage);
    if (rc < 0 && rc != -TWZ_ETYPE)
        return fail_twz(item->text, rc);
    if (out_records()) {
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
    struct store_space space;
    store_space(tool->pool->store, &space);
    struct usage usage = {.pool = tool->pool, .seen_size = space.slots_max / 8 + 1};
    usage.seen = malloc(usage.seen_size);
    if (!usage.seen)
        return fail(TOOL_FULL, "out of memory");
    int rc = ident_all_or(tool, args, "/", &list);
    for (size_t i = 0; i < list.count; i++)
        rc = fail_first(rc, usage_of(&usage, &list.item[i], args_flag(args, "human")));
    ident_free(&list);
    free(usage.seen);
    return rc;
}
