/* SPDX-License-Identifier: MIT */
/*
 * The access decision: the rights of a security context on an object. Each call needs these rights:
 *
 *   map (slot)      READ, WRITE, EXEC as the access needs; the view entry must have them too
 *   obj_create      READ on the sources and on the witness, whose word is compared; WRITE on the
 *                   parent of a tie
 *   obj_delete      DEL
 *   obj_copy        READ on the source, WRITE on the destination
 *   obj_range       WRITE; PERSIST: READ
 *   obj_pin         USE
 *   obj_tie         DEL on the child (its life is given away), WRITE on the parent
 *   obj_stat        any right at all
 *   obj_ctl         WRITE; PERMS, PERSIST: DEL as well
 *   kso_*           USE on each object named
 *   dev_ctl         USE
 *   thread_spawn    USE and WRITE on the thread object, USE on the view
 *   thread_become   USE on the view and on the context
 *   thread_signal, thread_ctl   USE on the thread; none for the calling thread itself
 *
 * The functions take no lock. The caller may hold the object's lock, and must hold it if it acts on
 * the decision under that lock.
 */
#ifndef KERNEL_SEC_H
#define KERNEL_SEC_H

#include <kernel/object.h>

/* All rights that sctx has on obj. */
unsigned sec_decide(objid_t sctx, const struct object *obj);

/* -TWZ_EDENIED: sctx lacks one of the rights `need`. */
MUST_CHECK int sec_check(objid_t sctx, const struct object *obj, unsigned need);

#endif
