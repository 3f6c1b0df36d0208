/* SPDX-License-Identifier: MIT */
/*
 * Flushes and fences through libpmem. On persistent memory a flush is a processor instruction. On
 * ordinary storage a flush notes the pages it means and the fence writes them with msync, so that
 * the order the store relies on holds through a power cut of the host too; when the note is full,
 * the pages are written early, which the model allows.
 */
#include "persist_pmem.h"

#include <libpmem.h>
#include <stdbool.h>
#include <stdint.h>
#include <store/persist.h>
#include <string.h>

#define NOTE_MAX 256u
#define PAGE     4096u

struct span {
    uintptr_t start, end;
};

static enum persist_media media = PERSIST_NOWHERE;
static bool failed;
static struct span note[NOTE_MAX];
static unsigned noted;

void persist_media_set(enum persist_media m)
{
    media = m;
    noted = 0;
}

enum persist_media persist_media_get(void)
{
    return media;
}

int persist_media_failed(void)
{
    return failed;
}

int persist_media_sync(const void *base, size_t len)
{
    noted = 0;
    if (media == PERSIST_NOWHERE)
        return 0;
    if (media == PERSIST_CPU) {
        pmem_drain();
        return 0;
    }
    return pmem_msync(base, len);
}

static void note_write(void)
{
    for (unsigned i = 0; i < noted; i++) {
        if (pmem_msync((void *)note[i].start, note[i].end - note[i].start) != 0)
            failed = true;
    }
    noted = 0;
}

static void note_add(const void *addr, size_t len)
{
    uintptr_t start = (uintptr_t)addr & ~(uintptr_t)(PAGE - 1);
    uintptr_t end = ((uintptr_t)addr + len + PAGE - 1) & ~(uintptr_t)(PAGE - 1);

    for (unsigned i = 0; i < noted; i++) {
        if (start > note[i].end || end < note[i].start)
            continue;
        note[i].start = start < note[i].start ? start : note[i].start;
        note[i].end = end > note[i].end ? end : note[i].end;
        return;
    }
    if (noted == NOTE_MAX)
        note_write();
    note[noted++] = (struct span){ start, end };
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
        note_add(dst, len);
}

void persist_host_zero_nt(void *dst, size_t len)
{
    if (media == PERSIST_CPU) {
        pmem_memset(dst, 0, len, PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NONTEMPORAL);
        return;
    }
    memset(dst, 0, len);
    if (media == PERSIST_MSYNC)
        note_add(dst, len);
}

void persist_host_flush(const void *addr, size_t len, const char *site)
{
    (void)site;
    if (media == PERSIST_CPU)
        pmem_flush(addr, len);
    else if (media == PERSIST_MSYNC)
        note_add(addr, len);
}

void persist_host_fence(const char *site)
{
    (void)site;
    if (media == PERSIST_CPU)
        pmem_drain();
    else if (media == PERSIST_MSYNC)
        note_write();
}

void persist_host_commit_point(const char *site)
{
    (void)site;
}
