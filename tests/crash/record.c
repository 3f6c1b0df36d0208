/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <store/persist.h>

#include "record.h"

struct record record = { .disabled = SITES_MAX };

uint64_t mix64(uint64_t a, uint64_t b)
{
    uint64_t x = a * 0x9e3779b97f4a7c15ull ^ (b + 0x632be59bd9b4e019ull);

    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 32) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static void stop(const char *what)
{
    printf("recorder: %s\n", what);
    abort();
}

void record_attach(uint8_t *base, size_t size, struct event_log *log, struct dirty *dirty)
{
    record.base = base;
    record.size = size;
    record.log = log;
    record.dirty = dirty;
}

static void log_event(enum event_type type, uint32_t at, uint64_t value, uint32_t site)
{
    struct event_log *log = record.log;

    if (log->count == log->capacity) {
        log->capacity = log->capacity ? log->capacity * 2 : 4096;
        log->event = realloc(log->event, log->capacity * sizeof(*log->event));
        if (!log->event)
            stop("no memory");
    }
    log->event[log->count++] =
        (struct event){ .value = value, .at = at, .site = (uint16_t)site, .type = (uint8_t)type };
}

void record_return(uint64_t operations)
{
    if (record.log)
        log_event(EV_RETURN, 0, operations, 0);
}

static uint32_t word_at(const void *addr)
{
    uintptr_t offset = (uintptr_t)addr - (uintptr_t)record.base;

    if (offset >= record.size || offset % 8)
        stop("a store outside of the pool, or not of whole words");
    return (uint32_t)(offset / 8);
}

static void store_word(enum event_type type, void *dst, uint64_t value)
{
    uint32_t at = word_at(dst);
    uint64_t *word = dst;

    struct dirty *dirty = record.dirty;

    if (dirty && !dirty->flag[at / WORDS]) {
        dirty->flag[at / WORDS] = 1;
        dirty->list[dirty->count++] = at / WORDS;
    }
    record.stores += *word != value;
    *word = value;
    if (record.log)
        log_event(type, at, value, 0);
}

/* The number of the i-th word that a copy of n words stores. */
static size_t shuffled(size_t i, size_t n)
{
    if (record.shuffle == 0)
        return i;
    if (record.shuffle == 1)
        return n - 1 - i;
    /* an odd factor permutes every power of two; the caller skips words past the end */
    return (i * (record.shuffle | 1u) + record.shuffle / 2) & (n - 1);
}

/* Store a copy of `src`, or zeros, word by word in the order of `shuffle`. */
static void store_words(enum event_type type, void *dst, const void *src, size_t len)
{
    size_t n = len / 8, span = n;
    uint8_t *to = dst;

    if (len % 8)
        stop("a copy that is not of whole words");
    if (record.shuffle > 1)
        for (span = 1; span < n;)
            span *= 2;
    for (size_t i = 0; i < span; i++) {
        size_t k = shuffled(i, span);
        uint64_t value = 0;

        if (k >= n)
            continue;
        if (src)
            memcpy(&value, (const uint8_t *)src + k * 8, 8);
        store_word(type, to + k * 8, value);
    }
}

static uint32_t find_site(const char *name)
{
    uint32_t i;

    for (i = 0; i < record.sites; i++)
        if (record.site[i] == name)
            return i;
    for (i = 0; i < record.sites; i++)
        if (strcmp(record.site[i], name) == 0)
            return i;
    if (i == SITES_MAX)
        stop("too many sites");
    record.site[record.sites++] = name;
    return i;
}

void persist_host_store64(uint64_t *dst, uint64_t value)
{
    store_word(EV_STORE, dst, value);
}

void persist_host_copy(void *dst, const void *src, size_t len)
{
    store_words(EV_STORE, dst, src, len);
}

void persist_host_zero(void *dst, size_t len)
{
    store_words(EV_STORE, dst, NULL, len);
}

void persist_host_copy_nt(void *dst, const void *src, size_t len)
{
    store_words(EV_STREAM, dst, src, len);
}

void persist_host_zero_nt(void *dst, size_t len)
{
    store_words(EV_STREAM, dst, NULL, len);
}

void persist_host_flush(const void *addr, size_t len, const char *site)
{
    uint32_t id, first, last;

    if (!record.log)
        return;
    id = find_site(site);
    record.hit[id] = true;
    if (id == record.disabled)
        return;
    first = (uint32_t)(((uintptr_t)addr - (uintptr_t)record.base) / LINE);
    last = (uint32_t)(((uintptr_t)addr + len - 1 - (uintptr_t)record.base) / LINE);
    for (uint32_t line = first; line <= last; line++)
        log_event(EV_FLUSH, line, 0, id);
}

void persist_host_fence(const char *site)
{
    uint32_t id;

    if (!record.log)
        return;
    id = find_site(site);
    record.hit[id] = true;
    if (id != record.disabled)
        log_event(EV_FENCE, 0, 0, id);
}

void persist_host_commit_point(const char *site)
{
    if (record.log)
        log_event(EV_COMMIT, 0, 0, find_site(site));
}
