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
