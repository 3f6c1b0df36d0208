/* SPDX-License-Identifier: MIT */
/* The namespace of this machine. */
#include <twz/name.h>

#include "platform.h"

objid_t twz_name_root(void)
{
    return plat_names_root();
}
