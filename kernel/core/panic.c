/* SPDX-License-Identifier: MIT */
/* The end of a kernel that found itself wrong: where, what, who called; then every core stops. */
#include <kernel/arch.h>
#include <kernel/log.h>
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
