/* SPDX-License-Identifier: MIT */
/*
 * printf-like formatting into a buffer; pure. Knows %d %i %u %x %X %c %s %p %%, flags '-' and '0',
 * width and precision (numbers or *), lengths hh h l ll z. An unknown conversion is copied as it
 * stands.
 */
#ifndef LIB_FMT_H
#define LIB_FMT_H

#include <stdarg.h>
#include <stddef.h>

/* Writes at most size bytes with the final NUL (none if size is 0). Returns the length that the
 * whole text has, without the NUL. */
size_t fmt_vprint(char *buf, size_t size, const char *fmt, va_list args);
size_t fmt_print(char *buf, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
