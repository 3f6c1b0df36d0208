/* SPDX-License-Identifier: MIT */
/*
 * Owns small kernel allocations: slabs of items of one size class. An allocation above CLASS_MAX
 * gets a block of phys.
 *
 * A slab is one aligned block of phys: a header of 64 bytes, then items. So the header of an item
 * is found from its address. Each class is a multiple of 16, and of 64 from 64 up; the alignment
 * that kmem.h promises follows.
 *
 * Invariants of a class:
 *   - A slab with a free item is in the class's list; a slab without one is in no list.
 *   - At most one slab of the list has only free items, so that a class used and freed in turn
 *     keeps its slab. Any other such slab goes back to phys at once. Memory that was freed thus
 *     comes back, but for what shares a slab with an item in use.
 *
 * Locks: class -> phys. Two classes are never locked together.
 */
#include <kernel/kmem.h>
#include <kernel/lock.h>
#include <kernel/phys.h>
#include <lib/list.h>
#include <lib/string.h>

#define FRAME_SIZE  4096u
#define CLASS_MAX   2048u
#define HEADER_SIZE 64u

struct free_item {
    struct free_item *next;
};

struct slab {
    struct list_node link;
    struct free_item *first; /* items that were in use before */
    uint32_t fresh;          /* offset of the first item that was never in use */
    uint32_t used;           /* items in use */
};
_Static_assert(sizeof(struct slab) <= HEADER_SIZE, "the header fits");

struct class
{
    struct spinlock lock;
    uint32_t size;
    uint32_t order; /* of its slabs: the header costs an eighth at most */
    struct list slabs;
    struct slab *empty; /* the slab of the list that has only free items, or NULL */
    uint64_t used;      /* items in use in all slabs; also read without the lock */
};

static SHARED_LOCK struct class classes[] = {
    { .size = 16 },
    { .size = 32 },
    { .size = 48 },
    { .size = 64 },
    { .size = 128 },
    { .size = 192 },
    { .size = 256 },
    { .size = 384 },
    { .size = 512 },
    { .size = 768, .order = 1 },
    { .size = 1024, .order = 1 },
    { .size = CLASS_MAX, .order = 2 },
};

static _Atomic uint64_t bytes; /* of slabs and blocks */
static _Atomic uint64_t large; /* of blocks alone */

static void count_bytes(unsigned order, bool add)
{
    uint64_t size = (uint64_t)FRAME_SIZE << order;

    atomic_fetch_add_explicit(&bytes, add ? size : -size, memory_order_relaxed);
}

static void count_block(unsigned order, bool add)
{
    uint64_t size = (uint64_t)FRAME_SIZE << order;

    count_bytes(order, add);
    atomic_fetch_add_explicit(&large, add ? size : -size, memory_order_relaxed);
}

static struct class *class_of(size_t size)
{
    struct class *c = classes;

    while (c->size < size)
        c++;
    return c;
}

static unsigned order_of(size_t size)
{
    unsigned order = 0;

    while (((size_t)FRAME_SIZE << order) < size)
        order++;
    return order;
}

static uint32_t slab_bytes(const struct class *c)
{
    return FRAME_SIZE << c->order;
}

static struct slab *slab_of(const struct class *c, void *item)
{
    return (struct slab *)((uintptr_t)item & ~(uintptr_t)(slab_bytes(c) - 1));
}

static bool is_full(const struct class *c, const struct slab *slab)
{
    return !slab->first && slab->fresh + c->size > slab_bytes(c);
}

/* A slab of free items, in no list, or NULL. */
static struct slab *create_slab(const struct class *c)
{
    phys_t block = phys_alloc(c->order);
    struct slab *slab;

    if (phys_is_none(block))
        return NULL;
    slab = arch_virt(block);
    *slab = (struct slab){ .fresh = HEADER_SIZE };
    count_bytes(c->order, true);
    return slab;
}

/* Takes a free item of the first slab, or of a new one. */
static void *take_item_locked(struct class *c)
{
    struct slab *slab = LIST_FIRST(&c->slabs, struct slab, link);
    struct free_item *item;

    if (!slab) {
        slab = create_slab(c);
        if (!slab)
            return NULL;
        list_add_first(&c->slabs, &slab->link);
    }
    if (slab == c->empty)
        c->empty = NULL;
    item = slab->first;
    if (item) {
        slab->first = item->next;
    } else {
        item = (struct free_item *)((uint8_t *)slab + slab->fresh);
        slab->fresh += c->size;
    }
    slab->used++;
    c->used++;
    if (is_full(c, slab))
        list_remove(&c->slabs, &slab->link);
    return item;
}

/* Returns a slab that the caller must free, or NULL. */
static struct slab *put_item_locked(struct class *c, struct free_item *item)
{
    struct slab *slab = slab_of(c, item);

    if (is_full(c, slab))
        list_add_first(&c->slabs, &slab->link);
    item->next = slab->first;
    slab->first = item;
    c->used--;
    if (--slab->used)
        return NULL;
    list_remove(&c->slabs, &slab->link);
    if (c->empty)
        return slab;
    c->empty = slab;
    list_add_last(&c->slabs, &slab->link); /* used only when all others are full */
    return NULL;
}

static void *alloc_small(size_t size)
{
    struct class *c = class_of(size);
    void *item;

    spin_lock(&c->lock);
    item = take_item_locked(c);
    spin_unlock(&c->lock);
    return item ? memset(item, 0, c->size) : NULL;
}

void *kmem_alloc(size_t size)
{
    unsigned order = order_of(size);
    phys_t block;

    if (size <= CLASS_MAX)
        return alloc_small(size);
    if (order > PHYS_MAX_ORDER)
        return NULL;
    block = phys_alloc(order);
    if (phys_is_none(block))
        return NULL;
    count_block(order, true);
    return memset(arch_virt(block), 0, size);
}

void kmem_free(void *p, size_t size)
{
    struct slab *unused;
    struct class *c;

    if (!p)
        return;
    if (size > CLASS_MAX) {
        count_block(order_of(size), false);
        phys_free(arch_phys(p), order_of(size));
        return;
    }
    c = class_of(size);
    spin_lock(&c->lock);
    unused = put_item_locked(c, p);
    spin_unlock(&c->lock);
    if (unused) {
        count_bytes(c->order, false);
        phys_free(arch_phys(unused), c->order);
    }
}

uint64_t kmem_bytes(void)
{
    return atomic_load_explicit(&bytes, memory_order_relaxed);
}

uint64_t kmem_used(void)
{
    uint64_t sum = atomic_load_explicit(&large, memory_order_relaxed);

    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        sum += __atomic_load_n(&classes[i].used, __ATOMIC_RELAXED) * classes[i].size;
    return sum;
}
