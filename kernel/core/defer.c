/* SPDX-License-Identifier: MIT */
/*
 * Owns the lists of deferred work: thread->owed of each thread, which only the thread's own core
 * touches, and the list of work that no thread owes.
 *
 * Invariant: while work is on that list, the timer is set or has requested a batch.
 *
 * Lock order: the lock of that list is the last one.
 */
#include <kernel/defer.h>
#include <kernel/sched.h>

#define BATCH_NS 200000u /* between two batches of work that no thread owes */

static SHARED_LOCK struct spinlock lock; /* guards the next two */
static struct list unowned;
static bool armed; /* the timer is set, or has requested a batch */
static struct timer tick;
static _Atomic uint32_t due; /* the timer has requested a batch */

static void request_batch(struct timer *t)
{
    (void)t;
    atomic_store(&due, 1);
    sched_defer_work();
}

/* Sets the timer if there is work. The list is read before the lock is taken: a core that has added
 * work does this itself. */
static void arm(void)
{
    bool wanted = false;

    if (!__atomic_load_n(&unowned.first, __ATOMIC_RELAXED))
        return;
    spin_lock(&lock);
    if (!armed && !list_is_empty(&unowned)) {
        wanted = true;
        armed = true;
    }
    spin_unlock(&lock);
    if (!wanted)
        return;
    tick.fire = request_batch;
    timer_set(&tick, arch_clock_ns() + BATCH_NS, TIMER_KERNEL);
}

void defer_unowned(struct deferred *work)
{
    spin_lock(&lock);
    list_add_last(&unowned, &work->link);
    spin_unlock(&lock);
    arm();
}

void defer_from_timer(struct deferred *work)
{
    bool wanted;

    spin_lock(&lock);
    list_add_last(&unowned, &work->link);
    wanted = !armed;
    armed = true;
    spin_unlock(&lock);
    if (wanted)
        request_batch(NULL);
}

void defer(struct deferred *work)
{
    struct thread *t = current();

    if (!t || cpu_this()->unowned) {
        defer_unowned(work);
        return;
    }
    list_add_last(&t->owed, &work->link);
    cpu_set_need_resched();
}

/* The work is on no list during its step, because the step may free it, or queue it anew. */
void defer_step(struct thread *t)
{
    struct deferred *work = LIST_FIRST(&t->owed, struct deferred, link);

    list_remove(&t->owed, &work->link);
    if (work->step(work))
        list_add_first(&t->owed, &work->link);
}

bool defer_idle(void)
{
    struct deferred *work;

    if (!__atomic_load_n(&unowned.first, __ATOMIC_RELAXED))
        return false;
    spin_lock(&lock);
    work = LIST_FIRST(&unowned, struct deferred, link);
    if (work)
        list_remove(&unowned, &work->link);
    spin_unlock(&lock);
    if (work && work->step(work))
        defer_unowned(work);
    return work != NULL;
}

bool defer_work(void)
{
    bool done;

    if (atomic_exchange(&due, 0) == 0)
        return false;
    spin_lock(&lock);
    armed = false;
    spin_unlock(&lock);
    done = defer_idle();
    arm();
    return done;
}
