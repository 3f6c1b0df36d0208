/* SPDX-License-Identifier: MIT */
/*
 * The two ends of the kernel. panic: a bug of its own; logs place, text and callers, and stops all
 * cores. fatal: a machine that the kernel cannot use; logs one line and gives the host a code.
 */
#include <kernel/arch.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <lib/fmt.h>

void panic_at(const char *file, int line, const char *fmt, ...)
{
    char text[200];
    va_list args;

    log_panicking();
    va_start(args, fmt);
    (void)fmt_vprint(text, sizeof(text), fmt, args);
    va_end(args);
    log_printf("panic: %s:%d: %s", file, line, text);
    arch_backtrace();
    arch_halt_all();
}

void fatal(uint32_t code, const char *fmt, ...)
{
    char text[200];
    va_list args;

    va_start(args, fmt);
    (void)fmt_vprint(text, sizeof(text), fmt, args);
    va_end(args);
    log_printf("twz: fatal: %s", text);
    arch_stop(code);
}
