/* SPDX-License-Identifier: MIT */
/* The kernel's command line: words "key" or "key=value" between spaces. */
#include <kernel/boot.h>
#include <lib/string.h>

const char *boot_option(const char *key, size_t *len)
{
    const char *at = boot_info.cmdline;
    size_t key_len = strlen(key);

    while (*at) {
        const char *word = at;
        size_t word_len = 0;

        while (word[word_len] && word[word_len] != ' ')
            word_len++;
        at = word + word_len;
        while (*at == ' ')
            at++;
        if (word_len < key_len || memcmp(word, key, key_len) != 0)
            continue;
        if (word_len == key_len) {
            *len = 0;
            return word + word_len;
        }
        if (word[key_len] == '=') {
            *len = word_len - key_len - 1;
            return word + key_len + 1;
        }
    }
    return NULL;
}
