/* SPDX-License-Identifier: MIT */
/* Unit tests without a framework: expectations are counted, the last line gives the sum. */
#ifndef TESTS_EXPECT_H
#define TESTS_EXPECT_H

#include <stdio.h>

static unsigned expect_passed;
static unsigned expect_failed;

#define EXPECT(truth) expect_one((truth) ? 1 : 0, #truth, __FILE__, __LINE__)
#define EXPECT_EQ(got, want) \
    expect_equal((long long)(got), (long long)(want), #got, #want, __FILE__, __LINE__)

static inline int expect_one(int truth, const char *text, const char *file, int line)
{
    if (truth) {
        expect_passed++;
        return 1;
    }
    expect_failed++;
    printf("%s:%d: not so: %s\n", file, line, text);
    return 0;
}

static inline int expect_equal(long long got, long long want, const char *got_text,
                               const char *want_text, const char *file, int line)
{
    if (got == want) {
        expect_passed++;
        return 1;
    }
    expect_failed++;
    printf("%s:%d: %s is %lld, not %s (%lld)\n", file, line, got_text, got, want_text, want);
    return 0;
}

static inline int expect_sum(void)
{
    printf("%u passed, %u failed\n", expect_passed, expect_failed);
    return expect_failed ? 1 : 0;
}

#endif
