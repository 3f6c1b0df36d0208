/* SPDX-License-Identifier: MIT */
/* Declarations that the files of kring share. */
#ifndef KRING_INSIDE_H
#define KRING_INSIDE_H

#include <kring/kring.h>

extern const struct record_type kring_record;

bool kring_key_is_valid(const struct kring_key *key);

#endif
