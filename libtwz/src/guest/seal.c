/* SPDX-License-Identifier: MIT */
/* Sealed objects: the kernel's call. */
#include <twz/call.h>
#include <twz/obj.h>

int twz_object_seal(const twzobj *obj, objid_t *sealed)
{
    return (int)twz_sys_obj_seal(obj->id, sealed);
}
