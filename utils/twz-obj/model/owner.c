/* SPDX-License-Identifier: MIT */
/*
 * Crash protocol: COMMIT: store_super_set names ku and context, which are whole then. Before, both
 * are objects to which nothing points.
 */
#include "owner.h"

#include <string.h>
#include <twz/error.h>

#include "contexts.h"
#include "fail.h"
#include "kus.h"

/* Put the capability for all that the owner has into the owner's context. */
static int add_capability(struct pool *pool, const struct store_roots *roots,
                          const struct sign_key *key)
{
    struct sec_cap cap = { .form = SEC_FORM_KUID, .perms = TWZ_PERMS };
    struct store_stat stat;
    uint32_t ku, context;
    int err = store_lookup(pool->store, roots->owner, &ku);

    if (err >= 0)
        err = store_obj_info(pool->store, ku, &stat);
    if (err >= 0)
        err = store_lookup(pool->store, roots->sctx, &context);
    if (err < 0)
        return err;
    memcpy(cap.domain, SEC_DOMAIN_CAPABILITY, SEC_DOMAIN);
    cap.target = roots->owner;
    cap.accessor = roots->sctx;
    cap.epoch = stat.revoke_epoch;
    if (sign_cap(&cap, key) != SEC_REASON_NONE)
        return -TWZ_EINVAL;
    return context_insert(pool, context, roots->sctx, &cap);
}

int owner_make(struct pool *pool, const struct sign_key *key)
{
    struct context_spec spec = { .perms = TWZ_READ, .default_mask = TWZ_PERMS };
    struct store_roots roots = store_super_get(pool->store)->roots;
    int err = key ? ku_create(pool, NULL, &key->ku, &roots.owner) : TOOL_OK;

    if (err != TOOL_OK)
        return err;
    spec.kuid = roots.owner;
    err = context_create(pool, NULL, &spec, &roots.sctx);
    if (err != TOOL_OK)
        return err;
    err = key ? add_capability(pool, &roots, key) : 0;
    if (err >= 0)
        err = store_super_set(pool->store, &roots); /* COMMIT: the pool has its owner */
    return err < 0 ? fail_twz(pool->path, err) : TOOL_OK;
}
