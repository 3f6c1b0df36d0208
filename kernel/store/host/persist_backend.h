/* SPDX-License-Identifier: MIT */
/*
 * The host backend of the persistence seam. Each name calls a persist_host_*() function, which the
 * program linked with the store must define. Flushes and fences pass their site in the source
 * ("store/page.c:120 flush"): a crash harness can disable one of them at a time. A call passes the
 * same pointer each time.
 */
#ifndef STORE_PERSIST_HOST_H
#define STORE_PERSIST_HOST_H

#include <stddef.h>
#include <stdint.h>

#define PERSIST_STRING_(x) #x
#define PERSIST_STRING(x)  PERSIST_STRING_(x)
#define PERSIST_SITE       __FILE__ ":" PERSIST_STRING(__LINE__)

void persist_host_store64(uint64_t *dst, uint64_t value);
void persist_host_copy(void *dst, const void *src, size_t len);
void persist_host_zero(void *dst, size_t len);
void persist_host_copy_nt(void *dst, const void *src, size_t len);
void persist_host_zero_nt(void *dst, size_t len);
void persist_host_flush(const void *addr, size_t len, const char *site);
void persist_host_fence(const char *site);
/* Called after the store of a commit word, before its flush: a point for a power failure. */
void persist_host_commit_point(const char *site);

#define persist_store64(dst, value)    persist_host_store64(dst, value)
#define persist_copy(dst, src, len)    persist_host_copy(dst, src, len)
#define persist_zero(dst, len)         persist_host_zero(dst, len)
#define persist_copy_nt(dst, src, len) persist_host_copy_nt(dst, src, len)
#define persist_zero_nt(dst, len)      persist_host_zero_nt(dst, len)
#define persist_flush(addr, len)       persist_host_flush(addr, len, PERSIST_SITE " flush")
#define persist_fence()                persist_host_fence(PERSIST_SITE " fence")
#define persist_publish64(dst, value)  persist_host_publish(dst, value, PERSIST_SITE " flush")
#define persist_commit64(dst, value) \
    persist_host_commit(dst, value, PERSIST_SITE " flush", PERSIST_SITE " fence")

static inline void persist_host_publish(uint64_t *dst, uint64_t value, const char *flush)
{
    persist_host_store64(dst, value);
    persist_host_commit_point(flush);
    persist_host_flush(dst, sizeof(*dst), flush);
}

static inline void persist_host_commit(uint64_t *dst, uint64_t value, const char *flush,
                                       const char *fence)
{
    persist_host_publish(dst, value, flush);
    persist_host_fence(fence);
}

#endif
