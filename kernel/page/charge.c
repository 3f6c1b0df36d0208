/* SPDX-License-Identifier: MIT */
/*
 * Owns the charges for frames of the pool. An account is charged for each frame that an object has:
 * a page word with a frame, shared ones too, and a node. A charge is made before the store takes
 * frames, for as many as the operation may take, and corrected afterwards by the store's count. So
 * an operation that is refused has changed nothing. The charge for the object itself is
 * obj/create.c's.
 *
 * The caller must hold the object's lock.
 */
#include <kernel/account.h>
#include "inside.h"

int pool_charge(struct object *obj, uint64_t frames, struct pool_charge *c)
{
    struct store *store = pool_store();
    int err;

    *c = (struct pool_charge){ .charged = frames };
    if (!store)
        return -TWZ_ENOTSUP;
    if (!obj->payer)
        return 0;
    err = account_charge(obj->payer, TWZ_ACCOUNT_POOL, frames << TWZ_PAGE_SHIFT);
    if (err == 0)
        c->before = store_obj_frames(store, obj->row);
    return err;
}

uint64_t pool_charge_end(struct object *obj, const struct pool_charge *c)
{
    struct store *store = pool_store();
    uint64_t now, back;

    if (!obj->payer || !store)
        return 0;
    now = store_obj_frames(store, obj->row);
    back = c->before + c->charged - now;
    account_uncharge(obj->payer, TWZ_ACCOUNT_POOL, back << TWZ_PAGE_SHIFT);
    return now > c->before ? now - c->before : 0;
}
