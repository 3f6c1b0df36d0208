/* SPDX-License-Identifier: MIT */
/* The upcalls of the kernel, joined with the functions that serve them. */
#include <kernel/clock.h>
#include <kernel/context.h>
#include <kernel/defer.h>
#include <kernel/object.h>
#include <kernel/pool.h>
#include <kernel/gate.h>
#include <kernel/sec.h>
#include <kernel/service.h>
#include <kernel/start.h>
#include <kernel/threadobj.h>
#include <kernel/upcall.h>

/* Each kind has its own request. An interrupt window follows each, so that no stay has two. */
static void do_deferred_work(void)
{
    if (clock_work())
        arch_preemption_point();
    if (defer_work())
        arch_preemption_point();
    if (flush_periodic())
        arch_preemption_point();
}

const struct upcall upcall = {
    .release_subtree = obj_release,
    .resolve_fault = threadobj_resolve_fault,
    .fault_entry = threadobj_fault_entry,
    .locate = threadobj_locate,
    .drop_progress = threadobj_drop_progress,
    .thread_ended = threadobj_ended,
    .gate_failed = gate_failed,
    .idle_work = pool_idle,
    .deferred_work = do_deferred_work,
    .media_error = obj_media_error,
    .service_deleted = service_detach,
    .decide_access = sec_decide,
    .object_deleted = context_object_deleted,
    .shutdown = shutdown,
};
