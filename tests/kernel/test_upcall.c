/* SPDX-License-Identifier: MIT */
/* Where fault frames go, masked signals, and exceptions that the processor takes in odd ways. */
#include "user.h"

#define PLACE     (TWZ_SLOT_ADDR(SLOT_TEST + 1) + 16 * TWZ_PAGE_SIZE) /* in the child's view only */
#define PLACE_LEN (16 * TWZ_PAGE_SIZE)

/* --- the place of fault frames ---------------------------------------------------------------- */

static void fault_and_exit(uint64_t arg)
{
    SHARED->faults = 0;
    CALL(thread_exit, 10 * (uint64_t)user_load_faults(8) + arg);
}

static void name_own_stack_and_fault(uint64_t arg)
{
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_FAULT_STACK, 0, 0), 0);
    fault_and_exit(arg);
}

/* The arguments of child_become. */
static struct become_args {
    void (*entry)(uint64_t arg);
    uint64_t fault_base;
    uint64_t fault_len;
} *const become_args = (struct become_args *)(TWZ_SLOT_ADDR(SLOT_SHARED) + 2 * TWZ_PAGE_SIZE);

static void child_become(uint64_t arg)
{
    struct twz_become next = { .view = { SHARED->word[4], SHARED->word[5] },
                               .fault_base = become_args->fault_base,
                               .fault_len = become_args->fault_len };

    /* A place in this view, at an address that is another object in the next one. */
    CALL(thread_ctl, 0, 0, TWZ_THREAD_FAULT_STACK, PLACE, PLACE_LEN);
    next.regs.rip = (uint64_t)(uintptr_t)become_args->entry;
    next.regs.rsp = TWZ_SLOT_ADDR(SLOT_STACK) + TWZ_OBJ_DATA_TOP - 4096 - 8;
    next.regs.rdi = arg;
    next.regs.gsbase = (uint64_t)(uintptr_t)user_thread_page(0);
    CALL(thread_exit, CALL(thread_become, &next, sizeof(next)));
}

static uint64_t count_changed_words(uint32_t slot)
{
    uint64_t changed = 0, i;

    for (i = 512; i < 64 * 512; i++)
        changed += ((volatile uint64_t *)TWZ_SLOT_ADDR(slot))[i] != 0;
    return changed;
}

/* Runs `entry` in a view where PLACE is the object at SLOT_TEST + 2 here. Its exit code. */
static uint64_t become_and_run(void (*entry)(uint64_t arg), uint64_t base, uint64_t len)
{
    objid_t victim = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t id = user_thread(0, fault_and_exit, 0), view;
    unsigned i;

    user_join(0);
    view = user_child_view(0, victim);
    user_map_in(view, TWZ_SLOT_ADDR(SLOT_CHILD_VIEW), SLOT_TEST + 1, victim, TWZ_READ | TWZ_WRITE);
    user_map(SLOT_TEST + 2, victim, TWZ_READ);
    for (i = 0; i < TWZ_FAULT_KINDS; i++)
        ((struct twz_view *)BASE(SLOT_CHILD_VIEW))->fault_entry[i] =
            ((struct twz_view *)BASE(SLOT_OF(user_view_at())))->fault_entry[i];
    SHARED->word[4] = view.lo;
    SHARED->word[5] = view.hi;
    *become_args = (struct become_args){ entry, base, len };
    CHECK_IS(user_spawn(0, id, user_view(), child_become, 6), 0);
    return user_join(0);
}

static void test_become_leaves_no_place_in_another_view(void)
{
    CHECK_IS(become_and_run(fault_and_exit, 0, 0), TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_SEGV));
    CHECK_IS(user_thread_page(0)->exit_fault, 1);
    CHECK_IS(user_thread_page(0)->fault.kind, TWZ_FAULT_DOUBLE);
    CHECK_IS(count_changed_words(SLOT_TEST + 2), 0);
    CHECK_IS(become_and_run(name_own_stack_and_fault, 0, 0), 16);
    CHECK_IS(count_changed_words(SLOT_TEST + 2), 0);
}

static void test_become_carries_the_place(void)
{
    CHECK_IS(become_and_run(fault_and_exit, PLACE, PLACE_LEN), 16);
    CHECK(count_changed_words(SLOT_TEST + 2) > 10);
    CHECK_IS(become_and_run(fault_and_exit, PLACE, 0), -TWZ_EINVAL);
    CHECK_IS(become_and_run(fault_and_exit, 1ull << 46, 1ull << 47), -TWZ_EINVAL);
}

static void child_small_place(uint64_t arg)
{
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_FAULT_STACK, PLACE, arg), 0);
    fault_and_exit(0);
}

/* A frame fits into the fault stack, or nothing is written. */
static void test_frame_stays_in_the_fault_stack(void)
{
    objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

    user_map(SLOT_TEST + 1, id, TWZ_READ | TWZ_WRITE);
    user_thread(0, child_small_place, 512);
    CHECK_IS(user_join(0), TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_SEGV));
    CHECK_IS(user_thread_page(0)->fault.kind, TWZ_FAULT_DOUBLE);
    CHECK_IS(count_changed_words(SLOT_TEST + 1), 0);
    user_thread(0, child_small_place, 8192);
    CHECK_IS(user_join(0), 10);
    CHECK(count_changed_words(SLOT_TEST + 1) > 10);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_FAULT_STACK, 0, 5), -TWZ_EINVAL);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_FAULT_STACK, 1ull << 47, 5), -TWZ_EINVAL);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_FAULT_STACK, PLACE, 1ull << 47), -TWZ_EINVAL);
    user_map(SLOT_TEST + 1, TWZ_OBJID_NONE, 0);
}

/* --- masks ------------------------------------------------------------------------------------ */

static void on_signal_log(struct twz_fault_frame *frame)
{
    uint64_t n = SHARED->word[10]++;

    SHARED->word[11 + n] = frame->fault.addr;
    SHARED->word[30]++;
    if (n == 0) { /* a second signal waits for the end of this handler */
        CALL(thread_signal, 0, 0, 40, 0);
        CHECK_IS(SHARED->word[10], 1);
    }
    SHARED->word[30]--;
    CALL(fault_return, frame);
}

static void test_masked_signals_wait(void)
{
    uint64_t before = 1;
    unsigned i;

    user_set_handler(TWZ_FAULT_SIGNAL, on_signal_log);
    SHARED->word[10] = 0;
    CHECK_IS(
        CALL(thread_ctl, 0, 0, TWZ_THREAD_MASK, TWZ_SIGNAL_BIT(20) | TWZ_SIGNAL_BIT(21), &before),
        0);
    CHECK_IS(before, 0);
    CHECK_IS(CALL(thread_signal, 0, 0, 20, 0), 0);
    CHECK_IS(SHARED->word[10], 0);
    CHECK_IS(CALL(thread_signal, 0, 0, 30, 0), 0); /* and 40 from its handler */
    CHECK_IS(SHARED->word[10], 2);
    CHECK_IS(SHARED->word[11], 30);
    CHECK_IS(SHARED->word[12], 40);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_MASK, 0, &before), 0);
    CHECK_IS(before, TWZ_SIGNAL_BIT(20) | TWZ_SIGNAL_BIT(21));
    CHECK_IS(SHARED->word[10], 3);
    CHECK_IS(SHARED->word[13], 20);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_MASK, ~0ull, 1), -TWZ_EFAULT);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_MASK, ~0ull, 0), 0);
    for (i = 0; i < TWZ_SIGNALS_QUEUED; i++)
        CHECK_IS(CALL(thread_signal, 0, 0, 50, i), 0);
    CHECK_IS(CALL(thread_signal, 0, 0, 50, i), -TWZ_EAGAIN);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_MASK, 0, 0), 0);
    CHECK_IS(SHARED->word[10], 3 + TWZ_SIGNALS_QUEUED);
}

/* A frame that the kernel does not know is refused, and the handler goes on. */
static void on_signal_bad_frames(struct twz_fault_frame *frame)
{
    uint64_t flags = frame->flags, size = frame->xsave_size, bit;

    for (bit = 1; bit != 0; bit <<= 1) {
        if (bit & TWZ_FRAME_MASK)
            continue;
        frame->flags = flags | bit;
        CHECK_IS(CALL(fault_return, frame), -TWZ_EINVAL);
    }
    frame->flags = flags;
    if (frame->xsave) {
        frame->xsave_size = size - 64;
        CHECK_IS(CALL(fault_return, frame), -TWZ_EINVAL);
        frame->xsave_size = size + 64;
        CHECK_IS(CALL(fault_return, frame), -TWZ_EINVAL);
        frame->xsave_size = size;
    }
    SHARED->word[10]++;
    CALL(fault_return, frame);
    CHECK(0);
}

static void test_unknown_frames_are_refused(void)
{
    user_set_handler(TWZ_FAULT_SIGNAL, on_signal_bad_frames);
    SHARED->word[10] = 0;
    CHECK_IS(CALL(thread_signal, 0, 0, 30, 0), 0);
    CHECK_IS(SHARED->word[10], 1);
    user_set_handler(TWZ_FAULT_SIGNAL, on_signal_log);
}

static void child_masks_all(uint64_t arg)
{
    CALL(thread_ctl, 0, 0, TWZ_THREAD_MASK, ~0ull, 0);
    __atomic_store_n(&SHARED->word[6], 1, __ATOMIC_RELEASE);
    user_wake(&SHARED->word[6], 1);
    SHARED->word[7] = (uint64_t)user_wait(&SHARED->word[8], 0, user_now() + arg);
    user_wait(&SHARED->word[8], 0, TWZ_FOREVER);
}

/* A masked signal ends no sleep; a kill cannot be masked. */
static void test_kill_cannot_be_masked(void)
{
    objid_t id;

    SHARED->word[6] = 0;
    SHARED->word[8] = 0;
    id = user_thread(0, child_masks_all, 3000000);
    while (__atomic_load_n(&SHARED->word[6], __ATOMIC_ACQUIRE) == 0)
        user_wait(&SHARED->word[6], 0, TWZ_FOREVER);
    CHECK_IS(CALL(thread_signal, IDARG(id), 10, 0), 0);
    while (__atomic_load_n(&SHARED->word[7], __ATOMIC_ACQUIRE) == 0)
        user_wait(&SHARED->word[7], 0, user_now() + 1000000);
    CHECK_IS(SHARED->word[7], -TWZ_ETIMEDOUT);
    CHECK_IS(CALL(thread_signal, IDARG(id), TWZ_SIGNAL_KILL, 0), 0);
    CHECK_IS(user_join(0), TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_KILL));
}

/* --- the processor ---------------------------------------------------------------------------- */

void far_return(void);
void set_user_base(uint64_t base);
__asm__(".text\n"
        ".globl far_return\n"
        "far_return: lea user_land(%rip), %rax\n"
        "pushq $0x08\n" /* the kernel's code segment */
        "pushq %rax\n"
        "lretq\n"
        "ud2\n"
        ".globl set_user_base\n"
        "set_user_base: wrgsbase %rdi\n"
        "ret\n");

static void child_far_return(uint64_t arg)
{
    (void)arg;
    far_return();
}

/* The processor reads the frame of a far return with the kernel's rights (in QEMU), which is no
 * fault that mapping a page repairs. */
static void test_far_return_to_the_kernel_ends_the_thread(void)
{
    user_set_handler(TWZ_FAULT_PERM, NULL);
    user_set_handler(TWZ_FAULT_EXCEPTION, NULL);
    user_thread(0, child_far_return, 0);
    CHECK_IS(user_join(0), TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_SEGV));
    CHECK_IS(user_thread_page(0)->exit_fault, 1);
    user_handlers();
}

static void child_bad_base(uint64_t arg)
{
    set_user_base(arg);
    for (;;)
        user_yield();
}

/* A base that the kernel does not load ends the thread with a record. */
static void test_bad_base_ends_the_thread_with_a_record(void)
{
    const uint64_t base = 0xffff800000001000ull;

    user_thread(0, child_bad_base, base);
    CALL(thread_ctl, IDARG(user_thread_page(0)->id), TWZ_THREAD_CORES, 1);
    user_thread(1, child_bad_base, base);
    CALL(thread_ctl, IDARG(user_thread_page(1)->id), TWZ_THREAD_CORES, 1);
    CHECK_IS(user_join(0), TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_SEGV));
    CHECK_IS(user_thread_page(0)->exit_fault, 1);
    CHECK_IS(user_thread_page(0)->fault.kind, TWZ_FAULT_EXCEPTION);
    CHECK_IS(user_thread_page(0)->fault.addr, base);
    CALL(thread_signal, IDARG(user_thread_page(1)->id), TWZ_SIGNAL_KILL, 0);
    user_join(1);
}

void test_main(void)
{
    user_handlers();
    test_become_leaves_no_place_in_another_view();
    test_become_carries_the_place();
    test_frame_stays_in_the_fault_stack();
    test_masked_signals_wait();
    test_unknown_frames_are_refused();
    test_kill_cannot_be_masked();
    user_handlers();
    test_far_return_to_the_kernel_ends_the_thread();
    test_bad_base_ends_the_thread_with_a_record();
}
