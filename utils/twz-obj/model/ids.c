/* SPDX-License-Identifier: MIT */
/*
 * The sorted table serves short IDs on a terminal. It is built at the first use, and again after
 * pool->changes changed. The look-up of a prefix does not use it: it visits every row once.
 */
#include "ids.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <twz/error.h>

#include "out.h"

static struct {
    const struct pool *pool;
    uint64_t changes;
    objid_t *id;
    size_t count;
} table;

int ids_prefix(const char *text, char hex[33])
{
    int n = 0;

    for (const char *p = text; *p; p++) {
        if (*p == ':' && n == 16 && p == text + 16)
            continue;
        if (!isxdigit((unsigned char)*p) || n == 32)
            return 0;
        hex[n++] = (char)tolower((unsigned char)*p);
    }
    hex[n] = '\0';
    return n >= 4 ? n : 0;
}

bool ids_next(const struct pool *pool, uint32_t *row)
{
    return store_obj_next(pool->store, row) >= 0;
}

static int compare_ids(const void *a, const void *b)
{
    const objid_t *x = a;
    const objid_t *y = b;

    return objid_compare(*x, *y);
}

static bool has_prefix(objid_t id, const char *hex, int digits)
{
    char text[OUT_ID_TEXT];

    return memcmp(out_id_text(text, id, 32), hex, (size_t)digits) == 0;
}

/* All 32 digits are given: look up the one object. */
static int64_t find_whole(struct pool *pool, const char *hex, objid_t *found, size_t max)
{
    char half[17] = { 0 };
    objid_t id;
    uint32_t row;
    int err;

    memcpy(half, hex, 16);
    id.hi = strtoull(half, NULL, 16);
    id.lo = strtoull(hex + 16, NULL, 16);
    err = store_lookup(pool->store, id, &row);
    if (err == -TWZ_ENOOBJ || err == -TWZ_EDELETED)
        return 0;
    if (max > 0)
        found[0] = id;
    return 1;
}

int64_t ids_find(struct pool *pool, const char *hex, int digits, objid_t *found, size_t max)
{
    int64_t count = 0;

    if (digits == 32)
        return find_whole(pool, hex, found, max);
    for (uint32_t row = 0; ids_next(pool, &row); row++) {
        objid_t id = store_obj_id_of(pool->store, row);

        if (!has_prefix(id, hex, digits))
            continue;
        if ((size_t)count < max)
            found[count] = id;
        count++;
    }
    qsort(found, (size_t)count < max ? (size_t)count : max, sizeof(*found), compare_ids);
    return count;
}

/* Build the table if it is missing or out of date. */
static int build_table(struct pool *pool)
{
    size_t room;

    if (table.pool == pool && table.changes == pool->changes && table.id)
        return 0;
    free(table.id);
    room = (size_t)pool->recovery.objects + 1024;
    table.id = malloc(room * sizeof(*table.id));
    table.count = 0;
    table.pool = pool;
    table.changes = pool->changes;
    for (uint32_t row = 0; table.id && ids_next(pool, &row); row++) {
        if (table.count == room) {
            objid_t *more;

            room *= 2;
            more = realloc(table.id, room * sizeof(*more));
            if (!more)
                return -TWZ_ENOMEM;
            table.id = more;
        }
        table.id[table.count++] = store_obj_id_of(pool->store, row);
    }
    if (!table.id)
        return -TWZ_ENOMEM;
    qsort(table.id, table.count, sizeof(*table.id), compare_ids);
    return 0;
}

/* The number of leading digits that two IDs share. */
static int common_digits(objid_t a, objid_t b)
{
    uint64_t hi = a.hi ^ b.hi;
    uint64_t lo = a.lo ^ b.lo;

    if (hi)
        return __builtin_clzll(hi) / 4;
    return lo ? 16 + __builtin_clzll(lo) / 4 : 32;
}

int ids_shown(struct pool *pool, objid_t id)
{
    const objid_t *at;
    int digits = 3;

    if (!out_terminal() || build_table(pool) < 0)
        return 32;
    at = bsearch(&id, table.id, table.count, sizeof(id), compare_ids);
    if (!at)
        return 32;
    if (at > table.id && common_digits(at[-1], id) > digits)
        digits = common_digits(at[-1], id);
    if (at + 1 < table.id + table.count && common_digits(at[1], id) > digits)
        digits = common_digits(at[1], id);
    return digits < 32 ? digits + 1 : 32;
}
