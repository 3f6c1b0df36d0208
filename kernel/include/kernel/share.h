/* SPDX-License-Identifier: MIT */
/* How many objects hold one DRAM frame copy-on-write. A frame nobody shares costs nothing here. */
#ifndef KERNEL_SHARE_H
#define KERNEL_SHARE_H

#include <kernel/types.h>

void share_init(void);

/* One more holder. -TWZ_ENOMEM: copy the page instead. Any core, any time. */
MUST_CHECK int share_get(phys_t frame);

/* One holder less; true: it was the only one, and the frame is the caller's to free or to keep. */
bool share_put(phys_t frame);

/* True: somebody else holds it too. */
bool share_others(phys_t frame);

#endif
