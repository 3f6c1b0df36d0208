/* SPDX-License-Identifier: MIT */
/*
 * Rename, within a directory or between two. What is to be locked depends on what the names mean,
 * so: look without locks, lock, look again, and start over where somebody was faster. A directory
 * that changes its parent needs the tree lock as well, and must not move into its own inside.
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
    uint32_t there; /* something has the new name */
    struct hier_place src;
    struct hier_place dst;
    struct hier target; /* the directory to be replaced; start NULL: none */
    twzobj target_obj;
};

static int find_both(struct rename *r)
{
    int e = hier_find(r->from, r->old_name, &r->src);

    if (e < 0)
        return e;
    e = hier_find(r->to, r->new_name, &r->dst);
    r->there = e == 0;
    return e == -TWZ_ENONAME ? 0 : e;
}

/* Is directory `id` the directory `to` or above it? The tree lock is held. */
static int is_above(objid_t id, objid_t to)
{
    for (uint32_t depth = 0; depth < HIER_DEPTH; depth++) {
        twzobj obj;
        objid_t up;
        int e;

        if (objid_equal(id, to))
            return 1;
        e = twz_object_init_guid(&obj, to, TWZ_READ | TWZ_WRITE);
        if (e < 0)
            return e;
        e = hier_parent(&obj, &up);
        twz_object_release(&obj);
        if (e < 0 || objid_equal(up, to))
            return e;
        to = up;
    }
    return -TWZ_EDAMAGED;
}

static int allowed(const struct rename *r)
{
    int dir = r->src.found.kind == HIER_DIR;

    if (r->from->dir->dead || r->to->dir->dead)
        return -TWZ_EDELETED;
    if (!r->there)
        return 0;
    if (r->flags & HIER_EXCL)
        return -TWZ_EEXIST;
    if (dir != (r->dst.found.kind == HIER_DIR))
        return dir ? -TWZ_ENOTDIR : -TWZ_EISDIR;
    return dir && r->target.dir->count ? -TWZ_ENOTEMPTY : 0;
}

static int same_thing(const struct rename *r)
{
    if (!r->there)
        return 0;
    if (r->from == r->to && r->src.slot == r->dst.slot)
        return 1;
    return !objid_is_none(r->src.found.id) && objid_equal(r->src.found.id, r->dst.found.id);
}

static int new_entry(const struct rename *r, struct hier_new *entry)
{
    const struct hier_entry *e;
    int err = hier_entry_get(r->from, r->src.found.cookie, &e);

    if (err < 0)
        return err;
    *entry = (struct hier_new){
        .name = r->new_name,
        .hash = hier_hash(r->new_name),
        .kind = e->kind,
        .id = e->id,
        .text = (const char *)e->bytes + e->name_len,
        .text_len = e->text_len,
    };
    return 0;
}

static void carry(struct rename *r, const struct hier_victim *v, const struct hier_new *entry,
                  uint64_t chunk, uint64_t slot)
{
    int used = !r->there && *hier_word(r->to, slot) == 0;
    struct hier_intent intent = {
        .to_slot = r->there ? r->dst.slot : slot,
        .to_value = HIER_BUCKET(entry->hash, chunk),
        .from_slot = r->src.slot,
        .from_value = r->src.value,
        .from = r->from->id,
        .victim = v->id,
        .victim_links = v->links,
    };

    if (entry->kind == HIER_DIR && r->from != r->to)
        intent.moved = entry->id;
    hier_entry_write(r->to, chunk, entry);
    hier_victim_mark(r->to, v);
    hier_complete(r->to, r->from, &intent);
    hier_chunk_free(r->from, HIER_BUCKET_OFF(r->src.value));
    hier_count_add(r->from, -1, 0);
    if (r->there)
        hier_chunk_free(r->to, HIER_BUCKET_OFF(r->dst.value));
    hier_count_add(r->to, !r->there, used);
}

static int rename_locked(struct rename *r)
{
    struct hier_victim v = { .links = HIER_LINKS_KEEP };
    struct hier_new entry;
    uint64_t chunk, slot;
    int e = new_entry(r, &entry);

    if (e >= 0 && r->there)
        e = hier_victim_prepare(r->to, &r->dst.found, r->flags, &v);
    if (e < 0)
        return e;
    hier_begin(r->to);
    if (r->from != r->to)
        hier_begin(r->from);
    e = hier_place_new(r->to, &entry, &chunk, &slot);
    if (e >= 0)
        e = find_both(r); /* the table may be another now */
    if (e >= 0)
        e = hier_bucket_is_own(r->from, r->src.slot);
    if (e >= 0 && r->there)
        e = hier_bucket_is_own(r->to, r->dst.slot);
    if (e >= 0)
        carry(r, &v, &entry, chunk, slot);
    hier_end(r->to);
    if (r->from != r->to)
        hier_end(r->from);
    hier_victim_done(&v);
    return e;
}

/* What is there now must be what was there when the set of locks was chosen. */
static int look_again(struct rename *r)
{
    struct rename before = *r;
    int e = find_both(r);

    if (e < 0)
        return e;
    if (!objid_equal(before.src.found.id, r->src.found.id) ||
        before.src.found.kind != r->src.found.kind || before.there != r->there)
        return -TWZ_EAGAIN;
    if (r->there && (!objid_equal(before.dst.found.id, r->dst.found.id) ||
                     before.dst.found.kind != r->dst.found.kind))
        return -TWZ_EAGAIN;
    if (same_thing(r))
        return 0;
    /* Its parent is to change: another one's directory that the name merely means stays there. */
    if (r->from != r->to && r->src.found.kind == HIER_DIR) {
        e = hier_is_child(r->src.found.id, r->from->id);
        if (e <= 0)
            return e < 0 ? e : -TWZ_EDAMAGED;
    }
    e = allowed(r);
    return e < 0 ? e : rename_locked(r);
}

static int with_target(struct rename *r)
{
    struct hier *set[] = { r->from, r->to, &r->target };
    int target = r->there && r->dst.found.kind == HIER_DIR;
    int e = 0;

    if (target) {
        e = twz_object_init_guid(&r->target_obj, r->dst.found.id, TWZ_READ | TWZ_WRITE);
        if (e >= 0)
            e = hier_attach(&r->target_obj, &r->target);
    }
    if (e >= 0)
        e = hier_lock(set, target ? 3 : 2);
    if (e >= 0) {
        e = look_again(r);
        hier_unlock(set, target ? 3 : 2);
    }
    twz_object_release(&r->target_obj);
    return e;
}

static int peek_old(const struct hier *h, void *ctx)
{
    struct rename *r = ctx;

    return hier_find(h, r->old_name, &r->src);
}

static int peek_new(const struct hier *h, void *ctx)
{
    struct rename *r = ctx;

    return hier_find(h, r->new_name, &r->dst);
}

static int rename_once(struct rename *r)
{
    twzobj root;
    int e = hier_reading(r->from, peek_old, r);

    if (e < 0)
        return e;
    e = hier_reading(r->to, peek_new, r);
    r->there = e == 0;
    if (e < 0 && e != -TWZ_ENONAME)
        return e;
    if (r->src.found.kind != HIER_DIR || r->from == r->to)
        return with_target(r);
    e = hier_tree_lock(r->to->id, &root);
    if (e < 0)
        return e;
    e = is_above(r->src.found.id, r->to->id);
    if (e > 0)
        e = -TWZ_EINVAL;
    if (e == 0) {
        hier_tree_moving(&root, r->to->id);
        e = with_target(r);
    }
    hier_tree_unlock(&root);
    return e;
}

int hier_rename(const twzobj *from, struct hier_name name, const twzobj *to,
                struct hier_name new_name, uint32_t flags)
{
    struct rename r = { .old_name = name, .new_name = new_name, .flags = flags };
    int e = hier_open_name(from, name, &r.from_dir);

    if (e >= 0)
        e = hier_open_name(to, new_name, &r.to_dir);
    if (e < 0)
        return e;
    r.from = &r.from_dir;
    r.to = objid_equal(from->id, to->id) ? r.from : &r.to_dir;
    do {
        r.target = (struct hier){ 0 };
        e = rename_once(&r);
    } while (hier_again(r.to, e));
    return e;
}
