/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <twz/types.h>

bool text_size(const char *text, uint64_t *value)
{
    char *end;
    unsigned long long n;
    unsigned shift = 0;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    n = strtoull(text, &end, text[0] == '0' && text[1] == 'x' ? 16 : 10);
    if (errno != 0)
        return false;
    if (*end) {
        const char *unit = strchr("KMGT", toupper((unsigned char)*end));

        if (!unit || end[1])
            return false;
        shift = 10u * (unsigned)(unit - "KMGT" + 1);
    }
    if (shift && n >> (64 - shift))
        return false;
    *value = n << shift;
    return true;
}

bool text_perms(const char *text, uint32_t *perms)
{
    *perms = 0;
    for (; *text; text++) {
        switch (*text) {
        case 'r': *perms |= TWZ_READ; break;
        case 'w': *perms |= TWZ_WRITE; break;
        case 'x': *perms |= TWZ_EXEC; break;
        case 'u': *perms |= TWZ_USE; break;
        case 'd': *perms |= TWZ_DEL; break;
        case '-': break;
        default: return false;
        }
    }
    return true;
}

/* Copy a word from *from to *to without its quotes; both move on. False: a quote is not closed. */
static bool unquote_word(char **from, char **to)
{
    char quote = 0;
    char *p = *from;
    char *out = *to;

    for (; *p && (quote || !isspace((unsigned char)*p)); p++) {
        if (quote && *p == quote) {
            quote = 0;
        } else if (!quote && (*p == '\'' || *p == '"')) {
            quote = *p;
        } else {
            if (*p == '\\' && quote != '\'' && p[1])
                p++;
            *out++ = *p;
        }
    }
    *from = p;
    *to = out;
    return quote == 0;
}

int text_words(char *line, char **word, int max)
{
    int count = 0;
    char *from = line;

    for (;;) {
        char *to;
        bool more;

        from += strspn(from, " \t\r\n\v\f");
        if (!*from || *from == '#')
            return count;
        if (count == max)
            return -2;
        to = from;
        word[count++] = from;
        if (!unquote_word(&from, &to))
            return -1;
        more = *from != '\0';
        *to = '\0';
        if (!more)
            return count;
        from++;
    }
}
