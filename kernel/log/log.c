/* SPDX-License-Identifier: MIT */
/*
 * Owns the kernel's log, on arch_log_write. A line of a program begins with a mark, one of the
 * kernel never does; so each is known by its start. One lock keeps lines whole; it is taken last,
 * under any other. A core that panics may hold it already, or a core that is stopped does. So a
 * panicking kernel waits a bounded time for the lock, then writes without it.
 */
#include <kernel/lock.h>
#include <kernel/log.h>
#include <lib/fmt.h>

#define LINE_MAX_BYTES 320u
#define PANIC_SPINS    100000u
#define BATCH_BYTES    1024u /* of a program's text that one call writes */

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

static void write_line(const char *line, size_t len)
{
    bool locked = lock_log();

    arch_log_write(line, len);
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
    write_line(line, len);
}

static bool is_printable(char c)
{
    return (c >= 32 && c <= 126) || c == '\t';
}

/* Stores the text's next line, without its newline, at `to`. Returns the line's length. */
static size_t copy_user_line(char *to, const char *text, size_t len)
{
    size_t n = 0;

    for (; n < len && text[n] != '\n'; n++)
        to[n] = is_printable(text[n]) ? text[n] : '.';
    return n;
}

size_t log_user(uint64_t thread, const char *text, size_t len)
{
    char line[LINE_MAX_BYTES];
    size_t mark = fmt_print(line, sizeof(line), "[thread %llu] ", (unsigned long long)thread);
    size_t done = 0, written = 0;

    while (done < len && written < BATCH_BYTES) {
        size_t space = sizeof(line) - mark - 1;
        size_t left = len - done;
        size_t n = copy_user_line(line + mark, text + done, left < space ? left : space);

        if (n > 0) {
            line[mark + n] = '\n';
            write_line(line, mark + n + 1);
            written += mark + n + 1;
        }
        if (n < left && text[done + n] == '\n')
            n++;
        done += n;
    }
    return done;
}

void log_panicking(void)
{
    __atomic_store_n(&panicking, true, __ATOMIC_RELAXED);
}
