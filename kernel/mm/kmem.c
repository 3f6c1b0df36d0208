/* SPDX-License-Identifier: MIT */
/*
 * Owns small kernel allocations: a free list for each size class, filled one frame at a time. An
 * allocation above CLASS_MAX gets a block of phys. A class keeps its frames, so a steady load
 * reaches a steady size.
 *
 * Each class is a multiple of 16, and of 64 from 64 up; the alignment that kmem.h promises follows.
 *
 * Locks: class -> phys. Two classes are never locked together.
 */
#include <kernel/kmem.h>
#include <kernel/lock.h>
#include <kernel/phys.h>
#include <lib/string.h>

#define FRAME_SIZE 4096u
#define CLASS_MAX  2048u

struct free_item {
    struct free_item *next;
};

struct class
{
    struct spinlock lock;
    uint32_t size;
    struct free_item *first;
};

static struct class classes[] = {
    { .size = 16 },  { .size = 32 },  { .size = 48 },   { .size = 64 },
    { .size = 128 }, { .size = 192 }, { .size = 256 },  { .size = 384 },
    { .size = 512 }, { .size = 768 }, { .size = 1024 }, { .size = CLASS_MAX },
};

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

static void fill_class(struct class *c)
{
    phys_t frame = phys_alloc(0);
    uint8_t *at;

    if (phys_is_none(frame))
        return;
    at = arch_virt(frame);
    for (uint32_t off = 0; off + c->size <= FRAME_SIZE; off += c->size) {
        struct free_item *item = (struct free_item *)(at + off);

        item->next = c->first;
        c->first = item;
    }
}

static void *alloc_small(size_t size)
{
    struct class *c = class_of(size);
    struct free_item *item;

    spin_lock(&c->lock);
    if (!c->first)
        fill_class(c);
    item = c->first;
    if (item)
        c->first = item->next;
    spin_unlock(&c->lock);
    return item ? memset(item, 0, c->size) : NULL;
}

void *kmem_alloc(size_t size)
{
    phys_t block;

    if (size <= CLASS_MAX)
        return alloc_small(size);
    if (order_of(size) > PHYS_MAX_ORDER)
        return NULL;
    block = phys_alloc(order_of(size));
    return phys_is_none(block) ? NULL : memset(arch_virt(block), 0, size);
}

void kmem_free(void *p, size_t size)
{
    struct free_item *item = p;
    struct class *c;

    if (!p)
        return;
    if (size > CLASS_MAX) {
        phys_free(arch_phys(p), order_of(size));
        return;
    }
    c = class_of(size);
    spin_lock(&c->lock);
    item->next = c->first;
    c->first = item;
    spin_unlock(&c->lock);
}
