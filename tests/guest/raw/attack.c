/* SPDX-License-Identifier: MIT */
/*
 * attack: a hostile first program tries to make the console's device access foreign memory: it
 * removes or replaces pages of the console's objects, and stores impossible values in the
 * counters. It prints "before" and "after" around the attacks; any other line is a failure.
 */
#include "raw.h"

static void expect_error(int64_t result, const char *what)
{
    if (result < 0)
        return;
    raw_say("allowed: ");
    raw_say(what);
    raw_say("\n");
}

/* Tries to remove the ring's pages, to share them, and to misuse the device's calls. */
static void attack_pages(objid_t id)
{
    objid_t other;
    struct twz_create create = { .perms = TWZ_READ | TWZ_WRITE | TWZ_DEL };

    (void)raw_must(
        raw_call(TWZ_SYS_obj_create, (uint64_t)&create, sizeof(create), (uint64_t)&other, 0, 0, 0),
        "obj_create");
    for (unsigned op = TWZ_RANGE_DISCARD; op <= TWZ_RANGE_PROTECT; op++)
        expect_error(raw_call(TWZ_SYS_obj_range, id.lo, id.hi, op, TWZ_OBJ_BASE, 1024 << 12, 0),
                     "obj_range");
    for (unsigned way = 0; way < 2; way++) {
        struct twz_copy copy = { .src = way ? id : other,
                                 .dst = way ? other : id,
                                 .src_off = TWZ_RING_OUT(0),
                                 .dst_off = TWZ_RING_OUT(0),
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
    objid_t id = raw_device(port);

    for (unsigned i = 0; i < 4; i++) {
        const uint64_t bad = i == 0 ? good - 1 : i == 1 ? good + (1 << 20) : ~0ull << (i * 16);

        __atomic_store_n(word, bad, __ATOMIC_RELEASE);
        (void)raw_call(TWZ_SYS_dev_ctl, id.lo, id.hi, TWZ_DEV_NOTIFY, port, 0, 0);
        __atomic_store_n(word, good, __ATOMIC_RELEASE);
    }
}

/* Each port answers to its own object only. */
static void attack_other_ports(void)
{
    objid_t console = raw_device(TWZ_PORT_OUT), control = raw_device(TWZ_PORT_CTL);

    expect_error(
        raw_call(TWZ_SYS_dev_ctl, console.lo, console.hi, TWZ_DEV_NOTIFY, TWZ_PORT_CTL, 0, 0),
        "the control port of the console");
    expect_error(
        raw_call(TWZ_SYS_dev_ctl, control.lo, control.hi, TWZ_DEV_NOTIFY, TWZ_PORT_OUT, 0, 0),
        "a console port of the control object");
}

static void attack_counters(void)
{
    for (unsigned port = 0; port < TWZ_PORTS; port++) {
        struct twz_port_user *user = raw_port_user(port);

        attack_word(port, &user->out_tail);
        attack_word(port, &user->out_retired);
        attack_word(port, &user->in_head);
        attack_word(port, &user->in_released);
    }
}

int raw_main(struct raw *raw)
{
    (void)raw;
    raw_say("before\n");
    attack_pages(raw_device(TWZ_PORT_OUT));
    attack_pages(raw_device(TWZ_PORT_CTL));
    attack_other_ports();
    attack_counters();
    raw_say("after\n");
    return 0;
}
