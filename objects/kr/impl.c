/* SPDX-License-Identifier: MIT */
#include "inside.h"

int kr_init(const twzobj *obj, const struct kr *first)
{
    return record_init(obj, &kr_record, first);
}

int kr_read(const twzobj *obj, struct kr *kr)
{
    return record_read_valid(obj, &kr_record, kr);
}

int kr_write(const twzobj *obj, const struct kr *kr)
{
    return record_write(obj, &kr_record, kr);
}
