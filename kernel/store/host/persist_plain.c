/* SPDX-License-Identifier: MIT */
/* The host backend for programs that need no durability: plain stores to memory. */
#include <string.h>
#include <store/persist.h>

void persist_host_store64(uint64_t *dst, uint64_t value)
{
    *dst = value;
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
    memcpy(dst, src, len);
}

void persist_host_zero_nt(void *dst, size_t len)
{
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
}

void persist_host_commit_point(const char *site)
{
    (void)site;
}
