/* SPDX-License-Identifier: MIT */
/*
 * Owns the sealing of objects. A sealed object has the content of another one at one time. Its ID
 * follows from the root of a hash tree over that content (verify/tree.h), so the same content has
 * the same ID. It lies in the pool, whatever the source is, together with an object that holds its
 * hash tree and is tied to it. Both never have WRITE.
 *
 *   phase       what a batch does                               after a power failure
 *   1 FREEZE    shares pages of the source, copy-on-write,      the source is as before; all the
 *               with a draft that only this call knows          call has made are drafts
 *   2 HASH      hashes TREE_STEP bytes of the draft, or stores  (store/create.c), of which nothing
 *               a node in the draft of the tree                 is left
 *   3 FIND      looks for an object of that ID: COMPARE;
 *               if there is none: SHARE
 *   4 SHARE     shares pages of the draft with that of the
 *               sealed object
 *   5 commit    COMMIT: store_seal makes objects of the last    both exist, complete, or neither
 *               two; if another core was first: FIND
 *   4 COMPARE   compares pages with those of the object found,  as in phase 1
 *               which is the result, if all are equal
 *
 * The state is in struct sealing, which belongs to the thread's call (struct progress); no value in
 * it is the user's after phase 1. Two calls that seal the same content at once do not wait for each
 * other: the store accepts the first commit, and the other call finds its object.
 *
 * Lock order: the lock of one object alone; object (two) -> pool, in copies.
 */
#include <kernel/accounts.h>
#include <kernel/kmem.h>
#include <kernel/page.h>
#include <kernel/random.h>
#include <kernel/thread.h>
#include <lib/string.h>
#include <verify/tree.h>
#include "inside.h"

enum phase { FREEZE, HASH, FIND, SHARE, COMPARE, READY };

#define ALL_PAGES     TWZ_PAGE_META /* pages 1 .. TWZ_PAGE_META, as a count */
#define SKIP_WINDOW   4096u         /* page words looked at in one batch */
#define COMPARE_BATCH 2u            /* pages compared in one batch */

struct sealing {
    enum phase phase;
    uint32_t done;           /* FREEZE, SHARE: pages copied; HASH, COMPARE: the next page */
    struct object *frozen;   /* draft: the content */
    struct object *tree;     /* draft: its hash tree */
    struct object *sealed;   /* draft: the sealed object; NULL before SHARE */
    struct object *existing; /* referenced: an object of the same ID, or NULL */
    uint32_t perms;
    objid_t id;
    uint8_t root[TREE_DIGEST];
    struct tree_build build;
    _Alignas(16) uint8_t part[2][TREE_STEP];
};

/* --- drafts ----------------------------------------------------------------------------------- */

/* The account of the sealing thread pays for what the call makes. */
static struct account *draft_payer(void)
{
    return account_persistent(current()->account);
}

/* Makes a draft, which is in no table. */
static int make_draft(struct store_create *create, struct object **out)
{
    struct account *payer = draft_payer();
    struct store *store = pool_store();
    struct object *obj;
    int err = store ? accounts_charge_new(payer) : -TWZ_ENOTSUP;

    if (err < 0)
        return err;
    create->account = payer ? payer->id : TWZ_OBJID_NONE;
    obj = incore_alloc();
    err = -TWZ_ENOMEM;
    if (obj) {
        account_charge_always(payer, TWZ_ACCOUNT_KERNEL, INCORE_BYTES);
        incore_set_payer(obj, payer);
        obj->id = store_obj_id(create);
        obj->kind = create->kind;
        obj->flags = TWZ_OBJ_PERSIST;
        err = store_draft(store, create, obj->id, &obj->row);
    }
    if (err < 0)
        account_uncharge(payer, TWZ_ACCOUNT_POOL, STORE_OBJECT_BYTES);
    if (err < 0 && obj)
        incore_discard(obj);
    else
        *out = obj;
    return err;
}

/* A draft with an ID that nothing else has. */
static int make_random_draft(uint32_t perms, struct object **out)
{
    struct store_create create = { .perms = perms, .kind = TWZ_KIND_DATA };

    random_bytes(create.nonce, sizeof(create.nonce));
    return make_draft(&create, out);
}

/* Frees a draft: with its row and its frames, unless the store has made an object of it. */
static void drop_draft(struct object **draft, bool is_object)
{
    struct object *obj = *draft;

    *draft = NULL;
    if (!obj)
        return;
    if (!is_object)
        obj_mark_deleted(obj);
    incore_free(obj);
}

static void drop_all(struct sealing *s, bool committed)
{
    drop_draft(&s->frozen, false);
    drop_draft(&s->tree, committed);
    drop_draft(&s->sealed, committed);
    if (s->existing)
        obj_put(s->existing);
    kmem_free(s, sizeof(*s));
}

void obj_seal_drop(struct sealing **progress)
{
    struct sealing *s = *progress;

    *progress = NULL;
    if (s)
        drop_all(s, false);
}

/* --- the draft's pages ------------------------------------------------------------------------ */

/* Advances *page to the next page that the object has in the store, or to `end`. It may stop before
 * that, after SKIP_WINDOW absent pages. Returns the state of its page word: STORE_ABSENT if it has
 * found none. */
static int next_page(struct object *obj, uint32_t *page, uint32_t end)
{
    uint32_t stop = *page + SKIP_WINDOW < end ? *page + SKIP_WINDOW : end;
    struct store_page p = { .page = *page };
    struct store *store = pool_store();
    int err = -TWZ_ENOTSUP;

    spin_lock(&obj->tree.lock);
    if (store)
        err = store_page_next_before(store, obj->row, stop, &p);
    spin_unlock(&obj->tree.lock);
    if (err < 0 && err != -TWZ_ENOOBJ)
        return err;
    *page = p.page < end ? p.page : end;
    return err == 0 ? (int)p.state : (int)STORE_ABSENT;
}

/* Copies bytes of a page; zeros, if it is absent. */
static int read_page(struct object *obj, uint32_t page, uint32_t off, void *buf, size_t len)
{
    struct store_page p = { .page = page };
    struct store *store = pool_store();
    int err;

    if (!store)
        return -TWZ_ENOTSUP;
    memset(buf, 0, len);
    spin_lock(&obj->tree.lock);
    err = store_page_get(store, obj->row, page, &p);
    if (err == 0 && (p.state == STORE_PRESENT || p.state == STORE_SHARED))
        err = page_read_frame(buf, pool_frame_phys(p.frame), off, len);
    else if (err == 0 && p.state != STORE_ABSENT)
        err = p.state == STORE_POISONED ? -TWZ_EPOISON : -TWZ_EINVAL;
    spin_unlock(&obj->tree.lock);
    return err;
}

/* Callback of store_page_add_many. */
static const void *bytes_of_node(void *ctx, uint32_t page)
{
    (void)page;
    return ctx;
}

/* Stores a page of the tree. */
static int store_node(struct sealing *s, uint32_t page, void *node)
{
    struct store *store = pool_store();
    struct pool_charge c;
    int err;

    spin_lock(&s->tree->tree.lock);
    err = pool_charge(s->tree, 1 + CHARGE_NODES, &c);
    if (err == 0) {
        err = store_page_add_many(store, s->tree->row, page, 1, bytes_of_node, node);
        (void)pool_charge_end(s->tree, &c);
    }
    spin_unlock(&s->tree->tree.lock);
    return err;
}

/* --- phases ----------------------------------------------------------------------------------- */

/* The lock of the metadata page would stay as it is for ever. */
static int check_lock_word(struct sealing *s)
{
    uint64_t word = 0;
    int err = read_page(s->frozen, TWZ_PAGE_META, offsetof(struct twz_meta, reserved), &word,
                        sizeof(word));

    if (err < 0)
        return err;
    return word != 0 ? -TWZ_EBUSY : 0;
}

static int freeze(struct sealing *s, struct object *src)
{
    struct pool_reservation reserved = { .frames = 0 };
    int err = copy_apply(s->frozen, 1, src, 1, ALL_PAGES, &s->done, &reserved);

    if (err == 0)
        err = check_lock_word(s);
    if (err != 0)
        return err;
    s->phase = HASH;
    s->done = 1;
    return 1;
}

/* All pages are hashed. */
static int end_tree(struct sealing *s, struct object *src)
{
    static const uint64_t nonce[2];
    int err = store_node(s, TREE_PAGE_TOP, s->build.node[0]);

    if (err < 0)
        return err;
    tree_root(s->root, s->build.top);
    s->id = tree_objid(nonce, s->perms, src->kuid, s->root);
    s->phase = FIND;
    return 1;
}

static int hash_page_part(struct sealing *s)
{
    int err = read_page(s->frozen, s->done, s->build.done, s->part[0], TREE_STEP);

    if (err < 0)
        return err;
    if (tree_build_part(&s->build, s->part[0]))
        s->done++;
    return 1;
}

static int store_full_node(struct sealing *s)
{
    int err = store_node(s, tree_build_page(&s->build), s->build.node[s->build.closing]);

    if (err < 0)
        return err;
    tree_build_stored(&s->build);
    return 1;
}

static int hash_step(struct sealing *s, struct object *src)
{
    int state = next_page(s->frozen, &s->done, TWZ_PAGE_RECORD);

    if (state < 0)
        return state;
    if (state == STORE_HOLE || state == STORE_POISONED)
        return state == STORE_HOLE ? -TWZ_EINVAL : -TWZ_EPOISON;
    if (state == STORE_ABSENT && s->done < TWZ_PAGE_RECORD)
        return 1;
    switch (tree_build_next(&s->build, state == STORE_ABSENT ? TREE_LEAVES : s->done)) {
    case TREE_PART: return hash_page_part(s);
    case TREE_FULL: return store_full_node(s);
    case TREE_DONE: return end_tree(s, src);
    default: return 1;
    }
}

static int find_same(struct sealing *s, struct object *src)
{
    struct store_create create = {
        .kuid = src->kuid, .perms = s->perms, .kind = TWZ_KIND_DATA, .seal = s->root
    };
    int err = obj_get(s->id, &s->existing);

    if (err == 0) {
        s->phase = COMPARE;
        s->done = 1;
        return s->existing->sealed ? 1 : -TWZ_EEXIST;
    }
    if (err != -TWZ_ENOOBJ)
        return err == -TWZ_EDELETED ? -TWZ_EBUSY : err;
    err = make_draft(&create, &s->sealed);
    if (err < 0)
        return err;
    s->phase = SHARE;
    s->done = 0;
    return 1;
}

static int share(struct sealing *s)
{
    struct pool_reservation reserved = { .frames = 0 };
    int err = copy_apply(s->sealed, 1, s->frozen, 1, ALL_PAGES, &s->done, &reserved);

    if (err == 0)
        s->phase = READY;
    return err;
}

/* Other bytes under the same ID: another tree, or the object is damaged. */
static int refuse_other(const struct sealing *s)
{
    bool same_root = memcmp(sealed_root(s->existing->sealed), s->root, sizeof(s->root)) == 0;

    return same_root ? -TWZ_EDAMAGED : -TWZ_EEXIST;
}

/* Compares the two parts. */
static bool are_equal(const struct sealing *s)
{
    const uint64_t *a = (const void *)s->part[0], *b = (const void *)s->part[1];
    uint64_t differ = 0;

    for (size_t i = 0; i < TREE_STEP / sizeof(*a); i++)
        differ |= a[i] ^ b[i];
    return differ == 0;
}

static int compare_page(struct sealing *s, uint32_t page)
{
    int err = 0;

    for (uint32_t off = 0; off < TREE_NODE; off += TREE_STEP) {
        err = read_page(s->frozen, page, off, s->part[0], TREE_STEP);
        if (err == 0)
            err = read_page(s->existing, page, off, s->part[1], TREE_STEP);
        if (err == 0 && !are_equal(s))
            err = refuse_other(s);
        if (err < 0)
            return err;
    }
    return 0;
}

static int compare(struct sealing *s)
{
    for (unsigned n = 0; n < COMPARE_BATCH && s->done < TWZ_PAGE_RECORD; n++) {
        uint32_t mine = s->done, other = s->done;
        int state = next_page(s->frozen, &mine, TWZ_PAGE_RECORD);
        int err = next_page(s->existing, &other, TWZ_PAGE_RECORD);

        if (state < 0 || err < 0)
            return state < 0 ? state : err;
        s->done = mine < other ? mine : other;
        if (state == STORE_ABSENT && err == STORE_ABSENT)
            break;
        err = compare_page(s, s->done);
        if (err < 0)
            return err;
        s->done++;
    }
    if (s->done < TWZ_PAGE_RECORD)
        return 1;
    s->phase = READY;
    return 0;
}

/* --- the call --------------------------------------------------------------------------------- */

static int begin(struct object *src, struct sealing **out)
{
    uint32_t perms = src->perms & ~TWZ_WRITE;
    struct sealing *s;
    int err;

    if (src->kind != TWZ_KIND_DATA || obj_is_flat(src))
        return -TWZ_EINVAL;
    if (perms == 0 && objid_is_none(src->kuid))
        return -TWZ_EINVAL; /* no one could use it, or delete it */
    s = kmem_alloc(sizeof(*s));
    if (!s)
        return -TWZ_ENOMEM;
    s->perms = perms;
    err = make_random_draft(0, &s->frozen);
    if (err == 0)
        err = make_random_draft(perms & TWZ_READ, &s->tree);
    if (err < 0) {
        drop_all(s, false);
        return err;
    }
    *out = s;
    return 1;
}

int obj_seal(struct object *src, struct sealing **progress, objid_t *id)
{
    struct sealing *s = *progress;
    int err = 0;

    if (src->sealed) {
        *id = src->id;
        return 0;
    }
    if (!s)
        return begin(src, progress);
    switch (s->phase) {
    case FREEZE: err = freeze(s, src); break;
    case HASH: err = hash_step(s, src); break;
    case FIND: err = find_same(s, src); break;
    case SHARE: err = share(s); break;
    case COMPARE: err = compare(s); break;
    case READY: break;
    }
    *id = s->id;
    return err;
}

int obj_seal_commit(struct sealing **progress)
{
    struct store *store = pool_store();
    struct sealing *s = *progress;
    int err;

    if (!s || s->existing) {
        obj_seal_drop(progress);
        return 0;
    }
    if (!store)
        return -TWZ_ENOTSUP;
    err = store_seal(store, s->sealed->row, s->tree->row); /* COMMIT: the sealed object exists */
    if (err == -TWZ_EEXIST) {
        drop_draft(&s->sealed, false);
        s->phase = FIND;
        return 1;
    }
    if (err < 0)
        return err;
    *progress = NULL;
    drop_all(s, true);
    return 0;
}
