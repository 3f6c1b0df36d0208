/* SPDX-License-Identifier: MIT */
/* The tree of kernel state objects, and the object with the system's facts. */
#ifndef KERNEL_KSO_H
#define KERNEL_KSO_H

#include <kernel/object.h>
#include <twz/kso.h>

/* Makes root and system facts; after pool_init. */
void kso_init(void);
struct object *kso_root(void);
struct object *kso_system(void);
uint64_t kso_resume_count(void); /* boots of this pool */

/* Recent figures (memory_free, pool_free) into the facts. */
void kso_system_update(void);
/* Tells everybody which object is the console. */
void kso_set_console(struct object *console);

/* Puts child into parent's table at index (UINT64_MAX: the first free one). Returns the index,
 * -TWZ_ETYPE parent is no directory, -TWZ_EEXIST, -TWZ_EFULL, -TWZ_ENOMEM. */
MUST_CHECK int64_t kso_attach(struct object *parent, struct object *child, uint64_t index);
/* -TWZ_ENOOBJ: it is not there. index UINT64_MAX: wherever it is. */
MUST_CHECK int64_t kso_detach(struct object *parent, objid_t child, uint64_t index);

/* After a change of a KSO: view slots, or nothing. -TWZ_ETYPE, -TWZ_ERANGE. */
MUST_CHECK int kso_invalidate(struct object *obj, uint64_t first, uint64_t count);

#endif
