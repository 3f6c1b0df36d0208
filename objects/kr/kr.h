/* SPDX-License-Identifier: MIT */
/* kr: sealed private keys. layout.h; contracts and errors as in common/record.h. */
#ifndef KR_H
#define KR_H

#include <common/record.h>
#include <kr/layout.h>

TWZ_CHECKED int kr_init(const twzobj *obj, const struct kr *first);
TWZ_CHECKED int kr_read(const twzobj *obj, struct kr *kr); /* valid, or -TWZ_EDAMAGED */
TWZ_CHECKED int kr_write(const twzobj *obj, const struct kr *kr);

/* As in struct type (common/type.h). show prints no byte of the sealed keys. */
TWZ_CHECKED int kr_check(const twzobj *obj, type_found found, void *ctx);
TWZ_CHECKED int kr_show(const twzobj *obj, type_line line, void *ctx);

#endif
