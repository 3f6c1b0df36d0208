/* SPDX-License-Identifier: MIT */
/*
 * Owns the access decision: the rights that evaluate.c finds, within those that the object allows
 * at all, and the cache of decisions. No context can write the words of a context or a sealed
 * object.
 *
 * Each core has a cache of its own, so a look-up takes no lock. A decision is stored with the stamp
 * of the object and the stamp of the context, which were read before it was made. Both are unique,
 * and change with whatever the decision depends on. So no entry needs to be removed.
 *
 * Lock order: none is taken here.
 */
#include <kernel/clock.h>
#include <kernel/threadobj.h>
#include "evaluate.h"
#include "signed.h"

#define CACHE_SIZE 256u /* decisions of one core */

/* The rights that no context can have on such an object. */
static unsigned never_given(const struct object *obj)
{
    if (obj->kind == TWZ_KIND_SCTX)
        return TWZ_WRITE | TWZ_EXEC;
    return (obj->flags & TWZ_OBJ_SEALED) != 0 ? TWZ_WRITE : 0;
}

/* --- cache ------------------------------------------------------------------------------------ */

struct cached {
    uint64_t serial;  /* of the context */
    uint64_t stamp;   /* of the context and its bases */
    uint64_t changes; /* context_changes */
    uint64_t gate;    /* 0; of a gate call: its offset + 1 */
    struct decision decision;
};

static struct cached cache[MAX_CPUS][CACHE_SIZE];

static struct cached *cache_entry(const struct context *context, uint64_t obj_stamp, uint64_t gate)
{
    return &cache[arch_cpu_id()][(obj_stamp + context->serial * 61 + gate * 7) % CACHE_SIZE];
}

static bool is_valid(const struct cached *c, const struct context *context, uint64_t obj_stamp,
                     uint64_t gate)
{
    return c->decision.stamp == obj_stamp && c->serial == context->serial && c->gate == gate &&
           c->stamp == context_stamp(context) && c->changes == context_changes() &&
           !clock_has_passed(c->decision.until);
}

/* The decision in the first context, which has no grants, no masks and no capabilities. */
static void decide_by_default(const struct object *obj, struct decision *decision)
{
    decision->stamp = obj_stamp(obj);
    decision->rights =
        __atomic_load_n(&obj->perms, __ATOMIC_RELAXED) & TWZ_PERMS & ~never_given(obj);
    decision->by_default = decision->rights;
    decision->until = 0;
}

/* One stay of a decision. If a signature is being checked, the stay does one step of that. */
static __attribute__((noinline)) int decide_anew(struct context *context, struct object *obj,
                                                 uint64_t gate, struct cached *out)
{
    struct evaluation e = { .obj = obj, .has_gate = gate != 0, .gate = gate - 1 };
    struct cached fresh = { .serial = context->serial,
                            .stamp = context_stamp(context),
                            .changes = context_changes(),
                            .gate = gate,
                            .decision.stamp = obj_stamp(obj) };
    unsigned never = never_given(obj);

    if (signed_step())
        return -TWZ_EAGAIN;
    fresh.decision.rights = evaluate(&e, context, 0) & ~never;
    fresh.decision.by_default = evaluate_default(context, obj) & ~never;
    fresh.decision.until = e.until;
    if (e.err == 0)
        *out = fresh;
    return e.err;
}

static int decide(struct context *context, struct object *obj, uint64_t gate,
                  struct decision *decision)
{
    struct cached *c = cache_entry(context, obj_stamp(obj), gate);
    int err = 0;

    if (context == context_first()) {
        decide_by_default(obj, decision);
        return 0;
    }
    if (!is_valid(c, context, obj_stamp(obj), gate))
        err = decide_anew(context, obj, gate, c);
    if (err == -TWZ_EAGAIN)
        current()->retry = true;
    if (err == 0)
        *decision = c->decision;
    return err;
}

int sec_decide(struct context *context, struct object *obj, struct decision *decision)
{
    return decide(context, obj, 0, decision);
}

static int check(struct context *context, struct object *obj, uint64_t gate, unsigned need)
{
    struct decision decision;
    int err = decide(context, obj, gate, &decision);

    if (err < 0)
        return err;
    return (decision.rights & need) == need ? 0 : -TWZ_EDENIED;
}

int sec_check(struct context *context, struct object *obj, unsigned need)
{
    return check(context, obj, 0, need);
}

int sec_check_gate(struct context *context, struct object *obj, uint64_t offset)
{
    return check(context, obj, offset + 1, TWZ_EXEC);
}
