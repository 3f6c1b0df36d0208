/* SPDX-License-Identifier: MIT */
/*
 * Walks a path from directory to directory; one directory is open at a time. The rest of the path
 * lies at the end of a buffer, so that a walk can insert the text of a symbolic link before the
 * rest.
 *
 * A name that exists is found even while renames replace it: if its directory is deleted, or its
 * link is replaced, between the look-up and the use, the walk looks the name up again. It reports
 * the error if the name still has the same entry, or after HIER_RETRIES changes.
 */
#include "inside.h"

struct walk {
    objid_t root;
    objid_t dir;    /* the directory reached */
    twzobj obj;     /* the same, open */
    uint32_t links; /* links followed */
    uint32_t flags;
    uint32_t retries; /* components that were looked up again */
    size_t at;        /* the rest of the path is text[at .. TWZ_PATH_MAX], with its NUL */
    char text[TWZ_PATH_MAX + 1];
};

/* Open directory `id`, then close the directory reached. On an error the walk stays there. */
static int enter_dir(struct walk *w, objid_t id)
{
    twzobj obj;
    int err = twz_object_init_guid(&obj, id, TWZ_READ | TWZ_WRITE);

    if (err >= 0) {
        /* the first access maps the object, which may have been deleted */
        err = TWZ_GUARDED(hier_do_probe(&obj));
        if (err < 0)
            twz_object_release(&obj);
    }
    if (err < 0)
        return err == -TWZ_ETYPE ? -TWZ_ENOTDIR : err;
    twz_object_release(&w->obj);
    w->obj = obj;
    w->dir = id;
    return 0;
}

/* True if the name has another entry than `found` by now. */
static bool is_replaced(const struct walk *w, struct hier_name name, const struct hier_found *found)
{
    struct hier_found now;
    int err = hier_do_lookup(&w->obj, name, &now);

    return err == -TWZ_ENONAME ||
           (err >= 0 && (now.kind != found->kind || now.cookie != found->cookie ||
                         !objid_equal(now.id, found->id)));
}

static int enter_parent(struct walk *w)
{
    objid_t up;
    int err;

    if (objid_equal(w->dir, w->root))
        return 0;
    err = hier_do_parent(&w->obj, &up);
    return err < 0 ? err : enter_dir(w, up);
}

/* Put text before the rest of the path. -TWZ_ENAMELEN. */
static int prepend_text(struct walk *w, const char *text, size_t len)
{
    if (len > w->at)
        return -TWZ_ENAMELEN;
    w->at -= len;
    __builtin_memcpy(w->text + w->at, text, len);
    return 0;
}

static int follow_link(struct walk *w, struct hier_name name)
{
    char text[TWZ_PATH_MAX];
    int len;
    int err;

    if (++w->links > HIER_LINKS_MAX)
        return -TWZ_ELOOP;
    len = hier_do_readlink(&w->obj, name, text, sizeof(text));
    if (len < 0)
        return len;
    err = prepend_text(w, text, (size_t)len);
    if (err < 0)
        return err;
    return w->text[w->at] == '/' ? enter_dir(w, w->root) : 0;
}

/* Follow the link or enter the directory that is the entry of a component. If the entry is replaced
 * meanwhile, the component goes back to the rest, where it began at `at`. */
static int enter_found(struct walk *w, size_t at, struct hier_name name,
                       const struct hier_found *found)
{
    const bool link = found->kind == HIER_SYMLINK;
    bool gone;
    int err;

    if (!link && found->kind != HIER_DIR)
        return -TWZ_ENOTDIR;
    err = link ? follow_link(w, name) : enter_dir(w, found->id);
    gone = link ? err == -TWZ_EINVAL : err == -TWZ_ENOOBJ || err == -TWZ_EDELETED;
    if (!gone || !is_replaced(w, name, found) || w->retries++ >= HIER_RETRIES)
        return err;
    w->at = at;
    return 0;
}

/* Take the next component off the rest: its length, 0 at the end. *last: only slashes follow;
 * *slash: at least one does. */
static size_t next_component(struct walk *w, const char **part, bool *last, bool *slash)
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

static bool is_dot_name(const char *part, size_t len)
{
    return part[0] == '.' && (len == 1 || (len == 2 && part[1] == '.'));
}

static void set_where_dir(const struct walk *w, struct hier_where *where)
{
    const struct hier_dir *dir = twz_object_base(&w->obj);

    where->id = w->dir;
    where->kind = HIER_DIR;
    where->len = 0;
    where->attr = dir->attr < ATTR_MAX ? (uint32_t)dir->attr : 0;
}

static void set_where_leaf(const char *part, size_t len, const struct hier_found *found, bool slash,
                           struct hier_where *where)
{
    __builtin_memcpy(where->leaf, part, len);
    where->leaf[len] = 0;
    where->len = len;
    where->must_dir = (uint32_t)slash;
    where->kind = found->kind;
    where->id = found->id;
    where->cookie = found->cookie;
    where->attr = found->attr;
}

/* Walk one component. 1: `where` is filled in and the walk is over. */
static int walk_component(struct walk *w, struct hier_where *where)
{
    struct hier_found found = { 0 };
    const size_t at = w->at;
    const char *part;
    bool last, slash;
    int err;
    size_t len = next_component(w, &part, &last, &slash);
    struct hier_name name = { part, len };

    if (len == 0 || is_dot_name(part, len)) {
        err = len == 2 ? enter_parent(w) : 0;
        if (err >= 0 && last)
            set_where_dir(w, where);
        return err < 0 ? err : last;
    }
    err = hier_do_lookup(&w->obj, name, &found);
    if (err < 0 && !(err == -TWZ_ENONAME && last))
        return err;
    if (!last || (found.kind == HIER_SYMLINK && (slash || !(w->flags & HIER_NOFOLLOW))))
        return enter_found(w, at, name, &found);
    if (slash && found.kind && found.kind != HIER_DIR)
        return -TWZ_ENOTDIR;
    set_where_leaf(part, len, &found, slash, where);
    return 1;
}

int hier_do_walk(objid_t root, objid_t cwd, const char *path, uint32_t flags,
                 struct hier_where *where)
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
    err = prepend_text(&w, path, len);
    if (err >= 0)
        err = enter_dir(&w, path[0] == '/' ? root : cwd);
    while (err == 0)
        err = walk_component(&w, where);
    if (err < 0) {
        twz_object_release(&w.obj);
        *where = (struct hier_where){ 0 };
        return err;
    }
    where->dir = w.obj;
    where->attrs = ((const struct hier_dir *)twz_object_base(&w.obj))->attrs;
    return 0;
}

void hier_where_close(struct hier_where *where)
{
    twz_object_release(&where->dir);
}

/* --- from a directory to its path ------------------------------------------------------------- */

/* The name that `dir` has in directory `parent`. -TWZ_ENONAME. */
static int find_name_in(objid_t parent, objid_t dir, struct hier_item *item)
{
    uint64_t cursor = 0, steps = UINT64_MAX;
    twzobj obj;
    int err = twz_object_init_guid(&obj, parent, TWZ_READ | TWZ_WRITE);

    if (err < 0)
        return err;
    do {
        err = hier_do_iter_some(&obj, &cursor, item, &steps);
    } while (err > 0 && !(item->found.kind == HIER_DIR && objid_equal(item->found.id, dir)));
    twz_object_release(&obj);
    return err == 0 ? -TWZ_ENONAME : err;
}

static int get_parent(objid_t dir, objid_t *parent)
{
    twzobj obj;
    int err = twz_object_init_guid(&obj, dir, TWZ_READ | TWZ_WRITE);

    if (err < 0)
        return err;
    err = hier_do_parent(&obj, parent);
    twz_object_release(&obj);
    return err;
}

int hier_do_path_of(objid_t root, objid_t dir, char *path, size_t size)
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
        int err = get_parent(dir, &parent);

        if (err >= 0)
            err = objid_equal(parent, dir) ? -TWZ_ENONAME : find_name_in(parent, dir, &item);
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
