/* SPDX-License-Identifier: MIT */
/*
 * init: the first program, started by the kernel. It receives the one request of this boot from the
 * host and runs the program under the POSIX runtime. While the program runs, init forwards signals
 * to it. At the end init reports the exit status and powers the machine off.
 *
 *   status 127  no such program     126  cannot be run     128 + n  ended by a fault or signal n
 *
 * init is the one program whose end is the machine's end. So it survives what other programs leave:
 *   - It touches the pages that it needs later before it starts a program, which may use up memory.
 *   - It walks names, which programs may have damaged, under a catch.
 *   - It reads words that a program can store only through twz/program.h and link.c, which doubt
 *     them.
 */
#include <twz/call.h>
#include <twz/faults.h>
#include <twz/kso.h>
#include <twz/name.h>
#include <twz/program.h>
#include <twz/threads.h>
#include <twz/view.h>

#include "link.h"
#include "names.h"

#define READY_STACK 32768u /* bytes */
#define STRINGS_MAX 4096u
#define RUNTIME     "/sys/twix"
#define PROMPT      "/bin/prompt"
#define PATH        "/bin:/host"

#define STATUS_NOT_RUN   126
#define STATUS_NOT_FOUND 127

int main(int argc, char **argv, char **envp);

struct request {
    struct twz_host_run run;
    char text[TWZ_HOST_LEN_MAX + 1];
};

static union {
    struct request request;
    uint8_t bytes[sizeof(struct request)];
} box;
static const char *strings[STRINGS_MAX + 2];

static void print_message(const char *who, const char *what)
{
    link_text("twz: ");
    link_text(who);
    link_text(": ");
    link_text(what);
    link_text("\n");
}

/* Set `list` to the `count` strings from *text on. False: they do not end before `end`. */
static bool split_strings(const char **list, uint32_t count, const char **text, const char *end)
{
    for (uint32_t i = 0; i < count; i++) {
        list[i] = *text;
        while (*text < end && **text)
            (*text)++;
        if (*text >= end)
            return false;
        (*text)++;
    }
    list[count] = NULL;
    return true;
}

/* The account whose limits leave a reserve to init and to others. */
static objid_t programs_account(void)
{
    const struct twz_system *system =
        (const struct twz_system *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_BASE);

    return system->account;
}

/* Wait for the request and fill `spec` from it; its strings stay in the static buffer. */
static int receive_request(struct twz_program_spec *spec)
{
    const struct twz_host_run *run = &box.request.run;
    const char *text = box.request.text;
    struct twz_host_frame frame;
    const char *end;

    do {
        (void)link_receive(&frame, box.bytes, sizeof(box.bytes) - 1, NULL, NULL);
    } while (frame.type != TWZ_HOST_RUN || frame.magic != TWZ_HOST_MAGIC);
    end = text + frame.len - sizeof(*run);
    if (frame.len < sizeof(*run) || run->argc > STRINGS_MAX || run->envc > STRINGS_MAX ||
        run->argc + run->envc > STRINGS_MAX)
        return -TWZ_EINVAL;
    if (!split_strings(strings, run->argc, &text, end) ||
        !split_strings(strings + run->argc + 1, run->envc, &text, end))
        return -TWZ_EINVAL;
    *spec = (struct twz_program_spec){
        .argv = strings,
        .envp = strings + run->argc + 1,
        .ttybits = run->ttybits,
        .rows = run->rows,
        .cols = run->cols,
        .account = programs_account(),
    };
    return 0;
}

static const char *search_path(const char *const *envp)
{
    for (; *envp; envp++) {
        if (__builtin_memcmp(*envp, "PATH=", 5) == 0)
            return *envp + 5;
    }
    return PATH;
}

static void print_not_run(const struct twz_program_spec *spec, int error)
{
    const char *type = "not a program for twz: compile it with twz-cc";

    print_message(spec->argv[0], error == -TWZ_ETYPE ? type : twz_error_text(error));
}

/* Find the program in the namespace. 0, or an exit status after a message. */
static int resolve_program(struct twz_program_spec *spec)
{
    static const char *const prompt[] = { PROMPT, NULL };
    static char path[TWZ_PATH_MAX];
    int err;

    if (!spec->argv[0])
        spec->argv = prompt;
    err = twz_program_find(spec->argv[0], search_path(spec->envp), path, &spec->program);
    spec->path = path;
    if (err >= 0)
        return 0;
    if (err == -TWZ_ENONAME || err == -TWZ_ENOTDIR) {
        print_message(spec->argv[0],
                      "no such program: neither a file on the host nor a name in the pool");
        return STATUS_NOT_FOUND;
    }
    print_not_run(spec, err);
    return STATUS_NOT_RUN;
}

/* The search for a program among names that programs may have damaged. */
struct resolution {
    struct twz_program_spec *spec;
    int status;
};

static void resolve_all(void *arg)
{
    struct resolution *r = arg;
    int err;

    r->status = resolve_program(r->spec);
    if (r->status != 0)
        return;
    err = twz_name_resolve(RUNTIME, &r->spec->runtime);
    if (err == -TWZ_ENONAME) {
        print_message(RUNTIME, "no such name: the pool's system is not complete: remove the file "
                               "POOL.system beside the pool, then ./twz run puts it again");
        r->status = STATUS_NOT_RUN;
    } else if (err < 0) {
        print_message(RUNTIME, twz_error_text(err));
        r->status = STATUS_NOT_RUN;
    }
}

/* Find program and runtime. 0, or an exit status after a message. */
static int resolve_request(struct twz_program_spec *spec)
{
    struct resolution r = { .spec = spec };
    struct twz_fault fault;

    if (!twz_try(resolve_all, &r, &fault))
        return r.status;
    print_message("init", "a directory on the path to the program or to " RUNTIME
                          " is damaged: see twz-obj check");
    return STATUS_NOT_RUN;
}

/* Print the fault that ended the program. Its text names the object, so init searches all names. */
static void report_fault(const char *name, const struct twz_fault *fault)
{
    static char text[600];
    struct twz_catch c;

    if (twz_catch(&c)) {
        print_message(name, "ended by a fault; names that cannot be read hide the object");
        return;
    }
    (void)twz_fault_print(fault, text, sizeof(text));
    twz_catch_end(&c);
    print_message(name, text);
}

/* The runtime reads this word before it writes (libtwix/src/file/console.c). */
static void set_output_error(const struct twz_host_lost *lost)
{
    if (lost->port == TWZ_HOST_OUT)
        link_set_error(TWZ_PORT_OUT, lost->error);
    else if (lost->port == TWZ_HOST_ERR)
        link_set_error(TWZ_PORT_ERR, lost->error);
}

static void forward_frame(const struct twz_process *process, const struct twz_host_frame *frame,
                          const uint8_t *payload)
{
    const struct twz_host_signal *sig = (const void *)payload;
    const struct twz_host_winch *size = (const void *)payload;
    int err = 0;

    if (frame->type == TWZ_HOST_SIGNAL && frame->len >= sizeof(*sig))
        err = twz_program_signal(process, sig->signo, 0);
    else if (frame->type == TWZ_HOST_WINCH && frame->len >= sizeof(*size))
        err = twz_program_signal(process, 28, (uint64_t)size->rows << 16 | size->cols);
    else if (frame->type == TWZ_HOST_LOST && frame->len >= sizeof(struct twz_host_lost))
        set_output_error((const void *)payload);
    (void)err; /* the program may have ended already */
}

/* Touch the pages that init needs after the program's end: its data behind the request's buffer,
 * and some stack. The program may use up the machine's memory. */
static void reserve_memory(void)
{
    extern uint8_t _end[];
    volatile uint8_t stack[READY_STACK];

    for (uintptr_t at = (uintptr_t)(&box + 1); at < (uintptr_t)_end;
         at = (at | (TWZ_PAGE_SIZE - 1)) + 1)
        (void)*(volatile uint8_t *)at;
    for (size_t i = 0; i < sizeof(stack); i += TWZ_PAGE_SIZE)
        stack[i] = 0;
}

/* Run the program to its end; returns the exit status. */
static int run_request(const struct twz_program_spec *spec)
{
    struct twz_process process;
    struct twz_program_end end;
    struct twz_host_frame frame;
    _Alignas(8) uint8_t payload[64];
    int err;

    reserve_memory();
    err = twz_program_spawn(spec, &process);
    if (err < 0) {
        print_not_run(spec, err);
        return STATUS_NOT_RUN;
    }
    while (link_receive(&frame, payload, sizeof(payload), &process, &end))
        forward_frame(&process, &frame, payload);
    err = twz_program_wait(&process, TWZ_FOREVER, &end);
    if (err < 0)
        return STATUS_NOT_RUN;
    if (end.by_fault && end.fault.kind != TWZ_FAULT_SIGNAL)
        report_fault(spec->argv[0], &end.fault);
    return (int)(end.code & 0xff);
}

/* Receive the request, resolve program and runtime, run; returns the exit status. */
static int serve_request(void)
{
    struct twz_program_spec spec;
    int err;

    if (names_repair())
        print_message("init", "the root directory was damaged: the system's names are restored");
    link_send(TWZ_HOST_READY, NULL, 0);
    err = receive_request(&spec);
    if (err < 0) {
        print_message("init", "malformed request: kernel and twz-run differ in version");
        return STATUS_NOT_RUN;
    }
    err = resolve_request(&spec);
    return err != 0 ? err : run_request(&spec);
}

int main(int argc, char **argv, char **envp)
{
    static const char lost[] = "init: no console, nothing to do\n";
    struct twz_host_exit answer;

    (void)argc;
    (void)argv;
    (void)envp;
    if (link_open() < 0) {
        (void)twz_sys_log_write((const uint8_t *)lost, sizeof(lost) - 1);
        return (int)twz_sys_shutdown(TWZ_SHUTDOWN_OFF);
    }
    answer.status = serve_request();
    link_drain(TWZ_PORT_OUT);
    link_drain(TWZ_PORT_ERR);
    link_send(TWZ_HOST_EXIT, &answer, sizeof(answer));
    link_drain(TWZ_PORT_CTL);
    return (int)twz_sys_shutdown(TWZ_SHUTDOWN_OFF);
}
