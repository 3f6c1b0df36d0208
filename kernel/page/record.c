/* SPDX-License-Identifier: MIT */
/*
 * Owns the record page: the top page of each object, which shows the kernel's record of the object.
 * User code can only read this page. Its frame is DRAM, for a persistent object as well. The kernel
 * allocates the frame at the first fault on the page.
 *
 * Lock order: object -> phys.
 */
#include <kernel/page.h>
#include <kernel/phys.h>
#include "inside.h"

void page_record_update_locked(struct object *obj)
{
    struct twz_record *r;

    if (phys_is_none(obj->record))
        return;
    r = arch_virt(obj->record);
    r->magic = TWZ_RECORD_MAGIC;
    r->kind = obj->kind;
    r->flags = obj->flags;
    r->id = obj->id;
    r->nonce[0] = obj->nonce[0];
    r->nonce[1] = obj->nonce[1];
    r->kuid = obj->kuid;
    r->perms = obj->perms;
    r->persist = obj->persist;
    r->revocation_epoch = obj->revocation_epoch;
    r->class_ = obj->class_;
    r->account = obj->account;
    r->tree = obj->hash_tree;
}

int record_map_locked(struct object *obj)
{
    int err = 0;

    if (phys_is_none(obj->record))
        err = phys_alloc_zeroed_for(obj->payer, &obj->record);
    if (err < 0)
        return err;
    page_record_update_locked(obj);
    return arch_ptree_map(&obj->tree.pt, TWZ_PAGE_RECORD, obj->record, ARCH_PT_PROTECT);
}
