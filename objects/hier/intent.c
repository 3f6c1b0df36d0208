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
 *   - A step that changes another object has a guard of its own. If that object is destroyed, the
 *     step is left out: else the directory with the intent would be lost, too.
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
    twz_persist_store64(&h->dir->peer_intent_valid, 0); /* a loss costs one look at the peer */
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

/* An error if the directory does not exist. */
static int set_parent(objid_t id, objid_t parent)
{
    twzobj obj;
    struct hier h;
    uint64_t which;
    int err = open_for_store(id, &obj, &h);

    if (err < 0)
        return err;
    which = h.dir->parent_which & 1;
    if (!objid_equal(h.dir->parent[which], parent)) {
        which = 1 - which;
        twz_persist_store64(&h.dir->parent[which].lo, parent.lo);
        twz_persist_store64(&h.dir->parent[which].hi, parent.hi);
    }
    twz_persist_commit64(&h.dir->parent_which, which); /* COMMIT: the parent, on this line */
    twz_object_release(&obj);
    return 0;
}

/* Mark a directory that will be deleted, for threads that have it open. */
static int mark_dead(objid_t id)
{
    twzobj obj;
    struct hier h;
    int err = open_for_store(id, &obj, &h);

    if (err < 0)
        return err;
    twz_persist_store64(&h.dir->dead, 1);
    twz_object_release(&obj);
    return 0;
}

static void delete_object(objid_t id, bool dir)
{
    if (dir)
        (void)!TWZ_GUARDED(mark_dead(id));
    twz_object_delete_guid(id, TWZ_DELETE_DEFERRED); /* COMMIT: durable on return */
}

/* Open the volume's table and find the record of an object; false if there is none. */
static bool open_record(const struct hier *h, objid_t id, uint32_t attr, twzobj *table,
                        struct attr_record **record)
{
    if (attr == 0 || hier_attrs_open(h, table) < 0)
        return false;
    *record = attr_at(table, attr);
    if (*record && attr_is_of(*record, id) && twz_touch(*record, sizeof(**record)) >= 0)
        return true;
    twz_object_release(table);
    return false;
}

/* Store `names` of the object's record; `first`: only if it is 0. */
static int set_names(const struct hier *h, objid_t id, uint32_t attr, uint64_t names, bool first)
{
    struct attr_record *record;
    twzobj table;

    if (!open_record(h, id, attr, &table, &record))
        return 0;
    if (first && record->names != 0)
        names = record->names;
    twz_persist_commit64(&record->names, names); /* COMMIT: the count, or the free record */
    twz_object_release(&table);
    return 0;
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
        (void)!TWZ_GUARDED(set_parent(i->moved, h->id));
    if (!objid_is_none(i->victim) && i->victim_delete)
        delete_object(i->victim, i->victim_delete == HIER_DELETE_DIR);
    if (!objid_is_none(i->victim) && i->victim_names != HIER_NAMES_KEEP)
        (void)!TWZ_GUARDED(set_names(h, i->victim, i->victim_attr, i->victim_names, false));
    if (!objid_is_none(i->named))
        (void)!TWZ_GUARDED(set_names(h, i->named, i->named_attr, 1, true));
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
static int check_empty_child(objid_t id, objid_t parent)
{
    struct hier h;
    twzobj obj;
    bool empty;

    if (hier_child_check(id, parent) <= 0 || open_for_store(id, &obj, &h) < 0)
        return 0;
    empty = hier_is_empty(&h);
    twz_object_release(&obj);
    return empty;
}

static bool is_empty_child(objid_t id, objid_t parent)
{
    return TWZ_GUARDED(check_empty_child(id, parent)) > 0;
}

/* Consent of a record: it holds the object's ID, and its names_by names h. */
static int check_record(const struct hier *h, objid_t id, uint32_t attr)
{
    struct attr_record *record;
    twzobj table;
    bool valid;

    if (objid_is_none(id) || !open_record(h, id, attr, &table, &record))
        return false;
    valid = objid_equal(record->names_by, h->id);
    twz_object_release(&table);
    return valid;
}

static bool validate_record(const struct hier *h, objid_t id, uint32_t attr)
{
    return TWZ_GUARDED(check_record(h, id, attr)) > 0;
}

/* Consent of an object to its deletion, besides that of its record: the directory has its owner. */
static bool has_same_owner(objid_t a, objid_t b)
{
    struct twz_stat one, other;

    return twz_object_stat(a, &one) >= 0 && twz_object_stat(b, &other) >= 0 &&
           objid_equal(one.kuid, other.kuid);
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
    return TWZ_GUARDED(hier_child_check(id, from->id)) > 0 ||
           TWZ_GUARDED(hier_child_check(id, h->id)) > 0;
}

void hier_finish_intent(struct hier *h, struct hier *from)
{
    struct hier_intent i;
    bool across, consent;

    __builtin_memcpy(&i, &h->dir->intent, sizeof(i));
    across = validate_source(from, h);
    if (!across && from != h)
        i.from_bucket = 0;
    if (!across || !validate_moved(i.moved, from, h))
        i.moved = TWZ_OBJID_NONE;
    consent = validate_record(h, i.victim, i.victim_attr);
    if (!consent)
        i.victim_names = HIER_NAMES_KEEP;
    /* A directory may have got a name after the owner of its removal died. */
    if (i.victim_delete &&
        (!consent || i.victim_delete == HIER_DELETE_DIR || !has_same_owner(i.victim, h->id)))
        i.victim_delete = is_empty_child(i.victim, h->id) ? HIER_DELETE_DIR : 0;
    if (!validate_record(h, i.named, i.named_attr))
        i.named = TWZ_OBJID_NONE;
    apply_steps(h, from, &i);
}
