/* SPDX-License-Identifier: MIT */
/*
 * The harness is tried itself: each flush and each fence in the source of directories and of what
 * lies beneath them is left out in turn, and some image must show it. A workload that does not meet
 * the site is the same without it, so only those that do are run, those with few images first, and
 * no further than the first image that fails.
 *
 * There are exceptions, by name and with their reason. One that is missed after all is a failure as
 * much as another one that is not, so that the table stays true; so is a site that nothing meets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hier_crash.h"

#define SITES     512u
#define WORKLOADS 64u
#define NAME      200u

static const struct {
    const char *site;
    const char *why;
} exceptions[] = {
    { "hier_end_change: flush(&h->dir->op)", "op = HIER_IDLE lost: lists and counts are built once more" },
    { "hier_peer_intent_clear: flush(&h->dir->peer_intent_valid)",
      "peer_intent left over: one look at a directory that has nothing to finish" },
};
#define EXCEPTIONS (sizeof(exceptions) / sizeof(exceptions[0]))

static uint8_t met[WORKLOADS][SITES];
static unsigned long cost[WORKLOADS];

void crash_met(size_t w, unsigned long count)
{
    CHECK(w < WORKLOADS && host_sites() <= SITES);
    for (size_t i = 0; i < host_sites(); i++)
        met[w][i] = (uint8_t)host_site_met(i);
    cost[w] = count;
}

static int is_exception(const char *name)
{
    for (size_t i = 0; i < EXCEPTIONS; i++) {
        if (strcmp(exceptions[i].site, name) == 0)
            return 1;
    }
    return 0;
}

/* Each site has a name of its own, and each exception is one of them. */
static int names_good(void)
{
    static char names[SITES][NAME];
    size_t found = 0;
    int err = 0;

    for (size_t i = 0; i < host_sites(); i++) {
        if (!host_site_exists(i))
            continue;
        host_site_name(i, names[i], NAME);
        found += is_exception(names[i]) ? 1u : 0u;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(names[i], names[j]) == 0) {
                printf("two sites have one name: %s\n", names[i]);
                err = -1;
            }
        }
    }
    if (found != EXCEPTIONS) {
        printf("an exception is no site\n");
        err = -1;
    }
    return err;
}

static int by_cost(const void *a, const void *b)
{
    unsigned long x = cost[*(const size_t *)a], y = cost[*(const size_t *)b];

    return x < y ? -1 : x > y;
}

/* In a process of its own: 1 + the workload that misses the site, or 0. */
static int who_misses(size_t site, size_t passes)
{
    static const uint32_t efforts[] = { 0, 8, 1 }; /* one recovery in so many is cut */
    size_t order[WORKLOADS];

    for (size_t w = 0; w < crash_workloads(); w++)
        order[w] = w;
    qsort(order, crash_workloads(), sizeof(order[0]), by_cost);
    for (size_t e = 0; e < passes; e++) {
        struct crash_effort effort = { .skip = site, .recovery = efforts[e], .quiet = 1 };
        int how = e ? HOST_MET_AFTER : HOST_MET;

        for (size_t i = 0; i < crash_workloads(); i++) {
            if ((met[order[i]][site] & how) && crash_try(order[i], &effort) < 0)
                return 1 + (int)order[i];
        }
    }
    return 0;
}

/* The same from outside; a workload that breaks down altogether misses the site as well. */
static int missed_by(size_t site, size_t passes)
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        host_quiet(1);
        host_effort(16, 4);
        _exit(100 + who_misses(site, passes));
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) < 100)
        return 1 + (int)crash_workloads();
    return WEXITSTATUS(status) - 100;
}

static int is_met(size_t site)
{
    int how = 0;

    for (size_t w = 0; w < crash_workloads(); w++)
        how |= met[w][site];
    return how != 0;
}

struct tally {
    size_t tried;
    size_t missed;
    size_t excepted;
    size_t wrong;
};

static void tell(const char *verdict, const char *name)
{
    printf("%-28s %s\n", verdict, name);
}

static void try_site(size_t site, struct tally *tally)
{
    char name[NAME], who[80] = "a broken run";
    int by, excepted;

    host_site_name(site, name, NAME);
    excepted = is_exception(name);
    tally->tried++;
    if (!is_met(site)) {
        tell("MET BY NO WORKLOAD", name);
        tally->wrong++;
        return;
    }
    by = missed_by(site, excepted ? 2 : 3); /* all there is would be tried for an exception */
    if (by && (size_t)by <= crash_workloads())
        crash_workload_name((size_t)by - 1, who, sizeof(who));
    tally->missed += by != 0;
    tally->excepted += excepted ? 1u : 0u;
    tally->wrong += (by == 0) != excepted;
    if (by && excepted)
        tell("EXCEPTION, YET MISSED", name);
    else if (!by && !excepted)
        tell("NOT MISSED", name);
    else
        tell(by ? who : "exception", name);
}

int crash_mutants(void)
{
    struct tally tally = { 0 };
    int err = names_good();

    for (size_t i = 0; i < host_sites(); i++) {
        if (host_site_exists(i))
            try_site(i, &tally);
    }
    for (size_t i = 0; i < EXCEPTIONS; i++)
        printf("exception: %s\n    %s\n", exceptions[i].site, exceptions[i].why);
    printf("%zu flushes and fences, %zu missed when left out, %zu exceptions, "
           "%zu not as they should be\n",
           tally.tried, tally.missed, tally.excepted, tally.wrong);
    if (20 * EXCEPTIONS > tally.tried) {
        printf("more than one in twenty is an exception\n");
        err = -1;
    }
    return err < 0 || tally.wrong ? -1 : 0;
}
