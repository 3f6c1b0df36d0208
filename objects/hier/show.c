/* SPDX-License-Identifier: MIT */
/* What twz-obj prints of a directory: its header and its entries as text. */
#include "inside.h"

struct line {
    size_t len;
    char text[512];
};

static void append_text(struct line *l, const char *text, size_t len)
{
    for (size_t i = 0; i < len && l->len < sizeof(l->text) - 1; i++) {
        uint8_t c = (uint8_t)text[i];

        l->text[l->len++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    l->text[l->len] = 0;
}

static void append_string(struct line *l, const char *text)
{
    append_text(l, text, __builtin_strlen(text));
}

static void append_hex(struct line *l, uint64_t value, uint32_t digits)
{
    while (digits-- > 0)
        append_text(l, &"0123456789abcdef"[(value >> (digits * 4)) & 15], 1);
}

static void append_decimal(struct line *l, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    append_text(l, digits + at, sizeof(digits) - at);
}

static void append_id(struct line *l, objid_t id)
{
    append_hex(l, id.hi, 16);
    append_string(l, ":");
    append_hex(l, id.lo, 16);
}

static void show_header(const struct hier *h, struct line *l)
{
    static const char *const states[] = { "idle", "dirty", "committed" };
    objid_t parent = TWZ_OBJID_NONE;

    append_string(l, "directory, names ");
    append_decimal(l, h->dir->count);
    append_string(l, ", buckets ");
    append_decimal(l, 1ull << (HIER_TABLE_BITS(h->dir->table) & 31));
    append_string(l, " used ");
    append_decimal(l, h->dir->used);
    append_string(l, ", bytes ");
    append_decimal(l, h->dir->bump - TWZ_OBJ_BASE);
    append_string(l, ", ");
    append_string(l, h->dir->op <= HIER_COMMITTED ? states[h->dir->op] : "damaged");
    if (h->dir->peer_intent_valid)
        append_string(l, ", an unfinished rename");
    if (hier_parent_get(h, &parent) == 0) {
        append_string(l, ", parent ");
        append_id(l, parent);
    }
}

static void show_item(const twzobj *obj, const struct hier_item *item, struct line *l)
{
    static const char *const kinds[] = { "?", "object", "dir", "symlink" };
    struct hier_name name = { item->name, item->len };
    char text[256];
    int len;

    append_string(l, kinds[item->found.kind <= HIER_SYMLINK ? item->found.kind : 0]);
    append_string(l, " ");
    append_text(l, item->name, item->len);
    if (item->found.kind != HIER_SYMLINK) {
        append_string(l, " ");
        append_id(l, item->found.id);
        return;
    }
    len = hier_readlink(obj, name, text, sizeof(text));
    append_string(l, " -> ");
    if (len > 0)
        append_text(l, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text));
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
    show_header(&h, &l);
    show(ctx, l.text);
    while ((err = hier_iter(obj, &cursor, &item)) > 0) {
        l.len = 0;
        show_item(obj, &item, &l);
        show(ctx, l.text);
    }
    return err;
}
