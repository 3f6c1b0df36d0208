/* SPDX-License-Identifier: MIT */
/*
 * Owns access to the running thread's memory. arch copies until it meets a fault; the fault is
 * resolved as the thread's own touch would be, then the copy goes on behind what is done. A page
 * that another core takes away again and again ends the copy after a bounded number of rounds
 * without progress.
 */
#include <kernel/thread.h>
#include <kernel/upcall.h>
#include <kernel/user.h>

#define ROUNDS 8u /* faults in a row without a byte copied */

static bool range_ok(uint64_t addr, size_t len)
{
    return addr < ARCH_USER_LIMIT && len <= ARCH_USER_LIMIT - addr;
}

static int resolve(uint64_t addr, unsigned need)
{
    struct thread *t = current();
    struct twz_fault fault;

    if (!range_ok(addr, 1) || upcall.resolve_fault(t, addr, need, &fault) < 0)
        return -TWZ_EFAULT;
    return 0;
}

/* `left` of `len` bytes at addr are to do, and a fault at `at` stands in the way: resolve it, and
 * count the rounds that brought nothing. */
static int go_on(uint64_t at, unsigned need, bool progress, unsigned *rounds)
{
    *rounds = progress ? 0 : *rounds + 1;
    return *rounds > ROUNDS ? -TWZ_EFAULT : resolve(at, need);
}

int user_copy_in(void *dst, uint64_t addr, size_t len)
{
    unsigned rounds = 0;
    uint64_t at = 0;
    size_t left;

    while ((left = arch_user_copy_in(dst, addr, len, &at)) != 0) {
        if (!range_ok(addr, len) || go_on(at, TWZ_READ, left < len, &rounds) < 0)
            return -TWZ_EFAULT;
        dst = (uint8_t *)dst + (len - left);
        addr += len - left;
        len = left;
    }
    return 0;
}

int user_copy_out(uint64_t addr, const void *src, size_t len)
{
    unsigned rounds = 0;
    uint64_t at = 0;
    size_t left;

    while ((left = arch_user_copy_out(addr, src, len, &at)) != 0) {
        if (!range_ok(addr, len) || go_on(at, TWZ_WRITE, left < len, &rounds) < 0)
            return -TWZ_EFAULT;
        src = (const uint8_t *)src + (len - left);
        addr += len - left;
        len = left;
    }
    return 0;
}

int user_load(uint64_t addr, bool wide, uint64_t *value)
{
    uint32_t narrow = 0;
    int err;

    if (wide)
        return user_copy_in(value, addr, sizeof(*value));
    err = user_copy_in(&narrow, addr, sizeof(narrow));
    *value = narrow;
    return err;
}
