/* SPDX-License-Identifier: MIT */
/*
 * Sets the state of a change (op). Writes, checks and applies the intent of a change of several
 * words (layout.h, A CHANGE OF SEVERAL WORDS).
 *
 * INVARIANTS
 *   - A thread that finishes a change of another thread must check consent for each step that
 *     changes another object than the directory (layout.h, TRUST). The steps run with the rights of
 *     the finishing thread, but the intent shows only that its writer could write the directory.
 *   - The finishing thread must copy the intent before it checks the intent, and must apply the
 *     copy: an adversary may store to the directory at any time.
 *   - A thread must check all steps of its own intent before it commits the intent.
 */
#include "inside.h"

void hier_begin_change(struct hier *h)
{
    twz_persist_commit64(&h->dir->op, HIER_DIRTY); /* COMMIT: lists and counts are invalid */
}

void hier_end_change(struct hier *h)
{
    twz_persist_fence(); /* chunks, before op makes lists and counts valid */
    twz_persist_store64(&h->dir->op, HIER_IDLE);
    twz_persist_flush(&h->dir->op, sizeof(h->dir->op)); /* no fence: a loss costs one rebuild */
}

static void set_peer_intent(struct hier *h, objid_t other)
{
    twz_persist_store64(&h->dir->peer_intent.lo, other.lo);
    twz_persist_store64(&h->dir->peer_intent.hi, other.hi);
    twz_persist_store64(&h->dir->peer_intent_valid, 1);
    twz_persist_flush(&h->dir->peer_intent, 3 * sizeof(uint64_t)); /* write_intent fences */
}

void hier_peer_intent_clear(struct hier *h)
{
    twz_persist_store64(&h->dir->peer_intent_valid, 0);
    /* no fence: a loss costs one look at the peer */
    twz_persist_flush(&h->dir->peer_intent_valid, sizeof(h->dir->peer_intent_valid));
}

int hier_parent_get(const struct hier *h, objid_t *parent)
{
    uint64_t which = __atomic_load_n(&h->dir->parent_which, __ATOMIC_ACQUIRE);

    if (which > 1)
        return -TWZ_EDAMAGED;
    *parent = h->dir->parent[which];
    return 0;
}

/* --- the steps -------------------------------------------------------------------------------- */

/* Open a directory and touch its header. */
static int open_for_store(objid_t id, twzobj *obj, struct hier *h)
{
    int err = twz_object_init_guid(obj, id, TWZ_READ | TWZ_WRITE);

    if (err < 0)
        return err;
    err = hier_attach(obj, h);
    if (err >= 0)
        err = twz_touch(h->dir, sizeof(*h->dir));
    if (err < 0)
        twz_object_release(obj);
    return err < 0 ? err : 0;
}

/* Nothing happens if the directory does not exist. */
static void set_parent(objid_t id, objid_t parent)
{
    twzobj obj;
    struct hier h;
    uint64_t which;

    if (open_for_store(id, &obj, &h) < 0)
        return;
    which = h.dir->parent_which & 1;
    if (!objid_equal(h.dir->parent[which], parent)) {
        which = 1 - which;
        twz_persist_store64(&h.dir->parent[which].lo, parent.lo);
        twz_persist_store64(&h.dir->parent[which].hi, parent.hi);
    }
    twz_persist_commit64(&h.dir->parent_which, which); /* COMMIT: the parent, on this line */
    twz_object_release(&obj);
}

/* Store the victim's link count or delete it; nothing happens if it does not exist. */
static void set_victim(objid_t id, uint64_t links)
{
    twzobj obj;
    struct hier h;

    if (links == HIER_LINKS_KEEP || twz_object_init_guid(&obj, id, TWZ_READ | TWZ_WRITE) < 0)
        return;
    if (links != HIER_LINKS_DELETE) {
        if (twz_touch(twz_object_meta(&obj), sizeof(struct twz_meta)) >= 0)
            twz_persist_commit64(&twz_object_meta(&obj)->links, links); /* COMMIT: the count */
    } else {
        if (hier_attach(&obj, &h) == 0 && twz_touch(h.dir, sizeof(*h.dir)) >= 0)
            twz_persist_store64(&h.dir->dead, 1);     /* for threads that have it open */
        twz_object_delete(&obj, TWZ_DELETE_DEFERRED); /* COMMIT: durable on return */
    }
    twz_object_release(&obj);
}

/* Each step is durable on its own and may be repeated. A step must be flushed even if it seems to
 * be done: a thread may have died between its store and its flush. */
static void apply_steps(struct hier *h, struct hier *from, const struct hier_intent *i)
{
    if (i->to_bucket && hier_bucket_check(h, i->to_bucket) == 0)
        twz_persist_commit64(hier_word(h, i->to_bucket), i->to_value); /* COMMIT: new name */
    if (i->from_bucket && from && hier_bucket_check(from, i->from_bucket) == 0) {
        uint64_t *bucket = hier_word(from, i->from_bucket);

        /* COMMIT: the old name */
        twz_persist_commit64(bucket, *bucket == i->from_value ? HIER_TOMB : *bucket);
    }
    if (!objid_is_none(i->moved))
        set_parent(i->moved, h->id);
    if (!objid_is_none(i->victim))
        set_victim(i->victim, i->victim_links);
}

static void write_intent(struct hier *h, const struct hier_intent *intent)
{
    twz_persist_copy(&h->dir->intent, intent, sizeof(*intent));
    twz_persist_flush(&h->dir->intent, sizeof(*intent));
    twz_persist_fence(); /* intent, new entry and the words that lead here, before op commits */
}

void hier_commit_intent(struct hier *h, struct hier *from, const struct hier_intent *intent)
{
    if (from != h)
        set_peer_intent(from, h->id);
    write_intent(h, intent);
    twz_persist_commit64(&h->dir->op, HIER_COMMITTED); /* COMMIT: the whole change */
    apply_steps(h, from, intent);
    twz_persist_store64(&h->dir->op, HIER_DIRTY); /* no flush: if lost, repeated steps do no harm */
    if (from != h)
        hier_peer_intent_clear(from);
}

/* --- finishing an intent ---------------------------------------------------------------------- */

int hier_child_check(objid_t id, objid_t parent)
{
    struct hier h;
    objid_t up;
    twzobj obj;
    int err;

    if (objid_equal(id, parent))
        return 0;
    err = open_for_store(id, &obj, &h);
    if (err < 0)
        return err;
    err = hier_parent_get(&h, &up) == 0 && objid_equal(up, parent);
    twz_object_release(&obj);
    return err;
}

/* Consent of a directory to its deletion. */
static bool is_empty_child(objid_t id, objid_t parent)
{
    struct hier h;
    twzobj obj;
    bool empty;

    if (hier_child_check(id, parent) <= 0 || open_for_store(id, &obj, &h) < 0)
        return false;
    empty = hier_is_empty(&h);
    twz_object_release(&obj);
    return empty;
}

/* Consent of an object to a change of its links: its links_by names directory `dir`. */
static bool validate_links(objid_t id, objid_t dir)
{
    twzobj obj;
    bool valid;

    if (twz_object_init_guid(&obj, id, TWZ_READ | TWZ_WRITE) < 0)
        return false;
    valid = objid_equal(twz_object_meta(&obj)->links_by, dir);
    twz_object_release(&obj);
    return valid;
}

/* Consent of the source of a rename: its peer_intent names h. */
static bool validate_source(const struct hier *from, const struct hier *h)
{
    return from && from != h && from->dir->peer_intent_valid &&
           objid_equal(from->dir->peer_intent, h->id);
}

/* Consent of a directory to another parent. */
static bool validate_moved(objid_t id, const struct hier *from, const struct hier *h)
{
    return hier_child_check(id, from->id) > 0 || hier_child_check(id, h->id) > 0;
}

void hier_finish_intent(struct hier *h, struct hier *from)
{
    struct hier_intent i;
    bool across;

    __builtin_memcpy(&i, &h->dir->intent, sizeof(i));
    across = validate_source(from, h);
    if (!across && from != h)
        i.from_bucket = 0;
    if (!across || !validate_moved(i.moved, from, h))
        i.moved = TWZ_OBJID_NONE;
    if (!validate_links(i.victim, h->id) &&
        !(i.victim_links == HIER_LINKS_DELETE && is_empty_child(i.victim, h->id)))
        i.victim = TWZ_OBJID_NONE;
    apply_steps(h, from, &i);
}
