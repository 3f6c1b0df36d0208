/* SPDX-License-Identifier: MIT */
#include <kernel/boot.h>
#include <kernel/trace.h>

bool trace_call;
bool trace_fault;

void trace_init(void)
{
    size_t len = 0;
    const char *words = boot_option("trace", &len);

    if (!words)
        return;
    trace_call = cmdline_has_word(words, len, "call");
    trace_fault = cmdline_has_word(words, len, "fault");
}
