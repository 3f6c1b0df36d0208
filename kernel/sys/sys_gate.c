/* SPDX-License-Identifier: MIT */
/* Handlers of gate_call and gate_return. */
#include <kernel/gate.h>
#include <kernel/sec.h>
#include <kernel/threadobj.h>
#include "calls.h"

static int find_service(objid_t id, uint64_t offset, struct service **s)
{
    struct object *obj;
    int err = obj_get(id, &obj);

    if (err < 0)
        return err;
    err = sec_check_gate(threadobj_context(current()), obj, offset);
    if (err == 0)
        err = service_get(obj, s);
    obj_put(obj);
    return err;
}

int64_t sys_gate_call(struct arch_frame *frame, objid_t service, uint64_t offset, uint64_t a,
                      uint64_t b, uint64_t c)
{
    const uint64_t arg[] = { a, b, c };
    struct service *s;
    int err = find_service(service, offset, &s);

    if (err < 0)
        return err;
    err = gate_enter(frame, s, offset, arg);
    if (err < 0)
        service_put(s);
    return err < 0 ? err : SYS_KEEP;
}

int64_t sys_gate_return(struct arch_frame *frame, uint64_t value)
{
    int err = gate_leave(frame, value);

    return err < 0 ? err : SYS_KEEP;
}
