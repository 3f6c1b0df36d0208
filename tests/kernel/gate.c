/* SPDX-License-Identifier: MIT */
/* A service for tests of gates: see gate.h. */
#include "gate.h"

#define TEXT(x)    TEXT_OF(x)
#define TEXT_OF(x) #x

void gate_entries(void);
void gate_return(uint64_t value);
uint64_t gate_args(uint64_t a, uint64_t b, uint64_t c);
uint64_t gate_secret(void);
uint64_t gate_run_here(uint64_t (*fn)(uint64_t b, uint64_t c), uint64_t b, uint64_t c);
long gate_call_raw(uint64_t number, const uint64_t arg[6], uint64_t *value);

/* clang-format off */
__asm__(".text\n"
        ".balign 16\n"
        ".globl gate_entries\n"
        "gate_entries:\n"
        "lea gate_args(%rip), %rax\n"
        "jmp gate_common\n"
        ".balign 16\n"
        "lea gate_secret(%rip), %rax\n"
        "jmp gate_common\n"
        ".balign 16\n"
        "jmp gate_dump\n"
        ".balign 16\n"
        "lea gate_run_here(%rip), %rax\n"
        "gate_common: sub $8, %rsp\n"
        "call *%rax\n"
        "mov %rax, %rdi\n"
        "call gate_return\n"
        "ud2\n"

        "gate_dump:\n"
        "mov %rax, %gs:1024\n"
        "mov %rbx, %gs:1032\n"
        "mov %rcx, %gs:1040\n"
        "mov %rdx, %gs:1048\n"
        "mov %rsi, %gs:1056\n"
        "mov %rdi, %gs:1064\n"
        "mov %rbp, %gs:1072\n"
        "mov %rsp, %gs:1080\n"
        "mov %r8, %gs:1088\n"
        "mov %r9, %gs:1096\n"
        "mov %r10, %gs:1104\n"
        "mov %r11, %gs:1112\n"
        "mov %r12, %gs:1120\n"
        "mov %r13, %gs:1128\n"
        "mov %r14, %gs:1136\n"
        "mov %r15, %gs:1144\n"
        "pushf\n"
        "pop %gs:1152\n"
        "rdfsbase %rax\n"
        "mov %rax, %gs:1160\n"
        "rdgsbase %rbx\n"
        "mov %rbx, %gs:1168\n"
        "mov $-1, %eax\n"
        "mov $-1, %edx\n"
        "xsave64 4096(%rbx)\n"
        "mov $0x5a5a, %ebp\n" /* values that must not reach the caller */
        "mov %rbp, %r12\n"
        "mov %rbp, %r15\n"
        "pcmpeqd %xmm6, %xmm6\n"
        "mov %rsp, %rdi\n"
        "and $-16, %rsp\n"
        "call gate_return\n"
        "ud2\n"

        /* gate_call_raw(number, arg, value) */
        ".globl gate_call_raw\n"
        "gate_call_raw:\n"
        "push %rbx\n"
        "push %rbp\n"
        "push %r12\n"
        "push %r13\n"
        "push %r14\n"
        "push %r15\n"
        "push %rdx\n"
        "mov %rdi, %rax\n"
        "mov %rsi, %r11\n"
        "mov (%r11), %rdi\n"
        "mov 8(%r11), %rsi\n"
        "mov 16(%r11), %rdx\n"
        "mov 24(%r11), %r10\n"
        "mov 32(%r11), %r8\n"
        "mov 40(%r11), %r9\n"
        "syscall\n"
        "pop %rcx\n"
        "mov %rdx, (%rcx)\n"
        "pop %r15\n"
        "pop %r14\n"
        "pop %r13\n"
        "pop %r12\n"
        "pop %rbp\n"
        "pop %rbx\n"
        "ret\n"

        /* gate_probe(p): the stack keeps p, because all registers are cleared. */
        ".globl gate_probe\n"
        "gate_probe:\n"
        "push %rbx\n"
        "push %rbp\n"
        "push %r12\n"
        "push %r13\n"
        "push %r14\n"
        "push %r15\n"
        "push %rdi\n"
        "mov $7, %eax\n"
        "xor %edx, %edx\n"
        "xrstor64 512(%rdi)\n"
        "mov %rsp, 56(%rdi)\n"
        "mov (%rdi), %rax\n"
        "mov 8(%rdi), %rbx\n"
        "mov 24(%rdi), %rdx\n"
        "mov 32(%rdi), %rsi\n"
        "mov 48(%rdi), %rbp\n"
        "mov 64(%rdi), %r8\n"
        "mov 72(%rdi), %r9\n"
        "mov 80(%rdi), %r10\n"
        "mov 96(%rdi), %r12\n"
        "mov 104(%rdi), %r13\n"
        "mov 112(%rdi), %r14\n"
        "mov 120(%rdi), %r15\n"
        "pushq 128(%rdi)\n"
        "popf\n"
        "mov 40(%rdi), %rdi\n"
        "syscall\n"
        "xchg %rdi, (%rsp)\n"
        "mov %rax, 152(%rdi)\n"
        "pushf\n"
        "pop 280(%rdi)\n"
        "cld\n"
        "mov %rbx, 160(%rdi)\n"
        "mov %rcx, 168(%rdi)\n"
        "mov %rdx, 176(%rdi)\n"
        "mov %rsi, 184(%rdi)\n"
        "mov %rbp, 200(%rdi)\n"
        "mov %rsp, 208(%rdi)\n"
        "mov %r8, 216(%rdi)\n"
        "mov %r9, 224(%rdi)\n"
        "mov %r10, 232(%rdi)\n"
        "mov %r11, 240(%rdi)\n"
        "mov %r12, 248(%rdi)\n"
        "mov %r13, 256(%rdi)\n"
        "mov %r14, 264(%rdi)\n"
        "mov %r15, 272(%rdi)\n"
        "rdfsbase %rax\n"
        "mov %rax, 288(%rdi)\n"
        "rdgsbase %rax\n"
        "mov %rax, 296(%rdi)\n"
        "pop 192(%rdi)\n"
        "mov $-1, %eax\n"
        "mov $-1, %edx\n"
        "xsave64 3584(%rdi)\n"
        "pop %r15\n"
        "pop %r14\n"
        "pop %r13\n"
        "pop %r12\n"
        "pop %rbp\n"
        "pop %rbx\n"
        "ret\n");
/* clang-format on */
_Static_assert(sizeof(struct gate_regs) == 152, "offsets of the assembly");
_Static_assert(__builtin_offsetof(struct gate_probe, vector_in) == 512, "offsets of the assembly");
_Static_assert(__builtin_offsetof(struct gate_probe, vector_out) == 3584,
               "offsets of the assembly");

void gate_return(uint64_t value)
{
    CALL(gate_return, value);
}

uint64_t gate_args(uint64_t a, uint64_t b, uint64_t c)
{
    return a + 2 * b + 3 * c;
}

uint64_t gate_secret(void)
{
    return *BASE(SLOT_TEST);
}

uint64_t gate_run_here(uint64_t (*fn)(uint64_t b, uint64_t c), uint64_t b, uint64_t c)
{
    return fn(b, c);
}

long gate_call(objid_t service, uint64_t offset, uint64_t a, uint64_t b, uint64_t c,
               uint64_t *value)
{
    uint64_t arg[] = { service.lo, service.hi, offset, a, b, c }, none;

    return gate_call_raw(TWZ_SYS_gate_call, arg, value ? value : &none);
}

long gate_run(const struct gate_service *s, uint64_t (*fn)(uint64_t b, uint64_t c), uint64_t b,
              uint64_t c)
{
    uint64_t value = 0;
    long err = gate_call(s->id, GATE_RUN * GATE_ALIGN, (uint64_t)(uintptr_t)fn, b, c, &value);

    return err < 0 ? err : (long)value;
}

long gate_attach(objid_t service)
{
    return CALL(kso_attach, IDARG(user_system()->kso_root), IDARG(service), UINT64_MAX);
}

long gate_detach(objid_t service)
{
    return CALL(kso_detach, IDARG(user_system()->kso_root), IDARG(service), UINT64_MAX);
}

/* The object that a slot of this view maps. */
static objid_t mapped_at(uint32_t slot)
{
    volatile struct twz_view_entry *entry =
        (volatile struct twz_view_entry *)(user_view_at() + TWZ_VIEW_TABLE) + slot;

    return (objid_t){ entry->id.lo, entry->id.hi };
}

void gate_delete(const struct gate_service *s)
{
    objid_t frames = mapped_at(SLOT_FRAMES);

    user_map(SLOT_FRAMES, TWZ_OBJID_NONE, 0);
    user_map(SLOT_WORDS, TWZ_OBJID_NONE, 0);
    user_map(SLOT_CHILD_VIEW, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(s->id), 0), 0);
    CHECK_IS(CALL(obj_delete, IDARG(s->view), 0), 0);
    CHECK_IS(CALL(obj_delete, IDARG(frames), 0), 0);
}

/* A thread page as a runtime writes it, in each frame. */
static void make_frames(objid_t view, uint32_t frames)
{
    objid_t id = user_object(0, TWZ_READ | TWZ_WRITE | TWZ_DEL, TWZ_KIND_DATA);

    user_map(SLOT_FRAMES, id, TWZ_READ | TWZ_WRITE);
    user_map_in(view, TWZ_SLOT_ADDR(SLOT_CHILD_VIEW), SLOT_FRAMES, id, TWZ_READ | TWZ_WRITE);
    for (uint32_t i = 0; i < frames; i++) {
        gate_frame_page(i)->self = (uint64_t)(uintptr_t)gate_frame_page(i);
        gate_frame_page(i)->view = user_view_at();
    }
}

struct gate_service gate_service(uint32_t frames, objid_t secret)
{
    struct gate_service s = { .id = user_object(0, TWZ_PERMS, TWZ_KIND_SERVICE),
                              .view = user_child_view(90, secret),
                              .words = (struct twz_service *)(uintptr_t)BASE(SLOT_WORDS) };

    make_frames(s.view, frames);
    user_map(SLOT_WORDS, s.id, TWZ_READ | TWZ_WRITE);
    *s.words = (struct twz_service){
        .magic = TWZ_SERVICE_MAGIC,
        .version = TWZ_SERVICE_VERSION,
        .view = s.view,
        .entry = (uint64_t)(uintptr_t)gate_entries,
        .length = GATE_ENTRIES * GATE_ALIGN,
        .align = GATE_ALIGN,
        .frames = frames,
        .stack = { FRAME_BASE + FRAME_STRIDE, FRAME_STRIDE },
        .tls = { FRAME_BASE + 2 * TWZ_PAGE_SIZE, FRAME_STRIDE },
        .page = { FRAME_BASE, FRAME_STRIDE },
    };
    return s;
}
