/* SPDX-License-Identifier: MIT */
/*
 * Owns the list of bad pages: frames of the pool with an uncorrectable memory error. The machine
 * reports the error (obj/media.c), and the kernel lists the frame. Where an in-core object maps the
 * frame, the kernel unmaps the page at once. It also marks the page word POISONED, durably, unless
 * the store fails. A bad frame that no object maps is detected at the next fault, copy or migration
 * of its page. Only objects whose pages use the frame are affected: one, or several that share the
 * frame.
 *
 * The list lasts for one boot, and entries are only added. If the list is full, a bad frame is
 * still handled where it is mapped.
 *
 * A read by the kernel that meets such an error ends with -TWZ_EPOISON (page_read_frame), and lists
 * the frame before the machine's report arrives.
 *
 * Lock order: object -> the list's lock, which is for additions only. A reader takes none: it must
 * load the count before the entries.
 */
#include <kernel/log.h>
#include <kernel/page.h>
#include "inside.h"

#define BAD_MAX 64u

static SHARED_LOCK struct spinlock list_lock;
static uint32_t bad_frames[BAD_MAX];
static _Atomic uint32_t nbad;

bool badpage_is_listed(uint32_t frame)
{
    uint32_t n = atomic_load_explicit(&nbad, memory_order_acquire); /* pairs with badpage_add */

    for (uint32_t i = 0; i < n && i < BAD_MAX; i++)
        if (bad_frames[i] == frame)
            return true;
    return false;
}

bool badpage_any(void)
{
    return atomic_load_explicit(&nbad, memory_order_acquire) != 0;
}

bool badpage_mark(struct store *store, const struct object *obj, struct store_page *p)
{
    if ((p->state != STORE_PRESENT && p->state != STORE_SHARED) || !badpage_is_listed(p->frame))
        return false;
    /* If the store cannot mark the page word, the list alone keeps the frame from use. */
    (void)!store_page_poison(store, obj->row, p->page);
    p->state = STORE_POISONED;
    return true;
}

void badpage_add(uint32_t frame)
{
    uint32_t at;

    spin_lock(&list_lock);
    at = atomic_load(&nbad);
    if (at < BAD_MAX && !badpage_is_listed(frame)) {
        bad_frames[at] = frame;
        /* The entry must be stored before the count includes it; pairs with badpage_is_listed. */
        atomic_store_explicit(&nbad, at + 1, memory_order_release);
    }
    spin_unlock(&list_lock);
}

int page_read_frame(void *dst, phys_t frame, size_t off, size_t len)
{
    const void *data = pool_has(frame) ? arch_virt_nvm(frame) : arch_virt(frame);

    if (!arch_copy_frame_bytes(dst, (const uint8_t *)data + off, len))
        return 0;
    (void)arch_lost_read();
    if (pool_has(frame))
        badpage_add(pool_frame_number(frame));
    return -TWZ_EPOISON;
}

/* Unmaps a page and marks its page word POISONED. The caller must hold the object's lock. */
static void poison_page(struct object *obj, uint32_t page)
{
    struct store *store;
    int err = 0;

    arch_ptree_unmap(&obj->tree.pt, page, 1);
    subtree_shoot_locked(&obj->tree, page, 1);
    store = pool_store();
    if (store)
        err = store_page_poison(store, obj->row, page);
    if (err < 0 && err != -TWZ_EINVAL) /* a read that met the error first has marked it */
        log_printf("object " IDFMT ": page %u could not be marked", IDPR(obj->id), page);
    log_printf("object " IDFMT ": page %u is lost", IDPR(obj->id), page);
}

#define POISON_COST 4000u /* estimated instructions; two lines of the log among them */

bool badpage_unmap_some(struct object *obj, phys_t bad, uint32_t *page, uint32_t *budget)
{
    const struct arch_ptree *pt = &obj->tree.pt;
    unsigned flags;
    phys_t frame;

    spin_lock(&obj->tree.lock);
    for (; arch_ptree_scan(pt, page, TWZ_PAGE_RECORD, &frame, &flags, budget); ++*page) {
        if (frame.addr != bad.addr)
            continue;
        poison_page(obj, *page);
        *budget -= POISON_COST < *budget ? POISON_COST : *budget;
    }
    spin_unlock(&obj->tree.lock);
    return *page < TWZ_PAGE_RECORD;
}
