/* SPDX-License-Identifier: MIT */
/* Gates: what a call reaches, what it carries, and what cannot go around it. */
#include "gate.h"

#define SECRET 0x5ec7e7ull

static objid_t secret_object(void)
{
    objid_t id = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

    user_map(SLOT_TEST, id, TWZ_READ | TWZ_WRITE);
    *BASE(SLOT_TEST) = SECRET;
    user_map(SLOT_TEST, TWZ_OBJID_NONE, 0);
    return id;
}

static uint64_t entry(unsigned index)
{
    return index * GATE_ALIGN;
}

static void test_call(const struct gate_service *s)
{
    uint64_t value = 0;

    CHECK_IS(gate_call(s->id, entry(GATE_ARGS), 1, 10, 100, &value), -TWZ_ENOOBJ);
    CHECK(gate_attach(s->id) >= 0);
    CHECK_IS(gate_attach(s->id), -TWZ_EBUSY);
    CHECK_IS(gate_call(s->id, entry(GATE_ARGS), 1, 10, 100, &value), 0);
    CHECK_IS(value, 321);
    CHECK_IS(gate_call(s->id, entry(GATE_SECRET), 0, 0, 0, &value), 0);
    CHECK_IS(value, SECRET);
    CHECK(user_load_faults(TWZ_SLOT_ADDR(SLOT_TEST) + TWZ_OBJ_BASE));
}

/* --- entries ---------------------------------------------------------------------------------- */

static void test_range(const struct gate_service *s)
{
    uint64_t own_page = (uint64_t)(uintptr_t)user_own_page, value = 0;

    CHECK_IS(gate_call(s->id, entry(GATE_ENTRIES) - GATE_ALIGN, own_page, 0, 0, &value), 0);
    CHECK_IS(value, FRAME_BASE);
    CHECK_IS(gate_call(s->id, entry(GATE_ENTRIES), 0, 0, 0, NULL), -TWZ_ERANGE);
    CHECK_IS(gate_call(s->id, entry(GATE_ENTRIES) - 1, 0, 0, 0, NULL), -TWZ_EINVAL);
    CHECK_IS(gate_call(s->id, 0, 0, 0, 0, NULL), 0);
    CHECK_IS(gate_call(s->id, (uint64_t)-1, 0, 0, 0, NULL), -TWZ_ERANGE);
    CHECK_IS(gate_call(s->id, (uint64_t)-16, 0, 0, 0, NULL), -TWZ_ERANGE);
    CHECK_IS(gate_call(s->id, 1, 0, 0, 0, NULL), -TWZ_EINVAL);
    CHECK_IS(gate_call(s->id, GATE_ALIGN - 1, 0, 0, 0, NULL), -TWZ_EINVAL);
    CHECK_IS(gate_call(s->id, 8, 0, 0, 0, NULL), -TWZ_EINVAL);
}

/* --- attachment ------------------------------------------------------------------------------- */

/* The result of an attachment with one word changed. */
static long attach_with(const struct gate_service *s, uint64_t off, uint64_t value)
{
    uint64_t *word = (uint64_t *)(void *)((uint8_t *)s->words + off), before = *word;
    long err;

    *word = value;
    err = gate_attach(s->id);
    *word = before;
    if (err >= 0)
        CHECK(gate_detach(s->id) >= 0);
    return err;
}

#define WORD(field) __builtin_offsetof(struct twz_service, field)

static void test_words(const struct gate_service *s)
{
    const uint64_t top = 1ull << 47;

    CHECK(gate_detach(s->id) >= 0);
    CHECK_IS(gate_call(s->id, 0, 0, 0, 0, NULL), -TWZ_ENOOBJ);
    CHECK_IS(gate_detach(s->id), -TWZ_ENOOBJ);
    CHECK(attach_with(s, WORD(magic), TWZ_SERVICE_MAGIC) >= 0);
    CHECK_IS(attach_with(s, WORD(magic), 0), -TWZ_EINVAL);
    CHECK_IS(attach_with(s, WORD(version), 2), -TWZ_EVERSION);
    CHECK_IS(attach_with(s, WORD(version), 1 | 31ull << 32), -TWZ_EINVAL);
    CHECK(attach_with(s, WORD(version), 1 | 16ull << 32) >= 0);
    CHECK_IS(attach_with(s, WORD(length), 0), -TWZ_EINVAL);
    CHECK_IS(attach_with(s, WORD(entry), top), -TWZ_EINVAL);
    CHECK_IS(attach_with(s, WORD(length), top), -TWZ_EINVAL);
    CHECK_IS(attach_with(s, WORD(align), 0), -TWZ_EINVAL);
    CHECK_IS(attach_with(s, WORD(align), 24), -TWZ_EINVAL);
    CHECK(attach_with(s, WORD(align), 1) >= 0);
    CHECK_IS(attach_with(s, WORD(frames), 0), -TWZ_EINVAL);
    CHECK_IS(attach_with(s, WORD(frames), TWZ_SERVICE_FRAMES + 1), -TWZ_EINVAL);
    CHECK(attach_with(s, WORD(frames), TWZ_SERVICE_FRAMES) >= 0);
    CHECK_IS(attach_with(s, WORD(frames), 2 | 2ull << 32), -TWZ_EINVAL);
    CHECK_IS(attach_with(s, WORD(stack.base), FRAME_BASE + 8), -TWZ_EINVAL);
    CHECK_IS(attach_with(s, WORD(stack.base), 0), -TWZ_EINVAL);
    CHECK_IS(attach_with(s, WORD(stack.stride), top), -TWZ_EINVAL);
    CHECK_IS(attach_with(s, WORD(page.base), top), -TWZ_EINVAL);
    CHECK_IS(attach_with(s, WORD(page.base), FRAME_BASE + 32), -TWZ_EINVAL);
    CHECK_IS(attach_with(s, WORD(tls.base), top), -TWZ_EINVAL);
    CHECK(attach_with(s, WORD(tls.base), 0) >= 0);
    CHECK_IS(attach_with(s, WORD(reserved[7]), 1), -TWZ_EINVAL);
    CHECK_IS(attach_with(s, WORD(view.lo), 1), -TWZ_ENOOBJ);
    CHECK_IS(attach_with(s, WORD(sctx.lo), 1), -TWZ_ENOOBJ);
    CHECK(gate_attach(s->id) >= 0);
}

/* A store after the attachment changes nothing. */
static void test_later_stores(const struct gate_service *s)
{
    uint64_t value = 0;

    s->words->entry += GATE_ALIGN;
    s->words->align = 1;
    s->words->length = 1ull << 40;
    s->words->view = user_view();
    CHECK_IS(gate_call(s->id, entry(GATE_ARGS), 7, 0, 0, &value), 0);
    CHECK_IS(value, 7);
    CHECK_IS(gate_call(s->id, entry(GATE_ENTRIES), 0, 0, 0, NULL), -TWZ_ERANGE);
    s->words->entry -= GATE_ALIGN;
    s->words->align = GATE_ALIGN;
    s->words->length = GATE_ENTRIES * GATE_ALIGN;
    s->words->view = s->view;
}

/* The service's object, view or context, each with all rights but one. */
static void test_rights(const struct gate_service *s)
{
    const uint32_t but_use = TWZ_PERMS & ~TWZ_USE;
    struct gate_service other = gate_service(2, TWZ_OBJID_NONE);
    objid_t weak = user_object(0, but_use, TWZ_KIND_SERVICE);
    objid_t view = user_object(0, but_use, TWZ_KIND_VIEW);
    objid_t sctx = user_object(0, but_use, TWZ_KIND_SCTX);
    objid_t data = user_object(0, TWZ_PERMS, TWZ_KIND_DATA);

    (void)s;
    CHECK_IS(gate_attach(weak), -TWZ_EDENIED);
    other.words->view = view;
    CHECK_IS(gate_attach(other.id), -TWZ_EDENIED);
    other.words->view = data;
    CHECK_IS(gate_attach(other.id), -TWZ_ETYPE);
    other.words->view = other.view;
    other.words->sctx = sctx;
    CHECK_IS(gate_attach(other.id), -TWZ_EDENIED);
    other.words->sctx = data;
    CHECK_IS(gate_attach(other.id), -TWZ_ETYPE);
    other.words->sctx = user_object(0, TWZ_USE, TWZ_KIND_SCTX);
    CHECK(gate_attach(other.id) >= 0);
    CHECK_IS(gate_call(other.id, 0, 1, 1, 1, NULL), 0);
    CHECK_IS(CALL(obj_ctl, IDARG(other.id), TWZ_CTL_PERMS, TWZ_EXEC | TWZ_WRITE | TWZ_DEL), 0);
    CHECK_IS(gate_call(other.id, 0, 1, 1, 1, NULL), 0);
    CHECK_IS(gate_detach(other.id), -TWZ_EDENIED);
    CHECK_IS(CALL(obj_ctl, IDARG(other.id), TWZ_CTL_PERMS, TWZ_WRITE | TWZ_DEL), 0);
    CHECK_IS(gate_call(other.id, 0, 1, 1, 1, NULL), -TWZ_EDENIED);
    CHECK_IS(gate_call(data, 0, 1, 1, 1, NULL), -TWZ_ETYPE);
    CHECK_IS(CALL(obj_delete, IDARG(other.id), 0), 0);
}

/* --- registers -------------------------------------------------------------------------------- */

static struct gate_probe *probe(void)
{
    return (struct gate_probe *)(uintptr_t)(TWZ_SLOT_ADDR(SLOT_TEST + 1) + TWZ_OBJ_BASE);
}

#define XSAVE_MXCSR  24u
#define XSAVE_XMM    160u
#define XSAVE_HEADER 512u
#define XSAVE_AVX    576u

static uint32_t word_at(const uint8_t *image, unsigned off)
{
    return *(const uint32_t *)(const void *)(image + off);
}

/* The image is that of a new thread. */
static bool is_start_state(const uint8_t *image)
{
    uint32_t any = 0;

    for (unsigned i = 32; i < XSAVE_HEADER - 96; i += 4) /* x87 and SSE registers */
        any |= word_at(image, i);
    for (unsigned i = XSAVE_HEADER + 8; i < 3072 - 4; i += 4)
        any |= word_at(image, i);
    return any == 0 && *(const uint16_t *)(const void *)image == 0x37f && word_at(image, 4) == 0 &&
           word_at(image, XSAVE_MXCSR) == 0x1f80;
}

static void fill_probe(struct gate_probe *p, objid_t service)
{
    const uint64_t mark = 0x1badb00200000000ull;

    for (unsigned i = 0; i < 16; i++)
        (&p->in.rax)[i] = mark + i;
    p->in.rax = TWZ_SYS_gate_call;
    p->in.rdi = service.lo;
    p->in.rsi = service.hi;
    p->in.rdx = entry(GATE_DUMP);
    p->in.r10 = mark + 0xa0;
    p->in.r8 = mark + 0xb0;
    p->in.r9 = mark + 0xc0;
    p->in.flags = 0x202 | 1 << 11 | 1 << 10 | 0x85; /* OF, DF, SF, PF, CF */
    for (unsigned i = 32; i < XSAVE_HEADER - 96; i++)
        p->vector_in[i] = (uint8_t)(i | 1);
    for (unsigned i = XSAVE_AVX; i < XSAVE_AVX + 256; i++)
        p->vector_in[i] = (uint8_t)(i | 1);
    *(uint16_t *)(void *)p->vector_in = 0x27f;
    *(uint32_t *)(void *)(p->vector_in + XSAVE_MXCSR) = 0x3f80;
    p->vector_in[XSAVE_HEADER] = 7;
}

static void check_callee_registers(const struct gate_probe *p, const struct gate_regs *r)
{
    CHECK_IS(r->rdi, p->in.r10);
    CHECK_IS(r->rsi, p->in.r8);
    CHECK_IS(r->rdx, p->in.r9);
    CHECK_IS(r->rax | r->rbx | r->rcx | r->rbp | r->r8 | r->r9 | r->r10 | r->r11, 0);
    CHECK_IS(r->r12 | r->r13 | r->r14 | r->r15, 0);
    CHECK_IS(r->flags, 0x202);
    CHECK_IS(r->rsp, FRAME_BASE + FRAME_STRIDE - 8);
    CHECK_IS(r->fsbase, FRAME_BASE + 2 * TWZ_PAGE_SIZE);
    CHECK_IS(r->gsbase, FRAME_BASE);
    CHECK(is_start_state(gate_dump_vector(0)));
}

static void test_registers(const struct gate_service *s)
{
    uint64_t own = (uint64_t)(uintptr_t)user_own_page();
    const struct gate_regs *r;
    struct gate_probe *p;

    user_map(SLOT_TEST + 1, user_object(0, TWZ_PERMS, TWZ_KIND_DATA), TWZ_READ | TWZ_WRITE);
    p = probe();
    fill_probe(p, s->id);
    __asm__ volatile("wrfsbase %0" : : "r"(0x123456789000ull));
    gate_probe(p);
    check_callee_registers(p, gate_dump_regs(0));
    r = &p->out;
    CHECK_IS(r->rax, 0);
    CHECK_IS(r->rdx, FRAME_BASE + FRAME_STRIDE - 8);
    CHECK_IS(r->rbx | r->rcx | r->rsi | r->rdi | r->rbp | r->r8 | r->r9 | r->r10 | r->r11, 0);
    CHECK_IS(r->r12 | r->r13 | r->r14 | r->r15, 0);
    CHECK_IS(r->flags, 0x202);
    CHECK_IS(r->rsp, p->in.rsp);
    CHECK_IS(r->fsbase, 0x123456789000ull);
    CHECK_IS(r->gsbase, own);
    CHECK(is_start_state(p->vector_out));
    __asm__ volatile("wrfsbase %0" : : "r"(0ull));
}

/* A base that user code must not have is refused, not kept. */
static void test_bad_base(const struct gate_service *s)
{
    __asm__ volatile("wrfsbase %0" : : "r"(0xffff800000000000ull));
    CHECK_IS(gate_call(s->id, 0, 0, 0, 0, NULL), -TWZ_EINVAL);
    __asm__ volatile("wrfsbase %0" : : "r"(0ull));
    CHECK_IS(gate_call(s->id, 0, 0, 0, 0, NULL), 0);
}

/* --- return, depth, become -------------------------------------------------------------------- */

static uint64_t return_twice(uint64_t b, uint64_t c)
{
    (void)c;
    __atomic_fetch_add(&SHARED->word[0], 1, __ATOMIC_RELAXED);
    CALL(gate_return, b);
    __atomic_fetch_add(&SHARED->word[0], 100, __ATOMIC_RELAXED);
    return 0;
}

static void test_return(const struct gate_service *s)
{
    CHECK_IS(CALL(gate_return, 5), -TWZ_EINVAL);
    SHARED->word[0] = 0;
    CHECK_IS(gate_run(s, return_twice, 77, 0), 77);
    CHECK_IS(SHARED->word[0], 1);
    CHECK_IS(CALL(gate_return, 5), -TWZ_EINVAL);
}

/* Calls itself until it fails: the number of calls that are in progress then. */
static uint64_t descend(uint64_t lo, uint64_t hi)
{
    objid_t id = { lo, hi };
    uint64_t value = 0;
    long err = gate_call(id, GATE_RUN * GATE_ALIGN, (uint64_t)(uintptr_t)descend, lo, hi, &value);

    SHARED->word[1] = err < 0 ? (uint64_t)err : SHARED->word[1];
    return err < 0 ? 1 : value + 1;
}

static void test_depth(const struct gate_service *s)
{
    CHECK_IS(gate_run(s, descend, s->id.lo, s->id.hi), TWZ_GATE_DEPTH);
    CHECK_IS(SHARED->word[1], -TWZ_EFULL);
    CHECK_IS(gate_run(s, descend, s->id.lo, s->id.hi), TWZ_GATE_DEPTH);
    CHECK_IS(CALL(gate_return, 0), -TWZ_EINVAL);
}

/* In the callee: becomes, in that view, a thread that returns 55. */
static void landed(void)
{
    CALL(gate_return, 55);
}

static uint64_t become_in(uint64_t lo, uint64_t hi)
{
    struct twz_become become = { .view = { lo, hi } };

    become.regs.rip = (uint64_t)(uintptr_t)landed;
    become.regs.rsp = ((uint64_t)(uintptr_t)__builtin_frame_address(0) - 512) & ~15ull;
    become.regs.rflags = 0x202;
    become.regs.gsbase = (uint64_t)(uintptr_t)user_own_page();
    return (uint64_t)CALL(thread_become, SIZED(&become));
}

static void test_become(const struct gate_service *s)
{
    objid_t mine = user_view(), closed = user_object(0, TWZ_PERMS & ~TWZ_USE, TWZ_KIND_VIEW);

    CHECK_IS(gate_run(s, become_in, mine.lo, mine.hi), -TWZ_EDENIED);
    CHECK_IS(gate_run(s, become_in, s->view.lo, s->view.hi), 55);
    CHECK_IS(become_in(closed.lo, closed.hi), -TWZ_EDENIED);
}

/* --- contexts --------------------------------------------------------------------------------- */

#define CONTEXT_SLOT (SLOT_TEST + 2)

static objid_t new_context(void)
{
    struct twz_create spec = { .perms = TWZ_USE | TWZ_DEL,
                               .kind = TWZ_KIND_SCTX,
                               .context = TWZ_CONTEXT_EMPTY };
    objid_t id = TWZ_OBJID_NONE;

    CHECK_IS(user_create(&spec, &id), 0);
    return id;
}

static long rights_on(objid_t id)
{
    struct twz_stat stat;
    long err = CALL(obj_stat, IDARG(id), SIZED(&stat));

    return err < 0 ? err : (long)stat.rights;
}

/* In the service's context: an object that gives no rights by default, with a secret in it. */
static uint64_t make_secret(uint64_t b, uint64_t c)
{
    objid_t id = user_object(0, 0, TWZ_KIND_DATA);

    (void)c;
    user_map(CONTEXT_SLOT, id, TWZ_READ | TWZ_WRITE);
    *BASE(CONTEXT_SLOT) = b;
    SHARED->word[20] = id.lo;
    SHARED->word[21] = id.hi;
    return (uint64_t)rights_on(id);
}

static uint64_t tell_secret(uint64_t b, uint64_t c)
{
    (void)b;
    (void)c;
    return *BASE(CONTEXT_SLOT);
}

static uint64_t become_context(uint64_t lo, uint64_t hi)
{
    struct twz_become become = { .sctx = { lo, hi } };

    become.view = (objid_t){ SHARED->word[22], SHARED->word[23] };
    become.regs.rip = (uint64_t)(uintptr_t)landed;
    become.regs.rsp = ((uint64_t)(uintptr_t)__builtin_frame_address(0) - 512) & ~15ull;
    become.regs.rflags = 0x202;
    become.regs.gsbase = (uint64_t)(uintptr_t)user_own_page();
    return (uint64_t)CALL(thread_become, SIZED(&become));
}

/* The data of a service whose context alone has rights on them. */
static void test_contexts(void)
{
    struct gate_service s = gate_service(4, TWZ_OBJID_NONE);
    objid_t own = new_context(), other = new_context(), id;

    s.words->sctx = own;
    CHECK(gate_attach(s.id) >= 0);
    CHECK_IS(gate_run(&s, make_secret, SECRET, 0), TWZ_PERMS);
    id = (objid_t){ SHARED->word[20], SHARED->word[21] };
    CHECK_IS(gate_run(&s, tell_secret, 0, 0), SECRET);
    CHECK_IS(rights_on(id), -TWZ_EDENIED);
    user_map(CONTEXT_SLOT, id, TWZ_READ | TWZ_WRITE);
    CHECK(user_load_faults(TWZ_SLOT_ADDR(CONTEXT_SLOT) + TWZ_OBJ_BASE));
    CHECK(user_store_faults(TWZ_SLOT_ADDR(CONTEXT_SLOT) + TWZ_OBJ_BASE));
    user_map(CONTEXT_SLOT, TWZ_OBJID_NONE, 0);
    CHECK_IS(CALL(obj_delete, IDARG(id), 0), -TWZ_EDENIED);
    SHARED->word[22] = s.view.lo;
    SHARED->word[23] = s.view.hi;
    CHECK_IS(gate_run(&s, become_context, other.lo, other.hi), -TWZ_EDENIED);
    CHECK_IS(gate_run(&s, become_context, own.lo, own.hi), 55);
    CHECK_IS(gate_run(&s, become_context, 0, 0), 55);
    CHECK_IS(gate_run(&s, tell_secret, 0, 0), SECRET);
    CHECK(gate_detach(s.id) >= 0);
}

/* --- signals, priority, fault stack ----------------------------------------------------------- */

/* The signals that the thread got; c: its ID. */
static uint64_t signal_self(uint64_t lo, uint64_t hi)
{
    objid_t self = { lo, hi };

    SHARED->word[2] = SHARED->faults;
    CHECK_IS(CALL(thread_signal, IDARG(self), 10, 0), 0);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_MASK, 0, 0), 0);
    user_yield();
    return SHARED->faults - SHARED->word[2];
}

static uint64_t rule_self(uint64_t b, uint64_t c)
{
    (void)c;
    CHECK_IS(CALL(thread_signal, 0, 0, TWZ_SIGNAL_KILL, 0), -TWZ_EDENIED);
    CHECK_IS(CALL(thread_signal, 0, 0, 10, 0), -TWZ_EDENIED);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_PRIORITY, 0), -TWZ_EDENIED);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_CORES, 1), -TWZ_EDENIED);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_FAULT_STACK, FRAME_BASE, 4096), 0);
    return b;
}

static void test_signals(const struct gate_service *s)
{
    volatile uint64_t *top = (volatile uint64_t *)(FRAME_BASE + 3600);
    uint64_t before = SHARED->faults, mask = 0;
    unsigned i;
    objid_t self = user_self();

    CHECK_IS(gate_run(s, signal_self, self.lo, self.hi), 0);
    CHECK_IS(SHARED->faults, before + 1);
    CHECK_IS(SHARED->fault.kind, TWZ_FAULT_SIGNAL);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_MASK, 1 << 4, 0), 0);
    CHECK_IS(gate_run(s, rule_self, 9, 0), 9);
    CHECK_IS(CALL(thread_ctl, 0, 0, TWZ_THREAD_MASK, 0, &mask), 0);
    CHECK_IS(mask, 1 << 4);
    for (i = 0; i < 16; i++) /* where the vector state of a fault would lie */
        top[i] = 0x77;
    CHECK(user_load_faults(0)); /* on this thread's stack again */
    for (i = 0; i < 16; i++)
        CHECK_IS(top[i], 0x77);
}

void test_main(void)
{
    struct gate_service s = gate_service(32, secret_object());

    user_handlers();
    test_call(&s);
    test_range(&s);
    test_words(&s);
    test_later_stores(&s);
    test_registers(&s);
    test_bad_base(&s);
    test_return(&s);
    test_depth(&s);
    test_become(&s);
    test_contexts();
    test_signals(&s);
    test_rights(&s);
}
