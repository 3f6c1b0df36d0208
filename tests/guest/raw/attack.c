/* SPDX-License-Identifier: MIT */
/*
 * attack: a hostile first program tries to make the console's device access foreign memory: it
 * removes or replaces pages of the console object, and stores impossible values in the ring
 * headers. It prints "before" and "after" around the attacks; any other line is a failure.
 */
#include "raw.h"

static objid_t console_id(void)
{
    return RAW_SYSTEM->console;
}

static void expect_error(int64_t result, const char *what)
{
    if (result < 0)
        return;
    raw_say("allowed: ");
    raw_say(what);
    raw_say("\n");
}

/* Tries to remove the ring's pages, to share them, and to misuse the device's calls. */
static void attack_console_pages(void)
{
    objid_t id = console_id();
    objid_t other;
    struct twz_create create = { .perms = TWZ_READ | TWZ_WRITE | TWZ_DEL };

    (void)raw_must(
        raw_call(TWZ_SYS_obj_create, (uint64_t)&create, sizeof(create), (uint64_t)&other, 0, 0, 0),
        "obj_create");
    for (unsigned op = TWZ_RANGE_DISCARD; op <= TWZ_RANGE_PROTECT; op++)
        expect_error(raw_call(TWZ_SYS_obj_range, id.lo, id.hi, op, TWZ_OBJ_BASE, 64 << 12, 0),
                     "obj_range");
    for (unsigned way = 0; way < 2; way++) {
        struct twz_copy copy = { .src = way ? id : other,
                                 .dst = way ? other : id,
                                 .src_off = 2 << 12,
                                 .dst_off = 2 << 12,
                                 .len = 8 << 12 };

        expect_error(raw_call(TWZ_SYS_obj_copy, (uint64_t)&copy, sizeof(copy), 1, 0, 0, 0),
                     "obj_copy");
    }
    expect_error(raw_call(TWZ_SYS_obj_delete, id.lo, id.hi, TWZ_DELETE_NOW, 0, 0, 0), "obj_delete");
    expect_error(raw_call(TWZ_SYS_obj_tie, id.lo, id.hi, other.lo, other.hi, 1, 0), "obj_tie");
    expect_error(raw_call(TWZ_SYS_obj_ctl, id.lo, id.hi, TWZ_CTL_PERSIST, 1, 0, 0),
                 "obj_ctl persist");
    expect_error(raw_call(TWZ_SYS_dev_ctl, id.lo, id.hi, TWZ_DEV_NOTIFY, TWZ_PORTS, 0, 0), "port");
    expect_error(raw_call(TWZ_SYS_dev_ctl, id.lo, id.hi, 77, 0, 0, 0), "operation");
    expect_error(raw_call(TWZ_SYS_dev_ctl, other.lo, other.hi, TWZ_DEV_NOTIFY, 0, 0, 0),
                 "no device");
}

static void attack_word(unsigned port, uint64_t *word)
{
    uint64_t good = *word;
    objid_t id = console_id();

    for (unsigned i = 0; i < 4; i++) {
        const uint64_t bad = i == 0 ? good - 1 : i == 1 ? good + (1 << 20) : ~0ull << (i * 16);

        __atomic_store_n(word, bad, __ATOMIC_RELEASE);
        (void)raw_call(TWZ_SYS_dev_ctl, id.lo, id.hi, TWZ_DEV_NOTIFY, port, 0, 0);
        __atomic_store_n(word, good, __ATOMIC_RELEASE);
    }
}

static void attack_ring_headers(void)
{
    for (unsigned port = 0; port < TWZ_PORTS; port++) {
        struct twz_port *p = &RAW_CONSOLE->port[port];

        attack_word(port, &p->to_host.tail);
        attack_word(port, &p->to_host.head);
        attack_word(port, &p->to_host.size);
        attack_word(port, &p->to_host.data);
        attack_word(port, &p->from_host.head);
        attack_word(port, &p->from_host.tail);
        attack_word(port, &p->from_host.size);
        attack_word(port, &p->from_host.data);
    }
}

int raw_main(struct raw *raw)
{
    (void)raw;
    raw_say("before\n");
    attack_console_pages();
    attack_ring_headers();
    raw_say("after\n");
    return 0;
}
