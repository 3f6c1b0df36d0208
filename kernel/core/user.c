/* SPDX-License-Identifier: MIT */
/*
 * Owns access to the running thread's memory. arch copies until it meets a fault. The kernel
 * resolves the fault as for the thread's own touch, and the copy continues there. A page that other
 * cores unmap again and again ends the copy after ROUNDS faults in a row without progress.
 */
#include <kernel/thread.h>
#include <kernel/upcall.h>
#include <kernel/user.h>
#include <lib/string.h>
#include <twz/fault.h>
#include <twz/syscall.h>

#define ROUNDS 8u

static bool is_user_range(uint64_t addr, size_t len)
{
    return addr < ARCH_USER_LIMIT && len <= ARCH_USER_LIMIT - addr;
}

static int resolve_touch(uint64_t addr, unsigned need)
{
    struct thread *t = current();
    struct twz_fault fault;

    t->touches++;
    if (!is_user_range(addr, 1) || upcall.resolve_fault(t, addr, need, &fault) < 0)
        return -TWZ_EFAULT;
    return 0;
}

/* Resolves a fault at `at`, and counts those since the last byte copied. */
static int retry_after(uint64_t at, unsigned need, bool progress, unsigned *rounds)
{
    *rounds = progress ? 0 : *rounds + 1;
    return *rounds > ROUNDS ? -TWZ_EFAULT : resolve_touch(at, need);
}

int user_copy_in(void *dst, uint64_t addr, size_t len)
{
    unsigned rounds = 0;
    uint64_t at = 0;
    size_t left;

    while ((left = arch_user_copy_in(dst, addr, len, &at)) != 0) {
        if (!is_user_range(addr, len) || retry_after(at, TWZ_READ, left < len, &rounds) < 0)
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
        if (!is_user_range(addr, len) || retry_after(at, TWZ_WRITE, left < len, &rounds) < 0)
            return -TWZ_EFAULT;
        src = (const uint8_t *)src + (len - left);
        addr += len - left;
        len = left;
    }
    return 0;
}

static bool is_sized_valid(uint64_t size, size_t min)
{
    return size >= min && size <= TWZ_SIZED_MAX && size % 8 == 0;
}

int user_copy_in_sized(void *dst, size_t known, uint64_t addr, uint64_t size, size_t min)
{
    uint64_t word;
    int err;

    if (!is_sized_valid(size, min))
        return -TWZ_EINVAL;
    if (size < known)
        memset((uint8_t *)dst + size, 0, known - size);
    err = user_copy_in(dst, addr, size < known ? size : known);
    for (uint64_t at = known; err == 0 && at < size; at += sizeof(word)) {
        err = user_copy_in(&word, addr + at, sizeof(word));
        if (err == 0 && word != 0)
            err = -TWZ_EINVAL;
    }
    return err;
}

int user_copy_out_sized(uint64_t addr, uint64_t size, const void *src, size_t known, size_t min)
{
    static const uint64_t zero;
    int err;

    if (!is_sized_valid(size, min))
        return -TWZ_EINVAL;
    err = user_copy_out(addr, src, size < known ? size : known);
    for (uint64_t at = known; err == 0 && at < size; at += sizeof(zero))
        err = user_copy_out(addr + at, &zero, sizeof(zero));
    return err;
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
