/* SPDX-License-Identifier: MIT */
/*
 * Reads security contexts (security/sctx.h), the same way for the kernel and for tools. Pure
 * functions; none blocks or takes a lock. The caller must keep the structs from changing meanwhile.
 */
#ifndef VERIFY_CONTEXT_H
#define VERIFY_CONTEXT_H

#include <sctx.h>
#include <verify/capability.h>

/* Checks the head and the overrides. Returns constant text that says the problem, or NULL. */
const char *sec_context_problem(const struct sec_context *context);

/* The mask for the default permissions of an object. The context must have no problem. */
uint32_t sec_context_mask(const struct sec_context *context, objid_t id);

/* The bucket of a target, 0 .. SEC_BUCKETS - 1, and its page in the context object. */
uint32_t sec_bucket_of(objid_t target);
uint32_t sec_bucket_page(objid_t target);

/* Checks bucket `number` of context `accessor`, without the signatures. Returns constant text that
 * says the problem, or NULL. */
const char *sec_bucket_problem(const struct sec_bucket *bucket, uint32_t number, objid_t accessor);

/* The next capability of a target and form (SEC_FORM_*), or NULL; SEC_CANDIDATES at most. *place
 * must be 0 at first. It becomes the number of the place behind. The capability may have any
 * content: the caller must check its form, too. */
const struct sec_cap *sec_bucket_next(const struct sec_bucket *bucket, objid_t target,
                                      uint32_t form, uint32_t *place);

/* The place with exactly this capability, or SEC_PLACES. */
uint32_t sec_bucket_find(const struct sec_bucket *bucket, const struct sec_cap *cap);

/* The place to insert a capability into, or SEC_PLACES: the bucket is full, or has SEC_CANDIDATES
 * of that target and form. */
uint32_t sec_bucket_free(const struct sec_bucket *bucket, const struct sec_cap *cap);

#endif
