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

bool text_time(const char *text, uint64_t now, uint64_t *value)
{
    static const struct {
        char letter;
        uint32_t seconds;
    } unit[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
    bool relative = text[0] == '+';
    uint32_t seconds = 1;
    unsigned long long n;
    char *end;

    text += relative;
    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    n = strtoull(text, &end, 10);
    for (size_t i = 0; relative && *end && i < sizeof(unit) / sizeof(*unit); i++) {
        if (*end == unit[i].letter) {
            seconds = unit[i].seconds;
            end++;
            break;
        }
    }
    if (errno != 0 || *end || n >> 40)
        return false;
    *value = relative ? now + n * seconds : n;
    return true;
}

bool text_objid(const char *text, objid_t *id)
{
    char digits[33];
    size_t n = 0;

    for (; *text && n < 32; text++) {
        if (*text == ':' && n == 16)
            continue;
        if (!isxdigit((unsigned char)*text))
            return false;
        digits[n++] = *text;
    }
    if (n < 32 || *text)
        return false;
    digits[32] = 0;
    id->lo = strtoull(digits + 16, NULL, 16);
    digits[16] = 0;
    id->hi = strtoull(digits, NULL, 16);
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
