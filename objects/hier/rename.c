/* SPDX-License-Identifier: MIT */
/*
 * Rename, within one directory or between two. The objects of the two names decide which
 * directories a thread must lock:
 *   1 look up both names without a lock
 *   2 lock both directories, and the directory that the new name refers to, if there is one
 *   3 look up both names again; if a name refers to another object now, start over
 *   4 check the rules, and rename
 * To move a directory to another parent, a thread must take tree_lock before step 2. It must also
 * check that the directory does not move below itself.
 */
#include "inside.h"

struct rename {
    struct hier from_dir;
    struct hier to_dir;
    struct hier *from;
    struct hier *to; /* the same as from, for one directory */
    struct hier_name old_name;
    struct hier_name new_name;
    uint32_t flags;
    bool exists; /* the new name exists */
    struct hier_bucket src;
    struct hier_bucket dst;
    struct hier target; /* the directory to be replaced; start NULL: none */
    twzobj target_obj;
};

static int find_both(struct rename *r)
{
    int err = hier_find(r->from, r->old_name, &r->src);

    if (err < 0)
        return err;
    err = hier_find(r->to, r->new_name, &r->dst);
    r->exists = err == 0;
    return err == -TWZ_ENONAME ? 0 : err;
}

/* -TWZ_EINVAL if directory `id` is `to` or above it. The caller must hold tree_lock. */
static int check_not_above(objid_t id, objid_t to)
{
    for (uint32_t depth = 0; depth < HIER_DEPTH; depth++) {
        twzobj obj;
        objid_t up;
        int err;

        if (objid_equal(id, to))
            return -TWZ_EINVAL;
        err = twz_object_init_guid(&obj, to, TWZ_READ | TWZ_WRITE);
        if (err < 0)
            return err;
        err = hier_do_parent(&obj, &up);
        twz_object_release(&obj);
        if (err < 0 || objid_equal(up, to))
            return err;
        to = up;
    }
    return -TWZ_EDAMAGED;
}

/* The rules of POSIX, and of HIER_EXCL. */
static int check_rules(const struct rename *r)
{
    bool dir = r->src.found.kind == HIER_DIR;

    if (r->from->dir->dead || r->to->dir->dead)
        return -TWZ_EDELETED;
    if (r->src.found.attr && !objid_equal(r->from->dir->attrs, r->to->dir->attrs))
        return -TWZ_EXDEV;
    if (!r->exists)
        return 0;
    if (r->flags & HIER_EXCL)
        return -TWZ_EEXIST;
    if (dir != (r->dst.found.kind == HIER_DIR))
        return dir ? -TWZ_ENOTDIR : -TWZ_EISDIR;
    return dir && r->target.dir->count ? -TWZ_ENOTEMPTY : 0;
}

static bool is_same_object(const struct rename *r)
{
    if (!r->exists)
        return false;
    if (r->from == r->to && r->src.off == r->dst.off)
        return true;
    return !objid_is_none(r->src.found.id) && objid_equal(r->src.found.id, r->dst.found.id);
}

/* The entry of the new name, from that of the old one. */
static int copy_entry(const struct rename *r, struct hier_new_entry *entry)
{
    const struct hier_entry *e;
    int err = hier_entry_get(r->from, r->src.found.cookie, &e);

    if (err < 0)
        return err;
    *entry = (struct hier_new_entry){
        .name = r->new_name,
        .hash = hier_hash(r->new_name),
        .kind = e->kind,
        .attr = e->attr,
        .id = e->id,
        .text = (const char *)e->bytes + e->name_len,
        .text_len = e->text_len,
    };
    return 0;
}

/* Nothing in here can fail. */
static void commit_rename(struct rename *r, const struct hier_victim *v,
                          const struct hier_new_entry *entry, uint64_t chunk, uint64_t bucket)
{
    int used = !r->exists && *hier_word(r->to, bucket) == 0;
    struct hier_intent intent = {
        .to_bucket = r->exists ? r->dst.off : bucket,
        .to_value = HIER_BUCKET(entry->hash, chunk),
        .from_bucket = r->src.off,
        .from_value = r->src.value,
        .from = r->from->id,
    };

    if (entry->kind == HIER_DIR && r->from != r->to)
        intent.moved = entry->id;
    hier_entry_write(r->to, chunk, entry);
    hier_victim_mark(r->to, v, &intent);
    hier_commit_intent(r->to, r->from, &intent);
    hier_chunk_free(r->from, HIER_BUCKET_OFF(r->src.value));
    hier_count_add(r->from, -1, 0);
    if (r->exists)
        hier_chunk_free(r->to, HIER_BUCKET_OFF(r->dst.value));
    hier_count_add(r->to, !r->exists, used);
}

/* Both directories are locked and all checks made. */
static int rename_locked(struct rename *r)
{
    struct hier_victim v = { .names = HIER_NAMES_KEEP };
    struct hier_new_entry entry;
    uint64_t chunk, bucket;
    int err = copy_entry(r, &entry);

    if (err >= 0 && r->exists)
        err = hier_victim_prepare(r->to, &r->dst.found, r->flags, &v);
    if (err < 0)
        return err;
    hier_begin_change(r->to);
    if (r->from != r->to)
        hier_begin_change(r->from);
    err = hier_reserve_entry(r->to, &entry, &chunk, &bucket);
    if (err >= 0)
        err = find_both(r); /* hier_reserve_entry may have replaced the table */
    if (err >= 0)
        err = hier_bucket_check(r->from, r->src.off);
    if (err >= 0 && r->exists)
        err = hier_bucket_check(r->to, r->dst.off);
    if (err >= 0)
        commit_rename(r, &v, &entry, chunk, bucket);
    hier_end_change(r->to);
    if (r->from != r->to)
        hier_end_change(r->from);
    hier_victim_release(&v);
    return err;
}

/* The names must still mean the objects for which the locks were chosen; -TWZ_EAGAIN if not. */
static int recheck_and_rename(struct rename *r)
{
    struct rename before = *r;
    int err = find_both(r);

    if (err < 0)
        return err;
    if (!objid_equal(before.src.found.id, r->src.found.id) ||
        before.src.found.kind != r->src.found.kind || before.exists != r->exists)
        return -TWZ_EAGAIN;
    if (r->exists && (!objid_equal(before.dst.found.id, r->dst.found.id) ||
                      before.dst.found.kind != r->dst.found.kind))
        return -TWZ_EAGAIN;
    if (is_same_object(r))
        return 0;
    /* Its parent changes. A directory with another parent does not consent. */
    if (r->from != r->to && r->src.found.kind == HIER_DIR) {
        err = hier_child_check(r->src.found.id, r->from->id);
        if (err <= 0)
            return err < 0 ? err : -TWZ_EDAMAGED;
    }
    err = check_rules(r);
    return err < 0 ? err : rename_locked(r);
}

/* Lock both directories, and a directory that is to be replaced. */
static int lock_and_rename(struct rename *r)
{
    struct hier *set[] = { r->from, r->to, &r->target };
    bool target = r->exists && r->dst.found.kind == HIER_DIR;
    int err = 0;

    if (target) {
        err = twz_object_init_guid(&r->target_obj, r->dst.found.id, TWZ_READ | TWZ_WRITE);
        if (err >= 0)
            err = hier_attach(&r->target_obj, &r->target);
    }
    if (err >= 0)
        err = hier_lock(set, target ? 3 : 2);
    if (err >= 0) {
        err = recheck_and_rename(r);
        hier_unlock(set, target ? 3 : 2);
    }
    twz_object_release(&r->target_obj);
    return err;
}

static int find_old(const struct hier *h, void *ctx)
{
    struct rename *r = ctx;

    return hier_find(h, r->old_name, &r->src);
}

static int find_new(const struct hier *h, void *ctx)
{
    struct rename *r = ctx;

    return hier_find(h, r->new_name, &r->dst);
}

/* -TWZ_EAGAIN: call hier_retry. */
static int rename_once(struct rename *r)
{
    twzobj root;
    int err = hier_read(r->from, find_old, r);

    if (err < 0)
        return err;
    err = hier_read(r->to, find_new, r);
    r->exists = err == 0;
    if (err < 0 && err != -TWZ_ENONAME)
        return err;
    if (r->src.found.kind != HIER_DIR || r->from == r->to)
        return lock_and_rename(r);
    err = hier_tree_lock(r->to->id, &root);
    if (err < 0)
        return err;
    err = check_not_above(r->src.found.id, r->to->id);
    if (err >= 0) {
        hier_tree_target_set(&root, r->to->id);
        err = lock_and_rename(r);
    }
    hier_tree_unlock(&root);
    return err;
}

int hier_do_rename(const twzobj *from, struct hier_name name, const twzobj *to,
                   struct hier_name new_name, uint32_t flags)
{
    struct rename r = { .old_name = name, .new_name = new_name, .flags = flags };
    int err = hier_open_name(from, name, &r.from_dir);

    if (err >= 0)
        err = hier_open_name(to, new_name, &r.to_dir);
    if (err < 0)
        return err;
    r.from = &r.from_dir;
    r.to = objid_equal(from->id, to->id) ? r.from : &r.to_dir;
    do {
        r.target = (struct hier){ 0 };
        err = rename_once(&r);
    } while (hier_retry(r.to, err));
    return err;
}
