/* SPDX-License-Identifier: MIT */
/*
 * Flushes and fences through libpmem. On persistent memory a flush is a processor instruction. On
 * ordinary storage a flush records the range of pages, and the next fence writes the recorded
 * ranges with msync. So the order that the store relies on also holds through a power failure of
 * the host. When the record is full, its pages are written early, which the model allows.
 */
#include "persist_pmem.h"

#include <libpmem.h>
#include <stdbool.h>
#include <stdint.h>
#include <store/persist.h>
#include <string.h>

#define PENDING_MAX 256u
#define PAGE        4096u

struct span {
    uintptr_t start, end;
};

static enum persist_media media = PERSIST_NOWHERE;
static bool failed;
static struct span pending[PENDING_MAX];
static unsigned pending_count;

void persist_media_set(enum persist_media m)
{
    media = m;
    pending_count = 0;
}

enum persist_media persist_media_get(void)
{
    return media;
}

bool persist_media_failed(void)
{
    return failed;
}

int persist_media_sync(const void *base, size_t len)
{
    pending_count = 0;
    if (media == PERSIST_NOWHERE)
        return 0;
    if (media == PERSIST_CPU) {
        pmem_drain();
        return 0;
    }
    return pmem_msync(base, len);
}

static void write_pending(void)
{
    for (unsigned i = 0; i < pending_count; i++) {
        if (pmem_msync((void *)pending[i].start, pending[i].end - pending[i].start) != 0)
            failed = true;
    }
    pending_count = 0;
}

static void add_pending(const void *addr, size_t len)
{
    uintptr_t start = (uintptr_t)addr & ~(uintptr_t)(PAGE - 1);
    uintptr_t end = ((uintptr_t)addr + len + PAGE - 1) & ~(uintptr_t)(PAGE - 1);

    for (unsigned i = 0; i < pending_count; i++) {
        if (start > pending[i].end || end < pending[i].start)
            continue;
        pending[i].start = start < pending[i].start ? start : pending[i].start;
        pending[i].end = end > pending[i].end ? end : pending[i].end;
        return;
    }
    if (pending_count == PENDING_MAX)
        write_pending();
    pending[pending_count++] = (struct span){ start, end };
}

void persist_host_store64(uint64_t *dst, uint64_t value)
{
    __atomic_store_n(dst, value, __ATOMIC_RELEASE);
}

void persist_host_copy(void *dst, const void *src, size_t len)
{
    memcpy(dst, src, len);
}

void persist_host_zero(void *dst, size_t len)
{
    memset(dst, 0, len);
}

void persist_host_copy_nt(void *dst, const void *src, size_t len)
{
    if (media == PERSIST_CPU) {
        pmem_memcpy(dst, src, len, PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NONTEMPORAL);
        return;
    }
    memcpy(dst, src, len);
    if (media == PERSIST_MSYNC)
        add_pending(dst, len);
}

void persist_host_zero_nt(void *dst, size_t len)
{
    if (media == PERSIST_CPU) {
        pmem_memset(dst, 0, len, PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NONTEMPORAL);
        return;
    }
    memset(dst, 0, len);
    if (media == PERSIST_MSYNC)
        add_pending(dst, len);
}

void persist_host_flush(const void *addr, size_t len, const char *site)
{
    (void)site;
    if (media == PERSIST_CPU)
        pmem_flush(addr, len);
    else if (media == PERSIST_MSYNC)
        add_pending(addr, len);
}

void persist_host_fence(const char *site)
{
    (void)site;
    if (media == PERSIST_CPU)
        pmem_drain();
    else if (media == PERSIST_MSYNC)
        write_pending();
}

void persist_host_commit_point(const char *site)
{
    (void)site;
}
