/* SPDX-License-Identifier: MIT */
/* A directory as text. */
#include "inside.h"

struct line {
    size_t len;
    char text[512];
};

static void put_text(struct line *l, const char *text, size_t len)
{
    for (size_t i = 0; i < len && l->len < sizeof(l->text) - 1; i++) {
        uint8_t c = (uint8_t)text[i];

        l->text[l->len++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    l->text[l->len] = 0;
}

static void put_string(struct line *l, const char *text)
{
    put_text(l, text, __builtin_strlen(text));
}

static void put_hex(struct line *l, uint64_t value, uint32_t digits)
{
    while (digits-- > 0)
        put_text(l, &"0123456789abcdef"[(value >> (digits * 4)) & 15], 1);
}

static void put_number(struct line *l, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    put_text(l, digits + at, sizeof(digits) - at);
}

static void put_id(struct line *l, objid_t id)
{
    put_hex(l, id.hi, 16);
    put_string(l, ":");
    put_hex(l, id.lo, 16);
}

static void show_header(const struct hier *h, struct line *l)
{
    static const char *const states[] = { "idle", "busy", "forward" };
    objid_t parent = TWZ_OBJID_NONE;

    put_string(l, "directory, names ");
    put_number(l, h->dir->count);
    put_string(l, ", slots ");
    put_number(l, 1ull << (HIER_TABLE_BITS(h->dir->table) & 31));
    put_string(l, " used ");
    put_number(l, h->dir->used);
    put_string(l, ", bytes ");
    put_number(l, h->dir->bump - TWZ_OBJ_BASE);
    put_string(l, ", ");
    put_string(l, h->dir->op <= HIER_COMMITTED ? states[h->dir->op] : "damaged");
    if (h->dir->see_valid)
        put_string(l, ", a rename is to be finished");
    if (hier_parent_get(h, &parent) == 0) {
        put_string(l, ", parent ");
        put_id(l, parent);
    }
}

static void show_item(const twzobj *obj, const struct hier_item *item, struct line *l)
{
    static const char *const kinds[] = { "?", "object", "dir", "symlink" };
    struct hier_name name = { item->name, item->len };
    char text[256];
    int len;

    put_string(l, kinds[item->found.kind <= HIER_SYMLINK ? item->found.kind : 0]);
    put_string(l, " ");
    put_text(l, item->name, item->len);
    if (item->found.kind != HIER_SYMLINK) {
        put_string(l, " ");
        put_id(l, item->found.id);
        return;
    }
    len = hier_readlink(obj, name, text, sizeof(text));
    put_string(l, " -> ");
    if (len > 0)
        put_text(l, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text));
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
