/* SPDX-License-Identifier: MIT */
/* Each kind of fault: its description, its repair by a handler, and the end of a thread. */
#include "user.h"

#define LOW_ADDR 8ull

static void expect_fault(int faulted, unsigned kind, unsigned reason, uint64_t addr, int line)
{
    const struct twz_fault *f = &SHARED->fault;

    user_check(faulted == 1, "the access faults", line);
    user_check_is(f->kind, kind, "kind", line);
    user_check_is(f->reason, reason, "reason", line);
    user_check_is(f->addr, addr, "address", line);
}

#define EXPECT(touch, kind, reason, addr) \
    expect_fault(touch, TWZ_FAULT_##kind, TWZ_REASON_##reason, addr, __LINE__)

static void test_null_page_faults(void)
{
    uint64_t null_page = TWZ_SLOT_ADDR(SLOT_OF(__builtin_frame_address(0))) + 16;

    EXPECT(user_store_faults(LOW_ADDR), NULL, NONE, LOW_ADDR);
    CHECK_IS(SHARED->fault.need, TWZ_WRITE);
    CHECK_IS(SHARED->fault.have, 0);
    EXPECT(user_load_faults(null_page), NULL, NONE, null_page);
    CHECK_IS(SHARED->fault.need, TWZ_READ);
}

static void test_absent_objects_fault(void)
{
    objid_t none = { 77, 88 };
    objid_t gone = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t at = TWZ_SLOT_ADDR(SLOT_TEST) + TWZ_OBJ_BASE;

    EXPECT(user_load_faults(at), OBJECT, EMPTY, at);
    user_map(SLOT_TEST, none, TWZ_READ);
    EXPECT(user_load_faults(at), OBJECT, NOOBJ, at);
    CHECK_IS(SHARED->fault.object.lo, 77);
    user_map(SLOT_TEST, gone, TWZ_READ | TWZ_WRITE);
    CHECK_IS(user_store_faults(at), 0);
    CHECK_IS(CALL(obj_delete, IDARG(gone), TWZ_DELETE_NOW), 0);
    CHECK_IS(user_load_faults(at), 1);
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_OBJECT);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
}

/* Rights that the view entry or the object lacks, W and X together, and the record page. */
static void test_missing_rights_fault(void)
{
    objid_t both = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    objid_t readable = user_object(0, TWZ_READ | TWZ_DEL, TWZ_KIND_DATA);
    uint64_t at = TWZ_SLOT_ADDR(SLOT_TEST) + TWZ_OBJ_BASE;
    uint64_t record = TWZ_SLOT_ADDR(SLOT_TEST) + TWZ_OBJ_RECORD;

    user_map(SLOT_TEST, both, TWZ_READ);
    CHECK_IS(user_load_faults(at), 0);
    EXPECT(user_store_faults(at), PERM, NONE, at);
    CHECK_IS(SHARED->fault.need, TWZ_WRITE);
    CHECK_IS(SHARED->fault.have, TWZ_READ);
    CHECK_IS(SHARED->fault.object.lo, both.lo);
    EXPECT(user_jump_faults(at), PERM, NONE, at);
    CHECK_IS(SHARED->fault.need, TWZ_EXEC);

    user_map(SLOT_TEST, readable, TWZ_READ | TWZ_WRITE);
    CHECK_IS(user_load_faults(at), 0);
    EXPECT(user_store_faults(at), PERM, NONE, at);

    user_map(SLOT_TEST, both, TWZ_READ | TWZ_WRITE | TWZ_EXEC);
    EXPECT(user_load_faults(at), PERM, WX, at);

    user_map(SLOT_TEST, both, TWZ_READ | TWZ_WRITE);
    CHECK_IS(user_store_faults(at), 0);
    EXPECT(user_store_faults(record), PERM, KERNEL, record);
    CHECK_IS(((struct twz_record *)record)->id.hi, both.hi);
}

/* Write and execute on one object through two slots, and one after the other. */
static void test_write_and_execute_exclude_each_other(void)
{
    objid_t code = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t write_at = TWZ_SLOT_ADDR(SLOT_TEST) + TWZ_OBJ_BASE;
    uint64_t exec_at = TWZ_SLOT_ADDR(SLOT_TEST + 1) + TWZ_OBJ_BASE;

    user_map(SLOT_TEST, code, TWZ_READ | TWZ_WRITE);
    *(volatile uint8_t *)write_at = 0xc3;
    user_map(SLOT_TEST + 1, code, TWZ_READ | TWZ_EXEC);
    EXPECT(user_jump_faults(exec_at), PERM, WX, exec_at);
    user_map(SLOT_TEST, code, TWZ_READ);
    CHECK_IS(user_jump_faults(exec_at), 0);
    user_map(SLOT_TEST, code, TWZ_READ | TWZ_WRITE);
    EXPECT(user_store_faults(write_at), PERM, WX, write_at);
    user_map(SLOT_TEST + 1, code, TWZ_READ);
    CHECK_IS(user_store_faults(write_at), 0);
    EXPECT(user_jump_faults(write_at), PERM, NONE, write_at);
    *(volatile uint8_t *)write_at = 0xc3;
    user_map(SLOT_TEST, code, TWZ_READ | TWZ_EXEC);
    CHECK_IS(user_jump_faults(write_at), 0);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    user_map(SLOT_TEST + 1, TWZ_OBJID_NONE, 0);
}

static void test_kernel_memory_faults(void)
{
    uint64_t kernel = 0xffff800000001000ull;
    uint64_t own =
        (uint64_t)(uintptr_t)user_own_page() - TWZ_OBJ_BASE + TWZ_THREAD_KPAGE * TWZ_PAGE_SIZE;

    EXPECT(user_load_faults(kernel), PERM, KERNEL, kernel);
    EXPECT(user_store_faults(0xffffffff80000000ull), PERM, KERNEL, 0xffffffff80000000ull);
    EXPECT(user_load_faults(own), PERM, KERNEL, own);
    CHECK_IS(user_load_faults(0x0000800000000000ull), 1);
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_EXCEPTION);
    CHECK_IS(SHARED->fault.code >> 32, 13);
}

static void test_holes_and_protected_pages_fault(void)
{
    objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t at = TWZ_SLOT_ADDR(SLOT_TEST) + 8 * TWZ_PAGE_SIZE;

    user_map(SLOT_TEST, id, TWZ_READ | TWZ_WRITE);
    CHECK_IS(user_store_faults(at), 0);
    CHECK_IS(user_range(id, TWZ_RANGE_HOLE, 8, 1), 0);
    EXPECT(user_load_faults(at), PAGE, HOLE, at);
    EXPECT(user_store_faults(at), PAGE, HOLE, at);
    CHECK_IS(user_store_faults(at + TWZ_PAGE_SIZE), 0);
    CHECK_IS(user_range(id, TWZ_RANGE_DISCARD, 8, 1), 0);
    CHECK_IS(user_load_faults(at), 0);
    CHECK_IS(*(volatile uint64_t *)at, 0);
    CHECK_IS(user_range(id, TWZ_RANGE_PROTECT, 8, 1), 0);
    EXPECT(user_store_faults(at), PERM, NONE, at);
    CHECK_IS(user_load_faults(at), 0);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
}

__asm__(".text\n"
        "fault_divide: xor %edx, %edx; xor %ecx, %ecx; div %ecx; xor %eax, %eax; ret\n"
        "fault_undefined: ud2; ret\n"
        "fault_raw_call: mov $1, %eax; mov $0x55, %edi; syscall; ret\n"
        /* xmm6 = rdi; store through rsi faults; returns 1 if xmm6 is still rdi */
        "fault_vector: movq %rdi, %xmm6; movq $1, (%rsi); movq %xmm6, %rax; ret\n");
int fault_divide(void);
int fault_undefined(void);
int fault_raw_call(void);
uint64_t fault_vector(uint64_t value, uint64_t addr);

static void test_exceptions_reach_the_handler(void)
{
    CHECK_IS(fault_divide(), 1);
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_EXCEPTION);
    CHECK_IS(SHARED->fault.code >> 32, 0);
    CHECK_IS(fault_undefined(), 1);
    CHECK_IS(SHARED->fault.code >> 32, 6);
    CHECK_IS(SHARED->fault.ip, (uint64_t)(uintptr_t)fault_undefined);
}

static void test_foreign_call_faults(void)
{
    CHECK_IS(fault_raw_call(), 1);
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_CALL);
    CHECK_IS(SHARED->fault.code, 1);
    CHECK_IS(SHARED->regs.rax, 1);
    CHECK_IS(SHARED->regs.rdi, 0x55);
    CHECK_IS(SHARED->fault.ip, (uint64_t)(uintptr_t)fault_raw_call + 12);
    CHECK_IS(user_call(TWZ_SYSCALL_BASE + 500, 0, 0, 0, 0, 0, 0), -TWZ_ENOSYS);
    CHECK_IS(user_call(-1, 0, 0, 0, 0, 0, 0), -TWZ_ENOSYS);
}

/* A handler that makes the page writable. Every register must keep its value. */
static void repair_mapping(struct twz_fault_frame *frame)
{
    user_map(SLOT_TEST,
             SHARED->word[0] != 0 ? (objid_t){ SHARED->word[0], SHARED->word[1] } : TWZ_OBJID_NONE,
             TWZ_READ | TWZ_WRITE);
    SHARED->faults++;
    __asm__ volatile("pcmpeqd %%xmm6, %%xmm6" : : : "xmm6");
    CALL(fault_return, frame);
}

static void test_handler_repairs_the_cause(void)
{
    objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    uint64_t before = SHARED->faults;

    SHARED->word[0] = id.lo;
    SHARED->word[1] = id.hi;
    user_map(SLOT_TEST, id, TWZ_READ);
    user_set_handler(TWZ_FAULT_PERM, repair_mapping);
    CHECK_IS(fault_vector(0x1234567890abcdefull, TWZ_SLOT_ADDR(SLOT_TEST) + TWZ_OBJ_BASE),
             0x1234567890abcdefull);
    CHECK_IS(SHARED->faults, before + 1);
    CHECK_IS(*BASE(SLOT_TEST), 1);
    user_handlers();
}

static void test_fault_return_validates_the_frame(void)
{
    struct twz_fault_frame frame = { .xsave = 0 };

    CHECK_IS(CALL(fault_return, 0), -TWZ_EFAULT);
    CHECK_IS(CALL(fault_return, 0xffff800000000000ull), -TWZ_EFAULT);
    frame.regs.rip = 0xffff800000000000ull;
    CHECK_IS(CALL(fault_return, &frame), -TWZ_EINVAL);
    frame.regs.rip = (uint64_t)(uintptr_t)user_log;
    frame.regs.gsbase = 0x8000000000000000ull;
    CHECK_IS(CALL(fault_return, &frame), -TWZ_EINVAL);
    frame.regs.gsbase = 0;
    frame.xsave = 4096;
    frame.xsave_size = 1;
    CHECK_IS(CALL(fault_return, &frame), -TWZ_EINVAL);
}

/* --- ends of threads -------------------------------------------------------------------------- */

static void child_null(uint64_t arg)
{
    *(volatile uint64_t *)arg = 1;
}

static void child_exception(uint64_t arg)
{
    (void)arg;
    fault_undefined();
}

static void child_divide(uint64_t arg)
{
    (void)arg;
    fault_divide();
}

static void child_page(uint64_t arg)
{
    *(volatile uint64_t *)arg = 1;
}

static void child_bad_stack(uint64_t arg)
{
    __asm__ volatile("mov %0, %%rsp; movq $1, 8" : : "r"(arg) : "memory");
}

static void expect_end(unsigned n, void (*fn)(uint64_t), uint64_t arg, uint64_t code, unsigned kind)
{
    struct twz_thread *t = user_thread_page(n);

    user_thread(n, fn, arg);
    CHECK_IS(user_join(n), code);
    CHECK_IS(t->exit_fault, 1);
    CHECK_IS(t->fault.kind, kind);
}

static void test_unhandled_fault_ends_the_thread(void)
{
    objid_t hole = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);
    unsigned kind;

    expect_end(0, child_bad_stack, 0x1000, 139, TWZ_FAULT_DOUBLE);
    for (kind = 0; kind < TWZ_FAULT_KINDS; kind++)
        user_set_handler(kind, NULL);
    CHECK_IS(CALL(obj_range, IDARG(hole), TWZ_RANGE_HOLE, TWZ_PAGE_SIZE, TWZ_PAGE_SIZE), 0);
    user_map(SLOT_TEST, hole, TWZ_READ | TWZ_WRITE);
    expect_end(1, child_null, LOW_ADDR, 139, TWZ_FAULT_NULL);
    CHECK_IS(user_thread_page(1)->fault.addr, LOW_ADDR);
    expect_end(2, child_exception, 0, 132, TWZ_FAULT_EXCEPTION);
    expect_end(3, child_divide, 0, 136, TWZ_FAULT_EXCEPTION);
    expect_end(4, child_page, TWZ_SLOT_ADDR(SLOT_TEST) + TWZ_OBJ_BASE, 135, TWZ_FAULT_PAGE);
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    user_handlers();
}

void test_main(void)
{
    user_handlers();
    test_null_page_faults();
    test_absent_objects_fault();
    test_missing_rights_fault();
    test_write_and_execute_exclude_each_other();
    test_kernel_memory_faults();
    test_holes_and_protected_pages_fault();
    test_exceptions_reach_the_handler();
    test_foreign_call_faults();
    test_handler_repairs_the_cause();
    test_fault_return_validates_the_frame();
    test_unhandled_fault_ends_the_thread();
}
