/* SPDX-License-Identifier: MIT */
/* Which namespace this machine has. */
#include <twz/name.h>

#include "platform.h"

objid_t twz_name_root(void)
{
    return plat_names_root();
}
