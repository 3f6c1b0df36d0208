/* SPDX-License-Identifier: MIT */
/* Context objects: masks and overrides, the table of capabilities, content that is not valid. */
#include <stdlib.h>
#include <string.h>

#include <verify/context.h>

#include "units.h"

static const objid_t self = { 0x77, 0x78 }, target = { 0x12345, 2 };

static struct sec_context *make_context(void)
{
    struct sec_context *context = calloc(1, sizeof(*context));

    context->magic = SEC_CONTEXT_MAGIC;
    context->version = SEC_CONTEXT_VERSION;
    context->default_mask = TWZ_READ | TWZ_EXEC;
    context->noverrides = 2;
    context->override[0].id = target;
    context->override[0].mask = TWZ_READ;
    context->override[1].id = self;
    return context;
}

static struct sec_cap make_cap(objid_t id, uint32_t form)
{
    struct sec_cap cap = { .version = 1, .algorithm = 1, .form = form, .perms = TWZ_READ };

    memcpy(cap.domain, SEC_DOMAIN_CAPABILITY, SEC_DOMAIN);
    cap.target = id;
    cap.accessor = self;
    return cap;
}

/* Inserts a capability; its epoch tells it apart. False: there is no place. */
static bool insert(struct sec_bucket *bucket, objid_t id, uint32_t form, uint64_t epoch)
{
    struct sec_cap cap = make_cap(id, form);
    uint32_t place;

    cap.epoch = epoch;
    place = sec_bucket_free(bucket, &cap);
    if (place == SEC_PLACES)
        return false;
    bucket->cap[place] = cap;
    bucket->commit[place] = 1;
    return true;
}

START_TEST(test_masks)
{
    struct sec_context *context = make_context();

    ck_assert_ptr_null(sec_context_problem(context));
    ck_assert_uint_eq(sec_context_mask(context, target), TWZ_READ);
    ck_assert_uint_eq(sec_context_mask(context, self), 0);
    ck_assert_uint_eq(sec_context_mask(context, (objid_t){ 1, 1 }), TWZ_READ | TWZ_EXEC);
    context->noverrides = 1;
    ck_assert_uint_eq(sec_context_mask(context, self), TWZ_READ | TWZ_EXEC);
    free(context);
}
END_TEST

#define PROBLEM(change)                                      \
    do {                                                     \
        struct sec_context *context = make_context();        \
        context->change;                                     \
        ck_assert_ptr_nonnull(sec_context_problem(context)); \
        free(context);                                       \
    } while (0)

START_TEST(test_problems_of_a_context)
{
    PROBLEM(magic++);
    PROBLEM(version = 2);
    PROBLEM(version = 0);
    PROBLEM(flags = 1);
    PROBLEM(default_mask |= 0x20);
    PROBLEM(global_mask |= 1u << 31);
    PROBLEM(noverrides = SEC_OVERRIDES + 1);
    PROBLEM(noverrides = UINT64_MAX);
    PROBLEM(noverrides = 3);
    PROBLEM(override[1].mask = 0x20);
    PROBLEM(override[1].mask = 1ull << 32);
    PROBLEM(override[1].reserved = 1);
    PROBLEM(override[1].id = target);
    for (unsigned i = 0; i < 12; i++)
        PROBLEM(reserved[i] = 1);
}
END_TEST

START_TEST(test_most_overrides)
{
    struct sec_context *context = make_context();

    for (uint64_t i = 2; i < SEC_OVERRIDES; i++)
        context->override[i].id = (objid_t){ i, 99 };
    context->noverrides = SEC_OVERRIDES;
    ck_assert_ptr_null(sec_context_problem(context));
    ck_assert_uint_eq(sec_context_mask(context, (objid_t){ SEC_OVERRIDES - 1, 99 }), 0);
    free(context);
}
END_TEST

START_TEST(test_pages)
{
    ck_assert_uint_eq(sec_bucket_page((objid_t){ 0, 5 }), 16);
    ck_assert_uint_eq(sec_bucket_page((objid_t){ 0x7fff, 5 }), 16 + 0x7fff);
    ck_assert_uint_eq(sec_bucket_page((objid_t){ 0x8000, 5 }), 16);
    ck_assert_uint_eq(sec_bucket_page((objid_t){ UINT64_MAX, 5 }), 16 + 0x7fff);
    ck_assert_uint_lt(16 + 0x7fff, TWZ_OBJ_DATA_TOP >> TWZ_PAGE_SHIFT);
}
END_TEST

static unsigned count(const struct sec_bucket *bucket, objid_t id, uint32_t form)
{
    const struct sec_cap *cap;
    uint32_t place = 0;
    unsigned found = 0;

    for (cap = sec_bucket_next(bucket, id, form, &place); cap;
         cap = sec_bucket_next(bucket, id, form, &place)) {
        ck_assert(objid_equal(cap->target, id) && cap->form == form);
        ck_assert_ptr_eq(cap, &bucket->cap[place - 1]);
        found++;
    }
    return found;
}

START_TEST(test_candidates)
{
    struct sec_bucket *bucket = calloc(1, sizeof(*bucket));
    objid_t neighbour = { target.lo, 3 };
    uint64_t n = 0;

    ck_assert_uint_eq(count(bucket, target, SEC_FORM_OBJECT), 0);
    while (insert(bucket, target, SEC_FORM_OBJECT, n))
        n++;
    ck_assert_uint_eq(n, SEC_CANDIDATES);
    ck_assert(insert(bucket, target, SEC_FORM_KUID, 1));
    ck_assert_uint_eq(count(bucket, target, SEC_FORM_OBJECT), SEC_CANDIDATES);
    ck_assert_uint_eq(count(bucket, target, SEC_FORM_KUID), 1);
    while (insert(bucket, neighbour, SEC_FORM_OBJECT, n))
        n++;
    ck_assert_uint_eq(n, SEC_PLACES - 1);
    ck_assert(!insert(bucket, (objid_t){ target.lo, 4 }, SEC_FORM_OBJECT, 0));
    ck_assert_ptr_null(sec_bucket_problem(bucket, sec_bucket_of(target), self));
    free(bucket);
}
END_TEST

START_TEST(test_find_and_remove)
{
    struct sec_bucket *bucket = calloc(1, sizeof(*bucket));
    struct sec_cap cap = make_cap(target, SEC_FORM_OBJECT);

    for (uint64_t i = 0; i < SEC_CANDIDATES; i++)
        ck_assert(insert(bucket, target, SEC_FORM_OBJECT, i));
    cap.epoch = 5;
    ck_assert_uint_eq(sec_bucket_find(bucket, &cap), 5);
    cap.signature[63] ^= 1;
    ck_assert_uint_eq(sec_bucket_find(bucket, &cap), SEC_PLACES);
    cap.signature[63] ^= 1;
    bucket->commit[5] = 0;
    ck_assert_uint_eq(sec_bucket_find(bucket, &cap), SEC_PLACES);
    ck_assert_uint_eq(count(bucket, target, SEC_FORM_OBJECT), SEC_CANDIDATES - 1);
    ck_assert_uint_eq(sec_bucket_free(bucket, &cap), 5);
    free(bucket);
}
END_TEST

/* A table of an adversary: a decision still looks at no more than it must. */
START_TEST(test_too_many_candidates)
{
    struct sec_bucket *bucket = calloc(1, sizeof(*bucket));

    for (uint32_t i = 0; i < SEC_PLACES; i++) {
        bucket->cap[i] = make_cap(target, SEC_FORM_OBJECT);
        bucket->commit[i] = 1;
    }
    ck_assert_uint_eq(count(bucket, target, SEC_FORM_OBJECT), SEC_CANDIDATES);
    ck_assert_ptr_nonnull(sec_bucket_problem(bucket, sec_bucket_of(target), self));
    memset(bucket->commit, 0, sizeof(bucket->commit));
    bucket->commit[0] = 2;
    ck_assert_uint_eq(count(bucket, target, SEC_FORM_OBJECT), 0);
    ck_assert_uint_eq(sec_bucket_free(bucket, &bucket->cap[0]), 1);
    free(bucket);
}
END_TEST

#define BUCKET_PROBLEM(change)                                                          \
    do {                                                                                \
        struct sec_bucket *bucket = calloc(1, sizeof(*bucket));                         \
        ck_assert(insert(bucket, target, SEC_FORM_OBJECT, 0));                          \
        ck_assert_ptr_null(sec_bucket_problem(bucket, sec_bucket_of(target), self));    \
        bucket->change;                                                                 \
        ck_assert_ptr_nonnull(sec_bucket_problem(bucket, sec_bucket_of(target), self)); \
        free(bucket);                                                                   \
    } while (0)

START_TEST(test_problems_of_a_bucket)
{
    BUCKET_PROBLEM(commit[0] = 3);
    BUCKET_PROBLEM(commit[14] = 1);
    BUCKET_PROBLEM(reserved[0] = 1);
    BUCKET_PROBLEM(reserved[16] = 1);
    BUCKET_PROBLEM(cap[0].perms = 0);
    BUCKET_PROBLEM(cap[0].target.lo ^= 1);
    BUCKET_PROBLEM(cap[0].accessor.lo ^= 1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = { test_masks,
                                   test_problems_of_a_context,
                                   test_most_overrides,
                                   test_pages,
                                   test_candidates,
                                   test_find_and_remove,
                                   test_too_many_candidates,
                                   test_problems_of_a_bucket };

    return units_run("context", tests, sizeof(tests) / sizeof(tests[0]));
}
