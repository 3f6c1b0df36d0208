/* SPDX-License-Identifier: MIT */
/*
 * Owns the counts of extra holders of DRAM frames: a directory over the machine's memory whose
 * blocks of 512 counts appear when a frame in them is first shared, and stay.
 *
 * Invariant: count 0 (or no block) means one holder. One lock; a leaf but for kmem.
 */
#include <kernel/boot.h>
#include <kernel/kmem.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/share.h>

#define BLOCK_SHIFT  21
#define BLOCK_COUNTS 512u

static struct spinlock lock;
static uint16_t **blocks;
static uint64_t nblocks;

void share_init(void)
{
    uint64_t end = 0;
    unsigned i;

    for (i = 0; i < boot_info.nram; i++) {
        uint64_t top = boot_info.ram[i].start.addr + boot_info.ram[i].len;

        end = top > end ? top : end;
    }
    nblocks = (end >> BLOCK_SHIFT) + 1;
    blocks = kmem_alloc(nblocks * sizeof(*blocks));
    if (blocks == NULL)
        panic("no memory for the table of shared frames");
}

static uint16_t *count_of(phys_t frame)
{
    uint64_t block = frame.addr >> BLOCK_SHIFT;

    if (block >= nblocks || blocks[block] == NULL)
        return NULL;
    return &blocks[block][(frame.addr >> 12) % BLOCK_COUNTS];
}

int share_get(phys_t frame)
{
    uint64_t block = frame.addr >> BLOCK_SHIFT;
    int ret = -TWZ_ENOMEM;
    uint16_t *count;

    spin_lock(&lock);
    if (block < nblocks && blocks[block] == NULL)
        blocks[block] = kmem_alloc(BLOCK_COUNTS * sizeof(**blocks));
    count = count_of(frame);
    if (count != NULL && *count < UINT16_MAX) {
        *count = (uint16_t)(*count + 1);
        ret = 0;
    }
    spin_unlock(&lock);
    return ret;
}

bool share_put(phys_t frame)
{
    uint16_t *count;
    bool last;

    spin_lock(&lock);
    count = count_of(frame);
    last = count == NULL || *count == 0;
    if (!last)
        *count = (uint16_t)(*count - 1);
    spin_unlock(&lock);
    return last;
}

bool share_others(phys_t frame)
{
    uint16_t *count;
    bool others;

    spin_lock(&lock);
    count = count_of(frame);
    others = count != NULL && *count > 0;
    spin_unlock(&lock);
    return others;
}
