/* SPDX-License-Identifier: MIT */
/*
 * store-crash: the store under power failure.
 *
 *   store-crash [--long] [--pairs] [--seed N] [--random N] [--no-mutants] [--cores PROGRAM]
 *   store-crash --replay START:OP,OP,...@POINT[.IMAGE] [--seed N] [--shuffle N]
 *
 * Without options: every workload of one operation, a sample by the seed of those of two, some
 * random longer ones, and the mutants. --pairs: all of two operations. --long: these with the words
 * of a copy in three orders, and more random ones. --cores: store-cores, which gets the mutants
 * that one core cannot show.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "explore.h"

struct tally {
    uint64_t passed;
    uint64_t failed;
};

struct harness {
    struct explorer explorer;
    struct tally tally;
    uint64_t seed;
    bool is_long;
    bool all_pairs;
    const char *cores; /* program, or NULL */
    uint32_t shuffle;
};

static void print_workload(const struct workload *workload)
{
    printf("start %u:", workload->start);
    for (uint32_t i = 0; i < workload->count; i++)
        printf(" [%s]", op_get(workload->op[i])->name);
    printf("\n");
}

static void print_failure(const struct harness *harness, const struct workload *workload)
{
    const struct explorer *explorer = &harness->explorer;

    printf("FAILED: %s\n  ", explorer->failure);
    print_workload(workload);
    printf("  after %u operations%s, point %llu, image %llu\n  store-crash --replay %u:",
           explorer->k, explorer->returned ? " returned" : "",
           (unsigned long long)explorer->point - (explorer->point ? 1 : 0),
           (unsigned long long)explorer->image, workload->start);
    for (uint32_t i = 0; i < workload->count; i++)
        printf("%s%u", i ? "," : "", workload->op[i]);
    printf("@%llu.%llu --seed %llu --shuffle %u\n",
           (unsigned long long)explorer->point - (explorer->point ? 1 : 0),
           (unsigned long long)explorer->image, (unsigned long long)harness->seed,
           harness->shuffle);
}

static uint64_t workload_seed(const struct harness *harness, const struct workload *workload)
{
    uint64_t seed = mix64(harness->seed, workload->start * 64u + harness->shuffle);

    for (uint32_t i = 0; i < workload->count; i++)
        seed = mix64(seed, workload->op[i]);
    return seed;
}

static int run_one(struct harness *harness, const struct workload *workload, uint32_t from)
{
    harness->explorer.seed = workload_seed(harness, workload);
    record.shuffle = harness->shuffle;
    return explore(&harness->explorer, workload, from);
}

static void test_one(struct harness *harness, const struct workload *workload, uint32_t from)
{
    if (run_one(harness, workload, from) == 0) {
        harness->tally.passed++;
        return;
    }
    harness->tally.failed++;
    if (harness->tally.failed <= 5)
        print_failure(harness, workload);
}

/* --- the workloads ------------------------------------------------------------------------- */

static void explore_singles(struct harness *harness)
{
    harness->explorer.second_level = 1;
    for (harness->shuffle = 0; harness->shuffle < 3; harness->shuffle++)
        for (uint32_t start = 0; start < STARTS; start++)
            for (uint32_t a = 0; a < op_count(); a++)
                test_one(harness, &(struct workload){ start, 1, { (uint8_t)a } }, 0);
    harness->shuffle = 0;
    harness->explorer.second_level = 4;
}

#define PAIR_SHARE 12u /* the ordinary run takes one pair of these */

/* Points of the second operation only: explore_singles explores those of the first. */
static void explore_pairs(struct harness *harness)
{
    uint32_t tried = 0, pairs = STARTS * op_count() * op_count();

    for (uint32_t i = 0; i < pairs; i++) {
        struct workload workload = { i / (op_count() * op_count()), 2, { 0 } };

        if (!harness->all_pairs && mix64(harness->seed, i) % PAIR_SHARE != 0)
            continue;
        workload.op[0] = (uint8_t)(i / op_count() % op_count());
        workload.op[1] = (uint8_t)(i % op_count());
        test_one(harness, &workload, 1);
        tried++;
    }
    printf("two operations: %u of %u pairs\n", tried, pairs);
}

static struct workload random_workload(uint64_t seed)
{
    struct workload workload = { .start = (uint32_t)(mix64(seed, 1) % STARTS) };

    workload.count = 3 + (uint32_t)(mix64(seed, 2) % (OPS_MAX - 2));
    for (uint32_t i = 0; i < workload.count; i++)
        workload.op[i] = (uint8_t)(mix64(seed, 3 + i) % op_count());
    return workload;
}

static void explore_random(struct harness *harness, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct workload workload = random_workload(mix64(harness->seed, i));

        harness->shuffle = (uint32_t)(i % 8);
        test_one(harness, &workload, 0);
    }
    harness->shuffle = 0;
}

static const struct workload no_workload;

static void explore_mkpools(struct harness *harness)
{
    for (int over_pool = 0; over_pool < 2; over_pool++) {
        harness->explorer.seed = mix64(harness->seed, (uint64_t)over_pool);
        if (explore_mkpool(&harness->explorer, over_pool) == 0) {
            harness->tally.passed++;
            continue;
        }
        harness->tally.failed++;
        printf("FAILED: mkpool over %s: %s, point %llu, image %llu\n",
               over_pool ? "an old pool" : "junk", harness->explorer.failure,
               (unsigned long long)harness->explorer.point,
               (unsigned long long)harness->explorer.image);
    }
}

/* --- mutants ------------------------------------------------------------------------------- */

static bool is_store_site(uint32_t site)
{
    return strncmp(record.site[site], "user", 4) != 0;
}

/* Some workload fails: a bug of the store is found. */
static bool is_found(struct harness *harness)
{
    struct explorer *explorer = &harness->explorer;

    for (int over_pool = 0; over_pool < 2; over_pool++)
        if (explore_mkpool(explorer, over_pool) < 0)
            return true;
    for (harness->shuffle = 0; harness->shuffle < 3; harness->shuffle++)
        for (uint32_t start = 2; start-- > 0;)
            for (uint32_t a = 0; a < op_count(); a++) {
                struct workload workload = { start, 1, { (uint8_t)a } };

                if (run_one(harness, &workload, 0) < 0)
                    return true;
            }
    harness->shuffle = 0;
    return false;
}

/* store-cores finds a bug without this flush or fence. */
static bool is_found_on_two_cores(const struct harness *harness, const char *site)
{
    int status;
    pid_t pid;

    if (!harness->cores)
        return false;
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        execl(harness->cores, harness->cores, "--without", site, (char *)NULL);
        _exit(2);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

/* Disable each flush and fence of the store in turn. Returns the number of mutants not caught. */
static int run_mutants(struct harness *harness)
{
    uint32_t total = 0, found = 0;

    harness->explorer.count_distinct = false;
    harness->explorer.second_level = 1;
    for (uint32_t site = 0; site < record.sites; site++) {
        if (!is_store_site(site))
            continue;
        total++;
        record.disabled = site;
        if (is_found(harness) || is_found_on_two_cores(harness, record.site[site]))
            found++;
        else
            printf("mutant survives: %s\n", record.site[site]);
        record.disabled = SITES_MAX;
    }
    printf("mutants: %u of %u caught\n", found, total);
    harness->explorer.count_distinct = true;
    return (int)(total - found);
}

/* Explore mkpool and one operation until a failure, and describe it. */
static bool find_failure(struct harness *harness)
{
    bool found;

    harness->explorer.second_level = ~0u; /* the fast part first: no recovery is interrupted */
    found = is_found(harness);
    harness->explorer.second_level = 1;
    if (!found && !is_found(harness)) {
        printf("nothing found in %llu images\n", (unsigned long long)harness->explorer.images);
        return false;
    }
    printf("found: %s, after %llu images\n", harness->explorer.failure,
           (unsigned long long)harness->explorer.images);
    return true;
}

/* --- replay -------------------------------------------------------------------------------- */

static int parse_replay(const char *text, struct workload *workload, struct explorer *explorer)
{
    char *at;

    workload->start = (uint32_t)strtoul(text, &at, 10);
    for (workload->count = 0; *at == ':' || *at == ','; workload->count++) {
        if (workload->count == OPS_MAX)
            return -1;
        workload->op[workload->count] = (uint8_t)strtoul(at + 1, &at, 10);
        if (workload->op[workload->count] >= op_count())
            return -1;
    }
    if (*at == '@')
        explorer->only_point = strtoull(at + 1, &at, 10);
    if (*at == '.')
        explorer->only_image = (uint32_t)strtoul(at + 1, &at, 10);
    return *at || workload->start >= STARTS ? -1 : 0;
}

static int run_replay(struct harness *harness, const char *text)
{
    struct workload workload = no_workload;
    uint32_t from;

    if (parse_replay(text, &workload, &harness->explorer) < 0) {
        printf("--replay START:OP,OP,...@POINT.IMAGE\n");
        return 2;
    }
    from = workload.count == 2 ? 1 : 0;
    harness->explorer.verbose = true;
    harness->explorer.second_level = workload.count == 1 ? 1 : 4;
    print_workload(&workload);
    test_one(harness, &workload, from);
    printf("%llu images\n", (unsigned long long)harness->explorer.images);
    return harness->tally.failed != 0;
}

/* --- main ---------------------------------------------------------------------------------- */

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_figures(const struct harness *harness, double began, const char *what)
{
    const struct explorer *explorer = &harness->explorer;

    printf("%s: %llu workloads, %llu points, %llu images checked (%llu inside a recovery), "
           "%llu distinct, %.1f s\n",
           what, (unsigned long long)explorer->workloads, (unsigned long long)explorer->points,
           (unsigned long long)explorer->images, (unsigned long long)explorer->second_images,
           (unsigned long long)explorer->distinct.count, seconds() - began);
    fflush(stdout);
}

struct options {
    const char *replay; /* or NULL */
    uint64_t random;
    bool with_mutants;
    bool find; /* stop at the first failure */
};

/* False for an unknown option. */
static bool parse_options(int argc, char **argv, struct harness *harness, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--long") == 0)
            harness->is_long = harness->all_pairs = true;
        else if (strcmp(argv[i], "--pairs") == 0)
            harness->all_pairs = true;
        else if (strcmp(argv[i], "--no-mutants") == 0)
            options->with_mutants = false;
        else if (strcmp(argv[i], "--find") == 0)
            options->find = true;
        else if (strcmp(argv[i], "--seed") == 0 && ++i)
            harness->seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--shuffle") == 0 && ++i)
            harness->shuffle = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "--random") == 0 && ++i)
            options->random = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--cores") == 0 && ++i)
            harness->cores = value;
        else if (strcmp(argv[i], "--replay") == 0 && ++i)
            options->replay = value;
        else
            return false;
    }
    return true;
}

static void run_all(struct harness *harness, const struct options *options)
{
    double began = seconds();

    explore_mkpools(harness);
    explore_singles(harness);
    print_figures(harness, began, "mkpool and one operation");
    for (harness->shuffle = 0; harness->shuffle < (harness->is_long ? 3 : 1); harness->shuffle++)
        explore_pairs(harness);
    harness->shuffle = 0;
    print_figures(harness, began, "with two operations");
    explore_random(harness, harness->is_long ? options->random * 50 : options->random);
    print_figures(harness, began, "with random sequences");
    if (options->with_mutants && !harness->tally.failed) {
        int survivors = run_mutants(harness);

        harness->tally.passed += survivors == 0;
        harness->tally.failed += (unsigned)survivors;
    }
    print_figures(harness, began, "all");
    printf("%llu passed, %llu failed\n", (unsigned long long)harness->tally.passed,
           (unsigned long long)harness->tally.failed);
}

int main(int argc, char **argv)
{
    static struct harness harness;
    struct options options = { .random = 60, .with_mutants = true };

    harness.seed = 1;
    harness.is_long = harness.all_pairs = getenv("TWZ_TEST_LONG") != NULL;
    if (!parse_options(argc, argv, &harness, &options)) {
        printf(
            "usage: store-crash [--long] [--pairs] [--seed N] [--random N] [--no-mutants] [--find] "
            "[--cores PROGRAM] [--replay START:OPS@POINT.IMAGE [--shuffle N]]\n");
        return 2;
    }
    explorer_init(&harness.explorer, harness.seed);
    if (options.replay)
        return run_replay(&harness, options.replay);
    if (options.find)
        return find_failure(&harness) ? 1 : 0;
    run_all(&harness, &options);
    explorer_end(&harness.explorer);
    return harness.tally.failed != 0;
}
