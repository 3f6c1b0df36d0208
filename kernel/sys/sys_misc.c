/* SPDX-License-Identifier: MIT */
/* Handlers of the calls that belong to no object: null, random, log_write, shutdown. */
#include <kernel/log.h>
#include <kernel/random.h>
#include <kernel/sched.h>
#include <kernel/sched.h>
#include "calls.h"

#define RANDOM_MAX 256u
#define LOG_MAX    512u

int64_t sys_null(void)
{
    return 0;
}

int64_t sys_random(struct user_buf buf, uint64_t len)
{
    uint8_t bytes[RANDOM_MAX];
    int err;

    if (len > sizeof(bytes))
        len = sizeof(bytes);
    random_bytes(bytes, len);
    err = user_copy_out(USER_ADDR(buf), bytes, len);
    return err < 0 ? err : (int64_t)len;
}

int64_t sys_log_write(struct user_text text, uint64_t len)
{
    char line[LOG_MAX];
    int err;

    if (len > sizeof(line))
        len = sizeof(line);
    err = user_copy_in(line, USER_ADDR(text), len);
    if (err < 0)
        return err;
    log_user(current()->generation, line, len);
    return (int64_t)len;
}

int64_t sys_shutdown(uint64_t mode)
{
    if (mode > TWZ_SHUTDOWN_REBOOT)
        return -TWZ_EINVAL;
    sched_stop_machine(mode == TWZ_SHUTDOWN_REBOOT);
    return 0;
}
