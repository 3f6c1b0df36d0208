/* SPDX-License-Identifier: MIT */
/* The table of sites: see sites.h and host.h. All processes of a test share the counts. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "host.h"
#include "sites.h"

#define CALLS_MAX 256u

/* Weak: a test that links no call site has no such section. */
extern host_call_ref __start_host_calls[] __attribute__((weak));
extern host_call_ref __stop_host_calls[] __attribute__((weak));

static uint8_t *reached; /* HOST_REACHED* bits for each site; shared */
static size_t skipped = HOST_NO_SITE;
static int skipped_reached;
static uint8_t reached_as = HOST_REACHED;

static size_t call_count(void)
{
    return (size_t)(__stop_host_calls - __start_host_calls);
}

static uint8_t *reached_table(void)
{
    if (!reached) {
        CHECK(call_count() <= CALLS_MAX);
        reached =
            mmap(NULL, 2 * CALLS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        CHECK(reached != MAP_FAILED);
    }
    return reached;
}

int host_site_on(host_call_ref *call, int fence, int counts)
{
    size_t site = 2 * (size_t)(call - __start_host_calls) + (fence ? 1u : 0u);

    if (counts)
        reached_table()[site] |= reached_as;
    skipped_reached |= site == skipped;
    return site != skipped;
}

size_t host_sites(void)
{
    (void)reached_table();
    return 2 * call_count();
}

int host_site_exists(size_t site)
{
    const struct host_call *call = __start_host_calls[site / 2];

    return (site % 2 ? call->fences : call->flushes) != 0;
}

void host_site_name(size_t site, char *name, size_t size)
{
    const struct host_call *call = __start_host_calls[site / 2];
    const char *part = "";

    if (call->flushes && call->fences)
        part = site % 2 ? " fence" : " flush";
    snprintf(name, size, "%s: %s%s", call->func, call->text, part);
}

int host_site_reached(size_t site)
{
    return reached_table()[site];
}

void host_reached_clear(void)
{
    memset(reached_table(), 0, host_sites());
}

void host_reached_as(int how)
{
    reached_as = (uint8_t)how;
}

void host_skip_site(size_t site)
{
    skipped = site;
    skipped_reached = 0;
}

int host_skipped(void)
{
    return skipped_reached;
}
