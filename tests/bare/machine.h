/* SPDX-License-Identifier: MIT */
/* Between the files of the machine's test. */
#ifndef TEST_MACHINE_H
#define TEST_MACHINE_H

#include <stdbool.h>

/* Counts one result and logs it. */
void result(const char *name, bool good);

/* What needs neither user code nor other cores: machine_parts.c. */
void test_parts(void);

#endif
