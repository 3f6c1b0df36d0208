/* SPDX-License-Identifier: MIT */
/* Messages of twz-run, and its exit codes. */
#ifndef REPORT_H
#define REPORT_H

#define EXIT_LOST      1
#define EXIT_WRONG_USE 2
#define EXIT_MISSING   3
#define EXIT_DAMAGED   4
#define EXIT_BUSY      5
#define EXIT_DENIED    7
#define EXIT_MACHINE   125

/* One line "twz: run: …" on standard error. */
void report_message(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print the last lines of the log file on standard error, each after a bar. */
void report_log_tail(const char *log_path);

#endif
