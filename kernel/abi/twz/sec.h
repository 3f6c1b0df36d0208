/* SPDX-License-Identifier: MIT */
/* Operations on security contexts. */
#ifndef TWZ_SEC_H
#define TWZ_SEC_H

#include <twz/types.h>

/* Operations of sec_change. */
#define TWZ_SEC_UNGRANT      0u /* object: take back what the active context has granted on it */
#define TWZ_SEC_MASK_DEFAULT 1u /* arg: the default permissions that remain, on all objects */
#define TWZ_SEC_MASK_OBJECT  2u /* object, arg: the same, on one object */
#define TWZ_SEC_TAKE         3u /* arg: rights that the context loses, wherever they come from */
#define TWZ_SEC_ADD          4u /* arg: address of a capability (security/format.h) */
#define TWZ_SEC_REMOVE       5u /* arg: the same, one that is there */
#define TWZ_SEC_KEEP         6u /* object, arg: the rights that remain of a creator's grant */

#endif
