/* SPDX-License-Identifier: MIT */
/*
 * The link between the command on the host (utils/twz-run) and the guest's first program: a virtio
 * console device with four ports. Each boot runs one program.
 *
 *   TWZ_HOST_CTL  frames both ways: a struct twz_host_frame, then `len` bytes of payload
 *   TWZ_HOST_IN   the guest requests standard input with a struct twz_host_want; the host answers
 *                 each with a struct twz_host_give and `len` bytes. len 0 is end of file. The host
 *                 must not read more from the command's standard input than was requested.
 *   TWZ_HOST_OUT, TWZ_HOST_ERR  raw bytes, guest to host
 *
 *   1  The host puts one RUN frame into the link, then starts the machine.
 *   2  The guest sends READY when its first program runs.
 *   3  The program ends, and the device returns every buffer of OUT and ERR.
 *   4  The guest sends EXIT, shuts down and powers off.
 *   5  The host reads OUT and ERR to their end, and ends with the status of EXIT.
 *
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
    uint32_t magic; /* TWZ_HOST_MAGIC */
    uint16_t type;  /* TWZ_HOST_RUN and so on */
    uint16_t flags; /* 0 */
    uint32_t len;   /* bytes of payload that follow */
    uint32_t pad;   /* 0 */
};
_Static_assert(sizeof(struct twz_host_frame) == 16, "host frame size");

/* Bits of ttybits: the command's stream of that number is a terminal. */
#define TWZ_HOST_TTY_IN  1u
#define TWZ_HOST_TTY_OUT 2u
#define TWZ_HOST_TTY_ERR 4u
#define TWZ_HOST_TTY_ONE 8u /* output and errors are one terminal: errors may go to OUT, in order */

/* argc + envc strings follow, each with a zero byte at its end. argc 0: the interactive prompt. */
struct twz_host_run {
    uint32_t argc;    /* arguments, the program's name included */
    uint32_t envc;    /* strings of the environment */
    uint32_t ttybits; /* TWZ_HOST_TTY_* */
    uint16_t rows;    /* of the terminal; 0: unknown */
    uint16_t cols;    /* of the terminal; 0: unknown */
};
_Static_assert(sizeof(struct twz_host_run) == 16, "host run size");

struct twz_host_signal {
    uint32_t signo; /* numbers of Linux: 1 HUP, 2 INT, 3 QUIT, 13 PIPE (no reader), 15 TERM */
};
_Static_assert(sizeof(struct twz_host_signal) == 4, "host signal size");

struct twz_host_winch {
    uint16_t rows; /* the new size of the terminal */
    uint16_t cols;
};
_Static_assert(sizeof(struct twz_host_winch) == 4, "host winch size");

/* The host discards all further output of a port, for another reason than a missing reader. */
struct twz_host_lost {
    uint32_t port;  /* TWZ_HOST_OUT or TWZ_HOST_ERR */
    uint32_t error; /* errno of Linux that a write to the port shall fail with: 28 NOSPC */
};
_Static_assert(sizeof(struct twz_host_lost) == 8, "host lost size");

struct twz_host_exit {
    int32_t status; /* of the program: 0 … 255, TWZ_EXIT_BY_SIGNAL after a fault or a signal */
};
_Static_assert(sizeof(struct twz_host_exit) == 4, "host exit size");

struct twz_host_want {
    uint64_t len; /* bytes requested: 1 … TWZ_HOST_LEN_MAX */
};
_Static_assert(sizeof(struct twz_host_want) == 8, "host want size");

struct twz_host_give {
    uint64_t len; /* bytes that follow, no more than requested */
};
_Static_assert(sizeof(struct twz_host_give) == 8, "host give size");

/*
 * A guest that cannot continue ends the machine: it logs the reason, then writes the exit status of
 * the command to this port (32 bits; QEMU's debug-exit device).
 */
#define TWZ_HOST_STOP_PORT    0xf4u
#define TWZ_HOST_STOP_DAMAGED 4u   /* the pool is damaged or of another version */
#define TWZ_HOST_STOP_FULL    6u   /* the pool is full */
#define TWZ_HOST_STOP_PANIC   125u /* a bug, or the machine cannot be used */

#endif
