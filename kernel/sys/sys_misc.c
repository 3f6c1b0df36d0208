/* SPDX-License-Identifier: MIT */
/* Handlers of the calls that belong to no object: null, random, log_write, shutdown. */
#include <kernel/log.h>
#include <kernel/progress.h>
#include <kernel/random.h>
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

/* The thread's progress has the number of bytes that earlier stays have written. */
int64_t sys_log_write(struct arch_frame *frame, struct user_text text, uint64_t len)
{
    uint64_t done = progress_of(&frame->regs);
    bool continued = done != 0;
    char part[LOG_MAX];
    int64_t ret;

    if (len > sizeof(part))
        len = sizeof(part);
    if (done > len) { /* user code has made the fingerprints of two calls equal */
        progress_end();
        return -TWZ_EINVAL;
    }
    ret = user_copy_in(part, USER_ADDR(text) + done, len - done);
    if (ret == 0) {
        done += log_user(current()->generation, part, len - done);
        ret = (int64_t)done;
    }
    if (ret >= 0 && done < len) {
        progress_begin(&frame->regs);
        current()->progress.index = done;
        return sys_again(frame);
    }
    if (continued)
        progress_end();
    return ret;
}

int64_t sys_shutdown(uint64_t mode)
{
    if (mode > TWZ_SHUTDOWN_REBOOT)
        return -TWZ_EINVAL;
    sched_stop_machine(mode == TWZ_SHUTDOWN_REBOOT);
    return 0;
}
