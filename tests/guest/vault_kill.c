/* SPDX-License-Identifier: MIT */
/*
 * Kills callers inside the password vault (examples/vault-keeper.c). This is the machine's first
 * program, on one core whose clock counts instructions. A child process is the keeper. Again and
 * again a thread of low priority puts a secret; this thread wakes after a number of instructions
 * and kills it. Then the vault must have the old secret or the new one, and be sound.
 *
 * The last line of the log tells the kills, the distinct instructions at which a caller was inside,
 * and what was wrong.
 */
#include "../../examples/vault.h"
#include <twz/call.h>
#include <twz/name.h>
#include <twz/program.h>
#include <twz/threads.h>

#define LOW    10u
#define HIGH   20u
#define OTHERS 20u    /* names beside the one whose callers are killed */
#define SEEN   65536u /* positions that are told apart */

int main(int argc, char **argv, char **envp);

/* A caller, its secret, and what it tells: the times of its call and of its return. */
struct call {
    struct twz_gates gates;
    objid_t message;
    uint64_t slept; /* when its killer began to sleep */
    volatile uint64_t entered;
    volatile uint64_t left;
};

static uint8_t seen[SEEN / 8];
static uint64_t kills, distinct, bad;

static void say(const char *text, uint64_t value)
{
    char line[120];
    char digits[24];
    size_t at = 0, n = 0;

    while (*text)
        line[at++] = *text++;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (n > 0)
        line[at++] = digits[--n];
    line[at++] = '\n';
    (void)twz_sys_log_write((const uint8_t *)line, at);
}

static void put(void *arg)
{
    struct call *c = arg;

    c->entered = twz_clock();
    (void)vault_put(&c->gates, c->message.lo, c->message.hi);
    c->left = twz_clock();
}

static void set_priority(unsigned priority)
{
    (void)twz_sys_thread_ctl(TWZ_OBJID_NONE, TWZ_THREAD_PRIORITY, priority, 0);
}

static void sleep_until(uint64_t deadline)
{
    uint64_t never = 0;

    while (twz_clock() < deadline)
        (void)twz_sync_wait(&never, 0, deadline);
}

static void fill(const twzobj *obj, uint64_t number)
{
    struct vault_message *m = twz_object_base(obj);

    *m = (struct vault_message){ .name = "mail" };
    for (unsigned i = 0; i < 90; i++)
        m->secret[i] = (char)('a' + (number >> (i % 8)) % 26);
}

static bool is_secret(const struct vault_message *m, uint64_t number)
{
    for (unsigned i = 0; i < 90; i++)
        if (m->secret[i] != (char)('a' + (number >> (i % 8)) % 26))
            return false;
    return true;
}

/* Marks where the caller was; true: it was nowhere near before. */
static bool is_new_position(uint64_t position)
{
    uint8_t bit = (uint8_t)(1u << position % 8);

    if (position >= SEEN || (seen[position / 8] & bit) != 0)
        return false;
    seen[position / 8] |= bit;
    return true;
}

/* Starts a caller, and kills it `after` instructions later. */
static void kill_after(struct call *c, uint64_t after)
{
    struct twz_thrd_spawn spawn = { .fn = put, .arg = c, .stack_size = 65536 };
    struct twz_thrd thread;
    uint64_t now;

    c->entered = 0;
    c->left = 0;
    set_priority(LOW);
    if (twz_thread_spawn(&thread, &spawn) < 0) {
        bad++;
        return;
    }
    set_priority(HIGH);
    c->slept = twz_clock();
    sleep_until(c->slept + after);
    now = twz_clock();
    if (c->entered != 0 && c->left == 0 && is_new_position(now - c->entered))
        distinct++;
    (void)twz_sys_thread_signal(thread.repr.id, TWZ_SIGNAL_KILL, 0);
    (void)twz_thread_wait(&thread, NULL, NULL);
    kills++;
}

/* The vault has the secret `before` or `number`; returns the one. */
static uint64_t check_vault(const struct call *c, const twzobj *answer, uint64_t before,
                            uint64_t number)
{
    struct vault_message *m = twz_object_base(answer);

    *m = (struct vault_message){ .name = "mail" };
    if (vault_check(&c->gates) != 1 || vault_count(&c->gates) != OTHERS + 1 ||
        vault_get(&c->gates, answer->id.lo, answer->id.hi) != 0) {
        bad++;
        return before;
    }
    if (is_secret(m, number))
        return number;
    bad += !is_secret(m, before);
    return before;
}

/* Lets a call end. Returns the instructions from the start of its killer's sleep until its begin,
 * and in *length those of the call. */
static uint64_t measure(struct call *c, uint64_t *length)
{
    kill_after(c, 10000000);
    *length = c->left - c->entered;
    return c->entered - c->slept;
}

/* Secrets of other names, so that the vault has to look for the one. */
static void put_others(const struct call *c, const twzobj *message)
{
    struct vault_message *m = twz_object_base(message);

    for (unsigned i = 0; i < OTHERS; i++) {
        fill(message, i);
        m->name[4] = (char)('a' + i);
        bad += vault_put(&c->gates, message->id.lo, message->id.hi) != 0;
    }
}

static void run(uint64_t wanted)
{
    struct call c;
    twzobj message, answer;
    uint64_t last = 0, first = 0, length = 0, step;

    if (twz_service_open(VAULT_SERVICE, &c.gates) < 0 ||
        twz_object_new(&message, NULL, NULL, 0) < 0 || twz_object_new(&answer, NULL, NULL, 0) < 0) {
        bad++;
        return;
    }
    c.message = message.id;
    put_others(&c, &message);
    for (uint64_t i = 0; i < 3; i++) {
        fill(&message, 0);
        first = measure(&c, &length);
    }
    say("instructions of a call: ", length);
    step = wanted == 0 ? 1 : length / wanted + 1;
    for (uint64_t after = first; after < first + length; after += step) {
        fill(&message, after + 1);
        kill_after(&c, after);
        last = check_vault(&c, &answer, last, after + 1);
    }
}

static int keep(void)
{
    uint64_t never = 0;

    if (vault_start() < 0)
        return 1;
    twz_thread_ready();
    for (;;)
        (void)twz_sync_wait(&never, 0, TWZ_FOREVER);
}

int main(int argc, char **argv, char **envp)
{
    struct twz_program_spec spec = { .path = "/bin/init" };
    struct twz_process keeper;
    struct twz_name_info all;
    char path[TWZ_PATH_MAX];

    (void)argv;
    (void)envp;
    if (argc > 0)
        return keep();
    if (twz_program_find("/bin/init", "", path, &spec.program) < 0 ||
        twz_program_spawn(&spec, &keeper) < 0)
        bad++;
    while (bad == 0 && !twz_program_ready(&keeper))
        sleep_until(twz_clock() + 100000);
    if (bad == 0)
        run(twz_name_lookup("/data/all", &all) == 0 ? 0 : 5000);
    say("kills: ", kills);
    say("distinct: ", distinct);
    say("bad: ", bad);
    return (int)twz_sys_shutdown(TWZ_SHUTDOWN_OFF);
}
