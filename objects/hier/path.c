/* SPDX-License-Identifier: MIT */
/*
 * Walking paths. One directory is open at a time; what is still to be walked stands at the end of
 * a buffer, so that the text of a symbolic link can be put before it.
 */
#include <hier/hier.h>

struct walk {
    objid_t root;
    objid_t dir;    /* where we are */
    twzobj obj;     /* the same, open */
    uint32_t links; /* met so far */
    uint32_t flags;
    size_t at; /* rest of the path: text[at .. TWZ_PATH_MAX) with its NUL */
    char text[TWZ_PATH_MAX + 1];
};

static int enter(struct walk *w, objid_t id)
{
    int err;

    twz_object_release(&w->obj);
    w->dir = id;
    err = twz_object_init_guid(&w->obj, id, TWZ_READ | TWZ_WRITE);
    if (err >= 0)
        err = hier_probe(&w->obj);
    return err == -TWZ_ETYPE ? -TWZ_ENOTDIR : err;
}

static int enter_parent(struct walk *w)
{
    objid_t up;
    int err;

    if (objid_equal(w->dir, w->root))
        return 0;
    err = hier_parent(&w->obj, &up);
    return err < 0 ? err : enter(w, up);
}

/* Put text before the rest. */
static int prepend(struct walk *w, const char *text, size_t len)
{
    if (len > w->at)
        return -TWZ_ENAMELEN;
    w->at -= len;
    __builtin_memcpy(w->text + w->at, text, len);
    return 0;
}

static int follow(struct walk *w, struct hier_name name)
{
    char text[TWZ_PATH_MAX];
    int len;
    int err;

    if (++w->links > HIER_LINKS_MAX)
        return -TWZ_ELOOP;
    len = hier_readlink(&w->obj, name, text, sizeof(text));
    if (len < 0)
        return len;
    err = prepend(w, text, (size_t)len);
    if (err < 0)
        return err;
    return w->text[w->at] == '/' ? enter(w, w->root) : 0;
}

/* Take the next part off the rest; *last: only slashes follow; *slash: at least one. 0: no part. */
static size_t next_part(struct walk *w, const char **part, int *last, int *slash)
{
    size_t len = 0;
    size_t i;

    while (w->text[w->at] == '/')
        w->at++;
    *part = w->text + w->at;
    while ((*part)[len] && (*part)[len] != '/')
        len++;
    w->at += len;
    *slash = w->text[w->at] == '/';
    for (i = w->at; w->text[i] == '/'; i++)
        ;
    *last = w->text[i] == 0;
    return len;
}

static int is_dots(const char *part, size_t len)
{
    return part[0] == '.' && (len == 1 || (len == 2 && part[1] == '.'));
}

static void at_dir(const struct walk *w, struct hier_where *where)
{
    where->id = w->dir;
    where->kind = HIER_DIR;
    where->len = 0;
}

static void at_leaf(const char *part, size_t len, const struct hier_found *found, int slash,
                    struct hier_where *where)
{
    __builtin_memcpy(where->leaf, part, len);
    where->leaf[len] = 0;
    where->len = len;
    where->must_dir = (uint32_t)slash;
    where->kind = found->kind;
    where->id = found->id;
    where->cookie = found->cookie;
}

/* One part. 1: the walk is done. */
static int step(struct walk *w, struct hier_where *where)
{
    struct hier_found found = { 0 };
    const char *part;
    int last, slash, err;
    size_t len = next_part(w, &part, &last, &slash);
    struct hier_name name = { part, len };

    if (len == 0 || is_dots(part, len)) {
        err = len == 2 ? enter_parent(w) : 0;
        if (err >= 0 && last)
            at_dir(w, where);
        return err < 0 ? err : last;
    }
    err = hier_lookup(&w->obj, name, &found);
    if (err < 0 && !(err == -TWZ_ENONAME && last))
        return err;
    if (found.kind == HIER_SYMLINK && (!last || slash || !(w->flags & HIER_NOFOLLOW)))
        return follow(w, name);
    if (!last)
        return found.kind == HIER_DIR ? enter(w, found.id) : -TWZ_ENOTDIR;
    if (slash && found.kind && found.kind != HIER_DIR)
        return -TWZ_ENOTDIR;
    at_leaf(part, len, &found, slash, where);
    return 1;
}

int hier_walk(objid_t root, objid_t cwd, const char *path, uint32_t flags, struct hier_where *where)
{
    struct walk w = { .root = root, .flags = flags, .at = TWZ_PATH_MAX };
    size_t len = 0;
    int err;

    *where = (struct hier_where){ 0 };
    while (len <= TWZ_PATH_MAX && path[len])
        len++;
    if (len == 0 || len >= TWZ_PATH_MAX)
        return len ? -TWZ_ENAMELEN : -TWZ_ENONAME;
    w.text[TWZ_PATH_MAX] = 0;
    err = prepend(&w, path, len);
    if (err >= 0)
        err = enter(&w, path[0] == '/' ? root : cwd);
    while (err == 0)
        err = step(&w, where);
    if (err < 0) {
        twz_object_release(&w.obj);
        *where = (struct hier_where){ 0 };
        return err;
    }
    where->dir = w.obj;
    return 0;
}

void hier_where_close(struct hier_where *where)
{
    twz_object_release(&where->dir);
}

/* --- the other way round ---------------------------------------------------------------------- */

/* The name that `dir` has in its parent. */
static int name_in(objid_t parent, objid_t dir, struct hier_item *item)
{
    uint64_t cursor = 0;
    twzobj obj;
    int err = twz_object_init_guid(&obj, parent, TWZ_READ | TWZ_WRITE);

    if (err < 0)
        return err;
    do {
        err = hier_iter(&obj, &cursor, item);
    } while (err > 0 && !(item->found.kind == HIER_DIR && objid_equal(item->found.id, dir)));
    twz_object_release(&obj);
    return err == 0 ? -TWZ_ENONAME : err;
}

static int parent_of(objid_t dir, objid_t *parent)
{
    twzobj obj;
    int err = twz_object_init_guid(&obj, dir, TWZ_READ | TWZ_WRITE);

    if (err < 0)
        return err;
    err = hier_parent(&obj, parent);
    twz_object_release(&obj);
    return err;
}

int hier_path_of(objid_t root, objid_t dir, char *path, size_t size)
{
    struct hier_item item;
    size_t at = size;

    if (size < 2)
        return -TWZ_ERANGE;
    path[--at] = 0;
    if (objid_equal(dir, root))
        path[--at] = '/';
    while (!objid_equal(dir, root)) {
        objid_t parent;
        int err = parent_of(dir, &parent);

        if (err >= 0)
            err = objid_equal(parent, dir) ? -TWZ_ENONAME : name_in(parent, dir, &item);
        if (err < 0)
            return err;
        if (item.len + 1 > at)
            return -TWZ_ERANGE;
        at -= item.len;
        __builtin_memcpy(path + at, item.name, item.len);
        path[--at] = '/';
        dir = parent;
    }
    __builtin_memmove(path, path + at, size - at);
    return (int)(size - at - 1);
}
