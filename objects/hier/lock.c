/* SPDX-License-Identifier: MIT */
/*
 * Locks of directories. hier_lock returns only when no directory that it locks has an interrupted
 * change.
 *
 * Lock order: tree_lock of the root; directories by ID; the lock of a record. A thread must
 * not wait for a lock while it holds one that comes later in this order. So a thread that finds an
 * interrupted change of two directories must release all directory locks. Then it takes the locks
 * of these two in order, and checks again whether the change is unfinished.
 */
#include "inside.h"

#define READ_TRIES     4u
#define READONLY_TRIES 1000u /* a reader without the right to write cannot lock */
#define FINISH_TRIES   100u  /* interrupted changes that one hier_lock finishes */

/* --- finishing an interrupted change ---------------------------------------------------------- */

static bool has_unfinished(const struct hier *h)
{
    return __atomic_load_n(&h->dir->op, __ATOMIC_ACQUIRE) != HIER_IDLE ||
           __atomic_load_n(&h->dir->peer_intent_valid, __ATOMIC_ACQUIRE) != 0;
}

static int acquire_lock(struct hier *h)
{
    int err = twz_touch(h->dir, sizeof(*h->dir)); /* the owner stores to the header */

    if (err >= 0)
        err = twz_mutex_lock_for(&h->dir->lock, HIER_LOCK_TIMEOUT);
    if (err < 0)
        return err;
    twz_guard_lock(&h->dir->lock);
    __atomic_fetch_add(&h->dir->seq, 1, __ATOMIC_RELEASE);
    return 0; /* a dead owner's change is found by op and peer_intent */
}

static void release_lock(struct hier *h)
{
    twz_guard_unlock(&h->dir->lock);
    twz_mutex_unlock(&h->dir->lock);
}

static bool is_before(const struct hier *a, const struct hier *b)
{
    return objid_compare(a->id, b->id) < 0;
}

/* Make the object permanent that a dead thread may have created and left provisional, since its
 * bucket may change from now on. The bucket is durable. After a power failure, recovery has settled
 * this already. */
static void make_permanent(const struct hier *h)
{
    uint64_t bucket = h->dir->intent.to_bucket;
    const struct hier_entry *e;

    if (bucket && hier_bucket_check(h, bucket) == 0 && *hier_word(h, bucket) > HIER_TOMB &&
        hier_entry_get(h, HIER_BUCKET_OFF(*hier_word(h, bucket)), &e) == 0 && !objid_is_none(e->id))
        (void)!twz_object_ctl(e->id, TWZ_CTL_PERMANENT, 0);
}

/* Finish the change of h. h and `peer` (may be NULL) must be locked. -TWZ_EAGAIN if the intent
 * names another peer. */
static int finish_change_locked(struct hier *h, struct hier *peer)
{
    const struct hier_intent *i = &h->dir->intent;
    int err = 0;

    if (h->dir->op == HIER_COMMITTED)
        twz_persist(&h->dir->op, sizeof(h->dir->op)); /* op, before the steps: as its owner must */
    if (h->dir->op == HIER_COMMITTED && i->from_bucket && !objid_equal(i->from, h->id)) {
        if (peer && !objid_equal(peer->id, i->from))
            return -TWZ_EAGAIN;
        hier_finish_intent(h, peer);
    } else if (h->dir->op == HIER_COMMITTED) {
        hier_finish_intent(h, h);
    }
    if (h->dir->op != HIER_IDLE) {
        /* COMMIT: the steps are applied. hier_rebuild fences: op, before chunks change and before
         * a peer_intent is cleared. A dead thread's HIER_DIRTY, or its clearing of peer_intent, may
         * not be durable; so all lines from op to peer_intent_valid are flushed. */
        twz_persist_store64(&h->dir->op, HIER_DIRTY);
        twz_persist_flush(&h->dir->op, offsetof(struct hier_dir, peer_intent_valid) +
                                           sizeof(uint64_t) - offsetof(struct hier_dir, op));
        err = hier_rebuild(h);
        if (err == 0) {
            make_permanent(h);
            hier_end_change(h);
        }
    }
    if (err == 0 && h->dir->peer_intent_valid)
        hier_peer_intent_clear(h);
    return err;
}

/* The other directory of h's interrupted rename, never h itself; 0: none. */
static objid_t peer_of(const struct hier *h)
{
    const struct hier_intent *i = &h->dir->intent;
    objid_t other = TWZ_OBJID_NONE;

    if (h->dir->op == HIER_COMMITTED && i->from_bucket && !objid_equal(i->from, h->id))
        other = i->from;
    else if (h->dir->peer_intent_valid)
        other = h->dir->peer_intent;
    return objid_equal(other, h->id) ? TWZ_OBJID_NONE : other;
}

/* The peer's change must be finished before h's peer_intent is cleared. HIER_DIRTY counts too: a
 * dead thread may have stored it while the media still hold HIER_COMMITTED. If h has an intent
 * itself, its peer_intent is an old one. */
static bool is_peer_first(const struct hier *h, const struct hier *peer)
{
    return h->dir->op != HIER_COMMITTED && h->dir->peer_intent_valid &&
           objid_equal(h->dir->peer_intent, peer->id) &&
           (peer->dir->op == HIER_DIRTY ||
            (peer->dir->op == HIER_COMMITTED && objid_equal(peer->dir->intent.from, h->id)));
}

/* Both must be locked. The directory with the intent is finished first. */
static int finish_pair_locked(struct hier *h, struct hier *peer)
{
    struct hier *first = h, *second = peer;

    if (is_peer_first(h, peer)) {
        first = peer;
        second = h;
    } else if (!objid_equal(peer_of(h), peer->id)) {
        return 0;
    }
    if (first != h) {
        int err = finish_change_locked(first, second);

        return err < 0 ? err : finish_change_locked(second, NULL);
    }
    return finish_change_locked(first, second);
}

static int acquire_two(struct hier *a, struct hier *b)
{
    int err = acquire_lock(a);

    if (err < 0)
        return err;
    err = acquire_lock(b);
    if (err < 0)
        release_lock(a);
    return err;
}

/* Lock h and directory `other`, and finish both. */
static int finish_both(struct hier *h, objid_t other)
{
    struct hier peer;
    twzobj obj;
    int err = twz_object_init_guid(&obj, other, TWZ_READ | TWZ_WRITE);

    if (err < 0)
        return err;
    err = hier_attach(&obj, &peer);
    if (err >= 0)
        err = is_before(h, &peer) ? acquire_two(h, &peer) : acquire_two(&peer, h);
    if (err >= 0) {
        err = finish_pair_locked(h, &peer);
        release_lock(&peer);
        release_lock(h);
    }
    twz_object_release(&obj);
    return err;
}

/* As finish_both; if `other` does not exist or is destroyed, h is finished alone. The caller must
 * hold no directory lock. */
static int finish_with_peer(struct hier *h, objid_t other)
{
    int err = TWZ_GUARDED(finish_both(h, other));

    if (err == -TWZ_ENOOBJ || err == -TWZ_EDELETED || err == -TWZ_ETYPE || err == -TWZ_EIO) {
        err = acquire_lock(h);
        if (err < 0)
            return err;
        err = objid_equal(peer_of(h), other) ? finish_change_locked(h, NULL) : 0;
        release_lock(h);
    }
    return err == -TWZ_EAGAIN ? 0 : err;
}

/* The caller must hold no directory lock. After 0 it must check h again: more may be unfinished. */
static int finish_change(struct hier *h)
{
    objid_t other;
    int err = acquire_lock(h);

    if (err < 0)
        return err;
    other = peer_of(h);
    if (objid_is_none(other) && has_unfinished(h))
        err = finish_change_locked(h, NULL);
    release_lock(h);
    if (!objid_is_none(other))
        err = finish_with_peer(h, other);
    return err;
}

/* --- locking ---------------------------------------------------------------------------------- */

/* Copy `set` to `out` in the order of IDs, each directory once: their number. */
static size_t sort_by_id(struct hier *const *set, size_t n, struct hier **out)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        size_t at = 0;

        while (at < count && is_before(out[at], set[i]))
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

/* Lock all. *unfinished: one with an interrupted change, or NULL. */
static int acquire_all(struct hier **order, size_t count, struct hier **unfinished)
{
    *unfinished = NULL;
    for (size_t i = 0; i < count; i++) {
        int err = acquire_lock(order[i]);

        if (err < 0) {
            while (i > 0)
                release_lock(order[--i]);
            return err;
        }
        if (has_unfinished(order[i]))
            *unfinished = order[i];
    }
    return 0;
}

int hier_lock(struct hier *const *set, size_t n)
{
    struct hier *order[4];
    size_t count = sort_by_id(set, n, order);

    for (uint32_t i = 0; i < FINISH_TRIES; i++) {
        struct hier *unfinished;
        int err = acquire_all(order, count, &unfinished);

        if (err < 0 || !unfinished)
            return err;
        hier_unlock(order, count);
        err = finish_change(unfinished);
        if (err < 0)
            return err;
    }
    return -TWZ_EBUSY;
}

void hier_unlock(struct hier *const *set, size_t n)
{
    struct hier *order[4];

    for (size_t i = sort_by_id(set, n, order); i > 0; i--)
        release_lock(order[i - 1]);
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

/* Follow the parents of `dir` and open the root. */
static int open_tree_root(objid_t dir, twzobj *root)
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

/* Finish the move that the last owner of tree_lock may have left. The caller must hold tree_lock.
 * tree_to stays until the next move or the unlock, and does no harm. */
static int finish_move(const struct hier *root)
{
    struct hier to;
    twzobj obj;
    int err = 0;

    if (twz_object_init_guid(&obj, root->dir->tree_to, TWZ_READ | TWZ_WRITE) >= 0) {
        if (hier_attach(&obj, &to) == 0 && has_unfinished(&to))
            err = finish_change(&to);
        twz_object_release(&obj);
    }
    return err;
}

static void release_tree_lock(struct hier_dir *dir)
{
    twz_guard_unlock(&dir->tree_lock);
    twz_mutex_unlock(&dir->tree_lock);
}

int hier_tree_lock(objid_t dir, twzobj *obj)
{
    struct hier root;
    int err = open_tree_root(dir, obj);

    if (err < 0)
        return err;
    err = hier_attach(obj, &root);
    if (err >= 0)
        err = twz_touch(root.dir, sizeof(*root.dir));
    if (err >= 0)
        err = twz_mutex_lock_for(&root.dir->tree_lock, HIER_LOCK_TIMEOUT);
    if (err >= 0) {
        twz_guard_lock(&root.dir->tree_lock);
        err = root.dir->tree_valid ? finish_move(&root) : 0;
        if (err < 0)
            release_tree_lock(root.dir);
    }
    if (err < 0)
        twz_object_release(obj);
    return err < 0 ? err : 0;
}

void hier_tree_target_set(const twzobj *root, objid_t to)
{
    struct hier_dir *dir = twz_object_base(root);

    twz_persist_store64(&dir->tree_to.lo, to.lo);
    twz_persist_store64(&dir->tree_to.hi, to.hi);
    twz_persist_store64(&dir->tree_valid, 1);
    twz_persist_flush(&dir->tree_to, 3 * sizeof(uint64_t)); /* write_intent fences */
}

void hier_tree_unlock(twzobj *root)
{
    struct hier_dir *dir = twz_object_base(root);

    if (dir->tree_valid)
        twz_persist_store64(&dir->tree_valid, 0); /* no flush: a loss costs the next move a look */
    release_tree_lock(dir);
    twz_object_release(root);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Run body once; true if no change disturbed it. Pairs with acquire_lock, which raises seq. */
static bool try_read(const struct hier *h, int (*body)(const struct hier *h, void *ctx), void *ctx,
                     int *result)
{
    uint64_t seq = __atomic_load_n(&h->dir->seq, __ATOMIC_ACQUIRE);

    if (twz_mutex_is_held(&h->dir->lock) || has_unfinished(h))
        return false;
    *result = body(h, ctx);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return !twz_mutex_is_held(&h->dir->lock) && !has_unfinished(h) &&
           __atomic_load_n(&h->dir->seq, __ATOMIC_RELAXED) == seq;
}

int hier_read(const struct hier *h, int (*body)(const struct hier *h, void *ctx), void *ctx)
{
    uint32_t tries = (h->rights & TWZ_WRITE) ? READ_TRIES : READONLY_TRIES;
    struct hier *set[] = { (struct hier *)(uintptr_t)h };
    int err = 0;

    for (uint32_t i = 0; i < tries; i++) {
        if (try_read(h, body, ctx, &err))
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
