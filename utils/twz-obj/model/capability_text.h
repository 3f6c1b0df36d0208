/* SPDX-License-Identifier: MIT */
/* Capabilities as people read them, and as they count in a pool. */
#ifndef CAPABILITY_TEXT_H
#define CAPABILITY_TEXT_H

#include <verify/capability.h>

#include "pool.h"

/* Print a capability, as text or as a JSON entry. path: its file; NULL: it lies in a context. */
void capability_show(const char *path, const struct sec_cap *cap);

/* Security time, as the next boot of the pool will see it at least; pool NULL: the host's time. */
uint64_t capability_now(const struct pool *pool);

/* The signature alone, under the ku that the pool has for it. SEC_REASON_KEY: it has none. */
enum sec_reason capability_signature(const struct pool *pool, const struct sec_cap *cap);

/* Form, use at that time, and signature: why the pool's kernel would refuse the capability in its
 * context. A delegation also needs the delegator's own rights, which are not checked. */
enum sec_reason capability_refused(const struct pool *pool, const struct sec_cap *cap,
                                   uint64_t time);

#endif
