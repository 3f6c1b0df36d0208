/* SPDX-License-Identifier: MIT */
/*
 * The link between the command on the host (utils/twz-run) and the guest's first program: a virtio
 * console device with four ports. One program is run for each boot.
 *
 *   TWZ_HOST_CTL  frames both ways: a struct twz_host_frame, then `len` bytes of payload
 *   TWZ_HOST_IN   guest asks for standard input with a struct twz_host_want; the host answers each
 *                 with a struct twz_host_give and `len` bytes. Nothing is read from the command's
 *                 standard input that was not asked for; len 0 is end of file.
 *   TWZ_HOST_OUT, TWZ_HOST_ERR  raw bytes, guest to host
 *
 * Order: the host puts one RUN frame into the link before the machine starts, the guest sends READY
 * when its first program runs, and EXIT when the program has ended. The guest sends EXIT only after
 * the device has given back every buffer of OUT and ERR, then shuts down and powers off; the host
 * reads OUT and ERR to their end and takes the status of EXIT as its own.
 * Everything is little endian. A frame of unknown type is skipped by its length.
 */
#ifndef TWZ_HOSTLINK_H
#define TWZ_HOSTLINK_H

#include <stdint.h>

/* Port numbers of the virtio console device, and the names its control messages carry. */
#define TWZ_HOST_CTL      1u
#define TWZ_HOST_IN       2u
#define TWZ_HOST_OUT      3u
#define TWZ_HOST_ERR      4u
#define TWZ_HOST_CTL_NAME "twz.ctl"
#define TWZ_HOST_IN_NAME  "twz.in"
#define TWZ_HOST_OUT_NAME "twz.out"
#define TWZ_HOST_ERR_NAME "twz.err"

#define TWZ_HOST_MAGIC   0x484b4e4cu /* "LNKH" */
#define TWZ_HOST_LEN_MAX (1u << 20)  /* of a frame's payload, of a want and of a give */

#define TWZ_HOST_RUN    1u  /* host to guest: struct twz_host_run and its strings */
#define TWZ_HOST_SIGNAL 2u  /* host to guest: struct twz_host_signal */
#define TWZ_HOST_WINCH  3u  /* host to guest: struct twz_host_winch */
#define TWZ_HOST_LOST   4u  /* host to guest: struct twz_host_lost */
#define TWZ_HOST_READY  16u /* guest to host: no payload */
#define TWZ_HOST_EXIT   17u /* guest to host: struct twz_host_exit */

struct twz_host_frame {
    uint32_t magic;
    uint16_t type;
    uint16_t flags; /* 0 */
    uint32_t len;   /* bytes of payload that follow */
    uint32_t pad;
};
_Static_assert(sizeof(struct twz_host_frame) == 16, "host frame size");

/* Bits of ttybits: the command's stream of that number is a terminal. */
#define TWZ_HOST_TTY_IN  1u
#define TWZ_HOST_TTY_OUT 2u
#define TWZ_HOST_TTY_ERR 4u
#define TWZ_HOST_TTY_ONE 8u /* output and errors are one terminal: errors may go to OUT, in order */

/* Then argc + envc strings, each ended by a zero byte. argc 0 asks for the interactive prompt. */
struct twz_host_run {
    uint32_t argc;
    uint32_t envc;
    uint32_t ttybits;
    uint16_t rows;
    uint16_t cols;
};
_Static_assert(sizeof(struct twz_host_run) == 16, "host run size");

struct twz_host_signal {
    uint32_t signo; /* Linux numbers: 1 HUP, 2 INT, 3 QUIT, 13 PIPE (its reader is gone), 15 TERM */
};
_Static_assert(sizeof(struct twz_host_signal) == 4, "host signal size");

struct twz_host_winch {
    uint16_t rows;
    uint16_t cols;
};
_Static_assert(sizeof(struct twz_host_winch) == 4, "host winch size");

/* What comes on a port of output is lost from now on, for another reason than a reader gone. */
struct twz_host_lost {
    uint32_t port;  /* TWZ_HOST_OUT or TWZ_HOST_ERR */
    uint32_t error; /* Linux numbers: what a write to it ends with, 28 NOSPC */
};
_Static_assert(sizeof(struct twz_host_lost) == 8, "host lost size");

struct twz_host_exit {
    int32_t status; /* 0 … 255; TWZ_EXIT_BY_SIGNAL after a fault or a signal */
};
_Static_assert(sizeof(struct twz_host_exit) == 4, "host exit size");

struct twz_host_want {
    uint64_t len; /* 1 … TWZ_HOST_LEN_MAX */
};
_Static_assert(sizeof(struct twz_host_want) == 8, "host want size");

struct twz_host_give {
    uint64_t len; /* at most what was wanted */
};
_Static_assert(sizeof(struct twz_host_give) == 8, "host give size");

/*
 * A guest that cannot go on ends the machine by writing the exit code that the command shall have
 * to this port (32 bits; QEMU's debug-exit device), its reason being the last lines of the log.
 */
#define TWZ_HOST_STOP_PORT    0xf4u
#define TWZ_HOST_STOP_DAMAGED 4u /* the pool is damaged or of another version */
#define TWZ_HOST_STOP_FULL    6u
#define TWZ_HOST_STOP_PANIC   125u

#endif
