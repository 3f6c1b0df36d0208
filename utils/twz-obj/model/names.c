/* SPDX-License-Identifier: MIT */
/*
 * Each change is one operation of hier and therefore atomic. A directory is opened for writing even
 * if it is only read: hier then completes a change that a crash interrupted, in the pool or in the
 * private copy of it.
 */
#define _GNU_SOURCE
#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int names_walk(const struct pool *pool, const char *path, uint32_t flags, struct hier_where *where)
{
    if (objid_is_none(pool->names))
        return -TWZ_ENONAME;
    return hier_walk(pool->names, pool->names, path, flags, where);
}

int names_walk_entry(const struct pool *pool, const char *path, struct hier_where *where)
{
    size_t len = strlen(path);
    bool slash;
    char *bare;
    int err;

    while (len > 1 && path[len - 1] == '/')
        len--;
    slash = path[len] == '/';
    bare = strndup(path, len);
    err = bare ? names_walk(pool, bare, HIER_NOFOLLOW, where) : -TWZ_ENOMEM;
    free(bare);
    if (err < 0)
        return err;
    where->must_dir = slash;
    if (!slash || !where->kind || where->kind == HIER_DIR)
        return 0;
    hier_where_close(where);
    return -TWZ_ENOTDIR;
}

int names_find(const struct pool *pool, const char *path, objid_t *id, uint32_t *kind)
{
    struct hier_where where;
    int err = names_walk(pool, path, 0, &where);

    if (err < 0)
        return err;
    *id = where.id;
    *kind = where.kind;
    if (where.kind == 0 || where.kind == HIER_SYMLINK)
        err = -TWZ_ENONAME;
    else if (where.must_dir && where.kind != HIER_DIR)
        err = -TWZ_ENOTDIR;
    hier_where_close(&where);
    return err;
}

bool names_is_directory(objid_t id)
{
    twzobj obj;
    bool is;

    if (twz_object_init_guid(&obj, id, TWZ_READ) < 0)
        return false;
    is = hier_probe(&obj) >= 0;
    twz_object_release(&obj);
    return is;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

/* Append the entry `item`; the array grows by doubling. */
static int list_add(struct name_list *list, size_t *room, const struct hier_item *item)
{
    struct name *name;

    if (list->count == *room) {
        size_t more = *room ? *room * 2 : 32;
        struct name *grown = realloc(list->name, more * sizeof(*grown));

        if (!grown)
            return -TWZ_ENOMEM;
        list->name = grown;
        *room = more;
    }
    name = &list->name[list->count];
    *name = (struct name){ strdup(item->name), item->found.id, item->found.kind, item->found.attr };
    if (!name->text)
        return -TWZ_ENOMEM;
    list->count++;
    return 0;
}

int names_list(objid_t dir, struct name_list *list)
{
    twzobj obj;
    int err;
    struct hier_item item;
    uint64_t cursor = 0;
    size_t room = 0;

    *list = (struct name_list){ 0 };
    err = twz_object_init_guid(&obj, dir, TWZ_READ | TWZ_WRITE);
    if (err < 0)
        return err;
    err = hier_probe(&obj);
    while (err >= 0 && (err = hier_iter(&obj, &cursor, &item)) > 0)
        err = list_add(list, &room, &item);
    twz_object_release(&obj);
    if (err < 0)
        names_list_free(list);
    else if (list->count > 1)
        qsort(list->name, list->count, sizeof(*list->name), compare_names);
    return err;
}

void names_list_free(struct name_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->name[i].text);
    free(list->name);
    *list = (struct name_list){ 0 };
}

char *names_link_text(objid_t dir, const char *name)
{
    twzobj obj;
    char *text = malloc(TWZ_PATH_MAX + 1);
    int err = text ? twz_object_init_guid(&obj, dir, TWZ_READ | TWZ_WRITE) : -TWZ_ENOMEM;

    if (err >= 0) {
        err = hier_readlink(&obj, (struct hier_name){ name, strlen(name) }, text, TWZ_PATH_MAX);
        twz_object_release(&obj);
    }
    if (err < 0 || err > (int)TWZ_PATH_MAX) {
        free(text);
        return NULL;
    }
    text[err] = '\0';
    return text;
}

char *names_join(const char *dir, const char *name)
{
    char *path;
    size_t len = strlen(dir);
    const char *between = len > 0 && dir[len - 1] == '/' ? "" : "/";

    return asprintf(&path, "%s%s%s", dir, between, name) < 0 ? NULL : path;
}

char *names_base(const char *path)
{
    size_t end = strlen(path);
    size_t start;

    while (end > 1 && path[end - 1] == '/')
        end--;
    start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    return strndup(path + start, end - start);
}

int names_seen_init(struct names_seen *seen, const struct pool *pool)
{
    struct store_usage space;

    store_usage(pool->store, &space);
    *seen = (struct names_seen){ pool, calloc(1, space.rows_max / 8 + 1) };
    return seen->bits ? 0 : -TWZ_ENOMEM;
}

void names_seen_free(struct names_seen *seen)
{
    free(seen->bits);
    seen->bits = NULL;
}

bool names_seen_add(struct names_seen *seen, objid_t id)
{
    uint32_t row;
    uint8_t bit;
    bool added;

    if (store_lookup(seen->pool->store, id, &row) < 0)
        return false;
    bit = (uint8_t)(1u << (row % 8));
    added = !(seen->bits[row / 8] & bit);
    seen->bits[row / 8] |= bit;
    return added;
}

struct walk {
    struct names_seen seen;
    names_visitor visitor;
    names_broken broken; /* NULL: errors end the walk */
    void *ctx;
};

/* Visit the names of one directory; enters each directory that the walk has not seen. */
static int visit_below(struct walk *walk, objid_t dir, const char *path, unsigned depth)
{
    struct name_list list;
    int err = names_list(dir, &list);

    if (err < 0 && err != -TWZ_ENOMEM && walk->broken)
        err = walk->broken(walk->ctx, dir, path, err);
    for (size_t i = 0; err >= 0 && i < list.count; i++) {
        const struct name *name = &list.name[i];
        struct name_visit visit = { .name = name, .dir = dir, .depth = depth };
        char *below = names_join(path, name->text);

        if (!below || strlen(below) > TWZ_PATH_MAX) {
            free(below);
            err = below ? -TWZ_ENAMELEN : -TWZ_ENOMEM;
            break;
        }
        visit.path = below;
        visit.last = i + 1 == list.count;
        visit.again = name->kind == HIER_DIR && !names_seen_add(&walk->seen, name->id);
        err = walk->visitor(walk->ctx, &visit);
        if (err == 0 && name->kind == HIER_DIR && !visit.again)
            err = visit_below(walk, name->id, below, depth + 1);
        free(below);
        if (err != 0)
            break;
    }
    names_list_free(&list);
    return err;
}

int names_each_whole(const struct pool *pool, objid_t dir, const char *path, names_visitor visitor,
                     names_broken broken, void *ctx)
{
    struct walk walk = { .visitor = visitor, .broken = broken, .ctx = ctx };
    int err = names_seen_init(&walk.seen, pool);

    if (err < 0)
        return err;
    (void)names_seen_add(&walk.seen, dir);
    err = visit_below(&walk, dir, path, 0);
    names_seen_free(&walk.seen);
    return err;
}

int names_each_below(const struct pool *pool, objid_t dir, const char *path, names_visitor visitor,
                     void *ctx)
{
    return names_each_whole(pool, dir, path, visitor, NULL, ctx);
}

int names_scratch(const struct pool *pool, objid_t parent, twzobj *dir)
{
    /* The witness never holds: the root directory's first metadata word is its magic for ever. */
    struct twz_create create = {
        .flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL,
        .perms = TWZ_READ | TWZ_WRITE | TWZ_DEL,
        .witness = pool->names,
        .witness_off = TWZ_OBJ_META,
        .witness_value = UINT64_MAX,
    };
    int err = twz_object_create(dir, &create);

    if (err < 0)
        return err;
    err = hier_init(dir, parent, TWZ_OBJID_NONE);
    if (err < 0 && names_scratch_delete(dir) < 0)
        return -TWZ_EDAMAGED;
    return err;
}

int names_scratch_delete(twzobj *dir)
{
    int err = twz_object_delete(dir, TWZ_DELETE_NOW);

    twz_object_release(dir);
    return err;
}

struct hier_name names_leaf(const struct hier_where *where)
{
    return (struct hier_name){ where->leaf, where->len };
}

static int mkdir_one(const struct pool *pool, const char *path, uint32_t perms, bool *made)
{
    struct hier_where where;
    int err = names_walk(pool, path, 0, &where);

    if (err < 0)
        return err;
    if (where.kind == 0) {
        const struct hier_create create = { .kind = HIER_DIR, .perms = perms };

        err = hier_create(&where.dir, names_leaf(&where), &create, NULL);
        if (err >= 0 && made)
            *made = true;
    } else if (where.kind != HIER_DIR) {
        err = -TWZ_ENOTDIR;
    }
    hier_where_close(&where);
    return err;
}

int names_mkdir(const struct pool *pool, const char *path, uint32_t perms)
{
    return mkdir_one(pool, path, perms, NULL);
}

int names_mkdir_parents(const struct pool *pool, const char *path, bool *made)
{
    char *part = strdup(path);
    int err = !part ? -TWZ_ENOMEM : *path ? 0 : -TWZ_ENONAME;

    for (char *p = part; err >= 0 && p && *p;) {
        char end;

        p += strspn(p, "/");
        p += strcspn(p, "/");
        end = *p;
        *p = '\0';
        err = mkdir_one(pool, part, 0, made);
        *p = end;
    }
    free(part);
    return err;
}
