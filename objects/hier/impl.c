/* SPDX-License-Identifier: MIT */
/*
 * The operations on one directory. Each has the shape: look at the arguments, lock, look the names
 * up, refuse what has to be refused, begin, write the new entry aside, COMMIT, clean up, end.
 * Nothing after hier_begin fails but for want of room, and then nothing has changed.
 */
#include "inside.h"

#define DEFAULT_PERMS (TWZ_READ | TWZ_WRITE | TWZ_USE | TWZ_DEL)

/* --- adding a name ---------------------------------------------------------------------------- */

/* Room for an entry and its slot, nothing visible yet. h is locked and begun. */
int hier_place_new(struct hier *h, const struct hier_new *entry, uint64_t *chunk, uint64_t *slot)
{
    int r = hier_table_room(h);

    if (r >= 0)
        r = hier_chunk_alloc(h, hier_cells(entry), chunk);
    return r < 0 ? r : hier_slot_pick(h, entry->hash, slot);
}

static void commit_new(struct hier *h, uint64_t slot, uint64_t value)
{
    int used = *hier_word(h, slot) == 0;

    twz_persist_fence();                             /* the entry, before its slot word */
    twz_persist_commit64(hier_word(h, slot), value); /* COMMIT: the name is there */
    hier_count_add(h, 1, used);
}

static int add(const twzobj *obj, struct hier_new *entry)
{
    struct hier_place place;
    uint64_t chunk, slot;
    struct hier h;
    int r = hier_open_name(obj, entry->name, &h);

    if (r < 0)
        return r;
    entry->hash = hier_hash(entry->name);
    r = hier_lock_one(&h);
    if (r < 0)
        return r;
    r = hier_find(&h, entry->name, &place);
    if (r == -TWZ_ENONAME) {
        hier_begin(&h);
        r = hier_place_new(&h, entry, &chunk, &slot);
        if (r >= 0) {
            hier_entry_write(&h, chunk, entry);
            commit_new(&h, slot, HIER_SLOT(entry->hash, chunk));
        }
        hier_end(&h);
    } else if (r == 0) {
        r = -TWZ_EEXIST;
    }
    hier_unlock_one(&h);
    return r;
}

int hier_insert(const twzobj *obj, struct hier_name name, objid_t id)
{
    struct hier_new entry = { .name = name, .kind = HIER_OBJECT, .id = id };

    return twz_objid_none(id) ? -TWZ_EINVAL : add(obj, &entry);
}

int hier_symlink(const twzobj *obj, struct hier_name name, const char *text, size_t text_len)
{
    struct hier_new entry = {
        .name = name, .kind = HIER_SYMLINK, .text = text, .text_len = text_len
    };

    if (text_len == 0 || text_len >= TWZ_PATH_MAX)
        return text_len ? -TWZ_ENAMELEN : -TWZ_EINVAL;
    return add(obj, &entry);
}

/* --- creating and naming at once -------------------------------------------------------------- */

static int make_object(const struct hier *h, const struct hier_create *create, uint64_t slot,
                       uint64_t value, twzobj *obj)
{
    struct twz_create spec = {
        .flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL,
        .perms = create->perms ? create->perms : DEFAULT_PERMS,
        .witness = h->id,
        .witness_off = slot,
        .witness_value = value,
    };
    int r = twz_object_create(obj, &spec);

    if (r < 0)
        return r;
    if (create->kind == HIER_DIR)
        r = hier_init(obj, h->id);
    if (r >= 0 && create->fill)
        r = create->fill(obj, create->ctx);
    if (r < 0) {
        twz_object_delete(obj, TWZ_DELETE_NOW);
        twz_object_release(obj);
    }
    return r;
}

static int create_locked(struct hier *h, struct hier_new *entry, const struct hier_create *create,
                         twzobj *obj)
{
    uint64_t chunk, slot, value;
    int r = hier_place_new(h, entry, &chunk, &slot);

    if (r < 0)
        return r;
    value = HIER_SLOT(entry->hash, chunk);
    r = make_object(h, create, slot, value, obj);
    if (r < 0) {
        hier_chunk_free(h, chunk);
        return r;
    }
    entry->id = obj->id;
    hier_entry_write(h, chunk, entry);
    twz_persist_store64(&h->dir->intent.to_slot, slot); /* for who comes after us, if we die */
    commit_new(h, slot, value);
    return twz_object_ctl(obj->id, TWZ_CTL_PERMANENT, 0);
}

int hier_create(const twzobj *dir, struct hier_name name, const struct hier_create *create,
                twzobj *out)
{
    struct hier_new entry = { .name = name, .kind = create->kind };
    struct hier_place place;
    struct hier h;
    twzobj obj = { 0 };
    int r = hier_open_name(dir, name, &h);

    if (r < 0)
        return r;
    if (create->kind != HIER_OBJECT && create->kind != HIER_DIR)
        return -TWZ_EINVAL;
    entry.hash = hier_hash(name);
    r = hier_lock_one(&h);
    if (r < 0)
        return r;
    r = hier_find(&h, name, &place);
    if (r == -TWZ_ENONAME) {
        hier_begin(&h);
        r = create_locked(&h, &entry, create, &obj);
        hier_end(&h);
    } else if (r == 0) {
        r = -TWZ_EEXIST;
    }
    hier_unlock_one(&h);
    if (r >= 0 && out)
        *out = obj;
    else
        twz_object_release(&obj);
    return r;
}

/* --- taking a name away ----------------------------------------------------------------------- */

static int remove_locked(struct hier *h, const struct hier_place *place, uint32_t flags)
{
    struct hier_intent intent = {
        .from_slot = place->slot,
        .from_value = place->value,
        .from = h->id,
    };
    struct hier_victim v;
    int r = hier_slot_own(h, place->slot);

    if (r >= 0)
        r = hier_victim_prepare(h, &place->found, flags, &v);
    if (r < 0)
        return r;
    hier_begin(h);
    if (twz_objid_none(v.id)) {
        twz_persist_commit64(hier_word(h, place->slot), HIER_TOMB); /* COMMIT: the name is gone */
    } else {
        intent.victim = v.id;
        intent.victim_links = v.links;
        hier_victim_mark(h, &v);
        hier_forward(h, h, &intent);
    }
    hier_chunk_free(h, HIER_SLOT_OFF(place->value));
    hier_count_add(h, -1, 0);
    hier_end(h);
    hier_victim_done(&v);
    return 0;
}

/* Lock h and the directory that `found` means, and see that it is empty. */
static int lock_with_child(struct hier *h, const struct hier_found *found, twzobj *obj,
                           struct hier *child)
{
    int r = twz_object_init_guid(obj, found->id, TWZ_READ | TWZ_WRITE);

    if (r < 0)
        return r;
    r = hier_attach(obj, child);
    if (r >= 0)
        r = hier_lock((struct hier *[]){ h, child }, 2);
    if (r < 0) {
        twz_object_release(obj);
        return r;
    }
    return 0;
}

static int remove_dir(struct hier *h, struct hier_name name, const struct hier_found *found)
{
    struct hier_place place;
    struct hier child;
    twzobj obj;
    int r = lock_with_child(h, found, &obj, &child);

    if (r < 0)
        return r;
    r = hier_find(h, name, &place);
    if (r >= 0 && !twz_objid_equal(place.found.id, found->id))
        r = -TWZ_EAGAIN;
    if (r >= 0 && child.dir->count != 0)
        r = -TWZ_ENOTEMPTY;
    if (r >= 0)
        r = remove_locked(h, &place, 0);
    hier_unlock((struct hier *[]){ h, &child }, 2);
    twz_object_release(&obj);
    return r;
}

static int remove_once(struct hier *h, struct hier_name name, uint32_t flags)
{
    struct hier_place place;
    int r = hier_lock_one(h);

    if (r < 0)
        return r;
    r = hier_find(h, name, &place);
    if (r >= 0 && (flags & HIER_WANT_DIR) && place.found.kind != HIER_DIR)
        r = -TWZ_ENOTDIR;
    if (r >= 0 && (flags & HIER_NOT_DIR) && place.found.kind == HIER_DIR)
        r = -TWZ_EISDIR;
    if (r >= 0 && place.found.kind != HIER_DIR)
        r = remove_locked(h, &place, flags);
    else if (r >= 0)
        r = 1;
    hier_unlock_one(h);
    return r == 1 ? remove_dir(h, name, &place.found) : r;
}

int hier_remove(const twzobj *obj, struct hier_name name, uint32_t flags)
{
    struct hier h;
    int r = hier_open_name(obj, name, &h);

    if (r < 0)
        return r;
    do {
        r = remove_once(&h, name, flags);
    } while (hier_again(&h, r));
    return r;
}

/* --- replacing -------------------------------------------------------------------------------- */

static int replace_locked(struct hier *h, struct hier_new *entry, uint32_t flags)
{
    struct hier_intent intent = { 0 };
    struct hier_place old;
    struct hier_victim v = { .links = HIER_LINKS_KEEP };
    uint64_t chunk;
    int r = hier_find(h, entry->name, &old);
    int there = r == 0;

    if (r < 0 && r != -TWZ_ENONAME)
        return r;
    if (there && old.found.kind == HIER_DIR)
        return -TWZ_EISDIR;
    if (there && twz_objid_equal(old.found.id, entry->id))
        return 0;
    r = there ? hier_victim_prepare(h, &old.found, flags, &v) : 0;
    if (r < 0)
        return r;
    hier_begin(h);
    r = hier_place_new(h, entry, &chunk, &intent.to_slot);
    if (r >= 0 && there)
        r = hier_find(h, entry->name, &old); /* the table may be another now */
    if (r >= 0 && there)
        r = hier_slot_own(h, old.slot);
    if (r >= 0) {
        int used = !there && *hier_word(h, intent.to_slot) == 0;

        hier_entry_write(h, chunk, entry);
        intent.to_slot = there ? old.slot : intent.to_slot;
        intent.to_value = HIER_SLOT(entry->hash, chunk);
        intent.victim = v.id;
        intent.victim_links = v.links;
        hier_victim_mark(h, &v);
        hier_forward(h, h, &intent);
        if (there)
            hier_chunk_free(h, HIER_SLOT_OFF(old.value));
        hier_count_add(h, !there, used);
    }
    hier_end(h);
    hier_victim_done(&v);
    return r;
}

int hier_replace(const twzobj *obj, struct hier_name name, objid_t id, uint32_t flags)
{
    struct hier_new entry = { .name = name, .kind = HIER_OBJECT, .id = id };
    struct hier h;
    int r = hier_open_name(obj, name, &h);

    if (r < 0 || twz_objid_none(id))
        return r < 0 ? r : -TWZ_EINVAL;
    entry.hash = hier_hash(name);
    do {
        r = hier_lock_one(&h);
        if (r < 0)
            return r;
        r = replace_locked(&h, &entry, flags);
        hier_unlock_one(&h);
    } while (hier_again(&h, r));
    return r;
}
