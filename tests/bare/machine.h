/* SPDX-License-Identifier: MIT */
/* Functions that the files of the machine test share. */
#ifndef TEST_MACHINE_H
#define TEST_MACHINE_H

#include <stdbool.h>

/* Counts one result and logs it. */
void add_result(const char *name, bool good);

/* machine_parts.c: tests that need neither user code nor other cores. */
void test_parts(void);

#endif
