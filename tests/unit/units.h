/* SPDX-License-Identifier: MIT */
/* Unit tests with the Check library: one suite in each program, one process for each test. */
#ifndef TESTS_UNITS_H
#define TESTS_UNITS_H

#include <check.h>
#include <stddef.h>
#include <stdio.h>

/* Integers of any type, signed or not. */
#define assert_same(got, want) ck_assert_int_eq((long long)(got), (long long)(want))

#define UNITS_SECONDS 300 /* time limit of a test */

static inline SRunner *units_runner(const char *name, const TTest *const tests[], size_t count)
{
    Suite *suite = suite_create(name);
    TCase *one = tcase_create(name);

    tcase_set_timeout(one, UNITS_SECONDS);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(one, tests[i]);
    suite_add_tcase(suite, one);
    return srunner_create(suite);
}

/* Add a test that runs with _i = 0 .. end - 1. */
static inline void units_loop(SRunner *runner, const TTest *test, int end)
{
    Suite *suite = suite_create("each");
    TCase *each = tcase_create("each");

    tcase_set_timeout(each, UNITS_SECONDS);
    tcase_add_loop_test(each, test, 0, end);
    suite_add_tcase(suite, each);
    srunner_add_suite(runner, suite);
}

/* Run all tests. 1 if one failed, else 0. */
static inline int units_finish(SRunner *runner)
{
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

static inline int units_run(const char *name, const TTest *const tests[], size_t count)
{
    return units_finish(units_runner(name, tests, count));
}

#endif
