/* SPDX-License-Identifier: MIT */
/*
 * attack: a first program turned bad tries to have the console's device touch memory that is not
 * the console's: by taking pages of the console object away under it, and by lying in the ring
 * headers. Says "before" and "after" with the attacks between; any other line is a finding.
 */
#include "raw.h"

static objid_t console(void)
{
    return RAW_SYSTEM->console;
}

static void refused(int64_t result, const char *what)
{
    if (result < 0)
        return;
    raw_say("allowed: ");
    raw_say(what);
    raw_say("\n");
}

/* Takes the ring's memory away, or makes it somebody else's. */
static void take_away(void)
{
    objid_t id = console();
    objid_t other;
    struct twz_create create = { .perms = TWZ_READ | TWZ_WRITE | TWZ_DEL };

    (void)raw_must(raw_call(TWZ_SYS_obj_create, (uint64_t)&create, (uint64_t)&other, 0, 0, 0, 0),
                   "obj_create");
    for (unsigned op = TWZ_RANGE_DISCARD; op <= TWZ_RANGE_PROTECT; op++)
        refused(raw_call(TWZ_SYS_obj_range, id.lo, id.hi, op, TWZ_OBJ_BASE, 64 << 12, 0),
                "obj_range");
    for (unsigned way = 0; way < 2; way++) {
        struct twz_copy copy = { .src = way ? id : other,
                                 .dst = way ? other : id,
                                 .src_off = 2 << 12,
                                 .dst_off = 2 << 12,
                                 .len = 8 << 12 };

        refused(raw_call(TWZ_SYS_obj_copy, (uint64_t)&copy, 1, 0, 0, 0, 0), "obj_copy");
    }
    refused(raw_call(TWZ_SYS_obj_delete, id.lo, id.hi, TWZ_DELETE_NOW, 0, 0, 0), "obj_delete");
    refused(raw_call(TWZ_SYS_obj_tie, id.lo, id.hi, other.lo, other.hi, 1, 0), "obj_tie");
    refused(raw_call(TWZ_SYS_obj_ctl, id.lo, id.hi, TWZ_CTL_PERSIST, 1, 0, 0), "obj_ctl persist");
    refused(raw_call(TWZ_SYS_dev_ctl, id.lo, id.hi, TWZ_DEV_NOTIFY, TWZ_PORTS, 0, 0), "port");
    refused(raw_call(TWZ_SYS_dev_ctl, id.lo, id.hi, 77, 0, 0, 0), "operation");
    refused(raw_call(TWZ_SYS_dev_ctl, other.lo, other.hi, TWZ_DEV_NOTIFY, 0, 0, 0), "no device");
}

static void lie(unsigned port, uint64_t *word)
{
    uint64_t good = *word;
    objid_t id = console();

    for (unsigned i = 0; i < 4; i++) {
        const uint64_t bad = i == 0 ? good - 1 : i == 1 ? good + (1 << 20) : ~0ull << (i * 16);

        __atomic_store_n(word, bad, __ATOMIC_RELEASE);
        (void)raw_call(TWZ_SYS_dev_ctl, id.lo, id.hi, TWZ_DEV_NOTIFY, port, 0, 0);
        __atomic_store_n(word, good, __ATOMIC_RELEASE);
    }
}

static void lie_everywhere(void)
{
    for (unsigned port = 0; port < TWZ_PORTS; port++) {
        struct twz_port *p = &RAW_CONSOLE->port[port];

        lie(port, &p->to_host.tail);
        lie(port, &p->to_host.head);
        lie(port, &p->to_host.size);
        lie(port, &p->to_host.data);
        lie(port, &p->from_host.head);
        lie(port, &p->from_host.tail);
        lie(port, &p->from_host.size);
        lie(port, &p->from_host.data);
    }
}

int raw_main(struct raw *raw)
{
    (void)raw;
    raw_say("before\n");
    take_away();
    lie_everywhere();
    raw_say("after\n");
    return 0;
}
