/* SPDX-License-Identifier: MIT */
/* The one table from libtwz's errors to Linux's. */
#include <errno.h>
#include <twz/error.h>

#include "err.h"

/* An error without a counterpart becomes EINVAL. */
static int errno_of(int64_t error)
{
    switch (error) {
    case TWZ_ENOOBJ:
    case TWZ_EDELETED:
    case TWZ_ENONAME: return ENOENT;
    case TWZ_EDENIED: return EACCES;
    case TWZ_EQUOTA: /* to a program, the share of its account is the device */
    case TWZ_ENOSPC:
    case TWZ_EFULL: return ENOSPC;
    case TWZ_ENOMEM: return ENOMEM;
    case TWZ_EFAULT: return EFAULT;
    case TWZ_EXDEV: return EXDEV;
    case TWZ_EEXIST: return EEXIST;
    case TWZ_EBUSY: return EBUSY;
    case TWZ_EAGAIN: return EAGAIN;
    case TWZ_ETIMEDOUT: return ETIMEDOUT;
    case TWZ_ENOTSUP: return EOPNOTSUPP;
    case TWZ_EINTR: return EINTR;
    case TWZ_ELOOP: return ELOOP;
    case TWZ_ENOTDIR: return ENOTDIR;
    case TWZ_EISDIR: return EISDIR;
    case TWZ_ENAMELEN: return ENAMETOOLONG;
    case TWZ_ENOTEMPTY: return ENOTEMPTY;
    case TWZ_ENOSYS: return ENOSYS;
    case TWZ_ESHORT:
    case TWZ_ETYPE: return ENOEXEC;
    case TWZ_EDAMAGED:
    case TWZ_EPOISON:
    case TWZ_EIO:
    case TWZ_EVERSION: return EIO;
    default: return EINVAL;
    }
}

int64_t ret_linux(int64_t result)
{
    return result >= 0 ? result : -errno_of(-result);
}

int err_linux(int64_t result)
{
    return result >= 0 ? 0 : -errno_of(-result);
}
