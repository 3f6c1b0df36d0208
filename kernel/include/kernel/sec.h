/* SPDX-License-Identifier: MIT */
/*
 * The one place that says what a security context may do with an object. What each call needs:
 *
 *   map (slot)      READ, WRITE, EXEC as the access asks, and the view entry has them
 *   obj_create      READ on sources and on the witness, whose word it compares; WRITE on the
 *                   parent of a tie
 *   obj_delete      DEL
 *   obj_copy        READ on the source, WRITE on the destination
 *   obj_range       WRITE; PERSIST: READ
 *   obj_pin         USE
 *   obj_tie         DEL on the child (its life is given away), WRITE on the parent
 *   obj_stat        READ or USE or WRITE or EXEC or DEL: any right at all
 *   obj_ctl         WRITE; PERMS, PERSIST: DEL as well
 *   kso_*           USE on each object named
 *   dev_ctl         USE
 *   thread_spawn    USE and WRITE on the thread object, USE on the view
 *   thread_become   USE on the view and on the context
 *   thread_signal, thread_ctl   USE on the thread; none on oneself
 */
#ifndef KERNEL_SEC_H
#define KERNEL_SEC_H

#include <kernel/object.h>

/* All rights that sctx has on obj. */
unsigned sec_decide(objid_t sctx, const struct object *obj);

/* 0 if it has all of `need`, else -TWZ_EDENIED. */
MUST_CHECK int sec_check(objid_t sctx, const struct object *obj, unsigned need);

#endif
