/* SPDX-License-Identifier: MIT */
/*
 * Owns the access decision, and the cache of decisions.
 *
 *   rights = (default permissions & masks  |  grants) & ~rights that are taken
 *
 * over the context and its bases. No context can write the words of a context or a sealed object.
 *
 * Each core has a cache of its own, so a look-up takes no lock. A decision is stored with the stamp
 * of the object and the stamp of the context, which were read before it was made. Both are unique,
 * and change with whatever the decision depends on. So no entry needs to be removed.
 *
 * Lock order: takes the locks of contexts and grants, one at a time.
 */
#include <kernel/clock.h>
#include <kernel/sec.h>

#define CACHE_SIZE 256u /* decisions of one core */
#define LOOKS      32u  /* contexts that one decision looks at, at most */

/* --- evaluation ------------------------------------------------------------------------------- */

struct evaluation {
    struct object *obj;
    unsigned looks;   /* contexts looked at so far */
    uint64_t expires; /* of what was used: the earliest end; 0: never */
};

static unsigned evaluate(struct evaluation *e, struct context *context, unsigned depth);

/* The rights that one grant is worth now. */
static unsigned worth(struct evaluation *e, const struct grant_view *grant, unsigned depth)
{
    unsigned rights = grant->rights;

    if (clock_has_passed(grant->expires))
        return 0;
    if (grant->granter)
        rights &= evaluate(e, grant->granter, depth + 1);
    if (rights != 0 && grant->expires != 0 && (e->expires == 0 || grant->expires < e->expires))
        e->expires = grant->expires;
    return rights;
}

/* The rights by the grants of one context. */
static unsigned granted_in(struct evaluation *e, struct context *context, unsigned depth)
{
    struct grant_view grant[GRANT_SOURCES];
    unsigned count = grants_find(context, e->obj->id, grant);
    unsigned rights = 0;

    for (unsigned i = 0; i < count; i++) {
        rights |= worth(e, &grant[i], depth);
        context_put(grant[i].granter);
    }
    return rights;
}

static unsigned by_default(struct context *context, const struct object *obj)
{
    return __atomic_load_n(&obj->perms, __ATOMIC_RELAXED) & TWZ_PERMS &
           context_default_mask(context, obj->id);
}

/* The rights of a context and its bases. A chain of grants that is too long gives none, and neither
 * do the contexts that a decision does not look at because there are too many. */
static unsigned evaluate(struct evaluation *e, struct context *context, unsigned depth)
{
    unsigned rights = 0;

    if (depth >= CONTEXT_DEPTH)
        return 0;
    if (__atomic_load_n(&context->deleted, __ATOMIC_ACQUIRE))
        return 0;
    rights = by_default(context, e->obj);
    for (struct context *c = context; c && e->looks < LOOKS; c = c->base, e->looks++)
        if (!__atomic_load_n(&c->deleted, __ATOMIC_ACQUIRE))
            rights |= granted_in(e, c, depth);
    return rights & ~context_taken(context);
}

/* The rights that no context can have on such an object. */
static unsigned never_given(const struct object *obj)
{
    if (obj->kind == TWZ_KIND_SCTX)
        return TWZ_WRITE | TWZ_EXEC;
    return (obj->flags & TWZ_OBJ_SEALED) != 0 ? TWZ_WRITE : 0;
}

/* --- cache ------------------------------------------------------------------------------------ */

struct cached {
    uint64_t serial; /* of the context */
    uint64_t stamp;  /* of the context and its bases */
    struct decision decision;
};

static struct cached cache[MAX_CPUS][CACHE_SIZE];

static struct cached *cache_entry(const struct context *context, uint64_t obj_stamp)
{
    return &cache[arch_cpu_id()][(obj_stamp + context->serial * 61) % CACHE_SIZE];
}

static bool is_valid(const struct cached *c, const struct context *context, uint64_t obj_stamp)
{
    return c->decision.stamp == obj_stamp && c->serial == context->serial &&
           c->stamp == context_stamp(context) && !clock_has_passed(c->decision.expires);
}

static __attribute__((noinline)) void decide_anew(struct context *context, struct object *obj,
                                                  struct cached *out)
{
    struct evaluation e = { .obj = obj };
    struct cached fresh = { .serial = context->serial,
                            .stamp = context_stamp(context),
                            .decision.stamp = obj_stamp(obj) };
    unsigned taken = never_given(obj);

    fresh.decision.rights = evaluate(&e, context, 0) & ~taken;
    fresh.decision.by_default = by_default(context, obj) & ~context_taken(context) & ~taken;
    fresh.decision.expires = e.expires;
    *out = fresh;
}

/* The decision in the first context, which has no grants and no masks. */
static void decide_by_default(const struct object *obj, struct decision *decision)
{
    decision->stamp = obj_stamp(obj);
    decision->rights =
        __atomic_load_n(&obj->perms, __ATOMIC_RELAXED) & TWZ_PERMS & ~never_given(obj);
    decision->by_default = decision->rights;
    decision->expires = 0;
}

void sec_decide(struct context *context, struct object *obj, struct decision *decision)
{
    struct cached *c = cache_entry(context, obj_stamp(obj));

    if (context == context_first()) {
        decide_by_default(obj, decision);
        return;
    }
    if (!is_valid(c, context, obj_stamp(obj)))
        decide_anew(context, obj, c);
    *decision = c->decision;
}

int sec_check(struct context *context, struct object *obj, unsigned need)
{
    struct decision decision;

    sec_decide(context, obj, &decision);
    return (decision.rights & need) == need ? 0 : -TWZ_EDENIED;
}
