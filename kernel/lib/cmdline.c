/* SPDX-License-Identifier: MIT */
#include <lib/cmdline.h>
#include <lib/string.h>

const char *cmdline_find(const char *line, const char *key, size_t *len)
{
    const char *at = line;
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

bool cmdline_has_word(const char *value, size_t len, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= len; i++)
        if (memcmp(value + i, word, n) == 0 && (i + n == len || value[i + n] == ','))
            return true;
    return false;
}
