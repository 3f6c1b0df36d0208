/* SPDX-License-Identifier: MIT */
/* Reads a directory. Each body that runs in hier_read must check each value that it loads. */
#include "inside.h"

int hier_do_probe(const twzobj *obj)
{
    struct hier h;
    uint64_t buckets;
    uint32_t bits;
    int err = hier_attach(obj, &h);

    return err < 0 ? err : hier_table_get(&h, &buckets, &bits);
}

int hier_do_count(const twzobj *obj)
{
    struct hier h;
    int err = hier_attach(obj, &h);

    return err < 0 ? err : (int)(__atomic_load_n(&h.dir->count, __ATOMIC_RELAXED) & INT32_MAX);
}

struct lookup {
    struct hier_name name;
    struct hier_bucket hit;
    char *text;
    size_t size;
};

static int lookup_body(const struct hier *h, void *ctx)
{
    struct lookup *l = ctx;

    return hier_find(h, l->name, &l->hit);
}

int hier_do_lookup(const twzobj *obj, struct hier_name name, struct hier_found *found)
{
    struct lookup l = { .name = name };
    struct hier h;
    int err = hier_open_name(obj, name, &h);

    if (err >= 0)
        err = hier_read(&h, lookup_body, &l);
    if (err >= 0)
        *found = l.hit.found;
    return err;
}

static int readlink_body(const struct hier *h, void *ctx)
{
    const struct hier_entry *e;
    struct lookup *l = ctx;
    size_t len;
    int err = hier_find(h, l->name, &l->hit);

    if (err >= 0 && l->hit.found.kind != HIER_SYMLINK)
        err = -TWZ_EINVAL;
    if (err >= 0)
        err = hier_entry_get(h, l->hit.found.cookie, &e);
    if (err < 0)
        return err;
    len = l->hit.found.text_len < l->size ? l->hit.found.text_len : l->size;
    __builtin_memcpy(l->text, e->bytes + e->name_len, len);
    return (int)l->hit.found.text_len;
}

int hier_do_readlink(const twzobj *obj, struct hier_name name, char *text, size_t size)
{
    struct lookup l = { .name = name, .text = text, .size = size };
    struct hier h;
    int err = hier_open_name(obj, name, &h);

    return err < 0 ? err : hier_read(&h, readlink_body, &l);
}

static int parent_body(const struct hier *h, void *ctx)
{
    return hier_parent_get(h, ctx);
}

int hier_do_parent(const twzobj *obj, objid_t *parent)
{
    struct hier h;
    int err = hier_attach(obj, &h);

    return err < 0 ? err : hier_read(&h, parent_body, parent);
}

struct iter {
    uint64_t from;
    uint64_t at;
    uint64_t next; /* the chunk after it */
    uint64_t *steps;
    struct hier_item *item;
};

/* False if the entry's name cannot be looked up. */
static bool fill_item(const struct hier_entry *e, struct iter *it)
{
    struct hier_item *item = it->item;

    item->found = (struct hier_found){
        .id = e->id, .kind = e->kind, .text_len = e->text_len, .attr = e->attr, .cookie = it->at
    };
    item->len = e->name_len;
    __builtin_memcpy(item->name, e->bytes, item->len);
    item->name[item->len] = 0;
    return hier_name_check((struct hier_name){ item->name, item->len }) == 0;
}

/* 1, with the next live entry; 0 at the end. */
static int iter_body(const struct hier *h, void *ctx)
{
    struct iter *it = ctx;
    uint64_t end = __atomic_load_n(&h->dir->bump, __ATOMIC_RELAXED);

    it->at = it->from < HIER_START ? HIER_START : it->from; /* a disturbed run may have moved it */
    if (end > TWZ_OBJ_DATA_TOP || it->at % HIER_CELL)
        return -TWZ_EDAMAGED;
    for (; it->at < end; it->at = it->next) {
        uint64_t word = __atomic_load_n(hier_word(h, it->at), __ATOMIC_RELAXED);
        const struct hier_entry *e;

        if (HIER_CHUNK_CELLS(word) == 0)
            return -TWZ_EDAMAGED;
        if ((*it->steps)-- == 0) {
            *it->steps = 0;
            return -TWZ_EFULL;
        }
        it->next = it->at + (uint64_t)HIER_CHUNK_CELLS(word) * HIER_CELL;
        if (HIER_CHUNK_KIND(word) == HIER_CHUNK_ENTRY && hier_entry_get(h, it->at, &e) == 0 &&
            hier_is_live(h, it->at, e->hash) && fill_item(e, it))
            return 1;
    }
    return 0;
}

int hier_do_iter_some(const twzobj *obj, uint64_t *cursor, struct hier_item *item, uint64_t *steps)
{
    struct iter it = { .from = *cursor, .item = item, .steps = steps };
    struct hier h;
    int err = hier_attach(obj, &h);

    if (err < 0)
        return err;
    err = hier_read(&h, iter_body, &it);
    if (err > 0)
        *cursor = it.next;
    return err;
}
