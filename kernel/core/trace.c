/* SPDX-License-Identifier: MIT */
#include <kernel/boot.h>
#include <kernel/trace.h>
#include <lib/string.h>

bool trace_call;
bool trace_fault;

/* True: `word` is one of the words between commas. */
static bool has_word(const char *text, size_t len, const char *word)
{
    size_t n = strlen(word), i;

    for (i = 0; i + n <= len; i++)
        if (memcmp(text + i, word, n) == 0 && (i + n == len || text[i + n] == ','))
            return true;
    return false;
}

void trace_init(void)
{
    size_t len = 0;
    const char *text = boot_option("trace", &len);

    if (!text)
        return;
    trace_call = has_word(text, len, "call");
    trace_fault = has_word(text, len, "fault");
}
