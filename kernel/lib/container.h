/* SPDX-License-Identifier: MIT */
#ifndef LIB_CONTAINER_H
#define LIB_CONTAINER_H

#include <stddef.h>

/* The struct of `type` whose member `member` ptr, not NULL, points to. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
