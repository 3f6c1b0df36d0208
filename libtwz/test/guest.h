/* SPDX-License-Identifier: MIT */
/* Declarations shared by the files of the test inside the system. */
#ifndef LIBTWZ_TEST_GUEST_H
#define LIBTWZ_TEST_GUEST_H

#include <twz/program.h>

#define CHECK(cond) check((cond) != 0, #cond, __FILE__, __LINE__)
void check(int good, const char *what, const char *file, uint32_t line);
void say(const char *text);

/* Sleeps until `deadline`, ns of the monotonic clock. */
void sleep_until(uint64_t deadline);

/* Start this program as a process with argv { "child", "a", word }. */
void run_child(const char *word, int envs, struct twz_process *process);

/* guest_hier.c: directories with many threads, and with processes that are killed. */
void test_hier_threads(void);
void test_hier_kills(void);
_Noreturn void hier_child(void);

/* guest_gate.c: gates. */
void test_gates(void);
_Noreturn void gate_child(void);

#endif
