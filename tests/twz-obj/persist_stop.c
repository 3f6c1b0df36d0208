/* SPDX-License-Identifier: MIT */
/*
 * A persistence seam that ends the process, without any clean-up, right before its N-th step. The
 * variable TWZ_STOP_AT gives N; 0 stands for never. A store reaches the file's pages at once, so
 * the file is then as a kill at that point leaves it. Exit status STOPPED says that the step was
 * reached.
 */
#include "persist_pmem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <store/persist.h>
#include <string.h>
#include <unistd.h>

#define STOPPED 99

static enum persist_media media;
static uint64_t steps;

static void step(void)
{
    static uint64_t stop_at = UINT64_MAX;

    if (stop_at == UINT64_MAX) {
        const char *text = getenv("TWZ_STOP_AT");

        stop_at = text ? strtoull(text, NULL, 10) : 0;
    }
    if (media != PERSIST_NOWHERE && ++steps == stop_at)
        _exit(STOPPED);
}

void persist_media_set(enum persist_media m)
{
    media = m;
}

enum persist_media persist_media_get(void)
{
    return media;
}

bool persist_media_failed(void)
{
    return false;
}

int persist_media_sync(const void *base, size_t len)
{
    (void)base;
    (void)len;
    return 0;
}

void persist_host_store64(uint64_t *dst, uint64_t value)
{
    step();
    __atomic_store_n(dst, value, __ATOMIC_RELEASE);
}

void persist_host_copy(void *dst, const void *src, size_t len)
{
    step();
    memcpy(dst, src, len);
}

void persist_host_zero(void *dst, size_t len)
{
    step();
    memset(dst, 0, len);
}

void persist_host_copy_nt(void *dst, const void *src, size_t len)
{
    step();
    memcpy(dst, src, len);
}

void persist_host_zero_nt(void *dst, size_t len)
{
    step();
    memset(dst, 0, len);
}

void persist_host_flush(const void *addr, size_t len, const char *site)
{
    (void)addr;
    (void)len;
    (void)site;
}

void persist_host_fence(const char *site)
{
    (void)site;
    step();
}

void persist_host_commit_point(const char *site)
{
    (void)site;
}
