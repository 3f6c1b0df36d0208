/* SPDX-License-Identifier: MIT */
/*
 * Owns changes of the capabilities in a context's table.
 *
 *   change                                                 after a power failure
 *   add     1 the capability is written, durably           the place is free
 *           2 COMMIT: its commit word, 1                   it is there
 *   remove  1 COMMIT: its commit word, 0                   it is not there
 *           2 decisions and mappings by it end
 *
 * Lock order: changes -> in-core object.
 */
#include <kernel/kmem.h>
#include <kernel/page.h>
#include <verify/context.h>
#include "signed.h"

static SHARED_LOCK struct spinlock tables_lock; /* guards the tables of all contexts for changes */

static uint64_t bucket_offset(const struct sec_cap *cap)
{
    return (uint64_t)sec_bucket_page(cap->target) << TWZ_PAGE_SHIFT;
}

static int set_commit(struct context *context, const struct sec_cap *cap, uint32_t place,
                      uint64_t value)
{
    uint64_t at = bucket_offset(cap) + offsetof(struct sec_bucket, commit) + place * sizeof(value);
    int err = obj_write(context->obj, at, &value, sizeof(value)); /* COMMIT: added, or removed */

    return err < 0 ? -TWZ_ENOSPC : 0;
}

static int add_locked(struct context *context, const struct sec_cap *cap, struct sec_bucket *bucket)
{
    uint64_t at = bucket_offset(cap);
    uint32_t place;

    if (obj_read(context->obj, at, bucket, sizeof(*bucket)) < 0)
        return -TWZ_EDAMAGED;
    if (sec_bucket_find(bucket, cap) < SEC_PLACES)
        return -TWZ_EEXIST;
    place = sec_bucket_free(bucket, cap);
    if (place == SEC_PLACES)
        return -TWZ_EFULL;
    if (obj_write(context->obj, at + offsetof(struct sec_bucket, cap) + place * sizeof(*cap), cap,
                  sizeof(*cap)) < 0)
        return -TWZ_ENOSPC;
    __atomic_store_n(&context->has_table, true, __ATOMIC_RELEASE);
    return set_commit(context, cap, place, 1);
}

static int remove_locked(struct context *context, const struct sec_cap *cap,
                         struct sec_bucket *bucket)
{
    uint32_t place;

    if (obj_read(context->obj, bucket_offset(cap), bucket, sizeof(*bucket)) < 0)
        return -TWZ_EDAMAGED;
    place = sec_bucket_find(bucket, cap);
    return place == SEC_PLACES ? -TWZ_ENOOBJ : set_commit(context, cap, place, 0);
}

static int check_for(const struct context *context, const struct sec_cap *cap)
{
    if (!context->obj || cap_check_form(cap) != SEC_REASON_NONE ||
        !objid_equal(cap->accessor, context->id))
        return -TWZ_EINVAL;
    return __atomic_load_n(&context->deleted, __ATOMIC_ACQUIRE) ? -TWZ_EDELETED : 0;
}

/* Makes the decisions void that a change of this capability may concern. An object that is not in
 * core has no decisions. */
static void end_decisions(struct context *context, const struct sec_cap *cap)
{
    struct object *obj;

    if (cap->form == SEC_FORM_KUID) {
        context_renew_stamp(context);
        context_changed();
    } else if (obj_get(cap->target, &obj) == 0) {
        obj_renew_stamp(obj);
        obj_put(obj);
    }
}

int sec_table_add(struct context *context, const struct sec_cap *cap)
{
    struct sec_bucket *bucket;
    int err = check_for(context, cap);

    if (err < 0)
        return err;
    bucket = kmem_alloc(sizeof(*bucket));
    if (!bucket)
        return -TWZ_ENOMEM;
    spin_lock(&tables_lock);
    err = add_locked(context, cap, bucket);
    spin_unlock(&tables_lock);
    kmem_free(bucket, sizeof(*bucket));
    if (err == 0)
        end_decisions(context, cap);
    return err;
}

/* The memory of a removal, from before its commit. */
struct removal {
    struct sec_bucket bucket;
    struct obj_unmap *unmap;
    struct context_withdrawal *withdrawal;
};

static void free_removal(struct removal *r)
{
    if (!r)
        return;
    if (r->unmap)
        obj_unmap_drop(r->unmap);
    if (r->withdrawal)
        context_withdrawal_drop(r->withdrawal);
    kmem_free(r, sizeof(*r));
}

static struct removal *alloc_removal(const struct sec_cap *cap)
{
    struct removal *r = kmem_alloc(sizeof(*r));

    if (!r)
        return NULL;
    if (cap->form == SEC_FORM_KUID)
        r->withdrawal = context_withdrawal_prepare();
    else
        r->unmap = obj_unmap_prepare();
    if (r->withdrawal || r->unmap)
        return r;
    free_removal(r);
    return NULL;
}

/* Ends what the capability gave. */
static void withdraw(struct removal *r, struct context *context, const struct sec_cap *cap)
{
    struct object *obj;

    end_decisions(context, cap);
    if (r->withdrawal) {
        context_withdrawal_start(r->withdrawal, context);
        r->withdrawal = NULL;
    } else if (obj_get(cap->target, &obj) == 0) {
        obj_unmap_start(r->unmap, obj);
        r->unmap = NULL;
        obj_put(obj);
    }
}

int sec_table_remove(struct context *context, const struct sec_cap *cap)
{
    struct removal *r;
    int err = check_for(context, cap);

    if (err < 0)
        return err;
    r = alloc_removal(cap);
    if (!r)
        return -TWZ_ENOMEM;
    spin_lock(&tables_lock);
    err = remove_locked(context, cap, &r->bucket);
    spin_unlock(&tables_lock);
    if (err == 0)
        withdraw(r, context, cap);
    free_removal(r);
    return err;
}
