/* SPDX-License-Identifier: MIT */
/*
 * Owns the verification of sealed objects (twz/object.h). A page of a sealed object gets no leaf,
 * is not copied and not read before it is verified: its digest is in a node of the hash tree, that
 * node's digest in the node above, and so on, up to the root, from which the object's ID follows.
 * Each element of that path is hashed once for an in-core object; the result is kept in two bits.
 *
 * A batch hashes TREE_STEP bytes with no lock held. The state between two batches belongs to the
 * thread, so threads do not wait for each other; two may hash the same page.
 *
 * A result stays true, because no program has WRITE on a sealed object, or on the object with its
 * tree, which the kernel accepts only if its ID rules that right out (obj/incore.c). The frames of
 * both therefore keep their bytes while the in-core objects exist. A frame that the memory loses is
 * poisoned, as in any object.
 *
 * Lock order: object only.
 */
#include <kernel/kmem.h>
#include <kernel/page.h>
#include <kernel/thread.h>
#include <lib/string.h>
#include <store/format.h>
#include <verify/tree.h>
#include "inside.h"

/* The state of an element of the tree. Neither bit: it was not verified yet. */
#define STATE_GOOD  1u
#define STATE_BAD   2u
#define STATE_BITS  2u
#define STATE_CHUNK 4096u /* pages whose states are allocated together */
#define PER_BYTE    (8u / STATE_BITS)

struct sealed {
    struct object *_Atomic tree; /* referenced; NULL: not found */
    uint8_t root[TREE_DIGEST];
    uint8_t top;                         /* state of level 2 */
    uint8_t nodes1[TREE_TOP / PER_BYTE]; /* of the nodes of level 1 */
    uint8_t nodes0[(TREE_LEAVES >> TREE_SHIFT) / PER_BYTE];
    uint8_t *_Atomic pages[TREE_LEAVES / STATE_CHUNK]; /* of pages; NULL: nothing is known */
};

/* An element that a thread is hashing, and the last run of pages that it has verified. */
struct sealed_check {
    struct object *obj; /* referenced; NULL: none */
    unsigned level;
    uint32_t index;
    uint32_t done;      /* bytes */
    struct object *run; /* referenced; NULL: none */
    uint32_t run_first, run_end;
    struct tree_hash hash;
    _Alignas(16) uint8_t part[TREE_STEP];
};

/* --- life ------------------------------------------------------------------------------------- */

struct sealed *sealed_create(const uint8_t root[TREE_DIGEST])
{
    struct sealed *s = kmem_alloc(sizeof(*s));

    if (s)
        memcpy(s->root, root, TREE_DIGEST);
    return s;
}

const uint8_t *sealed_root(const struct sealed *s)
{
    return s->root;
}

bool sealed_has_tree(const struct sealed *s)
{
    return atomic_load_explicit(&s->tree, memory_order_acquire) != NULL;
}

void sealed_set_tree(struct sealed *s, struct object *tree)
{
    struct object *none = NULL;

    if (!atomic_compare_exchange_strong(&s->tree, &none, tree))
        subtree_put(&tree->tree);
}

void sealed_destroy(struct sealed *s)
{
    struct object *tree = atomic_load_explicit(&s->tree, memory_order_acquire);

    for (uint32_t i = 0; i < ARRAY_LEN(s->pages); i++)
        kmem_free(s->pages[i], STATE_CHUNK / PER_BYTE);
    kmem_free(s, sizeof(*s));
    if (tree)
        subtree_put(&tree->tree);
}

static void end_element(struct sealed_check *c)
{
    struct object *obj = c->obj;

    c->obj = NULL;
    if (obj)
        subtree_put(&obj->tree);
}

static void set_run(struct sealed_check *c, struct object *obj, uint32_t first, uint32_t end)
{
    struct object *old = c->run;

    if (obj)
        subtree_get(&obj->tree);
    c->run = obj;
    c->run_first = first;
    c->run_end = end;
    if (old)
        subtree_put(&old->tree);
}

void sealed_forget(struct thread *t)
{
    struct sealed_check *c = t->sealed_check;

    if (!c)
        return;
    t->sealed_check = NULL;
    end_element(c);
    set_run(c, NULL, 0, 0);
    kmem_free(c, sizeof(*c));
}

/* --- states ----------------------------------------------------------------------------------- */

/* The byte with the state of an element, and its shift in it. NULL: nothing is known of the
 * element, and there is no byte yet. */
static uint8_t *find_state(struct sealed *s, unsigned level, uint32_t index, unsigned *shift)
{
    uint8_t *chunk;

    *shift = index % PER_BYTE * STATE_BITS;
    switch (level) {
    case 0:
        chunk = atomic_load_explicit(&s->pages[index / STATE_CHUNK], memory_order_acquire);
        return chunk ? &chunk[index % STATE_CHUNK / PER_BYTE] : NULL;
    case 1: return &s->nodes0[index / PER_BYTE];
    case 2: return &s->nodes1[index / PER_BYTE];
    default: return &s->top;
    }
}

static unsigned get_state(struct sealed *s, unsigned level, uint32_t index)
{
    unsigned shift;
    const uint8_t *at = find_state(s, level, index, &shift);

    if (!at)
        return 0;
    return (unsigned)__atomic_load_n(at, __ATOMIC_ACQUIRE) >> shift & (STATE_GOOD | STATE_BAD);
}

static int set_state(struct sealed *s, unsigned level, uint32_t index, unsigned state)
{
    unsigned shift;
    uint8_t *none = NULL, *at = find_state(s, level, index, &shift);

    if (!at) {
        uint8_t *chunk = kmem_alloc(STATE_CHUNK / PER_BYTE);

        if (!chunk)
            return -TWZ_ENOMEM;
        if (!atomic_compare_exchange_strong(&s->pages[index / STATE_CHUNK], &none, chunk))
            kmem_free(chunk, STATE_CHUNK / PER_BYTE);
        at = find_state(s, level, index, &shift);
    }
    __atomic_fetch_or(at, (uint8_t)(state << shift), __ATOMIC_ACQ_REL);
    return 0;
}

bool sealed_is_good(const struct object *obj, uint32_t page)
{
    return get_state(obj->sealed, 0, page) == STATE_GOOD;
}

/* --- elements --------------------------------------------------------------------------------- */

/* Copies bytes of a page as the store has it, whatever is known about them. Returns 1, with zeros,
 * if the page is absent. A hole is damage: sealed objects and trees have none. */
static int read_stored(struct object *obj, uint32_t page, uint32_t off, void *buf, size_t len)
{
    struct store_page p = { .page = page };
    struct store *store = pool_store();
    int err;

    if (!store)
        return -TWZ_ENOTSUP;
    spin_lock(&obj->tree.lock);
    err = store_page_get(store, obj->row, page, &p);
    p.page = page;
    if (err == 0)
        badpage_mark(store, obj, &p);
    if (err == 0 && (p.state == STORE_PRESENT || p.state == STORE_SHARED))
        err = page_read_frame(buf, pool_frame_phys(p.frame), off, len);
    else if (err == 0 && p.state == STORE_ABSENT)
        err = 1;
    else if (err == 0)
        err = p.state == STORE_POISONED ? -TWZ_EPOISON : -TWZ_EDAMAGED;
    spin_unlock(&obj->tree.lock);
    if (err == 1)
        memset(buf, 0, len);
    return err;
}

/* Reads a part of an element: of a page of the object, or of a node of its tree. As read_stored. */
static int read_element(struct object *obj, unsigned level, uint32_t index, uint32_t off, void *buf)
{
    struct object *tree = atomic_load_explicit(&obj->sealed->tree, memory_order_acquire);
    uint32_t unused;

    if (level == 0)
        return read_stored(obj, index, off, buf, TREE_STEP);
    return read_stored(tree, tree_page_of(level - 1, index << TREE_SHIFT, &unused), off, buf,
                       TREE_STEP);
}

/* Compares an element's digest with the one in the node above it, and keeps the result. */
static int judge_element(struct object *obj, unsigned level, uint32_t index,
                         const uint8_t digest[TREE_DIGEST])
{
    struct object *tree = atomic_load_explicit(&obj->sealed->tree, memory_order_acquire);
    uint8_t wanted[TREE_DIGEST];
    uint32_t off, page = tree_page_of(level, index, &off);
    bool good;
    int err = read_stored(tree, page, off, wanted, sizeof(wanted));

    if (err < 0)
        return err;
    good = memcmp(digest, wanted, sizeof(wanted)) == 0;
    err = set_state(obj->sealed, level, index, good ? STATE_GOOD : STATE_BAD);
    if (err < 0)
        return err;
    return good ? 0 : -TWZ_EDAMAGED;
}

/* Level 2 as a whole, against the root that the ID covers. Returns 1, as it has hashed. */
static int check_top(struct object *obj)
{
    struct object *tree = atomic_load_explicit(&obj->sealed->tree, memory_order_acquire);
    _Alignas(16) uint8_t top[TREE_TOP * TREE_DIGEST];
    uint8_t root[TREE_DIGEST];
    int err = read_stored(tree, TREE_PAGE_TOP, 0, top, sizeof(top));

    if (err < 0)
        return err;
    tree_root(root, top);
    if (memcmp(root, obj->sealed->root, sizeof(root)) != 0)
        return -TWZ_EDAMAGED;
    err = set_state(obj->sealed, TREE_LEVELS, 0, STATE_GOOD);
    return err < 0 ? err : 1;
}

/* Does one batch for an element. Returns 0 if that was cheap, because the element is absent, and 1
 * if it has hashed TREE_STEP bytes. */
static int check_element(struct sealed_check *c, struct object *obj, unsigned level, uint32_t index)
{
    static const uint8_t zero[TREE_DIGEST];
    uint8_t digest[TREE_DIGEST];
    int err;

    if (c->obj != obj || c->level != level || c->index != index) {
        end_element(c);
        subtree_get(&obj->tree);
        c->obj = obj;
        c->level = level;
        c->index = index;
        c->done = 0;
        tree_hash_begin(&c->hash, level);
    }
    err = read_element(obj, level, index, c->done, c->part);
    if (err == 0) {
        tree_hash_add(&c->hash, c->part, TREE_STEP);
        c->done += TREE_STEP;
        if (c->done < TREE_NODE)
            return 1;
        tree_hash_end(&c->hash, digest);
    }
    end_element(c);
    if (err < 0)
        return err;
    if (err == 1)
        return judge_element(obj, level, index, zero);
    err = judge_element(obj, level, index, digest);
    return err < 0 ? err : 1;
}

/* Finds the element that must be verified next for a page: the highest one of its path of which
 * nothing is known. Returns 0 if the page itself is verified, 1 if there is such an element. */
static int next_element(struct object *obj, uint32_t page, unsigned *level, uint32_t *index)
{
    unsigned state = get_state(obj->sealed, 0, page);

    if (state != 0)
        return state == STATE_GOOD ? 0 : -TWZ_EDAMAGED;
    for (*level = TREE_LEVELS; *level > 0; --*level) {
        *index = page >> (TREE_SHIFT * *level);
        state = get_state(obj->sealed, *level, *index);
        if (state != STATE_GOOD)
            return state == 0 ? 1 : -TWZ_EDAMAGED;
    }
    *index = page;
    return 1;
}

static int check_page(struct sealed_check *c, struct object *obj, uint32_t page)
{
    unsigned level;
    uint32_t index;
    int err = next_element(obj, page, &level, &index), hashed = 0;

    while (err == 1 && hashed == 0) {
        hashed = level == TREE_LEVELS ? check_top(obj) : check_element(c, obj, level, index);
        if (hashed < 0)
            return hashed;
        err = next_element(obj, page, &level, &index);
    }
    return err;
}

/* NULL: no memory. */
static struct sealed_check *own_check(void)
{
    struct thread *t = current();

    if (!t->sealed_check)
        t->sealed_check = kmem_alloc(sizeof(*t->sealed_check));
    return t->sealed_check;
}

int sealed_check(struct object *obj, uint32_t page)
{
    struct sealed_check *c;

    if (sealed_is_good(obj, page))
        return 0;
    if (!sealed_has_tree(obj->sealed))
        return -TWZ_EDAMAGED;
    c = own_check();
    return c ? check_page(c, obj, page) : -TWZ_ENOMEM;
}

int sealed_check_now(struct object *obj, uint32_t page)
{
    struct sealed_check *c;
    int err;

    if (sealed_is_good(obj, page))
        return 0;
    if (!sealed_has_tree(obj->sealed))
        return -TWZ_EDAMAGED;
    c = kmem_alloc(sizeof(*c));
    if (!c)
        return -TWZ_ENOMEM;
    while ((err = check_page(c, obj, page)) == 1)
        if (current())
            arch_preemption_point();
    end_element(c);
    kmem_free(c, sizeof(*c));
    return err;
}

/* --- runs of pages ---------------------------------------------------------------------------- */

#define COST_NEXT   1500u /* estimated instructions of a step */
#define COST_SKIP   12u   /* a page word that is looked at */
#define COST_ABSENT 80u   /* an absent page, judged with others */
#define WINDOW      512u  /* page words looked at in one step */
#define JUDGED      32u   /* absent pages judged together */

/* Finds the first page from `page` on that the store has. Returns false if there is none below
 * *upto, which is `end`, or less after some work; else *upto is the page. */
static bool find_present(struct object *obj, uint32_t page, uint32_t end, uint32_t *upto)
{
    struct store_page p = { .page = page };
    struct store *store = pool_store();
    int err = -TWZ_ENOTSUP;

    spin_lock(&obj->tree.lock);
    if (store)
        err =
            store_page_next_before(store, obj->row, end - page < WINDOW ? end : page + WINDOW, &p);
    spin_unlock(&obj->tree.lock);
    *upto = p.page < end ? p.page : end;
    return err != -TWZ_ENOOBJ;
}

/* Judges absent pages of one group, whose node is verified: all of the group if the node is absent,
 * else JUDGED of them at most. Returns how many are as they should be, from `page` on. */
static uint32_t judge_absent(struct object *obj, uint32_t page, uint32_t end)
{
    struct object *tree = atomic_load_explicit(&obj->sealed->tree, memory_order_acquire);
    uint32_t off, node = tree_page_of(0, page, &off), n = 0;
    uint64_t digest[JUDGED][TREE_DIGEST / sizeof(uint64_t)];
    uint32_t left = TREE_FANOUT - page % TREE_FANOUT;
    int err;

    left = left < end - page ? left : end - page;
    err = read_stored(tree, node, off, digest, (left < JUDGED ? left : JUDGED) * sizeof(digest[0]));
    if (err != 0)
        return err == 1 ? left : 0;
    for (; n < left && n < JUDGED; n++)
        if ((digest[n][0] | digest[n][1] | digest[n][2] | digest[n][3]) != 0 ||
            set_state(obj->sealed, 0, page + n, STATE_GOOD) < 0)
            break;
    return n;
}

/* One step of a run, for `page`: the page if it is present, else some absent ones. Advances *page.
 * Hashing is a batch by itself: a step that needs it returns 1, unless it is the first one. */
static int run_step(struct object *obj, uint32_t *page, uint32_t end, bool present, bool first)
{
    bool good = get_state(obj->sealed, 1, *page >> TREE_SHIFT) == STATE_GOOD;
    uint32_t n = !present && good ? judge_absent(obj, *page, end) : 0;
    int err = 0;

    if (n == 0 && !sealed_is_good(obj, *page))
        err = first ? sealed_check(obj, *page) : 1;
    if (err == 0)
        *page += n > 0 ? n : 1;
    return err;
}

int sealed_check_run(struct object *obj, uint32_t first, uint32_t end, uint32_t *checked)
{
    uint32_t page = first, upto = first, budget = PAGE_BUDGET;
    struct sealed_check *c = own_check();
    bool present = false, known = sealed_is_good(obj, first);
    int err = sealed_has_tree(obj->sealed) ? 0 : -TWZ_EDAMAGED;

    if (!c)
        return -TWZ_ENOMEM;
    if (c->run == obj && first >= c->run_first && first < c->run_end) {
        *checked = end < c->run_end ? end : c->run_end;
        return 0;
    }
    while (err == 0 && page < end && budget > 0) {
        uint32_t from = page;

        if (page >= upto && !(present && page == upto)) {
            present = find_present(obj, page, end, &upto);
            page_spend(&budget, COST_SKIP * (upto - page < WINDOW ? upto - page : WINDOW));
        }
        err = run_step(obj, &page, upto, present && page == upto, from == first);
        page_spend(&budget, COST_NEXT + COST_ABSENT * (page - from));
        if (from == first && !known && page == first + 1)
            budget = 0; /* it may have been hashed */
    }
    if (page == first)
        return err;
    set_run(c, obj, first, page);
    return 1;
}
