/* SPDX-License-Identifier: MIT */
/*
 * ku: the public keys of an owner. security/format.h has the layout (struct sec_ku, at the base)
 * and says what a ku is. A ku never changes: its ID covers its content, so it has no crash protocol
 * of its own and is no record.
 *
 * Errors: -TWZ_ETYPE: the object is no ku; -TWZ_EDAMAGED; or that of a fault (twz/guard.h).
 */
#ifndef KU_H
#define KU_H

#include <common/type.h>
#include <format.h>

/* Copy the keys out, if they are valid. */
TWZ_CHECKED int ku_object_read(const twzobj *obj, struct sec_ku *ku);

/* As in struct type (common/type.h). */
TWZ_CHECKED int ku_object_check(const twzobj *obj, type_found found, void *ctx);
TWZ_CHECKED int ku_object_show(const twzobj *obj, type_line line, void *ctx);

#endif
