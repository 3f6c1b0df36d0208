/* SPDX-License-Identifier: MIT */
#include <lib/string.h>
#include <verify/context.h>

static bool is_zero(const uint64_t *words, size_t count)
{
    uint64_t all = 0;

    while (count-- > 0)
        all |= *words++;
    return all == 0;
}

/* The override of an object among the first `count`, or NULL. */
static const struct sec_override *find_override(const struct sec_context *context, uint64_t count,
                                                objid_t id)
{
    for (uint64_t i = 0; i < count; i++)
        if (objid_equal(context->override[i].id, id))
            return &context->override[i];
    return NULL;
}

const char *sec_context_problem(const struct sec_context *context)
{
    if (context->magic != SEC_CONTEXT_MAGIC)
        return "is no security context";
    if (context->version != SEC_CONTEXT_VERSION)
        return "is of another version";
    if (context->flags != 0 || !is_zero(context->reserved, 12))
        return "has a reserved word that is not 0";
    if (((context->default_mask | context->global_mask) & ~TWZ_PERMS) != 0)
        return "has a mask with an unknown right";
    if (context->noverrides > SEC_OVERRIDES)
        return "has too many overrides";
    for (uint64_t i = 0; i < context->noverrides; i++) {
        const struct sec_override *override = &context->override[i];

        if (objid_is_none(override->id) || override->reserved != 0 ||
            (override->mask & ~(uint64_t)TWZ_PERMS) != 0)
            return "has an override that is not valid";
        if (find_override(context, i, override->id))
            return "has two overrides of one object";
    }
    return NULL;
}

uint32_t sec_context_mask(const struct sec_context *context, objid_t id)
{
    const struct sec_override *override = find_override(context, context->noverrides, id);

    return override ? (uint32_t) override->mask : context->default_mask;
}

uint32_t sec_bucket_of(objid_t target)
{
    return (uint32_t)target.lo & (SEC_BUCKETS - 1);
}

uint32_t sec_bucket_page(objid_t target)
{
    return SEC_BUCKET_PAGE + sec_bucket_of(target);
}

static bool has_candidate(const struct sec_bucket *bucket, uint32_t place, objid_t target,
                          uint32_t form)
{
    return bucket->commit[place] == 1 && bucket->cap[place].form == form &&
           objid_equal(bucket->cap[place].target, target);
}

/* The candidates before `end`. */
static uint32_t count_candidates(const struct sec_bucket *bucket, uint32_t end, objid_t target,
                                 uint32_t form)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < end; i++)
        count += has_candidate(bucket, i, target, form);
    return count;
}

const char *sec_bucket_problem(const struct sec_bucket *bucket, uint32_t number, objid_t accessor)
{
    if (!is_zero(bucket->reserved, 17))
        return "has a reserved word that is not 0";
    for (uint32_t i = 0; i < SEC_PLACES; i++) {
        const struct sec_cap *cap = &bucket->cap[i];

        if (bucket->commit[i] == 0)
            continue;
        if (bucket->commit[i] != 1)
            return "has a commit word that is neither 0 nor 1";
        if (cap_check_form(cap) != SEC_REASON_NONE)
            return "has a capability that is not well formed";
        if (sec_bucket_of(cap->target) != number)
            return "has a capability of another bucket";
        if (!objid_equal(cap->accessor, accessor))
            return "has a capability for another context";
        if (count_candidates(bucket, i, cap->target, cap->form) >= SEC_CANDIDATES)
            return "has too many capabilities of one target";
    }
    return NULL;
}

const struct sec_cap *sec_bucket_next(const struct sec_bucket *bucket, objid_t target,
                                      uint32_t form, uint32_t *place)
{
    if (count_candidates(bucket, *place, target, form) >= SEC_CANDIDATES)
        return NULL;
    while (*place < SEC_PLACES) {
        uint32_t at = (*place)++;

        if (has_candidate(bucket, at, target, form))
            return &bucket->cap[at];
    }
    return NULL;
}

uint32_t sec_bucket_find(const struct sec_bucket *bucket, const struct sec_cap *cap)
{
    uint32_t i = 0;

    while (i < SEC_PLACES &&
           (bucket->commit[i] != 1 || memcmp(&bucket->cap[i], cap, sizeof(*cap)) != 0))
        i++;
    return i;
}

uint32_t sec_bucket_free(const struct sec_bucket *bucket, const struct sec_cap *cap)
{
    uint32_t i = 0;

    if (count_candidates(bucket, SEC_PLACES, cap->target, cap->form) >= SEC_CANDIDATES)
        return SEC_PLACES;
    while (i < SEC_PLACES && bucket->commit[i] != 0)
        i++;
    return i;
}
