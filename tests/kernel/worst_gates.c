/* SPDX-License-Identifier: MIT */
/* The worst arguments of the calls on gates, and of services with as many call frames as there may
 * be (worst.h). */
#include "gate.h"
#include "worst.h"

static uint64_t go_down(uint64_t lo, uint64_t hi)
{
    objid_t id = { lo, hi };

    return (uint64_t)gate_call(id, GATE_RUN * GATE_ALIGN, (uint64_t)(uintptr_t)go_down, lo, hi,
                               NULL);
}

static uint64_t die(uint64_t b, uint64_t c)
{
    (void)b;
    (void)c;
    CALL(thread_exit, 0);
    return 0;
}

void worst_gates(void)
{
    struct gate_service s = gate_service(TWZ_SERVICE_FRAMES, TWZ_OBJID_NONE);
    uint64_t value;

    CHECK(gate_attach(s.id) >= 0);
    REPORT(kso_attach, "a service of 1,024 frames");
    WORST_OF(gate_call, "frame and view are not mapped", gate_call(s.id, 0, 1, 1, 1, &value), 0);
    CHECK_IS(gate_run(&s, go_down, s.id.lo, s.id.hi), 0);
    REPORT(gate_return, "16 calls deep");
    CHECK_IS(gate_run(&s, die, 0, 0), -TWZ_EDIED);
    REPORT(thread_exit, "in a gate call");
    CHECK(gate_detach(s.id) >= 0);
    REPORT(kso_detach, "a service of 1,024 frames");
}
