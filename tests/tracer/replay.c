/* SPDX-License-Identifier: MIT */
/*
 * trace-replay: computes the crash images of a trace of the NVDIMM (trace.h).
 *
 *   check INITIAL TRACE FINAL           whether the trace applied to INITIAL gives FINAL
 *   stats INITIAL TRACE                 counts, and the stores that no flush covers
 *   list  INITIAL TRACE COUNT SEED      COUNT different crash images, all where there are no more:
 *                                       lines of "POINT NUMBER MARKS HASH", in trace order; 0: all
 *   count INITIAL TRACE LIMIT           how many different ones there are; beyond LIMIT "at most N"
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
                    "       trace-replay [-q QUEUE] count INITIAL TRACE LIMIT\n"
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

/* Images that are to be printed, each a different one: the same bytes after more output to the host
 * make another image, of which more is expected. */
struct sample {
    struct image {
        uint64_t point;
        uint64_t number;
        uint64_t marks;
        uint64_t hash;
    } * v;
    uint64_t n;
    uint64_t capacity;
    struct seen seen;
    uint64_t random;
};

static void append_image(struct sample *s, struct image image)
{
    if (s->n == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 256;
        s->v = realloc(s->v, s->capacity * sizeof(*s->v));
        if (!s->v)
            exit(2);
    }
    s->v[s->n++] = image;
}

static void add_image(struct sample *s, struct model *m, uint64_t number)
{
    struct image image = { .point = model_point(m), .number = number, .marks = model_marks(m) };
    uint64_t key = image.marks;

    model_choose(m, number);
    image.hash = model_hash(m);
    model_restore(m);
    if (add_seen(&s->seen, image.hash ^ next_random(&key)))
        append_image(s, image);
}

static uint64_t count_images(char **args, uint64_t *points)
{
    struct model *m = model_open(args[0], args[1], mark_queue);
    uint64_t images = 0;

    for (*points = 0; model_next(m); ++*points)
        images += model_images(m);
    return images;
}

static void add_all(struct sample *s, char **args)
{
    struct model *m = model_open(args[0], args[1], mark_queue);

    while (model_next(m)) {
        for (uint64_t i = 0; i < model_images(m); i++)
            add_image(s, m, i);
    }
}

/* Draws the same share of images for every point, so that each phase of the run has some. Half of
 * them are corners, which show a single missing flush or fence. `share` is in 1/65536. */
static void add_share(struct sample *s, char **args, uint64_t share)
{
    struct model *m = model_open(args[0], args[1], mark_queue);

    while (model_next(m)) {
        uint64_t draws = share >> 16;

        if ((next_random(&s->random) & 0xffff) < (share & 0xffff))
            draws++;
        while (draws--) {
            uint64_t of = next_random(&s->random) & 1 ? model_corners(m) : model_images(m);

            add_image(s, m, next_random(&s->random) % of);
        }
    }
}

static int order_images(const void *a, const void *b)
{
    const struct image *x = a, *y = b;

    if (x->point != y->point)
        return x->point < y->point ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* Prints `count` of the images, drawn evenly, in the order of the trace. */
static void print_images(struct sample *s, uint64_t count)
{
    qsort(s->v, s->n, sizeof(*s->v), order_images);
    for (uint64_t i = 0; i < s->n; i++) {
        if (next_random(&s->random) % (s->n - i) >= count)
            continue;
        count--;
        printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %016" PRIx64 "\n", s->v[i].point,
               s->v[i].number, s->v[i].marks, s->v[i].hash);
    }
}

/* Most draws of one pass may be images that are there already, so passes with more draws follow,
 * and last of all every image. */
static int run_list(char **args)
{
    uint64_t count = strtoull(args[2], NULL, 0);
    struct sample s = { .random = strtoull(args[3], NULL, 0) };
    uint64_t points, existing = count_images(args, &points);
    uint64_t share = points ? (count << 16) / points : 0;

    if (count) {
        for (; s.n < count && share * points >> 16 < existing; share = 2 * share + 1)
            add_share(&s, args, share);
    }
    if (!count || s.n < count)
        add_all(&s, args);
    print_images(&s, count && count < s.n ? count : s.n);
    return 0;
}

/* Where there are more than the limit, "at most" their number with repetitions. */
static int run_count(char **args)
{
    uint64_t points, existing = count_images(args, &points);
    struct sample s = { .n = 0 };

    if (existing > strtoull(args[2], NULL, 0)) {
        printf("at most %" PRIu64 "\n", existing);
        return 0;
    }
    add_all(&s, args);
    printf("%" PRIu64 "\n", s.n);
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
    { "check", 3, run_check }, { "stats", 2, run_stats }, { "list", 4, run_list },
    { "count", 3, run_count }, { "image", 5, run_image },
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
