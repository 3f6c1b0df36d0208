/* SPDX-License-Identifier: MIT */
#include <lib/fmt.h>
#include <lib/string.h>
#include <stdbool.h>
#include <stdint.h>

struct out {
    char *buf;
    size_t size;
    size_t len;
};

struct spec {
    bool left;
    bool zero;
    int width;
    int precision;  /* -1: none */
    unsigned bytes; /* of an integer argument */
};

static void put_char(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void put_padded(struct out *o, const struct spec *s, const char *text, size_t len)
{
    size_t width = s->width > 0 ? (size_t)s->width : 0;
    size_t pad = width > len ? width - len : 0;

    for (size_t i = 0; !s->left && i < pad; i++)
        put_char(o, ' ');
    for (size_t i = 0; i < len; i++)
        put_char(o, text[i]);
    for (size_t i = 0; s->left && i < pad; i++)
        put_char(o, ' ');
}

static void put_number(struct out *o, const struct spec *s, uint64_t value, bool negative,
                       unsigned base, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[72];
    size_t at = sizeof(text);
    size_t least = s->precision >= 0 ? (size_t)s->precision : 1;

    if (s->zero && !s->left && s->precision < 0 && s->width > 0)
        least = (size_t)s->width - (negative ? 1 : 0);
    if (least > sizeof(text) - 1)
        least = sizeof(text) - 1;
    for (size_t n = 0; value || n < least; n++, value /= base)
        text[--at] = digits[value % base];
    if (negative)
        text[--at] = '-';
    put_padded(o, s, text + at, sizeof(text) - at);
}

static int64_t next_signed(unsigned bytes, va_list *args)
{
    if (bytes == 8)
        return va_arg(*args, long long);
    if (bytes == 2)
        return (short)va_arg(*args, int);
    if (bytes == 1)
        return (signed char)va_arg(*args, int);
    return va_arg(*args, int);
}

static uint64_t next_unsigned(unsigned bytes, va_list *args)
{
    if (bytes == 8)
        return va_arg(*args, unsigned long long);
    if (bytes == 2)
        return (unsigned short)va_arg(*args, unsigned);
    if (bytes == 1)
        return (unsigned char)va_arg(*args, unsigned);
    return va_arg(*args, unsigned);
}

static const char *read_count(const char *at, int *value, va_list *args)
{
    if (*at == '*') {
        *value = va_arg(*args, int);
        return at + 1;
    }
    *value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (*value < 100000)
            *value = *value * 10 + (*at - '0');
    }
    return at;
}

/* Reads flags, width, precision and length; returns where the conversion letter stands. */
static const char *read_spec(const char *at, struct spec *s, va_list *args)
{
    *s = (struct spec){ .precision = -1, .bytes = sizeof(int) };
    for (; *at == '-' || *at == '0'; at++) {
        s->left |= *at == '-';
        s->zero |= *at == '0';
    }
    at = read_count(at, &s->width, args);
    if (s->width < 0) {
        s->left = true;
        s->width = s->width < -100000 ? 100000 : -s->width;
    }
    if (*at == '.')
        at = read_count(at + 1, &s->precision, args);
    for (; *at == 'h'; at++)
        s->bytes /= 2;
    for (; *at == 'l' || *at == 'z'; at++)
        s->bytes = 8;
    return at;
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
    size_t len = 0;

    if (!text)
        text = "(null)";
    while ((s->precision < 0 || len < (size_t)s->precision) && text[len])
        len++;
    put_padded(o, s, text, len);
}

static void put_signed(struct out *o, const struct spec *s, int64_t value)
{
    put_number(o, s, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0, 10, false);
}

/* Formats the next argument as the conversion letter says. */
static void put_conversion(struct out *o, const struct spec *s, char letter, va_list *args)
{
    char c;

    switch (letter) {
    case 'd':
    case 'i': put_signed(o, s, next_signed(s->bytes, args)); break;
    case 'u': put_number(o, s, next_unsigned(s->bytes, args), false, 10, false); break;
    case 'x':
    case 'X': put_number(o, s, next_unsigned(s->bytes, args), false, 16, letter == 'X'); break;
    case 'p':
        put_string(o, &(struct spec){ .precision = -1 }, "0x");
        put_number(o, s, (uintptr_t)va_arg(*args, void *), false, 16, false);
        break;
    case 's': put_string(o, s, va_arg(*args, const char *)); break;
    case 'c':
        c = (char)va_arg(*args, int);
        put_padded(o, s, &c, 1);
        break;
    default:
        put_char(o, '%');
        if (letter != '%')
            put_char(o, letter);
    }
}

size_t fmt_vprint(char *buf, size_t size, const char *fmt, va_list args)
{
    struct out o = { buf, size, 0 };
    va_list copy;

    va_copy(copy, args);
    while (*fmt) {
        struct spec s;

        if (*fmt != '%') {
            put_char(&o, *fmt++);
            continue;
        }
        fmt = read_spec(fmt + 1, &s, &copy);
        if (!*fmt)
            break;
        put_conversion(&o, &s, *fmt++, &copy);
    }
    va_end(copy);
    if (size)
        buf[o.len < size ? o.len : size - 1] = 0;
    return o.len;
}

size_t fmt_print(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;
    size_t len;

    va_start(args, fmt);
    len = fmt_vprint(buf, size, fmt, args);
    va_end(args);
    return len;
}
