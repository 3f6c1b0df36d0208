/* SPDX-License-Identifier: MIT */
/*
 * Owns the handling of an uncorrectable memory error that the machine reports. The kernel lists the
 * frame as bad, and then unmaps it from the in-core objects that map it. An object that does not
 * map the frame detects the error later (page/badpages.c).
 *
 * The search visits all pages that are mapped anywhere, in batches that no thread owes, because the
 * report interrupts any thread. A thread that touches the page meanwhile meets the error again and
 * again until the page is unmapped. A second search for a frame does not begin before the first one
 * has ended.
 *
 * Objects that are loaded behind the search know the list, so they do not map the frame.
 *
 * Lock order: shard of the table alone; object -> pool; kmem; the lock of this file, last.
 */
#include <kernel/cpu.h>
#include <kernel/defer.h>
#include <kernel/kmem.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include "inside.h"

struct search {
    struct deferred work;
    struct list_node link; /* of all searches */
    phys_t bad;
    uint32_t chain;     /* of the table */
    struct object *obj; /* referenced, in that chain; NULL: before the first one */
    uint32_t page;      /* of obj */
};

static SHARED_LOCK struct spinlock lock; /* guards the list */
static struct list searches;

/* Goes on to the next object. Returns false if there is none, or the budget is spent. */
static bool next_object(struct search *s, uint32_t *budget)
{
    struct object *before = s->obj;

    if (*budget == 0)
        return false;
    s->obj = table_next_stored(&s->chain, before, budget);
    s->page = 0;
    if (before)
        obj_put(before);
    return s->obj != NULL;
}

static bool search_step(struct deferred *work)
{
    struct search *s = CONTAINER_OF(work, struct search, work);
    uint32_t budget = DEFERRED_STEP;

    do {
        if (s->obj && badpage_unmap_some(s->obj, s->bad, &s->page, &budget))
            return true;
    } while (next_object(s, &budget));
    if (s->chain < TABLE_CHAINS)
        return true;
    spin_lock(&lock);
    list_remove(&searches, &s->link);
    spin_unlock(&lock);
    kmem_free(s, sizeof(*s));
    return false;
}

/* Adds a search, unless there is one for the same frame. */
static bool add_search(struct search *s)
{
    const struct list_node *node;

    spin_lock(&lock);
    node = searches.first;
    while (node && LIST_ITEM(node, struct search, link)->bad.addr != s->bad.addr)
        node = node->next;
    if (!node)
        list_add_last(&searches, &s->link);
    spin_unlock(&lock);
    return !node;
}

/* May use the reserve of memory, whatever thread was interrupted. NULL: the next access to the page
 * tries again. */
static struct search *alloc_search(phys_t bad)
{
    bool limited = cpu_this()->limited;
    struct search *s;

    cpu_limit_memory(false);
    s = kmem_alloc(sizeof(*s));
    cpu_limit_memory(limited);
    if (s)
        *s = (struct search){ .work.step = search_step, .bad = bad };
    return s;
}

static void log_error(phys_t addr)
{
    log_printf("media error at physical address %llx", (unsigned long long)addr.addr);
}

void obj_media_error(phys_t addr)
{
    phys_t bad = { addr.addr & ~(uint64_t)(TWZ_PAGE_SIZE - 1) };
    struct search *s;

    if (!pool_has(bad)) {
        log_error(addr);
        return;
    }
    badpage_add(pool_frame_number(bad));
    s = alloc_search(bad);
    if (s && !add_search(s)) {
        kmem_free(s, sizeof(*s));
        return;
    }
    log_error(addr);
    if (s)
        defer_unowned(&s->work);
}
