/* SPDX-License-Identifier: MIT */
/* The futex call; see futex.h. */
#include <errno.h>
#include <time.h>
#include <twz/call.h>
#include <twz/syscall.h>
#include <twz/threads.h>

#include "base/err.h"
#include "base/linux.h"
#include "base/times.h"
#include "base/wait.h"
#include "futex.h"

#define FUTEX_WAIT        0
#define FUTEX_WAKE        1
#define FUTEX_REQUEUE     3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_COMMAND     0x7f
#define FUTEX_REALTIME    0x100

#define ROBUST_WAITERS 0x80000000u
#define ROBUST_DIED    0x40000000u
#define ROBUST_TID     0x3fffffffu
#define ROBUST_LIMIT   2048 /* bound, for a corrupt list that never comes back to its head */

int64_t futex_wake(const int *word, uint64_t count)
{
    return ret_linux(twz_sys_thread_wake((uint64_t)(uintptr_t)word, count));
}

/* Sleeps while *word has `value`. Returns 0 when the caller must check its condition again, -EAGAIN
 * if *word has another value, -EINTR, or -ETIMEDOUT. */
static int futex_wait(const int *word, uint32_t value, uint64_t deadline)
{
    struct twz_sync ops[2];

    if (__atomic_load_n((const uint32_t *)word, __ATOMIC_SEQ_CST) != value)
        return -EAGAIN;
    ops[0] = (struct twz_sync){ .addr = (uint64_t)(uintptr_t)word,
                                .value = value,
                                .op = TWZ_SYNC_SLEEP | TWZ_SYNC_32 };
    return wait_ops(ops, 1, deadline);
}

/* Computes the deadline of a wait. FUTEX_WAIT has a relative timeout; FUTEX_WAIT_BITSET has an
 * absolute time of a clock. */
static int futex_deadline(const struct timespec *timeout, int64_t op, uint64_t *deadline)
{
    uint64_t ns;
    int err;

    if (!timeout || (op & FUTEX_COMMAND) == FUTEX_WAIT)
        return times_deadline_in(timeout, deadline);
    err = times_ns(timeout, &ns);
    if (err < 0)
        return err;
    return times_deadline(op & FUTEX_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, ns, deadline);
}

int64_t linux_futex(void *word, int64_t op, int64_t value, void *timeout, void *word2,
                    int64_t value3)
{
    uint64_t deadline;
    int err;

    (void)word2;
    if ((uintptr_t)word % sizeof(int))
        return -EINVAL;
    switch (op & FUTEX_COMMAND) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        err = futex_deadline(timeout, op, &deadline);
        return err < 0 ? err : futex_wait(word, (uint32_t)value, deadline);
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET: return futex_wake(word, (uint64_t)value);
    case FUTEX_CMP_REQUEUE:
        if (__atomic_load_n((const uint32_t *)word, __ATOMIC_SEQ_CST) != (uint32_t)value3)
            return -EAGAIN;
        return futex_wake(word, UINT32_MAX);
    case FUTEX_REQUEUE:
        return futex_wake(word, UINT32_MAX); /* no requeue: all waiters wake and check again */
    default: return -ENOSYS;
    }
}

/* --- robust locks ----------------------------------------------------------------------------- */

/* The head of a robust list, in the layout of Linux's set_robust_list. */
struct robust_head {
    void **next;
    int64_t offset; /* bytes from a list node to the futex word of the node's lock */
    void **pending; /* a lock that the thread was just taking or releasing; NULL: none */
};

static void release_robust(void **node, int64_t offset, int tid)
{
    uint32_t *word = (uint32_t *)(void *)((uint8_t *)node + offset);
    uint32_t value = __atomic_load_n(word, __ATOMIC_SEQ_CST);

    if ((value & ROBUST_TID) != (uint32_t)tid)
        return;
    __atomic_store_n(word, (value & ROBUST_WAITERS) | ROBUST_DIED, __ATOMIC_SEQ_CST);
    (void)futex_wake((int *)(void *)word, 1);
}

void futex_release_robust(void *list, int tid)
{
    struct robust_head *head = list;
    void **node;

    if (!head)
        return;
    node = head->next;
    for (int i = 0; i < ROBUST_LIMIT && node && node != (void **)head; i++) {
        void **next = *node;

        if (node != head->pending)
            release_robust(node, head->offset, tid);
        node = next;
    }
    if (head->pending)
        release_robust(head->pending, head->offset, tid);
}
