/* SPDX-License-Identifier: MIT */
/*
 * Owns the creation of objects. The kernel chooses a random nonce, and the ID follows from it. A
 * volatile object exists when it is in the table. A persistent object exists when the store has
 * committed it (store_obj_create_as). It is in the table before, but look-ups do not find it until
 * then. So no look-up can load it a second time.
 *
 * An unfinished object is one that its creator fills before it returns the ID. One with a witness
 * stays provisional until its owner makes it permanent. Else:
 *
 *   step                                              after a power failure
 *   1 the store creates it, provisional and without   recovery frees it
 *     a witness
 *   2 the creator fills it                            the same
 *   3 COMMIT: TWZ_CTL_PERMANENT                       the object exists, complete
 *
 * No lock is held while the ID is computed and the store's entry is written.
 *
 * Lock order: shard -> pool -> kmem.
 */
#include <kernel/accounts.h>
#include <kernel/log.h>
#include <kernel/random.h>
#include <lib/string.h>
#include <verify/hash.h>
#include "inside.h"

/* The first revocation epoch of an object that is made now: the pool's floor, above which no object
 * was ever revoked. The store does the same for persistent objects. */
static uint64_t first_epoch(void)
{
    struct store *store = pool_store();

    return store ? store_mono_get(store, STORE_MONO_REVOKE) : 0;
}

static void choose_nonce(const struct obj_spec *spec, uint64_t nonce[2])
{
    if (spec->nonce)
        memcpy(nonce, spec->nonce, 2 * sizeof(*nonce));
    else
        random_bytes(nonce, 2 * sizeof(*nonce));
}

static int create_volatile(const struct obj_spec *spec, struct object *obj)
{
    choose_nonce(spec, obj->nonce);
    obj->id = hash_objid(obj->nonce, spec->perms, spec->kuid);
    shard_lock(obj->id);
    obj_ref(obj);
    obj->exists = true;
    table_insert_locked(obj);
    shard_unlock(obj->id);
    return 0;
}

/* Inserts an object that look-ups do not find yet. */
static int begin_creation(struct object *obj)
{
    int err = 0;

    obj->creating = true;
    shard_lock(obj->id);
    if (table_find_locked(obj->id))
        err = -TWZ_EEXIST;
    else
        table_insert_locked(obj);
    shard_unlock(obj->id);
    return err;
}

/* Lets look-ups find the object of `row`, or removes it after an error. */
static void end_creation(struct object *obj, int err, uint32_t row)
{
    shard_lock(obj->id);
    if (err < 0)
        table_remove_locked(obj);
    else
        obj->row = row;
    obj->creating = false;
    shard_unlock(obj->id);
}

/* Creates the object in the store. */
static int create_persistent(const struct obj_spec *spec, struct object *obj)
{
    struct store_create create = { .kuid = spec->kuid,
                                   .tie_parent = spec->tie,
                                   .perms = spec->perms,
                                   .kind = spec->kind,
                                   .class_ = spec->class_,
                                   .account = obj->account,
                                   .revoke_epoch = obj->revocation_epoch,
                                   .persist = spec->persist };
    struct store *store = pool_store();
    uint32_t row = OBJ_NO_ROW;
    int err;

    if (!store)
        return -TWZ_ENOTSUP;
    choose_nonce(spec, create.nonce);
    if ((spec->flags & TWZ_OBJ_PROVISIONAL) != 0) {
        create.witness = spec->witness;
        create.witness_off = spec->witness_off;
        create.witness_value = spec->witness_value;
    } else {
        create.unnamed = spec->unfinished;
    }
    obj->nonce[0] = create.nonce[0];
    obj->nonce[1] = create.nonce[1];
    obj->id = store_obj_id(&create);
    err = accounts_charge_new(obj->payer);
    if (err < 0)
        return err;
    err = begin_creation(obj);
    if (err == 0) {
        err = store_obj_create_as(store, &create, obj->id, &row); /* COMMIT: created */
        end_creation(obj, err, row);
    }
    if (err < 0)
        account_uncharge(obj->payer, TWZ_ACCOUNT_POOL, STORE_OBJECT_BYTES);
    return err;
}

_Static_assert(TWZ_CLASS_DURABLE == STORE_CLASS_DURABLE, "one number for a class");

static bool is_spec_valid(const struct obj_spec *spec)
{
    const uint32_t known = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL | TWZ_OBJ_FLAT;
    uint32_t flags = spec->flags;

    if ((flags & ~known) != 0 || (spec->perms & ~TWZ_PERMS) != 0)
        return false;
    if ((flags & TWZ_OBJ_FLAT) != 0 && (flags != TWZ_OBJ_FLAT || spec->kind != TWZ_KIND_DATA))
        return false;
    if (spec->persist > TWZ_PERSIST_PERIODIC || spec->class_ != TWZ_CLASS_DURABLE)
        return false;
    if ((flags & TWZ_OBJ_PROVISIONAL) != 0)
        return (flags & TWZ_OBJ_PERSIST) != 0 && !objid_is_none(spec->witness);
    return true;
}

static int tie_new_object(struct object *obj, objid_t parent_id)
{
    struct object *parent;
    int err = obj_get(parent_id, &parent);

    if (err < 0)
        return err;
    err = obj_tie(obj, parent);
    obj_put(parent);
    return err;
}

/* Returns a blank object that the payer is charged for. */
static int alloc_object(struct account *payer, struct object **out)
{
    int err = account_charge(payer, TWZ_ACCOUNT_KERNEL, INCORE_BYTES);

    if (err < 0)
        return err;
    *out = incore_alloc();
    if (!*out) {
        account_uncharge(payer, TWZ_ACCOUNT_KERNEL, INCORE_BYTES);
        return -TWZ_ENOMEM;
    }
    incore_set_payer(*out, payer);
    return 0;
}

int obj_create(const struct obj_spec *spec, struct object **out)
{
    bool persistent = (spec->flags & TWZ_OBJ_PERSIST) != 0;
    struct object *obj;
    int err;

    if (!is_spec_valid(spec))
        return -TWZ_EINVAL;
    err = alloc_object(persistent ? account_persistent(spec->payer) : spec->payer, &obj);
    if (err < 0)
        return err;
    obj->kuid = spec->kuid;
    obj->kind = spec->kind;
    obj->revocation_epoch = first_epoch();
    obj->class_ = spec->class_;
    obj->perms_id = spec->perms;
    obj->perms = spec->perms;
    obj->persist = spec->persist;
    obj->flags = spec->flags | (persistent && spec->unfinished ? TWZ_OBJ_PROVISIONAL : 0);
    err = persistent ? create_persistent(spec, obj) : create_volatile(spec, obj);
    if (err < 0) {
        incore_discard(obj);
        return err;
    }
    if (!persistent && !objid_is_none(spec->tie))
        err = tie_new_object(obj, spec->tie);
    if (err < 0) {
        if (obj_delete(obj, false) < 0)
            log_printf("object " IDFMT " could not be deleted again", IDPR(obj->id));
        obj_put(obj);
        return err;
    }
    *out = obj;
    return 0;
}
