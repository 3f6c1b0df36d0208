/* SPDX-License-Identifier: MIT */
/*
 * Tests the harness. Each flush and each fence in the source of directories and of the library
 * below them is left out in turn; some image must then be bad. Only workloads that reach the site
 * are run, those with few images first, up to the first bad image.
 *
 * The exceptions have names and reasons. It is a failure if the harness catches an exception, if it
 * does not catch another site, or if no workload reaches a site. So the table stays true.
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
    { "apply_steps: commit(hier_word(h, i->to_bucket), i->to_value) fence",
      "the later steps fence, too; it counts where a fault ends each of them" },
    { "raise_end: persist(&head->end) fence",
      "the creator fences before it names the object; it counts for another thread's record" },
};
#define EXCEPTIONS (sizeof(exceptions) / sizeof(exceptions[0]))

static uint8_t reached[WORKLOADS][SITES];
static unsigned long cost[WORKLOADS];

void crash_reached(size_t w, unsigned long count)
{
    CHECK(w < WORKLOADS && host_sites() <= SITES);
    for (size_t i = 0; i < host_sites(); i++)
        reached[w][i] = (uint8_t)host_site_reached(i);
    cost[w] = count;
}

static bool is_exception(const char *name)
{
    for (size_t i = 0; i < EXCEPTIONS; i++) {
        if (strcmp(exceptions[i].site, name) == 0)
            return true;
    }
    return false;
}

/* Names of sites must be unique, and each exception must be one of them. */
static int check_names(void)
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
                printf("two sites have the same name: %s\n", names[i]);
                err = -1;
            }
        }
    }
    if (found != EXCEPTIONS) {
        printf("an exception is not a site\n");
        err = -1;
    }
    return err;
}

static int by_cost(const void *a, const void *b)
{
    unsigned long x = cost[*(const size_t *)a], y = cost[*(const size_t *)b];

    return x < y ? -1 : x > y;
}

/* 1 + the first workload with a bad image while the site is left out, or 0. Runs in a child. */
static int first_catching(size_t site, size_t passes)
{
    static const uint32_t efforts[] = { 0, 8, 1 }; /* crash_effort.recovery of each pass */
    size_t order[WORKLOADS];

    for (size_t w = 0; w < crash_workloads(); w++)
        order[w] = w;
    qsort(order, crash_workloads(), sizeof(order[0]), by_cost);
    for (size_t e = 0; e < passes; e++) {
        struct crash_effort effort = { .skip = site, .recovery = efforts[e], .quiet = 1 };
        int how = e ? HOST_REACHED_AFTER : HOST_REACHED;

        for (size_t i = 0; i < crash_workloads(); i++) {
            if ((reached[order[i]][site] & how) && crash_try(order[i], &effort) < 0)
                return 1 + (int)order[i];
        }
    }
    return 0;
}

/* Run first_catching in a child. A child that dies has caught the site, too. */
static int caught_by(size_t site, size_t passes)
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        host_quiet(1);
        host_effort(16, 4);
        _exit(100 + first_catching(site, passes));
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) < 100)
        return 1 + (int)crash_workloads();
    return WEXITSTATUS(status) - 100;
}

static bool is_reached(size_t site)
{
    int how = 0;

    for (size_t w = 0; w < crash_workloads(); w++)
        how |= reached[w][site];
    return how != 0;
}

struct tally {
    size_t tried;
    size_t caught;
    size_t excepted;
    size_t wrong;
};

static void report(const char *result, const char *name)
{
    printf("%-28s %s\n", result, name);
}

/* Leave one site out and add the result to the tally. */
static void try_site(size_t site, struct tally *tally)
{
    char name[NAME], workload[80] = "a broken run";
    bool excepted;
    int by;

    host_site_name(site, name, NAME);
    excepted = is_exception(name);
    tally->tried++;
    if (!is_reached(site)) {
        report("REACHED BY NO WORKLOAD", name);
        tally->wrong++;
        return;
    }
    by =
        caught_by(site, excepted ? 2 : 3); /* an exception would run through all of the last pass */
    if (by && (size_t)by <= crash_workloads())
        crash_workload_name((size_t)by - 1, workload, sizeof(workload));
    tally->caught += by != 0;
    tally->excepted += excepted ? 1u : 0u;
    tally->wrong += (by == 0) != excepted;
    if (by && excepted)
        report("EXCEPTION, YET CAUGHT", name);
    else if (!by && !excepted)
        report("NOT CAUGHT", name);
    else
        report(by ? workload : "exception", name);
}

int crash_mutants(void)
{
    struct tally tally = { 0 };
    int err = check_names();

    for (size_t i = 0; i < host_sites(); i++) {
        if (host_site_exists(i))
            try_site(i, &tally);
    }
    for (size_t i = 0; i < EXCEPTIONS; i++)
        printf("exception: %s\n    %s\n", exceptions[i].site, exceptions[i].why);
    printf("%zu flushes and fences, %zu caught when left out, %zu exceptions, "
           "%zu wrong\n",
           tally.tried, tally.caught, tally.excepted, tally.wrong);
    if (20 * EXCEPTIONS > tally.tried) {
        printf("more than one site in twenty is an exception\n");
        err = -1;
    }
    return err < 0 || tally.wrong ? -1 : 0;
}
