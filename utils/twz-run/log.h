/* SPDX-License-Identifier: MIT */
/*
 * The kernel's log on its way into a file. The guest writes as much as it likes, so the file is
 * bounded: before it grows beyond its limit, the older half is dropped, and the first line of the
 * file then states how much is missing.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

struct log {
    int from;         /* the pipe that the machine writes to; -1: there is none */
    int to;           /* the file */
    uint64_t size;    /* of the file */
    uint64_t limit;   /* of that size */
    uint64_t dropped; /* bytes of the log that the file lost */
    bool ended;       /* the machine has closed its end, or there is none */
};

/* Connect an empty file with a new pipe. Returns the end of the pipe for the machine; -1 with
 * errno. */
int log_connect(struct log *l, int file, uint64_t limit);

/* Move bytes once; must follow a poll that reported input on `from`. An error of the file ends the
 * log, but not the reading. */
void log_move(struct log *l);

#endif
