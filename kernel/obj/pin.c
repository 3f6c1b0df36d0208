/* SPDX-License-Identifier: MIT */
/*
 * Owns pins. Each security context that pins an object is a holder, with a count of its own, so no
 * context can remove the pin of another. All pins of an object hold one reference together.
 *
 * Lock order: object only.
 */
#include <kernel/account.h>
#include <kernel/kmem.h>
#include "inside.h"

#define HOLDERS_MAX 64u

struct pin {
    struct pin *next;
    objid_t holder;
    uint32_t count; /* never 0 */
};

static struct pin **find_pin(struct object *obj, objid_t holder, unsigned *holders)
{
    struct pin **at = &obj->pin;

    for (*holders = 0; *at && !objid_equal((*at)->holder, holder); ++*holders)
        at = &(*at)->next;
    return at;
}

/* Takes over `fresh` if the holder has no pin yet, and sets it to NULL then. */
static int add_locked(struct object *obj, objid_t holder, struct pin **fresh)
{
    unsigned holders;
    struct pin **at = find_pin(obj, holder, &holders);

    if (obj_is_deleted(obj))
        return -TWZ_EDELETED;
    if (obj->migrating != MIGRATE_NONE)
        return -TWZ_EBUSY;
    if (obj->pins == UINT32_MAX || (!*at && holders == HOLDERS_MAX))
        return -TWZ_EFULL;
    if (!*at) {
        *at = *fresh;
        *fresh = NULL;
        (*at)->holder = holder;
    }
    (*at)->count++;
    if (obj->pins++ == 0)
        obj_ref(obj);
    return 0;
}

static void free_pin(const struct object *obj, struct pin *pin)
{
    if (!pin)
        return;
    kmem_free(pin, sizeof(*pin));
    account_uncharge(obj->payer, TWZ_ACCOUNT_KERNEL, sizeof(*pin));
}

static int add_pin(struct object *obj, objid_t holder)
{
    int err = account_charge(obj->payer, TWZ_ACCOUNT_KERNEL, sizeof(struct pin));
    struct pin *fresh;

    if (err < 0)
        return err;
    fresh = kmem_alloc(sizeof(*fresh));
    if (fresh) {
        spin_lock(&obj->tree.lock);
        err = add_locked(obj, holder, &fresh);
        spin_unlock(&obj->tree.lock);
    } else {
        account_uncharge(obj->payer, TWZ_ACCOUNT_KERNEL, sizeof(struct pin));
        err = -TWZ_ENOMEM;
    }
    free_pin(obj, fresh);
    return err;
}

static int remove_pin(struct object *obj, objid_t holder)
{
    struct pin **at, *gone = NULL;
    unsigned holders;
    bool last = false;
    int err = -TWZ_EINVAL;

    spin_lock(&obj->tree.lock);
    at = find_pin(obj, holder, &holders);
    if (*at) {
        err = 0;
        last = --obj->pins == 0;
        if (--(*at)->count == 0) {
            gone = *at;
            *at = gone->next;
        }
    }
    spin_unlock(&obj->tree.lock);
    free_pin(obj, gone);
    if (last)
        obj_put(obj);
    return err;
}

int obj_pin(struct object *obj, objid_t holder, bool pin)
{
    return pin ? add_pin(obj, holder) : remove_pin(obj, holder);
}

void pins_drop(struct object *obj)
{
    struct pin *pin, *next;

    spin_lock(&obj->tree.lock);
    pin = obj->pin;
    obj->pin = NULL;
    obj->pins = 0;
    spin_unlock(&obj->tree.lock);
    if (pin)
        obj_put(obj);
    for (; pin; pin = next) {
        next = pin->next;
        free_pin(obj, pin);
    }
}
