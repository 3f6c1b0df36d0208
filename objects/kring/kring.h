/* SPDX-License-Identifier: MIT */
/* kring: a list of keys. layout.h; contracts and errors as in common/record.h. */
#ifndef KRING_H
#define KRING_H

#include <common/record.h>
#include <kring/layout.h>

/* Add a key to a structure, or replace the entry of the same ku. -TWZ_EFULL; -TWZ_EINVAL: the entry
 * is not valid. */
TWZ_CHECKED int kring_set(struct kring *ring, const struct kring_key *key);

/* Remove the entry of a ku. -TWZ_ENONAME: there is none. */
TWZ_CHECKED int kring_remove(struct kring *ring, objid_t ku);

/* Returns the entry of a ku, or NULL. */
const struct kring_key *kring_find(const struct kring *ring, objid_t ku);

TWZ_CHECKED int kring_init(const twzobj *obj, const struct kring *first);
TWZ_CHECKED int kring_read(const twzobj *obj, struct kring *ring); /* valid, or -TWZ_EDAMAGED */
TWZ_CHECKED int kring_write(const twzobj *obj, const struct kring *ring);

/* As in struct type (common/type.h). */
TWZ_CHECKED int kring_check(const twzobj *obj, type_found found, void *ctx);
TWZ_CHECKED int kring_show(const twzobj *obj, type_line line, void *ctx);

#endif
