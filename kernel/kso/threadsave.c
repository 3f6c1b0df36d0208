/* SPDX-License-Identifier: MIT */
/*
 * Owns the two slots of a persistent thread object (twz/thread.h).
 *
 * Crash protocol
 *   step  what                                        durable before
 *   1     the slot that does not count is written     -
 *   2     COMMIT: its last page is durable: the       the other slot stays whole
 *         record's check holds, its epoch is greater
 * After a power failure before 2 the slot's check fails, and the other slot counts.
 *
 * Until the pool commits epochs, each whole record is committed.
 */
#include <kernel/kmem.h>
#include <kernel/page.h>
#include <kernel/threadsave.h>
#include <lib/threadsave.h>

static uint64_t slot_offset(unsigned slot)
{
    return (uint64_t)TWZ_THREAD_KPAGE * TWZ_PAGE_SIZE + slot * THREADSAVE_SLOT;
}

int threadsave_open(struct object *obj, unsigned *slot, uint64_t *epoch)
{
    const struct twz_thread_save *found[TWZ_THREAD_SLOTS] = { NULL };
    uint8_t *copy = kmem_alloc(TWZ_THREAD_SLOTS * THREADSAVE_SLOT);
    int chosen;

    if (!copy)
        return -TWZ_ENOMEM;
    for (unsigned i = 0; i < TWZ_THREAD_SLOTS; i++) {
        uint8_t *at = copy + i * THREADSAVE_SLOT;

        if (obj_read_kernel_only(obj, slot_offset(i), at, THREADSAVE_SLOT) == 0)
            found[i] = (const struct twz_thread_save *)(const void *)at;
    }
    chosen = threadsave_choose(found, obj->id, UINT64_MAX);
    *slot = chosen < 0 ? 1 : (unsigned)chosen;
    *epoch = chosen < 0 ? 0 : found[chosen]->epoch;
    kmem_free(copy, TWZ_THREAD_SLOTS * THREADSAVE_SLOT);
    return 0;
}

int threadsave_write(struct thread *t)
{
    const struct twz_thread_save *save;
    unsigned slot;
    uint64_t epoch;
    int err = threadsave_open(t->obj, &slot, &epoch);

    if (err < 0)
        return err;
    save = thread_seal(t, epoch + 1);
    return obj_write_kernel_only(t->obj, slot_offset(1 - slot), save, save->size);
}
