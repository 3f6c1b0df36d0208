/* SPDX-License-Identifier: MIT */
/* The durable records of threads on persistent thread objects. The caller of each function must
 * hold no lock. */
#ifndef KERNEL_THREADSAVE_H
#define KERNEL_THREADSAVE_H

#include <kernel/object.h>
#include <kernel/thread.h>

/* Finds the slot of obj that counts, and its epoch; epoch 0: none does. -TWZ_ENOMEM. */
MUST_CHECK int threadsave_open(struct object *obj, unsigned *slot, uint64_t *epoch);

/* Writes the record of t, which no core may run and whose object must be persistent. It is durable
 * on return. -TWZ_ENOMEM; errors of obj_write. */
MUST_CHECK int threadsave_write(struct thread *t);

#endif
