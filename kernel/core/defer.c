/* SPDX-License-Identifier: MIT */
/*
 * Owns the lists of deferred work: thread->owed of each thread, which only the thread's own core
 * touches, and the list of work that no thread owes.
 *
 * Lock order: the lock of that list is the last one.
 */
#include <kernel/defer.h>

static SHARED_LOCK struct spinlock lock;
static struct list unowned; /* queued by cores without a thread */

void defer(struct deferred *work)
{
    struct thread *t = current();

    if (t) {
        list_add_last(&t->owed, &work->link);
        cpu_set_need_resched();
        return;
    }
    spin_lock(&lock);
    list_add_last(&unowned, &work->link);
    spin_unlock(&lock);
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
        defer(work);
    return work != NULL;
}
