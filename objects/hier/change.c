/* SPDX-License-Identifier: MIT */
/*
 * Locks of directories and the steps of their crash protocol (layout.h).
 *
 * Lock order: tree_lock of the root; directories by ID; meta.links_lock of an object. Nothing
 * waits for a lock while it holds one that comes later. Finishing an interrupted change
 * needs the locks of two directories; it lets go of everything first, locks both, looks again.
 */
#include "inside.h"

#define READ_TRIES  4u
#define ALONE_TRIES 1000u /* a reader that may not write cannot lock: it gives up waiting here */
#define LOOKS       100u  /* at what is to be finished, before a lock is given */

/* --- finishing what a crash left -------------------------------------------------------------- */

static int dirty(const struct hier *h)
{
    return __atomic_load_n(&h->dir->op, __ATOMIC_ACQUIRE) != HIER_IDLE ||
           __atomic_load_n(&h->dir->see_valid, __ATOMIC_ACQUIRE) != 0;
}

static int raw_lock(struct hier *h)
{
    int err = twz_touch(h->dir, sizeof(*h->dir)); /* the header is stored to from here on */

    if (err >= 0)
        err = twz_mutex_lock_for(&h->dir->lock, HIER_LOCK_TIMEOUT);
    if (err < 0)
        return err;
    __atomic_fetch_add(&h->dir->seq, 1, __ATOMIC_RELEASE);
    return 0; /* what a dead owner left to do stands in op and see */
}

static void raw_unlock(struct hier *h)
{
    twz_mutex_unlock(&h->dir->lock);
}

static int before(const struct hier *a, const struct hier *b)
{
    return objid_compare(a->id, b->id) < 0;
}

/* A program that died while it created an object may have left it provisional under its name, whose
 * slot word may change from now on. After a power cut that is settled, and this does nothing. The
 * slot word is durable already. */
static void make_permanent(const struct hier *h)
{
    uint64_t slot = h->dir->intent.to_slot;
    const struct hier_entry *e;

    if (slot && hier_bucket_is_own(h, slot) == 0 && *hier_word(h, slot) > HIER_TOMB &&
        hier_entry_get(h, HIER_BUCKET_OFF(*hier_word(h, slot)), &e) == 0 && !objid_is_none(e->id))
        (void)!twz_object_ctl(e->id, TWZ_CTL_PERMANENT, 0);
}

/* h and its partner (may be NULL) are locked. 0, or -TWZ_EAGAIN where the partner is another. */
static int finish_locked(struct hier *h, struct hier *partner)
{
    const struct hier_intent *i = &h->dir->intent;
    int err = 0;

    if (h->dir->op == HIER_COMMITTED)
        twz_persist(&h->dir->op, sizeof(h->dir->op)); /* a dead process may have stored it only */
    if (h->dir->op == HIER_COMMITTED && i->from_slot && !objid_equal(i->from, h->id)) {
        if (partner && !objid_equal(partner->id, i->from))
            return -TWZ_EAGAIN;
        hier_complete_found(h, partner);
    } else if (h->dir->op == HIER_COMMITTED) {
        hier_complete_found(h, h);
    }
    if (h->dir->op != HIER_IDLE) {
        /* COMMIT: what there was to carry out is. hier_rebuild fences before chunks change, so
         * before any see goes, too; where a dead process left HIER_DIRTY, or cleared this one's
         * see, it may not be durable: the lines from one word to the other are flushed. */
        twz_persist_store64(&h->dir->op, HIER_DIRTY);
        twz_persist_flush(&h->dir->op, offsetof(struct hier_dir, see_valid) + sizeof(uint64_t) -
                                           offsetof(struct hier_dir, op));
        err = hier_rebuild(h);
        if (err == 0) {
            make_permanent(h);
            hier_end(h);
        }
    }
    if (err == 0 && h->dir->see_valid)
        hier_see_clear(h);
    return err;
}

/* Never h itself, which is locked once. */
static objid_t partner_of(const struct hier *h)
{
    const struct hier_intent *i = &h->dir->intent;
    objid_t other = TWZ_OBJID_NONE;

    if (h->dir->op == HIER_COMMITTED && i->from_slot && !objid_equal(i->from, h->id))
        other = i->from;
    else if (h->dir->see_valid)
        other = h->dir->see;
    return objid_equal(other, h->id) ? TWZ_OBJID_NONE : other;
}

/* Has the partner that h's see names something to finish before that see goes? HIER_DIRTY counts: a
 * dead process may have stored it only, and the media say HIER_COMMITTED still. Where h has an intent
 * itself, the see is an old one. */
static int comes_first(const struct hier *h, const struct hier *partner)
{
    return h->dir->op != HIER_COMMITTED && h->dir->see_valid &&
           objid_equal(h->dir->see, partner->id) &&
           (partner->dir->op == HIER_DIRTY ||
            (partner->dir->op == HIER_COMMITTED && objid_equal(partner->dir->intent.from, h->id)));
}

/* Both locked: the one with the intent comes first. */
static int finish_pair(struct hier *h, struct hier *partner)
{
    struct hier *first = h, *second = partner;

    if (comes_first(h, partner)) {
        first = partner;
        second = h;
    } else if (!objid_equal(partner_of(h), partner->id)) {
        return 0;
    }
    if (first != h) {
        int err = finish_locked(first, second);

        return err < 0 ? err : finish_locked(second, NULL);
    }
    return finish_locked(first, second);
}

static int lock_two(struct hier *a, struct hier *b)
{
    int err = raw_lock(a);

    if (err < 0)
        return err;
    err = raw_lock(b);
    if (err < 0)
        raw_unlock(a);
    return err;
}

static int finish_with(struct hier *h, objid_t other)
{
    struct hier partner;
    twzobj obj;
    int err = twz_object_init_guid(&obj, other, TWZ_READ | TWZ_WRITE);
    int gone = err == -TWZ_ENOOBJ || err == -TWZ_EDELETED;

    if (err >= 0) {
        err = hier_attach(&obj, &partner);
        gone = err == -TWZ_ETYPE;
        if (err < 0)
            twz_object_release(&obj);
    }
    if (err < 0 && !gone)
        return err;
    if (gone) {
        err = raw_lock(h);
        if (err < 0)
            return err;
        err = objid_equal(partner_of(h), other) ? finish_locked(h, NULL) : 0;
        raw_unlock(h);
        return err;
    }
    err = before(h, &partner) ? lock_two(h, &partner) : lock_two(&partner, h);
    if (err == 0) {
        err = finish_pair(h, &partner);
        raw_unlock(&partner);
        raw_unlock(h);
    }
    twz_object_release(&obj);
    return err == -TWZ_EAGAIN ? 0 : err;
}

/* Nothing locked. When it returns 0 the directory was clean, or may need another look. */
static int finish(struct hier *h)
{
    objid_t other;
    int err = raw_lock(h);

    if (err < 0)
        return err;
    other = partner_of(h);
    if (objid_is_none(other) && dirty(h))
        err = finish_locked(h, NULL);
    raw_unlock(h);
    if (!objid_is_none(other))
        err = finish_with(h, other);
    return err;
}

/* --- locking ---------------------------------------------------------------------------------- */

static size_t sorted(struct hier *const *set, size_t n, struct hier **out)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        size_t at = 0;

        while (at < count && before(out[at], set[i]))
            at++;
        if (at < count && objid_equal(out[at]->id, set[i]->id))
            continue;
        for (size_t j = count; j > at; j--)
            out[j] = out[j - 1];
        out[at] = set[i];
        count++;
    }
    return count;
}

/* Lock all; *left: one that has something to finish. */
static int lock_all(struct hier **order, size_t count, struct hier **left)
{
    *left = NULL;
    for (size_t i = 0; i < count; i++) {
        int err = raw_lock(order[i]);

        if (err < 0) {
            while (i > 0)
                raw_unlock(order[--i]);
            return err;
        }
        if (dirty(order[i]))
            *left = order[i];
    }
    return 0;
}

int hier_lock(struct hier *const *set, size_t n)
{
    struct hier *order[4];
    size_t count = sorted(set, n, order);

    for (uint32_t i = 0; i < LOOKS; i++) {
        struct hier *left;
        int err = lock_all(order, count, &left);

        if (err < 0 || !left)
            return err;
        hier_unlock(order, count);
        err = finish(left);
        if (err < 0)
            return err;
    }
    return -TWZ_EBUSY;
}

void hier_unlock(struct hier *const *set, size_t n)
{
    struct hier *order[4];

    for (size_t i = sorted(set, n, order); i > 0; i--)
        raw_unlock(order[i - 1]);
}

int hier_lock_one(struct hier *h)
{
    int err = hier_lock(&(struct hier *){ h }, 1);

    if (err == 0 && h->dir->dead) {
        hier_unlock(&(struct hier *){ h }, 1);
        return -TWZ_EDELETED;
    }
    return err;
}

void hier_unlock_one(struct hier *h)
{
    hier_unlock(&(struct hier *){ h }, 1);
}

/* --- moving directories ----------------------------------------------------------------------- */

/* Open the root above `dir`. */
static int open_root(objid_t dir, twzobj *root)
{
    for (uint32_t depth = 0; depth < HIER_DEPTH; depth++) {
        struct hier h;
        objid_t parent;
        int err = twz_object_init_guid(root, dir, TWZ_READ | TWZ_WRITE);

        if (err < 0)
            return err;
        err = hier_attach(root, &h);
        if (err >= 0)
            err = hier_parent_get(&h, &parent);
        if (err >= 0 && objid_equal(parent, dir))
            return 0;
        twz_object_release(root);
        if (err < 0)
            return err;
        dir = parent;
    }
    return -TWZ_EDAMAGED;
}

/* The tree lock is held: finish the move that its last holder may have left. tree_to stays until
 * the next move or the unlock; it is harmless now. */
static int finish_move(const struct hier *root)
{
    struct hier to;
    twzobj obj;
    int err = 0;

    if (twz_object_init_guid(&obj, root->dir->tree_to, TWZ_READ | TWZ_WRITE) >= 0) {
        if (hier_attach(&obj, &to) == 0 && dirty(&to))
            err = finish(&to);
        twz_object_release(&obj);
    }
    return err;
}

int hier_tree_lock(objid_t dir, twzobj *obj)
{
    struct hier root;
    int err = open_root(dir, obj);

    if (err < 0)
        return err;
    err = hier_attach(obj, &root);
    if (err >= 0)
        err = twz_touch(root.dir, sizeof(*root.dir));
    if (err >= 0)
        err = twz_mutex_lock_for(&root.dir->tree_lock, HIER_LOCK_TIMEOUT);
    if (err >= 0 && root.dir->tree_valid) {
        err = finish_move(&root);
        if (err < 0)
            twz_mutex_unlock(&root.dir->tree_lock);
    }
    if (err < 0)
        twz_object_release(obj);
    return err < 0 ? err : 0;
}

void hier_tree_moving(const twzobj *root, objid_t to)
{
    struct hier_dir *dir = twz_object_base(root);

    twz_persist_store64(&dir->tree_to.lo, to.lo);
    twz_persist_store64(&dir->tree_to.hi, to.hi);
    twz_persist_store64(&dir->tree_valid, 1);
    twz_persist_flush(&dir->tree_to, 3 * sizeof(uint64_t)); /* durable with the intent's fence */
}

void hier_tree_unlock(twzobj *root)
{
    struct hier_dir *dir = twz_object_base(root);

    if (dir->tree_valid)
        twz_persist_store64(&dir->tree_valid, 0); /* no flush: lost, the next move looks there */
    twz_mutex_unlock(&dir->tree_lock);
    twz_object_release(root);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int read_undisturbed(const struct hier *h, int (*body)(const struct hier *h, void *ctx),
                            void *ctx, int *result)
{
    uint64_t seq = __atomic_load_n(&h->dir->seq, __ATOMIC_ACQUIRE);

    if (twz_mutex_held(&h->dir->lock) || dirty(h))
        return 0;
    *result = body(h, ctx);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return !twz_mutex_held(&h->dir->lock) && !dirty(h) &&
           __atomic_load_n(&h->dir->seq, __ATOMIC_RELAXED) == seq;
}

int hier_reading(const struct hier *h, int (*body)(const struct hier *h, void *ctx), void *ctx)
{
    uint32_t tries = (h->rights & TWZ_WRITE) ? READ_TRIES : ALONE_TRIES;
    struct hier *set[] = { (struct hier *)(uintptr_t)h };
    int err = 0;

    for (uint32_t i = 0; i < tries; i++) {
        if (read_undisturbed(h, body, ctx, &err))
            return err;
    }
    if (!(h->rights & TWZ_WRITE))
        return body(h, ctx);
    err = hier_lock(set, 1);
    if (err < 0)
        return err;
    err = body(h, ctx);
    hier_unlock(set, 1);
    return err;
}
