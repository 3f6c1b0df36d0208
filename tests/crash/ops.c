/* SPDX-License-Identifier: MIT */
/* The operations of workloads: each is a call of the store, and the same change of the model. */
#include <string.h>

#include <store/persist.h>
#include <twz/error.h>

#include "workload.h"

static int set_error(struct run *run, const char *what)
{
    if (!run->error)
        run->error = what;
    return -1;
}

static struct model_object *get_object(struct run *run, uint32_t number)
{
    if (number == NEWEST)
        number = run->now.count - 1;
    return number < run->now.count ? &run->now.object[number] : NULL;
}

static struct model_object *get_usable(struct run *run, uint32_t number)
{
    struct model_object *object = get_object(run, number);

    return object && object->state && object->state != STORE_DELETED ? object : NULL;
}

static uint32_t number_of(const struct run *run, const struct model_object *object)
{
    return (uint32_t)(object - run->now.object);
}

static uint32_t row_of_object(const struct run *run, const struct model_object *object)
{
    return run->row[number_of(run, object)];
}

/* Compare the result of a call with the expected one. 0 if both are success, SKIP if the call
 * failed as it may. */
static int expect(struct run *run, int got, int want)
{
    if (got == want)
        return got < 0 ? SKIP : 0;
    if (run->tight && (got == -TWZ_ENOSPC || got == -TWZ_EFULL))
        return SKIP;
    return set_error(run, "a call has another result than expected");
}

/* No object starts below the revocation floor. */
static uint64_t first_epoch(const struct run *run, uint64_t epoch)
{
    uint64_t floor = run->now.mono[STORE_MONO_REVOKE];

    return epoch > floor ? epoch : floor;
}

/* Create an object in the store and in the model, or fail with the error `want`. */
static int create_expecting(struct run *run, struct store_create *create, const struct op *op,
                            int want)
{
    struct model_object *object = &run->now.object[run->now.count];
    uint32_t row;
    objid_t id;
    int err;

    if (run->now.count == MODEL_OBJECTS)
        return SKIP;
    create->nonce[0] = ++run->nonce;
    create->perms = TWZ_READ | TWZ_WRITE;
    create->persist = op->d;
    err = expect(run, store_obj_create(run->store, create, &row, &id), want);
    if (err)
        return err;
    run->row[run->now.count++] = row;
    *object = (struct model_object){
        .id = id,
        .state = create->witness.lo || create->unnamed ? STORE_PROVISIONAL : STORE_LIVE,
        .perms = create->perms,
        .persist = create->persist,
        .revoke = first_epoch(run, create->revoke_epoch),
        .account = create->account,
        .tie = create->tie_parent,
        .witness = create->witness,
        .witness_off = create->witness_off,
        .witness_value = create->witness_value ? create->witness_value : id.lo,
    };
    return 0;
}

static int create_object(struct run *run, struct store_create *create, const struct op *op)
{
    return create_expecting(run, create, op, 0);
}

static int op_create(struct run *run, const struct op *op)
{
    struct store_create arg = { .kuid = { 0, 0 } };

    return create_object(run, &arg, op);
}

/* As the first step of a migration: only store_obj_permanent makes the object stay. */
static int op_unnamed(struct run *run, const struct op *op)
{
    struct store_create arg = { .account = { 7, 8 }, .revoke_epoch = 3, .unnamed = true };

    return create_object(run, &arg, op);
}

/* a: parent */
static int op_create_tied(struct run *run, const struct op *op)
{
    struct model_object *parent = get_usable(run, op->a);
    struct store_create arg = { .kuid = { 0, 0 } };

    if (!parent)
        return SKIP;
    arg.tie_parent = parent->id;
    return create_object(run, &arg, op);
}

/* a: object of the witness word, b: its page, c: its number, different for each object */
static int op_provisional(struct run *run, const struct op *op)
{
    struct model_object *witness = get_usable(run, op->a);
    struct store_create arg = { .witness_off = op->b * 4096ull + (op->c + run->now.count) * 8ull };
    struct model_page *page;

    if (!witness)
        return SKIP;
    arg.witness = witness->id;
    page = model_page(witness, (uint32_t)(arg.witness_off >> 12));
    return create_expecting(run, &arg, op,
                            page && page->state == STORE_POISONED ? -TWZ_EPOISON : 0);
}

/* Store a word of user data; flush it unless `loose`. */
static int user_store(struct run *run, struct model_object *object, uint64_t offset, uint64_t value,
                      bool loose)
{
    struct model_page *page = model_page(object, (uint32_t)(offset >> 12));
    uint16_t at = (uint16_t)(offset % 4096 / 8);
    struct store_page have;
    uint64_t *word;

    if (!page || page->state != STORE_PRESENT || page->flags)
        return SKIP;
    if (store_page_get(run->store, row_of_object(run, object), page->page, &have) < 0)
        return set_error(run, "a page cannot be looked up");
    word = (uint64_t *)store_frame_ptr(run->store, have.frame) + at;
    if (loose && run->loose.object)
        return SKIP; /* one loose word at a time */
    if (loose)
        run->loose = (struct loose){ number_of(run, object) + 1, page->page, at, *word };
    if (!model_word(page, at, value))
        return SKIP;
    persist_host_store64(word, value);
    if (loose)
        return 0;
    persist_host_flush(word, 8, "user flush");
    persist_host_fence("user fence");
    return 0;
}

/* a: 1: do not flush; b: 1: remove the name */
static int op_name(struct run *run, const struct op *op)
{
    struct model_object *object = NULL;

    for (uint32_t i = 0; i < run->now.count; i++)
        if (run->now.object[i].state == STORE_PROVISIONAL)
            object = &run->now.object[i];
    if (!object)
        return SKIP;
    for (uint32_t i = 0; i < run->now.count; i++) {
        struct model_object *witness = &run->now.object[i];

        if (witness->state && witness->id.lo == object->witness.lo)
            return user_store(run, witness, object->witness_off, op->b ? 0 : object->witness_value,
                              op->a);
    }
    return SKIP;
}

/* a: object, b: page */
static int op_write(struct run *run, const struct op *op)
{
    struct model_object *object = get_usable(run, op->a);

    if (!object)
        return SKIP;
    return user_store(run, object, op->b * 4096ull + 8, run->nonce++ * 77, false);
}

static int op_permanent(struct run *run, const struct op *op)
{
    struct model_object *object = get_usable(run, op->a);
    int err;

    if (!object)
        return SKIP;
    err = expect(run, store_obj_permanent(run->store, row_of_object(run, object)), 0);
    if (!err)
        object->state = STORE_LIVE;
    return err;
}

/* The expected result of adding a page. */
static int expect_add(struct model_object *object, uint32_t page, bool content)
{
    struct model_page *at = model_page(object, page);

    if (!at)
        return 0;
    return at->state == STORE_HOLE ? (content ? 0 : -TWZ_EFAULT) : -TWZ_EEXIST;
}

/* a: object, b: page */
static int op_add(struct run *run, const struct op *op)
{
    struct model_object *object = get_usable(run, op->a);
    uint32_t frame;
    int err;

    if (!object)
        return SKIP;
    err = expect(run, store_page_add(run->store, row_of_object(run, object), op->b, &frame),
                 expect_add(object, op->b, false));
    if (err)
        return err;
    return model_set(object, op->b, STORE_PRESENT, 0) ? 0 : set_error(run, "model is too small");
}

static uint8_t fill_of(uint32_t page)
{
    return (uint8_t)(page % 200 + 1);
}

static const void *fill_page(void *ctx, uint32_t page)
{
    static uint8_t bytes[4096];

    (void)ctx;
    memset(bytes, fill_of(page), sizeof(bytes));
    return bytes;
}

/* a: object, b: first, c: count, d: 1: with content */
static int op_many(struct run *run, const struct op *op)
{
    struct model_object *object = get_usable(run, op->a);
    int err, want = 0;

    if (!object)
        return SKIP;
    for (uint32_t i = 0; i < op->c && !want; i++)
        want = expect_add(object, op->b + i, op->d);
    err = expect(run,
                 store_page_add_many(run->store, row_of_object(run, object), op->b, op->c,
                                     op->d ? fill_page : NULL, NULL),
                 want);
    for (uint32_t i = 0; i < op->c && !err; i++)
        if (!model_set(object, op->b + i, STORE_PRESENT, op->d ? fill_of(op->b + i) : 0))
            return set_error(run, "model is too small");
    return err;
}

/* A protected page is not made absent. */
static int expect_discard(struct model_object *object, const struct op *op)
{
    for (uint32_t i = 0; i < op->c; i++) {
        struct model_page *page = model_page(object, op->b + i);

        if (op->d == STORE_ABSENT && page && (page->flags & STORE_FLAG_READONLY) != 0)
            return -TWZ_EDENIED;
    }
    return 0;
}

/* a: object, b: first, c: count, d: state */
static int op_discard(struct run *run, const struct op *op)
{
    struct model_object *object = get_usable(run, op->a);
    int err;

    if (!object)
        return SKIP;
    err =
        expect(run, store_page_discard(run->store, row_of_object(run, object), op->b, op->c, op->d),
               expect_discard(object, op));
    for (uint32_t i = 0; i < op->c && !err; i++)
        if (!model_set(object, op->b + i, op->d, 0) && op->d != STORE_ABSENT)
            return set_error(run, "model is too small");
    return err;
}

/* a: object, b: first, c: count, d: on or off */
static int op_protect(struct run *run, const struct op *op)
{
    struct model_object *object = get_usable(run, op->a);
    int err;

    if (!object)
        return SKIP;
    err = expect(
        run, store_page_protect(run->store, row_of_object(run, object), op->b, op->c, op->d), 0);
    for (uint32_t i = 0; i < op->c && !err; i++) {
        struct model_page *page = model_page(object, op->b + i);

        if (page && page->state != STORE_HOLE)
            page->flags = op->d ? STORE_FLAG_READONLY : 0;
    }
    return err;
}

static int expect_share(struct model_object *dst, struct model_object *src, const struct op *op)
{
    for (uint32_t i = 0; i < op->e; i++) {
        struct model_page *page = model_page(src, op->d + i);

        if (page && page->state == STORE_POISONED)
            return -TWZ_EPOISON;
    }
    for (uint32_t i = 0; i < op->e; i++) {
        struct model_page *page = model_page(dst, op->b + i);

        if (page && (page->flags & STORE_FLAG_READONLY) != 0)
            return -TWZ_EDENIED;
    }
    return 0;
}

/* Share the pages in the model. False if it is too small. */
static bool share_in_model(struct model_object *dst, struct model_object *src, const struct op *op)
{
    for (uint32_t i = 0; i < op->e; i++) {
        struct model_page *page = model_page(src, op->d + i), *copy;

        if (!page || page->state == STORE_HOLE) {
            copy = model_set(dst, op->b + i, page ? STORE_HOLE : STORE_ABSENT, 0);
            if (page && !copy)
                return false;
            continue;
        }
        page->state = STORE_SHARED;
        copy = model_set(dst, op->b + i, STORE_SHARED, 0);
        if (!copy)
            return false;
        *copy = *page;
        copy->page = op->b + i;
        copy->flags = 0;
    }
    return true;
}

/* a: destination, b: its first page, c: source, d: its first page, e: count */
static int op_share(struct run *run, const struct op *op)
{
    struct model_object *dst = get_usable(run, op->a), *src = get_usable(run, op->c);
    int err;

    if (!dst || !src)
        return SKIP;
    err = expect(run,
                 store_page_share(run->store, row_of_object(run, dst), op->b,
                                  row_of_object(run, src), op->d, op->e),
                 expect_share(dst, src, op));
    if (!err && !share_in_model(dst, src, op))
        return set_error(run, "model is too small");
    return err;
}

/* a: object, b: page */
static int op_break_cow(struct run *run, const struct op *op)
{
    struct model_object *object = get_usable(run, op->a);
    struct model_page *page = object ? model_page(object, op->b) : NULL;
    uint32_t frame;
    int err;

    if (!page || page->state == STORE_HOLE || page->state == STORE_POISONED)
        return SKIP;
    err =
        expect(run, store_page_break_cow(run->store, row_of_object(run, object), op->b, &frame), 0);
    if (!err)
        page->state = STORE_PRESENT;
    return err;
}

static int op_poison(struct run *run, const struct op *op)
{
    struct model_object *object = get_usable(run, op->a);
    struct model_page *page = object ? model_page(object, op->b) : NULL;
    struct store_usage usage;
    int err;

    if (!page || page->state == STORE_HOLE || page->state == STORE_POISONED)
        return SKIP;
    err = expect(run, store_page_poison(run->store, row_of_object(run, object), op->b), 0);
    if (!err) {
        store_usage(run->store, &usage);
        run->now.bad = usage.bad;
        page->state = STORE_POISONED;
    }
    return err;
}

/* a: object, b: 1: release it too */
static int op_delete(struct run *run, const struct op *op)
{
    struct model_object *object = get_usable(run, op->a);
    uint32_t row;
    int err;

    if (!object)
        return SKIP;
    row = row_of_object(run, object);
    err = expect(run, store_obj_delete(run->store, row, NULL, NULL), 0);
    if (err)
        return err;
    model_delete(&run->now, number_of(run, object));
    if (!op->b)
        return 0;
    object->state = 0;
    return expect(run, store_obj_release(run->store, row), 0);
}

static int op_release(struct run *run, const struct op *op)
{
    struct model_object *object = get_object(run, op->a);
    int err;

    if (!object || object->state != STORE_DELETED)
        return SKIP;
    err = expect(run, store_obj_release(run->store, row_of_object(run, object)), 0);
    if (!err)
        object->state = 0;
    return err;
}

/* a: child, b: parent, or MODEL_OBJECTS for none */
static int op_tie(struct run *run, const struct op *op)
{
    struct model_object *child = get_usable(run, op->a), *parent = get_usable(run, op->b);
    struct model_object *above = parent;
    int err, want = 0;

    if (!child || (!parent && op->b < MODEL_OBJECTS))
        return SKIP;
    while (above && !want) {
        struct model_object *next = NULL;

        want = above == child ? -TWZ_EINVAL : 0;
        for (uint32_t i = 0; i < run->now.count; i++)
            if (above->tie.lo && run->now.object[i].id.lo == above->tie.lo)
                next = &run->now.object[i];
        above = next;
    }
    err = expect(
        run,
        store_obj_tie(run->store, row_of_object(run, child), parent ? parent->id : TWZ_OBJID_NONE),
        want);
    if (!err)
        child->tie = parent ? parent->id : TWZ_OBJID_NONE;
    return err;
}

/* a: object, b: which, c: value */
static int op_update(struct run *run, const struct op *op)
{
    struct model_object *object = get_usable(run, op->a);
    struct store_update update = { .which = op->b,
                                   .perms = op->c,
                                   .persist = op->c,
                                   .account = { op->c, 1 },
                                   .hash_tree = { op->c, 2 } };
    int err;

    if (!object)
        return SKIP;
    if (op->b & STORE_UPDATE_PERMS && update.perms & ~object->perms)
        return SKIP;
    err = expect(run, store_obj_update(run->store, row_of_object(run, object), &update), 0);
    if (err)
        return err;
    if (op->b & STORE_UPDATE_PERMS)
        object->perms = op->c;
    if (op->b & STORE_UPDATE_PERSIST)
        object->persist = op->c;
    if (op->b & STORE_UPDATE_ACCOUNT)
        object->account = update.account;
    if (op->b & STORE_UPDATE_TREE)
        object->hash_tree = update.hash_tree;
    return 0;
}

static int op_revoke(struct run *run, const struct op *op)
{
    struct model_object *object = get_usable(run, op->a);
    int err;

    if (!object)
        return SKIP;
    err = expect(run, store_obj_revoke(run->store, row_of_object(run, object), ++run->nonce), 0);
    if (err)
        return err;
    object->revoke = run->nonce;
    run->now.mono[STORE_MONO_REVOKE] = first_epoch(run, run->nonce);
    return 0;
}

/* The two drafts of a sealing. */
struct drafts {
    struct store_create tree;
    struct store_create sealed;
    uint8_t root[32];
    uint32_t tree_row, row; /* STORE_NO_ROW: none */
    objid_t tree_id, id;
};

/* The store does not look into the tree, so any content does. */
static int make_drafts(struct run *run, const struct op *op, struct drafts *d)
{
    struct model_object *src = get_usable(run, op->c);
    int err;

    *d = (struct drafts){ .tree = { .nonce = { ++run->nonce }, .perms = TWZ_READ },
                          .sealed = { .perms = TWZ_READ | TWZ_EXEC },
                          .tree_row = STORE_NO_ROW,
                          .row = STORE_NO_ROW };
    d->root[0] = (uint8_t)run->nonce;
    d->sealed.seal = d->root;
    d->tree_id = store_obj_id(&d->tree);
    d->id = store_obj_id(&d->sealed);
    err = store_draft(run->store, &d->tree, d->tree_id, &d->tree_row);
    if (err == 0)
        err = store_page_add_many(run->store, d->tree_row, 1, 2, fill_page, NULL);
    if (err == 0)
        err = store_page_add_many(run->store, d->tree_row, 18, 1, fill_page, NULL);
    if (err == 0)
        err = store_draft(run->store, &d->sealed, d->id, &d->row);
    if (err == 0)
        err = store_page_share(run->store, d->row, op->b, row_of_object(run, src), op->d, op->e);
    return err;
}

static int drop_drafts(struct run *run, const struct drafts *d)
{
    int err = 0;

    if (d->row != STORE_NO_ROW)
        err = store_obj_release(run->store, d->row);
    if (err == 0 && d->tree_row != STORE_NO_ROW)
        err = store_obj_release(run->store, d->tree_row);
    return err < 0 ? set_error(run, "a draft cannot be dropped") : 0;
}

/* Each page is shared already, or a hole: so the sealing changes no word of the source. */
static bool is_shared(struct model_object *src, const struct op *op)
{
    for (uint32_t i = 0; i < op->e; i++) {
        struct model_page *page = model_page(src, op->d + i);

        if (!page || (page->state != STORE_SHARED && page->state != STORE_HOLE))
            return false;
    }
    return true;
}

static int seal_in_model(struct run *run, const struct op *op, const struct drafts *d)
{
    struct model_object *sealed = &run->now.object[run->now.count];
    struct model_object *tree = sealed + 1;
    uint64_t epoch = first_epoch(run, 0);

    *sealed = (struct model_object){ .id = d->id,
                                     .state = STORE_LIVE,
                                     .perms = d->sealed.perms,
                                     .revoke = epoch,
                                     .hash_tree = d->tree_id };
    *tree = (struct model_object){
        .id = d->tree_id, .state = STORE_LIVE, .perms = d->tree.perms, .revoke = epoch, .tie = d->id
    };
    run->row[run->now.count++] = d->row;
    run->row[run->now.count++] = d->tree_row;
    if (!share_in_model(sealed, get_usable(run, op->c), op) ||
        !model_set(tree, 1, STORE_PRESENT, fill_of(1)) ||
        !model_set(tree, 2, STORE_PRESENT, fill_of(2)) ||
        !model_set(tree, 18, STORE_PRESENT, fill_of(18)))
        return set_error(run, "model is too small");
    return 0;
}

/* a: 1: seal; 0: drop the drafts; b: first page, c: source, d: its first page, e: count. A sealing
 * that fails for space leaves no trace but in free frames. */
static int op_seal(struct run *run, const struct op *op)
{
    struct model_object *src = get_usable(run, op->c);
    struct drafts d;
    int err;

    if (!src || !is_shared(src, op) || run->now.count + 2 > MODEL_OBJECTS)
        return SKIP;
    err = make_drafts(run, op, &d);
    if (err == 0 && op->a)
        err = store_seal(run->store, d.row, d.tree_row);
    if (err == 0 && op->a)
        return seal_in_model(run, op, &d);
    if (err < 0 && !(run->tight && (err == -TWZ_ENOSPC || err == -TWZ_EFULL)))
        return set_error(run, "a sealing fails");
    return drop_drafts(run, &d);
}

static int op_super(struct run *run, const struct op *op)
{
    (void)op;
    run->now.roots.init.lo = ++run->nonce;
    run->now.roots.spare[3].hi = run->nonce;
    return expect(run, store_super_set(run->store, &run->now.roots), 0);
}

static int op_mono(struct run *run, const struct op *op)
{
    run->now.mono[op->a] += 5;
    return expect(run, store_mono_raise(run->store, op->a, run->now.mono[op->a]), 0);
}

static int op_prezero(struct run *run, const struct op *op)
{
    store_prezero(run->store, op->a);
    return 0;
}

static int op_reopen(struct run *run, const struct op *op)
{
    (void)op;
    model_recover(&run->now);
    return run_open(run);
}

static const struct op op_table[] = {
    { "create", op_create, .d = 1 },
    { "create tied to A", op_create_tied, .a = A },
    { "create provisional, named in root", op_provisional, .a = ROOT, .b = 1, .c = 16 },
    { "create provisional, named in A's tree", op_provisional, .a = A, .b = 700, .c = 16 },
    { "create provisional, named in the newest", op_provisional, .a = NEWEST, .b = 1, .c = 16 },
    { "name the provisional", op_name, .a = 0 },
    { "name the provisional, unflushed", op_name, .a = 1 },
    { "remove the name", op_name, .a = 0, .b = 1 },
    { "create, unnamed", op_unnamed, .d = 1 },
    { "make the newest permanent", op_permanent, .a = NEWEST },
    { "make P permanent", op_permanent, .a = P },
    { "add root 2", op_add, .a = ROOT, .b = 2 },
    { "add newest 1", op_add, .a = NEWEST, .b = 1 },
    { "add A 701, leaf exists", op_add, .a = A, .b = 701 },
    { "add A 5000, leaf missing", op_add, .a = A, .b = 5000 },
    { "add B 600, root missing", op_add, .a = B, .b = 600 },
    { "add C meta", op_add, .a = C, .b = TWZ_PAGE_META },
    { "add A 4, hole", op_add, .a = A, .b = 4 },
    { "add many A 11..15, direct and tree", op_many, .a = A, .b = 11, .c = 5, .d = 1,
      .mixed = true },
    { "add many B 1..4", op_many, .a = B, .b = 1, .c = 4, .d = 0, .mixed = true },
    { "add many A 1022..1025, two leaves", op_many, .a = A, .b = 1022, .c = 4, .d = 1,
      .mixed = true },
    { "add many A 4..5, over a hole", op_many, .a = A, .b = 4, .c = 2, .d = 1, .mixed = true },
    { "add many A 702..704, leaf exists", op_many, .a = A, .b = 702, .c = 3, .d = 1,
      .mixed = true },
    { "discard A 1", op_discard, .a = A, .b = 1, .c = 1, .d = STORE_ABSENT, .flush_loose = true },
    { "discard A 700..710", op_discard, .a = A, .b = 700, .c = 11, .d = STORE_ABSENT, .mixed = true,
      .flush_loose = true },
    { "discard E 1..3", op_discard, .a = E, .b = 1, .c = 3, .d = STORE_ABSENT, .mixed = true,
      .flush_loose = true },
    { "hole A 1..3", op_discard, .a = A, .b = 1, .c = 3, .d = STORE_HOLE, .mixed = true,
      .flush_loose = true },
    { "hole B 511..513", op_discard, .a = B, .b = 511, .c = 3, .d = STORE_HOLE, .mixed = true,
      .flush_loose = true },
    { "discard all A", op_discard, .a = A, .b = 1, .c = 1100, .d = STORE_ABSENT, .mixed = true,
      .flush_loose = true },
    { "protect A 1..800", op_protect, .a = A, .b = 1, .c = 800, .d = 1, .mixed = true,
      .flush_loose = true },
    { "unprotect A 1..800", op_protect, .a = A, .b = 1, .c = 800, .d = 0, .mixed = true,
      .flush_loose = true },
    { "share A 1..4 to C 30", op_share, .a = C, .b = 30, .c = A, .d = 1, .e = 4, .mixed = true,
      .flush_loose = true },
    { "share A 699..702 to B 5", op_share, .a = B, .b = 5, .c = A, .d = 699, .e = 4, .mixed = true,
      .flush_loose = true },
    { "share E 1..4, one frame, to C 40", op_share, .a = C, .b = 40, .c = E, .d = 1, .e = 4,
      .mixed = true, .flush_loose = true },
    { "share E 1..4 to B 700, root missing", op_share, .a = B, .b = 700, .c = E, .d = 1, .e = 4,
      .mixed = true, .flush_loose = true },
    { "break copy-on-write of C 20", op_break_cow, .a = C, .b = 20, .flush_loose = true },
    { "break copy-on-write of A 2", op_break_cow, .a = A, .b = 2, .flush_loose = true },
    { "break copy-on-write of E 2", op_break_cow, .a = E, .b = 2, .flush_loose = true },
    { "poison A 2", op_poison, .a = A, .b = 2, .mixed = true, .flush_loose = true },
    { "poison E 3", op_poison, .a = E, .b = 3, .mixed = true, .flush_loose = true },
    { "poison root 1, the page of P's name", op_poison, .a = ROOT, .b = 1, .mixed = true,
      .flush_loose = true },
    { "write A 1", op_write, .a = A, .b = 1, .flush_loose = true },
    { "delete A", op_delete, .a = A, .b = 0, .flush_loose = true },
    { "delete and release C", op_delete, .a = C, .b = 1, .flush_loose = true },
    { "delete and release the newest", op_delete, .a = NEWEST, .b = 1, .flush_loose = true },
    { "delete B", op_delete, .a = B, .b = 0, .flush_loose = true },
    { "release D", op_release, .a = D, .flush_loose = true },
    { "release A", op_release, .a = A, .flush_loose = true },
    { "release B", op_release, .a = B, .flush_loose = true },
    { "tie C to A", op_tie, .a = C, .b = A },
    { "tie A to B, a circle unless B is untied", op_tie, .a = A, .b = B },
    { "tie P to C", op_tie, .a = P, .b = C },
    { "untie B", op_tie, .a = B, .b = MODEL_OBJECTS },
    { "update A's permissions", op_update, .a = A, .b = STORE_UPDATE_PERMS, .c = TWZ_READ },
    { "update A's persistence", op_update, .a = A, .b = STORE_UPDATE_PERSIST, .c = 2 },
    { "update A's account, class and hash tree", op_update, .a = A,
      .b = STORE_UPDATE_ACCOUNT | STORE_UPDATE_CLASS | STORE_UPDATE_TREE, .c = 9 },
    { "revoke A", op_revoke, .a = A, .mixed = true },
    { "seal C 20..21", op_seal, .a = 1, .b = 1, .c = C, .d = 20, .e = 2 },
    { "seal C 20..22 at 600, with a leaf", op_seal, .a = 1, .b = 600, .c = C, .d = 20, .e = 3 },
    { "seal E 2..4, a saturated frame", op_seal, .a = 1, .b = 5, .c = E, .d = 2, .e = 3 },
    { "begin to seal C 20..22, and give up", op_seal, .a = 0, .b = 600, .c = C, .d = 20, .e = 3 },
    { "set the superblock", op_super, .a = 0 },
    { "raise a monotonic counter", op_mono, .a = STORE_MONO_TIME },
    { "raise the revocation floor", op_mono, .a = STORE_MONO_REVOKE },
    { "zero frames ahead", op_prezero, .a = 2 },
    { "reopen", op_reopen, .flush_loose = true },
};

uint32_t op_count(void)
{
    return sizeof(op_table) / sizeof(op_table[0]);
}

const struct op *op_get(uint32_t number)
{
    return &op_table[number];
}

/* --- start states -------------------------------------------------------------------------- */

static const struct op start_small[] = {
    { "root", op_create, .a = 0 },
    { "its page", op_add, .a = ROOT, .b = 1 },
};

static const struct op start_rich[] = {
    { "A", op_create, .a = 0 },
    { "B, tied to A", op_create_tied, .a = A },
    { "C", op_create, .a = 0 },
    { "P, provisional", op_provisional, .a = ROOT, .b = 1, .c = 16 },
    { "D", op_create, .a = 0 },
    { "E: the chunk has one row left", op_create, .a = 0 },
    { "pages of A", op_many, .a = A, .b = 1, .c = 3, .d = 1 },
    { "and in its tree", op_many, .a = A, .b = 700, .c = 1, .d = 1 },
    { "a hole", op_discard, .a = A, .b = 4, .c = 1, .d = STORE_HOLE },
    { "shared with C", op_share, .a = C, .b = 20, .c = A, .d = 2, .e = 4 },
    { "a page of E", op_many, .a = E, .b = 1, .c = 1, .d = 1 },
    { "twice", op_share, .a = E, .b = 2, .c = E, .d = 1, .e = 1 },
    { "four times", op_share, .a = E, .b = 3, .c = E, .d = 1, .e = 2 },
    { "a page of D", op_many, .a = D, .b = 1, .c = 1, .d = 1 },
    { "D is deleted", op_delete, .a = D, .b = 0 },
};

/* Leaves three free frames. */
static const struct op start_full[] = {
    { "F", op_create, .a = 0 },
    { "G", op_create, .a = 0 },
    { "pages of F", op_many, .a = 7, .b = 1, .c = 36, .d = 1 },
};

static int run_list(struct run *run, const struct op *op, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (op[i].run(run, &op[i]) != 0)
            return set_error(run, op[i].name);
    return 0;
}

int ops_start(struct run *run, uint32_t start)
{
    struct store_usage usage;
    int err = run_list(run, start_small, sizeof(start_small) / sizeof(*start_small));

    for (uint32_t i = 1; start == 0 && i < STORE_CHUNK_ENTRIES && !err; i++)
        err = run_list(run, start_rich, 1);
    if (err || start == 0)
        return err;
    err = run_list(run, start_rich, sizeof(start_rich) / sizeof(*start_rich));
    if (err || start == 1)
        return err;
    err = run_list(run, start_full, sizeof(start_full) / sizeof(*start_full));
    store_usage(run->store, &usage);
    if (!err && usage.free > 3) {
        struct op rest = { "rest", op_many, .a = 8, .b = 1, .c = (uint32_t)usage.free - 3, .d = 1 };

        err = run_list(run, &rest, 1);
    }
    run->tight = true;
    return err;
}
