/* SPDX-License-Identifier: MIT */
/*
 * Owns the rights of a context on an object:
 *
 *   rights = (default permissions & masks  |  grants  |  capabilities) & ~rights that are taken
 *
 * over the context and its bases.
 *
 *   grant        what was granted, as far as the granter has it now
 *   capability   valid, signed by the target's kuid (security/format.h): what it says
 *   delegation   valid, signed by the delegator's kuid: that, as far as the delegator has it now
 *
 * One evaluation looks at LOOKS contexts and CANDIDATES capabilities at most, and passes through
 * CONTEXT_DEPTH contexts; a chain or a circle ends there. Whatever it does not look at gives no
 * rights.
 *
 * Lock order: takes the locks of contexts, grants and objects, one at a time.
 */
#include "evaluate.h"

#include <kernel/clock.h>
#include <kernel/page.h>
#include <lib/string.h>
#include <verify/context.h>
#include "signed.h"

#define LOOKS      32u /* contexts */
#define CANDIDATES 16u /* capabilities */

/* The result may change at `time`. */
static void evaluation_ends(struct evaluation *e, uint64_t time)
{
    if (e->until == 0 || time < e->until)
        e->until = time;
}

/* --- capabilities ----------------------------------------------------------------------------- */

/* A search for the capabilities of one target and form in a context's table. */
struct search {
    struct context *context;
    objid_t target;
    uint32_t form;
    uint32_t place;              /* in the target's bucket, of the next one to look at */
    uint32_t found;              /* SEC_CANDIDATES at most */
    uint64_t commit[SEC_PLACES]; /* of the bucket */
};

/* Reads bytes of the bucket. */
static int read_bucket(const struct search *s, size_t off, void *to, size_t len)
{
    uint64_t page = (uint64_t)sec_bucket_page(s->target) << TWZ_PAGE_SHIFT;

    return obj_read(s->context->obj, page + off, to, len);
}

/* A capability's bytes from its form to its target. */
struct target_bytes {
    uint32_t form;
    uint32_t perms;
    objid_t target;
};
_Static_assert(offsetof(struct sec_cap, target) - offsetof(struct sec_cap, form) == 8 &&
                   sizeof(struct target_bytes) == 24,
               "target bytes");

/* Copies the next capability of the search, which may have any content. False: there is none, or
 * the table cannot be read. As sec_bucket_next (verify/context.h), but a whole bucket is not read.
 * */
static bool next_candidate(struct search *s, struct sec_cap *cap)
{
    while (s->found < SEC_CANDIDATES && s->place < SEC_PLACES) {
        uint32_t place = s->place++;
        size_t off = offsetof(struct sec_bucket, cap) + place * sizeof(*cap);
        struct target_bytes is;

        if (s->commit[place] != 1)
            continue;
        if (read_bucket(s, off + offsetof(struct sec_cap, form), &is, sizeof(is)) < 0)
            return false;
        if (is.form != s->form || !objid_equal(is.target, s->target))
            continue;
        s->found++;
        return read_bucket(s, off, cap, sizeof(*cap)) == 0;
    }
    return false;
}

static uint64_t epoch_of(const struct object *obj)
{
    return __atomic_load_n(&obj->revocation_epoch, __ATOMIC_ACQUIRE);
}

/* A capability that is being looked at. */
struct look {
    const struct sec_cap *cap;
    struct cap_use use;
    struct object *delegator; /* referenced; NULL: it is no delegation, or there is none */
    struct sec_ku keys;       /* of the one who must have signed it */
};

/* Finds the keys, the delegator and the epochs. Returns false if one is missing. */
static bool find_parties(struct evaluation *e, struct look *look)
{
    objid_t kuid = e->obj->kuid;
    struct object *ku;
    int err;

    if (look->cap->form == SEC_FORM_KUID) {
        if (obj_get(kuid, &ku) < 0)
            return false;
        look->use.kuid_epoch = epoch_of(ku);
        obj_put(ku);
    }
    if (cap_is_delegation(look->cap)) {
        if (obj_get(look->cap->delegator, &look->delegator) < 0)
            return false;
        kuid = look->delegator->kuid;
        look->use.delegator_epoch = epoch_of(look->delegator);
    }
    err = signed_key(cap_signer(look->cap, kuid), &ku, &look->keys);
    if (err == -TWZ_EAGAIN)
        e->err = err;
    if (err < 0)
        return false;
    obj_put(ku);
    return true;
}

/* True: the capability applies now, and its signature is valid. */
static bool is_valid(struct evaluation *e, const struct look *look)
{
    struct sec_scratch *scratch = scratch_get();
    enum sec_reason reason = cap_check_use(look->cap, &look->use);
    int ret;

    if (reason == SEC_REASON_NOT_YET)
        evaluation_ends(e, look->cap->not_before);
    if (reason == SEC_REASON_EXPIRED)
        (void)clock_has_passed(look->cap->expires);
    if (!scratch)
        e->err = -TWZ_ENOMEM;
    if (reason != SEC_REASON_NONE || !scratch)
        return false;
    ret = signed_check(scratch, look->keys.signing, look->cap, offsetof(struct sec_cap, signature));
    if (ret < 0)
        e->err = ret;
    return ret == 1;
}

/* The rights that the delegator has now. */
static unsigned delegator_rights(struct evaluation *e, struct object *delegator, unsigned depth)
{
    struct context *context;
    unsigned ret;

    if (context_get(delegator, &context) < 0)
        return 0;
    context_set_delegates(context);
    ret = evaluate(e, context, depth + 1);
    context_put(context);
    return ret;
}

static unsigned capability_worth(struct evaluation *e, const struct look *look, unsigned depth)
{
    struct sec_rights rights = cap_rights(look->cap);
    unsigned ret = rights.perms;

    if (rights.gate_len != 0 && !(e->has_gate && sec_rights_allow_gate(&rights, e->gate)))
        ret &= ~TWZ_EXEC;
    if (cap_is_delegation(look->cap))
        ret &= delegator_rights(e, look->delegator, depth);
    if (ret != 0 && rights.expires != 0)
        evaluation_ends(e, rights.expires);
    return ret;
}

static unsigned rights_by(struct evaluation *e, const struct context *context,
                          const struct sec_cap *cap, unsigned depth)
{
    struct look look = { .cap = cap,
                         .use = { .target = e->obj->id,
                                  .kuid = e->obj->kuid,
                                  .accessor = context->id,
                                  .epoch = epoch_of(e->obj),
                                  .time = clock_security() } };
    unsigned ret = 0;

    if (cap_check_form(cap) != SEC_REASON_NONE)
        return 0;
    if (find_parties(e, &look) && is_valid(e, &look))
        ret = capability_worth(e, &look, depth);
    if (look.delegator)
        obj_put(look.delegator);
    return ret;
}

/* The rights by the capabilities of one target and form. */
static unsigned rights_of_target(struct evaluation *e, struct context *context, objid_t target,
                                 uint32_t form, unsigned depth)
{
    struct search s = { .context = context, .target = target, .form = form };
    struct sec_cap cap;
    unsigned ret = 0;

    if (read_bucket(&s, 0, s.commit, sizeof(s.commit)) < 0)
        return 0;
    while (e->err == 0 && e->candidates < CANDIDATES && next_candidate(&s, &cap)) {
        e->candidates++;
        ret |= rights_by(e, context, &cap, depth);
    }
    return ret;
}

/* The rights that the capabilities in one context give, without its bases. */
static unsigned capability_rights(struct evaluation *e, struct context *context, unsigned depth)
{
    unsigned ret;

    if (!context->obj || !__atomic_load_n(&context->has_table, __ATOMIC_ACQUIRE))
        return 0;
    ret = rights_of_target(e, context, e->obj->id, SEC_FORM_OBJECT, depth);
    if (!objid_is_none(e->obj->kuid))
        ret |= rights_of_target(e, context, e->obj->kuid, SEC_FORM_KUID, depth);
    return ret;
}

/* --- grants and default permissions ----------------------------------------------------------- */

/* The rights that one grant is worth now. */
static unsigned grant_worth(struct evaluation *e, const struct grant_view *grant, unsigned depth)
{
    unsigned rights = grant->rights;

    if (clock_has_passed(grant->expires))
        return 0;
    if (grant->granter)
        rights &= evaluate(e, grant->granter, depth + 1);
    if (rights != 0 && grant->expires != 0)
        evaluation_ends(e, grant->expires);
    return rights;
}

/* The rights by the grants of one context. */
static unsigned granted_in(struct evaluation *e, struct context *context, unsigned depth)
{
    struct grant_view grant[GRANT_SOURCES];
    unsigned count = grants_find(context, e->obj->id, grant);
    unsigned rights = 0;

    for (unsigned i = 0; i < count; i++) {
        rights |= grant_worth(e, &grant[i], depth);
        context_put(grant[i].granter);
    }
    return rights;
}

unsigned evaluate_default(struct context *context, const struct object *obj)
{
    return __atomic_load_n(&obj->perms, __ATOMIC_RELAXED) & TWZ_PERMS &
           context_default_mask(context, obj->id) & ~context_taken(context);
}

/* The rights of a context and its bases. A chain of grants that is too long gives none, and neither
 * do the contexts that a decision does not look at because there are too many. */
unsigned evaluate(struct evaluation *e, struct context *context, unsigned depth)
{
    unsigned rights = 0;

    if (depth >= CONTEXT_DEPTH)
        return 0;
    if (__atomic_load_n(&context->deleted, __ATOMIC_ACQUIRE))
        return 0;
    rights = evaluate_default(context, e->obj);
    for (struct context *c = context; c && e->err == 0 && e->looks < LOOKS; c = c->base) {
        e->looks++;
        if (!__atomic_load_n(&c->deleted, __ATOMIC_ACQUIRE))
            rights |= granted_in(e, c, depth) | capability_rights(e, c, depth);
    }
    return rights & ~context_taken(context);
}
