/* SPDX-License-Identifier: MIT */
/*
 * Invariants
 *   - `bytes` is the durable image, except between model_choose and model_restore.
 *   - line_state.first is the list of a line's pending stores in trace order, linked by `next`.
 *     Record numbers are indices + 1; 0 is none.
 *   - A line with pending stores is in `dirty` exactly once.
 *   - `hash` is the exclusive or of hash_word() of all words of `bytes`, up to a constant.
 */
#define _GNU_SOURCE
#include "model.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CPUS       64u
#define EXHAUSTIVE 256u /* all images of a point are tried if there are no more than this */
#define RANDOM     32u  /* otherwise this many random ones, beside the regular ones */

struct line_state {
    uint32_t first;
    uint32_t last;
    uint32_t flushed;  /* pending stores up to this record are flushed */
    uint32_t position; /* in dirty, + 1 */
};

/* The stores that the next fence of one processor makes durable. */
struct waiting {
    struct wait {
        uint64_t line;
        uint32_t upto;   /* ordinary stores of the line up to this record */
        uint32_t stream; /* or this one streaming store */
    } * v;
    size_t n;
    size_t capacity;
};

struct unit {
    uint64_t line;
    uint32_t stream; /* 0: the line's ordinary stores */
    uint32_t stores;
};

struct undo {
    uint64_t addr;
    uint64_t old;
};

struct model {
    const struct trace_record *records;
    uint32_t count;
    uint32_t at; /* next record */
    unsigned mark_queue;
    bool ended;
    uint64_t point;

    uint8_t *bytes;
    uint8_t *initial;
    uint64_t size;
    uint64_t hash;

    struct line_state *lines;
    uint32_t *next;
    uint64_t *dirty;
    size_t ndirty;
    struct waiting waiting[CPUS];

    struct unit *units;
    size_t nunits;
    uint64_t images;

    struct undo *undo;
    size_t nundo;

    uint8_t *touched; /* a bit for each line that has ever been stored to */
    struct model_stats stats;
};

static void exit_with_error(const char *what, const char *path)
{
    fprintf(stderr, "replay: %s: %s\n", path, what);
    exit(2);
}

static void *require_memory(void *p)
{
    if (!p)
        exit_with_error("out of memory", "replay");
    return p;
}

static void *map_file(const char *path, uint64_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *map;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
        exit_with_error("cannot be read", path);
    *size = (uint64_t)st.st_size;
    map = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        exit_with_error("cannot be mapped", path);
    close(fd);
    return map;
}

static uint64_t hash_word(uint64_t addr, uint64_t value)
{
    uint64_t x = value * 0x9e3779b97f4a7c15ull ^ (addr + 1) * 0xc2b2ae3d27d4eb4full;

    x = (x ^ x >> 31) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static uint64_t read_word(const struct model *m, uint64_t addr)
{
    uint64_t word;

    memcpy(&word, m->bytes + addr, sizeof(word));
    return word;
}

static void write_word(struct model *m, uint64_t addr, uint64_t word)
{
    m->hash ^= hash_word(addr, read_word(m, addr)) ^ hash_word(addr, word);
    memcpy(m->bytes + addr, &word, sizeof(word));
}

static void apply_store(struct model *m, uint32_t number, bool undoable)
{
    const struct trace_record *r = &m->records[number - 1];
    uint64_t addr = r->addr & ~7ull;
    uint64_t word = read_word(m, addr);

    if (undoable)
        m->undo[m->nundo++] = (struct undo){ .addr = addr, .old = word };
    memcpy((uint8_t *)&word + (r->addr & 7), &r->value, r->size);
    write_word(m, addr, word);
}

static bool is_store(const struct trace_record *r)
{
    return r->kind == TRACE_STORE || r->kind == TRACE_STREAM;
}

static void check_record(const struct model *m, const struct trace_record *r, const char *path)
{
    bool placed = is_store(r) || r->kind == TRACE_FLUSH;

    if (r->kind < TRACE_STORE || r->kind > TRACE_LOST || r->cpu >= CPUS)
        exit_with_error("has a record of an unknown kind", path);
    if (placed && r->addr >= m->size)
        exit_with_error("has an address outside of the NVDIMM", path);
    if (is_store(r) && (r->size == 0 || (r->addr & 7) + r->size > 8))
        exit_with_error("has a store that is not within one word", path);
}

static void read_trace(struct model *m, const char *path)
{
    uint64_t size, records;
    const uint8_t *file = map_file(path, &size);
    const struct trace_header *h = (const struct trace_header *)(const void *)file;

    if (size < sizeof(*h) || h->magic != TRACE_MAGIC || h->version != TRACE_VERSION ||
        h->record_size != sizeof(struct trace_record))
        exit_with_error("is not a trace of this version", path);
    if (h->size != m->size)
        exit_with_error("was recorded with an NVDIMM of another size", path);
    records = (size - sizeof(*h)) / sizeof(struct trace_record);
    if (records >= UINT32_MAX)
        exit_with_error("is too long", path);
    m->records = (const struct trace_record *)(const void *)(file + sizeof(*h));
    m->count = (uint32_t)records;
    for (uint32_t i = 0; i < m->count; i++)
        check_record(m, &m->records[i], path);
}

struct model *model_open(const char *initial, const char *trace, unsigned mark_queue)
{
    struct model *m = require_memory(calloc(1, sizeof(*m)));
    uint64_t size;

    m->bytes = map_file(initial, &m->size);
    m->initial = map_file(initial, &size);
    if (m->size % MODEL_LINE)
        exit_with_error("is not a whole number of lines", initial);
    m->mark_queue = mark_queue;
    read_trace(m, trace);
    m->lines = require_memory(calloc(m->size / MODEL_LINE, sizeof(*m->lines)));
    m->touched = require_memory(calloc(m->size / MODEL_LINE / 8 + 1, 1));
    m->next = require_memory(calloc((size_t)m->count + 1, sizeof(*m->next)));
    m->dirty = require_memory(calloc((size_t)m->count + 1, sizeof(*m->dirty)));
    m->units = require_memory(calloc((size_t)m->count + 1, sizeof(*m->units)));
    m->undo = require_memory(calloc((size_t)m->count + 1, sizeof(*m->undo)));
    return m;
}

static void add_pending(struct model *m, uint32_t number)
{
    const struct trace_record *r = &m->records[number - 1];
    uint64_t at = r->addr / MODEL_LINE;
    struct line_state *l = &m->lines[at];

    m->touched[at / 8] |= (uint8_t)(1u << (at % 8));
    m->next[number] = 0;
    if (l->first)
        m->next[l->last] = number;
    else
        l->first = number;
    l->last = number;
    if (!l->position) {
        m->dirty[m->ndirty++] = at;
        l->position = (uint32_t)m->ndirty;
    }
}

static void wait_for_fence(struct model *m, unsigned cpu, struct wait w)
{
    struct waiting *list = &m->waiting[cpu];

    if (list->n == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->v = require_memory(realloc(list->v, list->capacity * sizeof(*list->v)));
    }
    list->v[list->n++] = w;
}

/* A streaming store of the value that is durable there already, in a line with no pending store,
 * has no effect. Frames are zeroed ahead that way, and most of them are empty before. */
static bool has_no_effect(const struct model *m, const struct trace_record *r)
{
    return r->kind == TRACE_STREAM && !m->lines[r->addr / MODEL_LINE].first &&
           !memcmp(m->bytes + r->addr, &r->value, r->size);
}

static void process_store(struct model *m, uint32_t number, const struct trace_record *r)
{
    if (r->kind == TRACE_STREAM)
        m->stats.streams++;
    if (has_no_effect(m, r))
        return;
    add_pending(m, number);
    if (r->kind == TRACE_STREAM) {
        wait_for_fence(m, r->cpu, (struct wait){ .line = r->addr / MODEL_LINE, .stream = number });
    } else {
        m->stats.stores++;
    }
}

/* The line has ordinary stores that no flush covers yet. */
static bool has_unflushed(const struct model *m, const struct line_state *l)
{
    for (uint32_t i = l->first; i; i = m->next[i]) {
        if (i > l->flushed && m->records[i - 1].kind == TRACE_STORE)
            return true;
    }
    return false;
}

static void process_flush(struct model *m, uint32_t number, const struct trace_record *r)
{
    struct line_state *l = &m->lines[r->addr / MODEL_LINE];

    m->stats.flushes++;
    if (!has_unflushed(m, l))
        m->stats.needless++;
    if (!l->first)
        return;
    l->flushed = number;
    wait_for_fence(m, r->cpu, (struct wait){ .line = r->addr / MODEL_LINE, .upto = number });
}

static void remove_dirty(struct model *m, struct line_state *l)
{
    uint64_t moved = m->dirty[--m->ndirty];

    m->dirty[l->position - 1] = moved;
    m->lines[moved].position = l->position;
    l->position = 0;
    l->flushed = 0;
}

/* Makes the stores of `w` durable, in trace order. False: none of them was pending. */
static bool make_durable(struct model *m, const struct wait *w)
{
    struct line_state *l = &m->lines[w->line];
    uint32_t *link = &l->first;
    bool some = false;

    l->last = 0;
    while (*link) {
        uint32_t i = *link;
        bool stream = m->records[i - 1].kind == TRACE_STREAM;
        bool now = w->stream ? i == w->stream : !stream && i <= w->upto;

        if (now) {
            apply_store(m, i, false);
            *link = m->next[i];
            some = true;
        } else {
            l->last = i;
            link = &m->next[i];
        }
    }
    if (some && !l->first)
        remove_dirty(m, l);
    return some;
}

static void process_fence(struct model *m, unsigned cpu)
{
    struct waiting *list = &m->waiting[cpu];
    bool some = false;

    m->stats.fences++;
    for (size_t i = 0; i < list->n; i++)
        some |= make_durable(m, &list->v[i]);
    list->n = 0;
    if (!some)
        m->stats.idle++;
}

static void process_record(struct model *m)
{
    const struct trace_record *r = &m->records[m->at++];

    if (is_store(r))
        process_store(m, m->at, r);
    else if (r->kind == TRACE_FLUSH)
        process_flush(m, m->at, r);
    else if (r->kind == TRACE_FENCE)
        process_fence(m, r->cpu);
    else if (r->kind == TRACE_LOST)
        m->stats.lost++;
    else if (r->addr == 4ull * m->mark_queue)
        m->stats.marks++;
}

static void collect_units(struct model *m)
{
    m->nunits = 0;
    for (size_t d = 0; d < m->ndirty; d++) {
        uint64_t line = m->dirty[d];
        uint32_t ordinary = 0;

        for (uint32_t i = m->lines[line].first; i; i = m->next[i]) {
            if (m->records[i - 1].kind == TRACE_STORE)
                ordinary++;
            else
                m->units[m->nunits++] = (struct unit){ .line = line, .stream = i, .stores = 1 };
        }
        if (ordinary)
            m->units[m->nunits++] = (struct unit){ .line = line, .stores = ordinary };
    }
}

static void count_images(struct model *m)
{
    uint64_t n = m->nunits;

    m->images = 1;
    for (size_t u = 0; u < n && m->images <= EXHAUSTIVE; u++)
        m->images *= m->units[u].stores + 1;
    if (m->images > EXHAUSTIVE)
        m->images = 2 + 2 * n + n * (n - 1) / 2 + RANDOM;
}

bool model_next(struct model *m)
{
    if (m->ended)
        return false;
    if (m->point)
        m->ended = m->at == m->count;
    if (m->at < m->count && m->records[m->at].kind == TRACE_FENCE)
        process_record(m);
    while (m->at < m->count && m->records[m->at].kind != TRACE_FENCE)
        process_record(m);
    if (m->ended)
        return false;
    m->point++;
    collect_units(m);
    count_images(m);
    return true;
}

uint64_t model_point(const struct model *m)
{
    return m->point;
}

uint64_t model_marks(const struct model *m)
{
    return m->stats.marks;
}

uint64_t model_images(const struct model *m)
{
    return m->images;
}

uint64_t model_corners(const struct model *m)
{
    uint64_t corners = 2 + 2 * (uint64_t)m->nunits;

    return corners < m->images ? corners : m->images;
}

static void apply_unit(struct model *m, const struct unit *u, uint32_t stores)
{
    if (u->stream) {
        if (stores)
            apply_store(m, u->stream, true);
        return;
    }
    for (uint32_t i = m->lines[u->line].first; i && stores; i = m->next[i]) {
        if (m->records[i - 1].kind != TRACE_STORE)
            continue;
        apply_store(m, i, true);
        stores--;
    }
}

static void choose_exhaustive(struct model *m, uint64_t number)
{
    for (size_t u = 0; u < m->nunits; u++) {
        apply_unit(m, &m->units[u], (uint32_t)(number % (m->units[u].stores + 1)));
        number /= m->units[u].stores + 1;
    }
}

static void choose_all_but(struct model *m, uint64_t left_out)
{
    for (size_t u = 0; u < m->nunits; u++) {
        if (u != left_out)
            apply_unit(m, &m->units[u], m->units[u].stores);
    }
}

static void choose_pair(struct model *m, uint64_t number)
{
    size_t first = 0;

    while (number >= m->nunits - 1 - first)
        number -= m->nunits - 1 - first++;
    apply_unit(m, &m->units[first], m->units[first].stores);
    apply_unit(m, &m->units[first + 1 + number], m->units[first + 1 + number].stores);
}

static void choose_random(struct model *m, uint64_t number)
{
    for (size_t u = 0; u < m->nunits; u++) {
        uint64_t dice = hash_word(m->point * 64 + number, u);

        apply_unit(m, &m->units[u], (uint32_t)(dice % (m->units[u].stores + 1)));
    }
}

/* Images of a point with too many: none, all, each unit alone, all but each, pairs, random ones. */
static void choose_regular(struct model *m, uint64_t number)
{
    uint64_t n = m->nunits;

    if (number == 0)
        return;
    if (number == 1)
        choose_all_but(m, n);
    else if (number < 2 + n)
        apply_unit(m, &m->units[number - 2], m->units[number - 2].stores);
    else if (number < 2 + 2 * n)
        choose_all_but(m, number - 2 - n);
    else if (number < 2 + 2 * n + n * (n - 1) / 2)
        choose_pair(m, number - 2 - 2 * n);
    else
        choose_random(m, number);
}

static bool is_exhaustive(const struct model *m)
{
    uint64_t images = 1;

    for (size_t u = 0; u < m->nunits && images <= EXHAUSTIVE; u++)
        images *= m->units[u].stores + 1;
    return images <= EXHAUSTIVE;
}

void model_choose(struct model *m, uint64_t number)
{
    m->nundo = 0;
    if (is_exhaustive(m))
        choose_exhaustive(m, number);
    else
        choose_regular(m, number);
}

void model_restore(struct model *m)
{
    while (m->nundo) {
        const struct undo *u = &m->undo[--m->nundo];

        write_word(m, u->addr, u->old);
    }
}

uint64_t model_hash(const struct model *m)
{
    return m->hash;
}

void model_write(const struct model *m, const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        exit_with_error("cannot be written", path);
    for (uint64_t line = 0; line < m->size / MODEL_LINE; line++) {
        uint64_t at = line * MODEL_LINE;

        if (!m->touched[line / 8]) {
            line |= 7;
            continue;
        }
        if (!memcmp(m->bytes + at, m->initial + at, MODEL_LINE))
            continue;
        if (pwrite(fd, m->bytes + at, MODEL_LINE, (off_t)at) != (ssize_t)MODEL_LINE)
            exit_with_error("cannot be written completely", path);
    }
    close(fd);
}

void model_apply_all(struct model *m)
{
    for (uint32_t i = 1; i <= m->count; i++) {
        if (is_store(&m->records[i - 1]))
            apply_store(m, i, false);
    }
}

int64_t model_differs(const struct model *m, const char *path)
{
    uint64_t size;
    uint8_t *other = map_file(path, &size);
    int64_t at = -1;

    if (size != m->size)
        exit_with_error("has another size than the initial image", path);
    for (uint64_t page = 0; page < size && at < 0; page += 4096) {
        uint64_t len = size - page < 4096 ? size - page : 4096;

        if (!memcmp(m->bytes + page, other + page, len))
            continue;
        for (at = (int64_t)page; m->bytes[at] == other[at];)
            at++;
    }
    munmap(other, size);
    return at;
}

void model_each_unflushed(const struct model *m,
                          void (*fn)(void *arg, const struct trace_record *r), void *arg)
{
    for (size_t d = 0; d < m->ndirty; d++) {
        const struct line_state *l = &m->lines[m->dirty[d]];

        for (uint32_t i = l->first; i; i = m->next[i]) {
            if (m->records[i - 1].kind == TRACE_STORE && i > l->flushed)
                fn(arg, &m->records[i - 1]);
        }
    }
}

static void count_unflushed(void *arg, const struct trace_record *r)
{
    (void)r;
    ++*(uint64_t *)arg;
}

const struct model_stats *model_stats(const struct model *m)
{
    struct model_stats *s = &((struct model *)(uintptr_t)m)->stats;
    uint64_t pending = 0;

    s->unflushed = 0;
    model_each_unflushed(m, count_unflushed, &s->unflushed);
    for (size_t d = 0; d < m->ndirty; d++) {
        for (uint32_t i = m->lines[m->dirty[d]].first; i; i = m->next[i])
            pending++;
    }
    s->unfenced = pending - s->unflushed;
    return s;
}
