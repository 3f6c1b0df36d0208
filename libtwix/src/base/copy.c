/* SPDX-License-Identifier: MIT */
/* Copies under a fault catch; see copy.h. */
#include <errno.h>
#include <twz/faults.h>
#include <twz/name.h>

#include "copy.h"

struct copy_job {
    void *dst;
    const void *src;
    uint64_t len;
};

void copy_raw(void *dst, const void *src, uint64_t len)
{
    uint64_t words = len / 8;
    uint64_t rest = len % 8;

    __asm__ volatile("rep movsq\n\tmov %3, %%rcx\n\trep movsb"
                     : "+D"(dst), "+S"(src), "+c"(words)
                     : "r"(rest)
                     : "memory");
}

static void do_copy(void *arg)
{
    struct copy_job *j = arg;

    copy_raw(j->dst, j->src, j->len);
}

static void do_zero(void *arg)
{
    struct copy_job *j = arg;
    void *dst = j->dst;
    uint64_t len = j->len;

    __asm__ volatile("rep stosb" : "+D"(dst), "+c"(len) : "a"(0) : "memory");
}

static void do_measure(void *arg)
{
    struct copy_job *j = arg;
    const volatile char *s = j->src;

    while (j->len < TWZ_PATH_MAX && s[j->len])
        j->len++;
}

/* Returns the negative errno for a fault during a copy. */
static int errno_of_fault(const struct twz_fault *fault, const void *object)
{
    uint64_t slot = fault->addr >> TWZ_OBJ_SHIFT;

    if (slot != (uint64_t)(uintptr_t)object >> TWZ_OBJ_SHIFT)
        return -EFAULT;
    if (fault->reason == TWZ_REASON_NOSPC || fault->reason == TWZ_REASON_QUOTA)
        return -ENOSPC;
    if (fault->reason == TWZ_REASON_NOMEM)
        return -ENOMEM;
    return fault->kind == TWZ_FAULT_PERM ? -EACCES : -EIO;
}

int copy_bytes(void *dst, const void *src, uint64_t len, const void *object)
{
    struct copy_job j = { dst, src, len };
    struct twz_fault fault;

    return twz_try(do_copy, &j, &fault) ? errno_of_fault(&fault, object) : 0;
}

int copy_zero(void *dst, uint64_t len, const void *object)
{
    struct copy_job j = { dst, NULL, len };
    struct twz_fault fault;

    return twz_try(do_zero, &j, &fault) ? errno_of_fault(&fault, object) : 0;
}

int copy_check_path(const char *path)
{
    struct copy_job j = { NULL, path, 0 };
    struct twz_fault fault;

    if (twz_try(do_measure, &j, &fault))
        return -EFAULT;
    return j.len < TWZ_PATH_MAX ? 0 : -ENAMETOOLONG;
}
