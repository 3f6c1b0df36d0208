/* SPDX-License-Identifier: MIT */
/*
 * Owns the kernel's log, on arch_log_write. One lock keeps lines whole; it is taken last, under any
 * other. A core that panics may hold it already, or a core that is stopped does. So a panicking
 * kernel waits a bounded time for the lock, then writes without it.
 */
#include <kernel/lock.h>
#include <kernel/log.h>
#include <lib/fmt.h>

#define LINE_MAX_BYTES 320u
#define PANIC_SPINS    100000u

static SHARED_LOCK struct spinlock lock;
static bool panicking;

/* True: the lock is held. False: the kernel panics, and the caller must write without it. */
static bool lock_log(void)
{
    if (!__atomic_load_n(&panicking, __ATOMIC_RELAXED)) {
        spin_lock(&lock);
        return true;
    }
    for (unsigned i = 0; i < PANIC_SPINS; i++)
        if (spin_trylock(&lock))
            return true;
    return false;
}

void log_bytes(const char *text, size_t len)
{
    bool locked = lock_log();

    arch_log_write(text, len);
    if (locked)
        spin_unlock(&lock);
}

void log_printf(const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    size_t len;

    va_start(args, fmt);
    len = fmt_vprint(line, sizeof(line) - 1, fmt, args);
    va_end(args);
    if (len > sizeof(line) - 2)
        len = sizeof(line) - 2;
    line[len++] = '\n';
    log_bytes(line, len);
}

void log_panicking(void)
{
    __atomic_store_n(&panicking, true, __ATOMIC_RELAXED);
}
