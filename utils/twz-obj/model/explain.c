/* SPDX-License-Identifier: MIT */
/* Only reads the pool: what was refused stays unchanged. */
#include "explain.h"

#include <stdlib.h>
#include <string.h>
#include <twz/error.h>

#include "fail.h"
#include "names.h"

/* Every object takes a row of the pool's object table; the pool's size sets their number. */
static bool objects_at_limit(const struct pool *pool, struct store_usage *space)
{
    store_usage(pool->store, space);
    return space->objects >= space->rows_max;
}

static int explain_limit(const struct pool *pool, const char *subject, int64_t error)
{
    struct store_usage space;

    if (error == -TWZ_EFULL && objects_at_limit(pool, &space))
        return fail(TOOL_FULL,
                    "%s: the pool's object table is full (%llu of %llu objects): delete objects "
                    "(lost, del) or make a larger pool (mkpool --size)",
                    subject, (unsigned long long)space.objects, (unsigned long long)space.rows_max);
    return fail_twz(subject, error);
}

int explain_pool(const struct pool *pool, int64_t error)
{
    return explain_limit(pool, pool->path, error);
}

/* The first part of the path that is the reason for `error`, or NULL; the caller frees it. The last
 * name is such a part only if a '/' follows it. */
static char *first_bad_part(const struct pool *pool, const char *path, int64_t error)
{
    char *part = strdup(path);

    for (char *p = part; p;) {
        objid_t id;
        uint32_t kind;
        int err;

        p += strspn(p, "/");
        p += strcspn(p, "/");
        if (!*p)
            break;
        *p = '\0';
        err = names_find(pool, part, &id, &kind);
        if (err >= 0 && kind != HIER_DIR)
            err = -TWZ_ENOTDIR;
        if (err == error)
            return part;
        if (err < 0)
            break;
        *p = '/';
    }
    free(part);
    return NULL;
}

static int explain_way(const struct pool *pool, const char *path, int64_t error, const char *todo)
{
    bool way;
    char *gap;
    int err;

    if (!*path)
        return fail(TOOL_USAGE, "the name is empty: give a path");
    way = error == -TWZ_ENONAME || error == -TWZ_ENOTDIR;
    gap = way && !objid_is_none(pool->names) ? first_bad_part(pool, path, error) : NULL;
    if (!gap)
        return explain_limit(pool, path, error);
    err = error == -TWZ_ENONAME ? fail(TOOL_MISSING, "%s: no such directory%s", gap, todo)
                                : fail_twz(gap, error);
    free(gap);
    return err;
}

int explain_path(const struct pool *pool, const char *path, int64_t error)
{
    return explain_way(pool, path, error, "");
}

int explain_make(const struct pool *pool, const char *path, int64_t error)
{
    return explain_way(pool, path, error, ": 'mkdir -p' makes it");
}

int explain_nameless(const struct pool *pool, const char *path, objid_t dir, const char *verb)
{
    if (objid_equal(dir, pool->names))
        return fail(TOOL_USAGE, "%s: the root directory cannot be %s", path, verb);
    return fail(TOOL_USAGE, "%s: cannot be %s: give the directory's path without '.' and '..'",
                path, verb);
}
