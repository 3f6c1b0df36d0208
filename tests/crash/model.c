/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "model.h"

struct model_page *model_page(struct model_object *object, uint32_t page)
{
    for (uint32_t i = 0; i < object->pages; i++)
        if (object->page[i].page == page)
            return &object->page[i];
    return NULL;
}

struct model_page *model_set(struct model_object *object, uint32_t page, uint32_t state,
                             uint8_t fill)
{
    struct model_page *at = model_page(object, page);

    if (state == STORE_ABSENT) {
        if (at)
            *at = object->page[--object->pages];
        return NULL;
    }
    if (!at) {
        if (object->pages == MODEL_PAGES)
            return NULL;
        at = &object->page[object->pages++];
    }
    *at = (struct model_page){ .page = page, .state = (uint8_t)state, .fill = fill };
    return at;
}

bool model_word(struct model_page *page, uint16_t at, uint64_t value)
{
    for (uint32_t i = 0; i < page->words; i++)
        if (page->at[i] == at) {
            page->word[i] = value;
            return true;
        }
    if (page->words == MODEL_WORDS)
        return false;
    page->at[page->words] = at;
    page->word[page->words++] = value;
    return true;
}

void model_delete(struct model *model, uint32_t number)
{
    struct model_object *object = &model->object[number];

    if (object->state == 0 || object->state == STORE_DELETED)
        return;
    object->state = STORE_DELETED;
    for (uint32_t i = 0; i < model->count; i++)
        if (objid_equal(model->object[i].tie, object->id))
            model_delete(model, i);
}

static struct model_object *find_object(struct model *model, objid_t id)
{
    for (uint32_t i = 0; i < model->count; i++)
        if (model->object[i].state && objid_equal(model->object[i].id, id))
            return &model->object[i];
    return NULL;
}

/* The word has the value, or its page is poisoned: then it may have had it. */
static bool may_hold(struct model_object *witness, uint64_t offset, uint64_t value)
{
    struct model_page *page = model_page(witness, (uint32_t)(offset >> 12));

    if (page && page->state == STORE_POISONED)
        return true;
    if (!page || (page->state != STORE_PRESENT && page->state != STORE_SHARED))
        return value == 0;
    for (uint32_t i = 0; i < page->words; i++)
        if (page->at[i] == offset % 4096 / 8)
            return page->word[i] == value;
    return page->fill * 0x0101010101010101ull == value;
}

/* The witness of a provisional object, if it is not deleted and its word has the value. */
static struct model_object *find_witness(struct model *model, struct model_object *object)
{
    struct model_object *witness = find_object(model, object->witness);

    if (!witness || witness->state == STORE_DELETED)
        return NULL;
    return may_hold(witness, object->witness_off, object->witness_value) ? witness : NULL;
}

/* Find the objects that are live, or whose witness is, round by round. */
static void find_rooted(struct model *model, uint8_t rooted[])
{
    for (uint32_t round = 0; round < model->count; round++)
        for (uint32_t i = 0; i < model->count; i++) {
            struct model_object *object = &model->object[i], *witness;

            if (object->state == STORE_LIVE)
                rooted[i] = 1;
            if (object->state != STORE_PROVISIONAL)
                continue;
            witness = find_witness(model, object);
            if (witness && rooted[witness - model->object])
                rooted[i] = 1;
        }
}

void model_recover(struct model *model)
{
    uint8_t rooted[MODEL_OBJECTS] = { 0 };

    model->mono[STORE_MONO_WRITER]++;
    find_rooted(model, rooted);
    for (uint32_t i = 0; i < model->count; i++)
        if (model->object[i].state == STORE_PROVISIONAL && !rooted[i])
            model_delete(model, i);
    for (uint32_t round = 0; round < model->count; round++)
        for (uint32_t i = 0; i < model->count; i++) {
            struct model_object *object = &model->object[i];

            if (object->state == STORE_DELETED) { /* delete its children, too */
                object->state = STORE_LIVE;
                model_delete(model, i);
            }
            if (object->state == STORE_PROVISIONAL && !find_witness(model, object))
                model_delete(model, i);
        }
    for (uint32_t i = 0; i < model->count; i++) {
        if (model->object[i].state == STORE_DELETED)
            model->object[i].state = 0;
        if (model->object[i].state == STORE_PROVISIONAL)
            model->object[i].state = STORE_LIVE;
    }
}

/* --- comparing ----------------------------------------------------------------------------- */

static bool has_content(const void *frame, const struct model_page *page)
{
    const uint64_t *words = frame;
    uint64_t fill = page->fill * 0x0101010101010101ull, wrong = 0;
    uint32_t set = 0;

    for (uint32_t i = 0; i < 512; i++)
        wrong += words[i] != fill;
    for (uint32_t i = 0; i < page->words; i++) {
        if (words[page->at[i]] != page->word[i])
            return false;
        set += page->word[i] != fill;
    }
    return wrong == set;
}

static bool is_page(struct store *store, const struct store_page *have,
                    const struct model_object *object)
{
    const struct model_page *want = NULL;

    for (uint32_t i = 0; i < object->pages; i++)
        if (object->page[i].page == have->page)
            want = &object->page[i];
    if (!want)
        return have->state == STORE_ABSENT;
    if (want->state != have->state || want->flags != have->flags)
        return false;
    if (!have->frame || have->state == STORE_POISONED)
        return true;
    return has_content(store_frame_ptr(store, have->frame), want);
}

/* Each page that the model lists is right in the store. */
static bool are_listed_ok(struct store *store, uint32_t row, const struct model_object *listed,
                          const struct model_object *a, const struct model_object *b, bool mixed)
{
    for (uint32_t i = 0; i < listed->pages; i++) {
        struct store_page have;

        if (store_page_get(store, row, listed->page[i].page, &have) < 0)
            return false;
        if (!is_page(store, &have, a) && !(mixed && is_page(store, &have, b)))
            return false;
    }
    return true;
}

/* Each page of the store is right, and each page of the model. */
static bool are_pages_ok(struct store *store, uint32_t row, const struct model_object *a,
                         const struct model_object *b, bool mixed)
{
    struct store_page have = { 0 };

    for (; store_page_next(store, row, &have) == 0; have.page++)
        if (!is_page(store, &have, a) && !(mixed && is_page(store, &have, b)))
            return false;
    return are_listed_ok(store, row, a, a, b, mixed);
}

static const char *object_differs(struct store *store, const struct model_object *a,
                                  const struct model_object *b, bool mixed)
{
    struct store_stat stat;
    uint32_t row;

    if (store_lookup(store, a->id, &row) < 0)
        return "an object is missing";
    if (store_obj_stat(store, row, &stat) < 0 || stat.state != STORE_LIVE)
        return "an object is not live";
    if (stat.perms != a->perms || stat.persist != a->persist)
        return "an object's attributes";
    if (!objid_equal(stat.account, a->account) || !objid_equal(stat.hash_tree, a->hash_tree))
        return "an object's account or hash tree";
    if (stat.revoke_epoch != a->revoke)
        return "an object's revocation epoch";
    if (!objid_equal(stat.tie_parent, a->tie))
        return "an object's tie";
    return are_pages_ok(store, row, a, b, mixed) ? NULL : "an object's pages";
}

const char *model_differs(struct store *store, const struct model *a, const struct model *b,
                          bool mixed)
{
    struct store_usage usage;
    uint64_t live = 0;

    for (uint32_t i = 0; i < a->count; i++) {
        const char *what;

        if (!a->object[i].state)
            continue;
        live++;
        what = object_differs(store, &a->object[i], &b->object[i], mixed);
        if (what)
            return what;
    }
    store_usage(store, &usage);
    if (usage.bad != a->bad && !(mixed && usage.bad == b->bad))
        return "the bad-frame list";
    if (usage.objects != live)
        return "an object too many";
    if (memcmp(&store_super_get(store)->roots, &a->roots, sizeof(a->roots)) != 0)
        return "the superblock's roots";
    for (uint32_t i = 0; i < STORE_MONO_COUNT; i++)
        if (i != STORE_MONO_WRITER && store_mono_get(store, i) != a->mono[i] &&
            !(mixed && store_mono_get(store, i) == b->mono[i]))
            return "a monotonic counter";
    return NULL;
}
