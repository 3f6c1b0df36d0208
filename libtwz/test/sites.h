/* SPDX-License-Identifier: MIT */
/*
 * The call sites of the persistence seam, by name. The build for the test platform puts this header
 * before each source file of libtwz and objects/ (meson.build). Each call of a flush, a fence or a
 * commit then has a description in a section of its own. So the platform knows all sites, reached
 * or not, by names that do not depend on the compiler.
 *
 * A commit and a flush-and-fence count twice: the flush can be left out, or the fence.
 */
#ifndef LIBTWZ_TEST_SITES_H
#define LIBTWZ_TEST_SITES_H

#include <twz/persist.h>

struct host_call {
    const char *func;
    const char *text; /* the call, as it is in the source */
    uint32_t flushes;
    uint32_t fences;
};

/* A call is known by its position in the section. */
typedef const struct host_call *const host_call_ref;

/* 1 unless the site is to be left out. counts: it counts as reached. */
int host_site_on(host_call_ref *call, int fence, int counts);

void host_flush(host_call_ref *call, const void *p, size_t len);
void host_fence(host_call_ref *call);
void host_flush_fence(host_call_ref *call, const void *p, size_t len);
void host_commit64(host_call_ref *call, uint64_t *word, uint64_t value);

#define HOST_CALL(text, flushes, fences)                                           \
    static const struct host_call host_call = { __func__, text, flushes, fences }; \
    static host_call_ref host_ref __attribute__((used, section("host_calls"))) = &host_call

#define twz_persist_flush(p, len)         \
    do {                                  \
        HOST_CALL("flush(" #p ")", 1, 0); \
        host_flush(&host_ref, p, len);    \
    } while (0)
#define twz_persist_fence()         \
    do {                            \
        HOST_CALL("fence()", 0, 1); \
        host_fence(&host_ref);      \
    } while (0)
#define twz_persist(p, len)                  \
    do {                                     \
        HOST_CALL("persist(" #p ")", 1, 1);  \
        host_flush_fence(&host_ref, p, len); \
    } while (0)
#define twz_persist_commit64(word, value)                 \
    do {                                                  \
        HOST_CALL("commit(" #word ", " #value ")", 1, 1); \
        host_commit64(&host_ref, word, value);            \
    } while (0)

#endif
