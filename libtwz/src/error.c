/* SPDX-License-Identifier: MIT */
/* The calling thread's last error, and the texts of the errors, expanded from error.def. */
#include <twz/obj.h>
#include <twz/typed.h>

#include "platform.h"

int twz_error_last(void)
{
    return (int)*plat_error();
}

const char *twz_error_text(int error)
{
    switch (error < 0 ? -error : error) {
    case TWZ_EOK: return "no error";
#define TWZ_ERROR(name, number, text) \
    case TWZ_E##name:                 \
        return text;
#include <twz/error.def>
#undef TWZ_ERROR
    default: return "unknown error";
    }
}
