/* SPDX-License-Identifier: MIT */
/* Declarations that the files of kr share. */
#ifndef KR_INSIDE_H
#define KR_INSIDE_H

#include <kr/kr.h>

extern const struct record_type kr_record;

#endif
