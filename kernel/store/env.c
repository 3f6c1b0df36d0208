/* SPDX-License-Identifier: MIT */
/* The caller's environment (struct store_env): memory, locks, damage reports, write
 * permission. */
#include <store/inside.h>

void *env_alloc(const struct store *store, size_t bytes)
{
    return store->env.alloc(store->env.ctx, bytes);
}

void env_free(const struct store *store, void *mem, size_t bytes)
{
    if (mem)
        store->env.free(store->env.ctx, mem, bytes);
}

int env_alloc_array(const struct store *store, struct parts *parts, size_t bytes)
{
    parts->bytes = bytes;
    parts->part = env_alloc(store, parts_count(parts) * sizeof(*parts->part));
    return parts->part ? 0 : -TWZ_ENOMEM;
}

static size_t part_bytes(const struct parts *parts, size_t part)
{
    size_t left = parts->bytes - (part << PARTS_SHIFT);

    return left < PARTS_BYTES ? left : PARTS_BYTES;
}

int env_alloc_part(const struct store *store, struct parts *parts, size_t offset)
{
    size_t part = offset >> PARTS_SHIFT;

    if (!parts->part[part])
        parts->part[part] = env_alloc(store, part_bytes(parts, part));
    return parts->part[part] ? 0 : -TWZ_ENOMEM;
}

int env_alloc_parts(const struct store *store, struct parts *parts, size_t bytes)
{
    int err = env_alloc_array(store, parts, bytes);

    for (size_t offset = 0; err == 0 && offset < bytes; offset += PARTS_BYTES)
        err = env_alloc_part(store, parts, offset);
    return err;
}

void env_free_parts(const struct store *store, struct parts *parts)
{
    size_t count = parts->part ? parts_count(parts) : 0;

    for (size_t i = 0; i < count; i++)
        env_free(store, parts->part[i], part_bytes(parts, i));
    env_free(store, parts->part, count * sizeof(*parts->part));
}

void env_lock(const struct store *store, uint32_t which)
{
    if (store->env.lock)
        store->env.lock(store->env.ctx, which);
}

void env_unlock(const struct store *store, uint32_t which)
{
    if (store->env.unlock)
        store->env.unlock(store->env.ctx, which);
}

bool env_lost(const struct store *store)
{
    return store->env.lost && store->env.lost(store->env.ctx);
}

void env_report(const struct store *store, struct store_report *report, const void *at)
{
    if (!store->env.report)
        return;
    report->code = TWZ_EDAMAGED;
    report->offset = (uint64_t)((const uint8_t *)at - (const uint8_t *)store->env.base);
    store->env.report(store->env.ctx, report);
}

void env_report_pool(const struct store *store, const void *at, uint64_t found, uint64_t wanted,
                     const char *what)
{
    struct store_report report = {
        .row = STORE_NO_ROW, .found = found, .wanted = wanted, .what = what
    };

    env_report(store, &report, at);
}

int env_writable(const struct store *store)
{
    return store->recovered && !store->readonly ? 0 : -TWZ_EDENIED;
}

void *store_frame_ptr(const struct store *store, uint32_t frame)
{
    return env_frame(store, frame);
}
