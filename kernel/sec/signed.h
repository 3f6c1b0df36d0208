/* SPDX-License-Identifier: MIT */
/* Signatures, checked in steps. Shared by the files of kernel/sec. */
#ifndef SEC_SIGNED_H
#define SEC_SIGNED_H

#include <format.h>
#include <kernel/sec.h>
#include <sctx.h>

/* The memory of a thread for decisions with capabilities; it lives as long as the thread. */
struct sec_scratch;

/* That of the running thread. NULL: no memory. */
struct sec_scratch *scratch_get(void);

/* Does one step of a check that has begun. Returns false, and does nothing, if there is none. */
bool signed_step(void);

/* Checks a signature over `len` bytes, SEC_SIGNED_MAX at most, which it follows. Returns 1 if it is
 * valid and 0 if it is not; or begins the check and returns -TWZ_EAGAIN: signed_step must be called
 * until it returns false, then this again. */
int signed_check(struct sec_scratch *scratch, const uint8_t key[SEC_KEY], const void *statement,
                 size_t len);

/* The public keys of a ku. Returns a reference on its object in *ku. -TWZ_ENOOBJ and so on: it
 * cannot be found; -TWZ_ETYPE: it is no ku; -TWZ_EAGAIN: its page is being verified. */
MUST_CHECK int signed_key(objid_t id, struct object **ku, struct sec_ku *keys);

#endif
