/* SPDX-License-Identifier: MIT */
/*
 * The invariants of a directory:
 *   - The bytes from start to bump are chunks without gaps; the table is one of them.
 *   - Each bucket that is not 0 and not HIER_TOMB refers to an entry, and both hold the same hash.
 *   - Each name is valid, exists once, and a look-up finds it.
 *   - Each entry has a known kind. Its ID is 0 if and only if its kind is HIER_SYMLINK.
 *   - While op is HIER_IDLE, count and used agree with the table.
 *   - While op is HIER_IDLE, the lists contain only free chunks.
 */
#include "inside.h"

struct check {
    const struct hier *h;
    void (*found)(void *ctx, const struct hier_problem *problem);
    void *ctx;
    int problems;
};

static void report_problem(struct check *c, uint64_t off, const char *what)
{
    struct hier_problem p = { .off = off, .what = what };

    c->problems++;
    if (c->found)
        c->found(c->ctx, &p);
}

/* A bucket that refers to an entry, and the entry. */
static void check_bucket(struct check *c, uint64_t bucket, uint64_t value)
{
    const struct hier_entry *e;
    struct hier_bucket hit;
    struct hier_name name;

    if (hier_entry_get(c->h, HIER_BUCKET_OFF(value), &e) < 0) {
        report_problem(c, bucket, "bucket refers to no entry");
        return;
    }
    name = (struct hier_name){ (const char *)e->bytes, e->name_len };
    if (hier_name_check(name) < 0)
        report_problem(c, HIER_BUCKET_OFF(value), "bad name");
    else if (hier_hash(name) != HIER_BUCKET_HASH(value) || e->hash != HIER_BUCKET_HASH(value))
        report_problem(c, HIER_BUCKET_OFF(value), "wrong hash");
    else if (hier_find(c->h, name, &hit) < 0 || hit.off != bucket)
        report_problem(c, bucket, "name exists twice, or is not found");
    if (e->kind < HIER_OBJECT || e->kind > HIER_SYMLINK)
        report_problem(c, HIER_BUCKET_OFF(value), "unknown kind");
    else if ((e->kind == HIER_SYMLINK) != objid_is_none(e->id))
        report_problem(c, HIER_BUCKET_OFF(value), "kind and ID do not agree");
}

/* All buckets; while op is HIER_IDLE, also count and used. */
static void check_table(struct check *c)
{
    uint64_t buckets, count = 0, used = 0;
    uint32_t bits;

    if (hier_table_get(c->h, &buckets, &bits) < 0) {
        report_problem(c, TWZ_OBJ_BASE + offsetof(struct hier_dir, table), "bad table word");
        return;
    }
    for (uint64_t i = 0; i < 1ull << bits; i++) {
        uint64_t value = *hier_word(c->h, buckets + i * 8);

        used += value != 0;
        if (value <= HIER_TOMB)
            continue;
        count++;
        check_bucket(c, buckets + i * 8, value);
    }
    if (c->h->dir->op == HIER_IDLE && (count != c->h->dir->count || used != c->h->dir->used))
        report_problem(c, TWZ_OBJ_BASE + offsetof(struct hier_dir, count), "wrong count");
}

/* The chunks from start to bump, and that the table is one of them. */
static void check_chunks(struct check *c)
{
    uint64_t end = c->h->dir->bump, off = HIER_START;
    bool has_table = false;

    if (end > TWZ_OBJ_DATA_TOP) {
        report_problem(c, TWZ_OBJ_BASE + offsetof(struct hier_dir, bump),
                       "bump lies beyond the data");
        return;
    }
    while (off < end) {
        uint64_t word = *hier_word(c->h, off);

        has_table |=
            off == HIER_TABLE_OFF(c->h->dir->table) && HIER_CHUNK_KIND(word) == HIER_CHUNK_TABLE;
        if (HIER_CHUNK_CELLS(word) == 0 || HIER_CHUNK_KIND(word) < HIER_CHUNK_FREE ||
            HIER_CHUNK_KIND(word) > HIER_CHUNK_TABLE) {
            report_problem(c, off, "bad chunk word");
            return;
        }
        off += (uint64_t)HIER_CHUNK_CELLS(word) * HIER_CELL;
    }
    if (off != end)
        report_problem(c, off, "last chunk ends beyond bump");
    if (!has_table)
        report_problem(c, HIER_TABLE_OFF(c->h->dir->table), "table is no chunk");
}

static void check_lists(struct check *c)
{
    uint64_t left = c->h->dir->bump / HIER_CELL;

    for (uint32_t i = 0; i < HIER_LISTS && c->h->dir->op == HIER_IDLE; i++) {
        uint64_t off = c->h->dir->free[i];

        while (off) {
            const struct hier_entry *e = (const void *)(c->h->start + off);

            if (off % HIER_CELL || off < HIER_START || off >= c->h->dir->bump || left-- == 0 ||
                HIER_CHUNK_KIND(e->chunk) != HIER_CHUNK_FREE) {
                report_problem(c, off, "free list is broken");
                return;
            }
            off = e->next;
        }
    }
}

int hier_check(const twzobj *obj, void (*found)(void *ctx, const struct hier_problem *problem),
               void *ctx)
{
    struct check c = { .found = found, .ctx = ctx };
    struct hier h;
    int err = hier_attach(obj, &h);

    if (err < 0)
        return err;
    c.h = &h;
    check_chunks(&c);
    if (c.problems == 0)
        check_table(&c);
    if (c.problems == 0)
        check_lists(&c);
    return c.problems;
}
