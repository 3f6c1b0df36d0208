/* SPDX-License-Identifier: MIT */
/*
 * The tree of kernel state objects, and the system information page.
 *
 * The caller of each function must hold no lock. No function blocks.
 */
#ifndef KERNEL_KSO_H
#define KERNEL_KSO_H

#include <kernel/object.h>
#include <twz/kso.h>

/* Creates the root and the system object. Must be called once, after pool_init. Panics if there
 * is no memory. */
void kso_init(void);

/* Creates one of the kernel's own objects, which has the same ID at each boot of a pool. Names are
 * constants of the kernel. Panics if there is no memory. */
struct object *kso_create(const char *name, uint32_t kind, uint32_t perms);

/* The same for a persistent object, of the pool's owner, which is created at the first boot of a
 * pool. Returns a reference in *out. Errors: those of obj_create and of obj_get. */
MUST_CHECK int kso_get_stored(const char *name, uint32_t kind, uint32_t perms, struct object **out);

struct object *kso_root(void);
struct object *kso_system(void);
uint64_t kso_resume_count(void); /* boots of this pool */

/* Writes the current memory_free and pool_free to the system information page. */
void kso_system_update(void);

/* Publishes the ID of the account of programs in the system information page. */
void kso_set_account(struct object *account);

/* Publishes the console object's ID in the system information page. */
void kso_set_console(struct object *console);

/*
 * Enters child into parent's table at index; UINT64_MAX stands for the first free index. *at must
 * be 0 at the first call, and is the index at the end. -TWZ_EAGAIN: the search has reached *at, and
 * the caller must call again. Other errors: -TWZ_ETYPE if parent is no directory; -TWZ_ERANGE;
 * -TWZ_EEXIST if the index is in use; -TWZ_EFULL; -TWZ_EDAMAGED; -TWZ_ENOMEM.
 */
MUST_CHECK int kso_attach(struct object *parent, struct object *child, uint64_t index,
                          uint64_t *at);

/* Enters a child of the kernel into the root, for good. */
MUST_CHECK int kso_attach_fixed(struct object *child);

/* Removes child from parent's table at index; UINT64_MAX stands for the first index of child. *at
 * as for kso_attach. Errors: -TWZ_ENOOBJ if child is not there; -TWZ_EDENIED if the kernel has
 * entered it; errors of kso_attach. */
MUST_CHECK int kso_detach(struct object *parent, objid_t child, uint64_t index, uint64_t *at);

/* Must be called after a change of a KSO. For a view, does one batch of the invalidation of `count`
 * slots from `first` on. *done must be 0 at the first call; it counts the slots done so far.
 * Returns 1 if the caller must call again, else 0. Errors: -TWZ_ETYPE if obj is no KSO;
 * -TWZ_ERANGE. */
MUST_CHECK int kso_invalidate(struct object *obj, uint64_t first, uint64_t count, uint32_t *done);

#endif
