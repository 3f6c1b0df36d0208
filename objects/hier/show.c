/* SPDX-License-Identifier: MIT */
/* Makes the text that twz-obj prints for a directory: its header and its entries. */
#include <common/line.h>

#include "inside.h"

/* The counts, the state of op and the parent. */
static void line_add_header(const struct hier *h, struct line *l)
{
    static const char *const states[] = { "idle", "dirty", "committed" };
    objid_t parent = TWZ_OBJID_NONE;

    line_add_string(l, "directory, names ");
    line_add_decimal(l, h->dir->count);
    line_add_string(l, ", buckets ");
    line_add_decimal(l, 1ull << (HIER_TABLE_BITS(h->dir->table) & 31));
    line_add_string(l, " used ");
    line_add_decimal(l, h->dir->used);
    line_add_string(l, ", bytes ");
    line_add_decimal(l, h->dir->bump - TWZ_OBJ_BASE);
    line_add_string(l, ", ");
    line_add_string(l, h->dir->op <= HIER_COMMITTED ? states[h->dir->op] : "damaged");
    if (h->dir->peer_intent_valid)
        line_add_string(l, ", an unfinished rename");
    if (hier_parent_get(h, &parent) == 0) {
        line_add_string(l, ", parent ");
        line_add_id(l, parent);
    }
}

/* The kind and the name, then the ID or the text of a symbolic link. */
static void line_add_item(const twzobj *obj, const struct hier_item *item, struct line *l)
{
    static const char *const kinds[] = { "?", "object", "dir", "symlink" };
    struct hier_name name = { item->name, item->len };
    char text[256];
    int len;

    line_add_string(l, kinds[item->found.kind <= HIER_SYMLINK ? item->found.kind : 0]);
    line_add_string(l, " ");
    line_add(l, item->name, item->len);
    if (item->found.kind != HIER_SYMLINK) {
        line_add_string(l, " ");
        line_add_id(l, item->found.id);
        return;
    }
    len = hier_readlink(obj, name, text, sizeof(text));
    line_add_string(l, " -> ");
    if (len > 0)
        line_add(l, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text));
}

int hier_show(const twzobj *obj, void (*show)(void *ctx, const char *text), void *ctx)
{
    struct line l = { 0 };
    struct hier_item item;
    uint64_t cursor = 0;
    struct hier h;
    int err = hier_attach(obj, &h);

    if (err < 0)
        return err;
    line_add_header(&h, &l);
    show(ctx, l.text);
    while ((err = hier_iter(obj, &cursor, &item)) > 0) {
        line_clear(&l);
        line_add_item(obj, &item, &l);
        show(ctx, l.text);
    }
    return err;
}
