/* SPDX-License-Identifier: MIT */
/*
 * trace-replay: computes the crash images of a trace of the NVDIMM (trace.h).
 *
 *   check INITIAL TRACE FINAL           whether the trace applied to INITIAL gives FINAL
 *   stats INITIAL TRACE                 counts, and the stores that no flush covers
 *   list  INITIAL TRACE COUNT SEED      up to COUNT different crash images: lines of "POINT NUMBER
 *                                       MARKS HASH", in trace order; COUNT 0: all
 *   image INITIAL TRACE POINT NUMBER OUT   turns OUT, a copy of INITIAL, into that crash image
 *
 * -q QUEUE before the command: the virtio queue whose doorbell counts as a mark (default 9, the
 * host link's output). Exit codes: 0 yes, 1 no, 2 wrong use or unreadable files.
 */
#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_QUEUE 9u
#define SHOWN        20

static unsigned mark_queue = OUTPUT_QUEUE;

static int usage(void)
{
    fprintf(stderr, "usage: trace-replay [-q QUEUE] check INITIAL TRACE FINAL\n"
                    "       trace-replay [-q QUEUE] stats INITIAL TRACE\n"
                    "       trace-replay [-q QUEUE] list INITIAL TRACE COUNT SEED\n"
                    "       trace-replay [-q QUEUE] image INITIAL TRACE POINT NUMBER OUT\n");
    return 2;
}

static int run_check(char **args)
{
    struct model *m = model_open(args[0], args[1], mark_queue);
    int64_t at;

    model_apply_all(m);
    at = model_differs(m, args[2]);
    if (at >= 0)
        printf("differs at %#" PRIx64 ": a store is missing in the trace\n", (uint64_t)at);
    return at >= 0;
}

static void show_unflushed(void *arg, const struct trace_record *r)
{
    int *shown = arg;

    if (++*shown <= SHOWN)
        printf("unflushed store at %#" PRIx64 " size %u by %#" PRIx64 " (%s)\n", r->addr, r->size,
               r->ip, r->flags & TRACE_USER ? "user" : "kernel");
}

static int run_stats(char **args)
{
    struct model *m = model_open(args[0], args[1], mark_queue);
    const struct model_stats *s;
    int shown = 0;

    while (model_next(m))
        ;
    s = model_stats(m);
    printf("stores %" PRIu64 "\nstreams %" PRIu64 "\nflushes %" PRIu64 "\nneedless %" PRIu64
           "\nlost %" PRIu64 "\nfences %" PRIu64 "\nidle %" PRIu64 "\nmarks %" PRIu64
           "\nunflushed %" PRIu64 "\nunfenced %" PRIu64 "\n",
           s->stores, s->streams, s->flushes, s->needless, s->lost, s->fences, s->idle, s->marks,
           s->unflushed, s->unfenced);
    model_each_unflushed(m, show_unflushed, &shown);
    return 0;
}

static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15ull;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

/* A hash set of image hashes, open addressing; 0 is an empty entry. */
struct seen {
    uint64_t *v;
    uint64_t capacity;
    uint64_t n;
};

static void grow_seen(struct seen *s);

static bool add_seen(struct seen *s, uint64_t hash)
{
    uint64_t i;

    if (2 * s->n >= s->capacity)
        grow_seen(s);
    hash += !hash;
    i = hash & (s->capacity - 1);
    while (s->v[i] && s->v[i] != hash)
        i = (i + 1) & (s->capacity - 1);
    if (s->v[i])
        return false;
    s->v[i] = hash;
    s->n++;
    return true;
}

static void grow_seen(struct seen *s)
{
    struct seen bigger = { .capacity = s->capacity ? 2 * s->capacity : 1024 };

    bigger.v = calloc(bigger.capacity, sizeof(*bigger.v));
    if (!bigger.v)
        exit(2);
    for (uint64_t i = 0; i < s->capacity; i++) {
        if (s->v[i])
            add_seen(&bigger, s->v[i]);
    }
    free(s->v);
    *s = bigger;
}

static uint64_t count_points(char **args)
{
    struct model *m = model_open(args[0], args[1], mark_queue);
    uint64_t points = 0;

    while (model_next(m))
        points++;
    return points;
}

static void list_image(struct model *m, struct seen *seen, uint64_t number)
{
    model_choose(m, number);
    if (add_seen(seen, model_hash(m)))
        printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %016" PRIx64 "\n", model_point(m), number,
               model_marks(m), model_hash(m));
    model_restore(m);
}

/* Lists the same share of images for every point, so that each phase of the run has some. Half of
 * them are corners, which show a single missing flush or fence. */
static void list_sample(struct model *m, struct seen *seen, uint64_t share, uint64_t *random)
{
    uint64_t draws = share >> 16;

    if ((next_random(random) & 0xffff) < (share & 0xffff))
        draws++;
    while (draws--) {
        uint64_t of = next_random(random) & 1 ? model_corners(m) : model_images(m);

        list_image(m, seen, next_random(random) % of);
    }
}

static int run_list(char **args)
{
    uint64_t count = strtoull(args[2], NULL, 0);
    uint64_t random = strtoull(args[3], NULL, 0);
    uint64_t share = (count << 16) / count_points(args); /* 1/65536 of an image */
    struct model *m = model_open(args[0], args[1], mark_queue);
    struct seen seen = { .n = 0 };

    while (model_next(m)) {
        for (uint64_t i = 0; !count && i < model_images(m); i++)
            list_image(m, &seen, i);
        if (count)
            list_sample(m, &seen, share, &random);
    }
    return 0;
}

static int run_image(char **args)
{
    uint64_t point = strtoull(args[2], NULL, 0);
    uint64_t number = strtoull(args[3], NULL, 0);
    struct model *m = model_open(args[0], args[1], mark_queue);

    while (model_next(m)) {
        if (model_point(m) != point)
            continue;
        if (number >= model_images(m))
            break;
        model_choose(m, number);
        model_write(m, args[4]);
        return 0;
    }
    fprintf(stderr, "trace-replay: no such image\n");
    return 2;
}

static const struct command {
    const char *name;
    int args;
    int (*run)(char **args);
} commands[] = {
    { "check", 3, run_check },
    { "stats", 2, run_stats },
    { "list", 4, run_list },
    { "image", 5, run_image },
};

int main(int argc, char **argv)
{
    int at = 1;

    if (argc > 3 && !strcmp(argv[1], "-q")) {
        mark_queue = (unsigned)strtoul(argv[2], NULL, 0);
        at = 3;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (at < argc && !strcmp(argv[at], commands[i].name) && argc - at - 1 == commands[i].args)
            return commands[i].run(argv + at + 1);
    }
    return usage();
}
