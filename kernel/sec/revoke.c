/* SPDX-License-Identifier: MIT */
/*
 * Owns revocations: a statement that its target's owner has signed raises the target's epoch.
 *
 *   1 the statement is checked, in steps
 *   2 COMMIT: the epoch, in the target's record      before: the rights are as they were;
 * after: no capability of an earlier epoch counts
 *   3 decisions and mappings of earlier epochs end, before the caller returns to user mode
 *
 * The epoch of a ku is that of all capabilities for its kuid, and the epoch of a context that of
 * all delegations by it. So step 3 visits every object in core of that owner, or every one.
 *
 * Lock order: none is taken here.
 */
#include <kernel/cpu.h>
#include <kernel/threadobj.h>
#include <verify/statement.h>
#include "signed.h"

/* Checks everything but the epoch. 1: the signature is not checked yet. */
static int check_signature(const struct sec_revocation *statement, const struct object *target)
{
    struct sec_scratch *scratch = scratch_get();
    struct object *ku;
    struct sec_ku keys;
    int ret;

    if (!scratch)
        return -TWZ_ENOMEM;
    if (signed_step()) {
        current()->retry = true;
        return -TWZ_EAGAIN;
    }
    ret = signed_key(objid_is_none(target->kuid) ? target->id : target->kuid, &ku, &keys);
    if (ret == -TWZ_EAGAIN)
        current()->retry = true;
    if (ret < 0)
        return ret == -TWZ_EAGAIN ? ret : -TWZ_EDENIED;
    obj_put(ku);
    ret =
        signed_check(scratch, keys.signing, statement, offsetof(struct sec_revocation, signature));
    if (ret == -TWZ_EAGAIN)
        current()->retry = true;
    if (ret >= 0)
        ret = ret == 1 ? 0 : -TWZ_EDENIED;
    return ret;
}

static int revoke(struct object *target, const struct sec_revocation *statement,
                  struct obj_renewal *renewal)
{
    uint64_t now = __atomic_load_n(&target->revocation_epoch, __ATOMIC_ACQUIRE);
    int err;

    if (revocation_check_use(statement, target->id, now) != SEC_REASON_NONE)
        return -TWZ_EDENIED;
    err = check_signature(statement, target);
    if (err == 0)
        err = obj_revoke(target, statement->epoch); /* COMMIT: the epoch */
    if (err < 0)
        return err;
    context_changed();
    if (target->kind == TWZ_KIND_SCTX) /* it may have delegated rights on any object */
        obj_renewal_start(renewal, TWZ_OBJID_NONE);
    else if ((target->flags & TWZ_OBJ_SEALED) != 0)
        obj_renewal_start(renewal, target->id);
    else
        obj_renewal_drop(renewal);
    return 0;
}

int sec_revoke(const struct sec_revocation *statement)
{
    struct object *target;
    struct obj_renewal *renewal;
    int err;

    if (revocation_check_form(statement) != SEC_REASON_NONE)
        return -TWZ_EINVAL;
    err = obj_get(statement->target, &target);
    if (err < 0)
        return err;
    renewal = obj_renewal_prepare();
    err = renewal ? revoke(target, statement, renewal) : -TWZ_ENOMEM;
    if (err < 0)
        obj_renewal_drop(renewal);
    obj_put(target);
    return err;
}
