/* SPDX-License-Identifier: MIT */
/*
 * The intent of a change of more than one word (layout.h, CRASH PROTOCOL): writing it, carrying it
 * out, and which intents of others are carried out.
 *
 * INVARIANT. Whoever finishes an interrupted change does so with rights of its own, and an intent
 * found on the media says no more than that somebody could write this directory. What is outside of
 * it is therefore changed only where that agrees (layout.h, TRUST). Steps are taken from a copy of
 * the intent: the directory may be stored to meanwhile. The owner of a change carries out the
 * intent that it wrote, which it has looked at already.
 */
#include "inside.h"

void hier_begin(struct hier *h)
{
    twz_persist_commit64(&h->dir->op, HIER_DIRTY); /* COMMIT: lists and counts are in motion */
}

void hier_end(struct hier *h)
{
    twz_persist_fence(); /* chunks, before op says that all is right */
    twz_persist_store64(&h->dir->op, HIER_IDLE);
    twz_persist_flush(&h->dir->op, sizeof(h->dir->op)); /* lost, it costs a rebuilding: no fence */
}

static void see_set(struct hier *h, objid_t other)
{
    twz_persist_store64(&h->dir->see.lo, other.lo);
    twz_persist_store64(&h->dir->see.hi, other.hi);
    twz_persist_store64(&h->dir->see_valid, 1);
    twz_persist_flush(&h->dir->see, 3 * sizeof(uint64_t)); /* durable with the intent's fence */
}

void hier_see_clear(struct hier *h)
{
    twz_persist_store64(&h->dir->see_valid, 0); /* lost, it costs a look at the other one */
    twz_persist_flush(&h->dir->see_valid, sizeof(h->dir->see_valid));
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

/* Open a directory whose header is to be stored to. */
static int dir_open(objid_t id, twzobj *obj, struct hier *h)
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

static void move_parent(objid_t id, objid_t parent)
{
    twzobj obj;
    struct hier h;
    uint64_t which;

    if (dir_open(id, &obj, &h) < 0)
        return;
    which = h.dir->parent_which & 1;
    if (!objid_equal(h.dir->parent[which], parent)) {
        which = 1 - which;
        twz_persist_store64(&h.dir->parent[which].lo, parent.lo);
        twz_persist_store64(&h.dir->parent[which].hi, parent.hi);
    }
    twz_persist_commit64(&h.dir->parent_which, which); /* COMMIT: on the same line */
    twz_object_release(&obj);
}

static void victim_links(objid_t id, uint64_t links)
{
    twzobj obj;
    struct hier h;

    if (links == HIER_LINKS_KEEP || twz_object_init_guid(&obj, id, TWZ_READ | TWZ_WRITE) < 0)
        return;
    if (links != HIER_LINKS_DELETE) {
        if (twz_touch(twz_object_meta(&obj), sizeof(struct twz_meta)) >= 0)
            twz_persist_commit64(&twz_object_meta(&obj)->links, links); /* COMMIT */
    } else {
        if (hier_attach(&obj, &h) == 0 && twz_touch(h.dir, sizeof(*h.dir)) >= 0)
            twz_persist_store64(&h.dir->dead, 1); /* for those who have it open */
        twz_object_delete(&obj, TWZ_DELETE_DEFERRED);
    }
    twz_object_release(&obj);
}

/* Each step durable on its own and harmless when done again. One that seems to be done may be the
 * store of a process that died before it flushed it: so it is flushed here at least. */
static void carry_out(struct hier *h, struct hier *from, const struct hier_intent *i)
{
    if (i->to_slot && hier_bucket_is_own(h, i->to_slot) == 0)
        twz_persist_commit64(hier_word(h, i->to_slot), i->to_value); /* COMMIT: the new name */
    if (i->from_slot && from && hier_bucket_is_own(from, i->from_slot) == 0) {
        uint64_t *slot = hier_word(from, i->from_slot);

        /* COMMIT: the old one */
        twz_persist_commit64(slot, *slot == i->from_value ? HIER_TOMB : *slot);
    }
    if (!objid_is_none(i->moved))
        move_parent(i->moved, h->id);
    if (!objid_is_none(i->victim))
        victim_links(i->victim, i->victim_links);
}

static void intent_write(struct hier *h, const struct hier_intent *intent)
{
    twz_persist_copy(&h->dir->intent, intent, sizeof(*intent));
    twz_persist_flush(&h->dir->intent, sizeof(*intent));
    twz_persist_fence(); /* with the new entry: both before the intent counts */
}

void hier_complete(struct hier *h, struct hier *from, const struct hier_intent *intent)
{
    if (from != h)
        see_set(from, h->id);
    intent_write(h, intent);
    twz_persist_commit64(&h->dir->op, HIER_COMMITTED); /* COMMIT: the whole change */
    carry_out(h, from, intent);
    twz_persist_store64(&h->dir->op, HIER_DIRTY); /* lost, nothing is done that is still agreed */
    if (from != h)
        hier_see_clear(from);
}

/* --- an intent that was found ----------------------------------------------------------------- */

int hier_is_child(objid_t id, objid_t parent)
{
    struct hier h;
    objid_t up;
    twzobj obj;
    int err;

    if (objid_equal(id, parent))
        return 0;
    err = dir_open(id, &obj, &h);
    if (err < 0)
        return err;
    err = hier_parent_get(&h, &up) == 0 && objid_equal(up, parent);
    twz_object_release(&obj);
    return err;
}

/* A directory that is to go: its parent is this one, and nothing is in it. */
static int goes_with(objid_t id, objid_t parent)
{
    struct hier h;
    twzobj obj;
    int empty;

    if (hier_is_child(id, parent) <= 0 || dir_open(id, &obj, &h) < 0)
        return 0;
    empty = hier_is_empty(&h);
    twz_object_release(&obj);
    return empty;
}

/* An object whose links change: it names this directory itself. */
static int links_agree(objid_t id, objid_t dir)
{
    twzobj obj;
    int agree;

    if (twz_object_init_guid(&obj, id, TWZ_READ | TWZ_WRITE) < 0)
        return 0;
    agree = objid_equal(twz_object_meta(&obj)->links_by, dir);
    twz_object_release(&obj);
    return agree;
}

void hier_complete_found(struct hier *h, struct hier *from)
{
    struct hier_intent i;
    int across;

    __builtin_memcpy(&i, &h->dir->intent, sizeof(i));
    across = from && from != h && from->dir->see_valid && objid_equal(from->dir->see, h->id);
    if (!across && from != h)
        i.from_slot = 0;
    if (!across || (hier_is_child(i.moved, from->id) <= 0 && hier_is_child(i.moved, h->id) <= 0))
        i.moved = TWZ_OBJID_NONE;
    if (!links_agree(i.victim, h->id) &&
        !(i.victim_links == HIER_LINKS_DELETE && goes_with(i.victim, h->id)))
        i.victim = TWZ_OBJID_NONE;
    carry_out(h, from, &i);
}
