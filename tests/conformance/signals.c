/* SPDX-License-Identifier: MIT */
/* Signals: handlers, masks, faults, stacks, interrupted calls. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "say.h"

static volatile sig_atomic_t seen[65], order[10], orders;
static sigjmp_buf back;
static char alt[65536];

static void note(int signo)
{
    seen[signo]++;
    if (orders < 10)
        order[orders++] = signo;
}

static void jump(int signo)
{
    siglongjmp(back, signo);
}

static void on_alt(int signo)
{
    char here;

    siglongjmp(back, &here >= alt && &here < alt + sizeof(alt) ? 100 : signo);
}

static void skip(int signo, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    (void)info;
    note(signo);
    uc->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
}

/* r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx: set before a fault, and found after it. */
#define REGISTERS 15
static const int place[REGISTERS] = { REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12,
                                      REG_R13, REG_R14, REG_R15, REG_RDI, REG_RSI,
                                      REG_RBP, REG_RBX, REG_RDX, REG_RAX, REG_RCX };
static volatile uint64_t __attribute__((used)) registers_set[REGISTERS];
static volatile uint64_t __attribute__((used)) registers_found[REGISTERS];
static int registers_wrong;

/* Checks the registers of the fault, and changes each. */
static void change_registers(int signo, siginfo_t *info, void *context)
{
    greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;

    (void)signo;
    (void)info;
    for (int i = 0; i < REGISTERS; i++) {
        registers_wrong += (uint64_t)g[place[i]] != registers_set[i];
        g[place[i]] = (greg_t)(registers_set[i] * 3 + 1);
    }
    g[REG_RIP] += 2; /* ud2 */
}

#define MOVE_EACH(op, array)                                                                      \
    op(array, 0, r8) op(array, 1, r9) op(array, 2, r10) op(array, 3, r11) op(array, 4, r12)       \
        op(array, 5, r13) op(array, 6, r14) op(array, 7, r15) op(array, 8, rdi) op(array, 9, rsi) \
            op(array, 10, rbp) op(array, 11, rbx) op(array, 12, rdx) op(array, 13, rax)           \
                op(array, 14, rcx)
#define LOAD(array, i, reg)  "movq " #array "+8*" #i "(%%rip), %%" #reg "\n\t"
#define STORE(array, i, reg) "movq %%" #reg ", " #array "+8*" #i "(%%rip)\n\t"

static void registers(void)
{
    struct sigaction sa = { .sa_sigaction = change_registers, .sa_flags = SA_SIGINFO };
    int changed = 0;

    for (int i = 0; i < REGISTERS; i++)
        registers_set[i] = 0x1111111111111111ull * (uint64_t)(i + 1);
    sigaction(SIGILL, &sa, NULL);
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\t" /* the red zone */
                     "pushq %%rbp\n\t" MOVE_EACH(LOAD, registers_set) "ud2\n\t" MOVE_EACH(
                         STORE, registers_found) "popq %%rbp\n\t"
                                                 "leaq 128(%%rsp), %%rsp"
                     :
                     :
                     : "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rdi", "rsi", "rbx",
                       "rdx", "rax", "rcx", "cc", "memory");
    for (int i = 0; i < REGISTERS; i++)
        changed += registers_found[i] == registers_set[i] * 3 + 1;
    SAY(registers_wrong);
    SAY(changed);
    signal(SIGILL, SIG_DFL);
}

static int overflow(int depth)
{
    volatile char room[1000];

    room[0] = (char)depth;
    return depth > 100000000 ? 0 : overflow(depth + 1) + room[0];
}

static void set(int signo, void (*handler)(int), int flags)
{
    struct sigaction sa = { .sa_flags = flags };

    sa.sa_handler = handler;
    sigaction(signo, &sa, NULL);
}

static void simple(void)
{
    struct sigaction old;

    set(SIGUSR1, note, 0);
    SAY(raise(SIGUSR1));
    SAY(seen[SIGUSR1]);
    SAY(kill(getpid(), SIGUSR1));
    SAY(seen[SIGUSR1]);
    SAY(kill(getpid(), 0));
    SAY(kill(getpid(), 1000));
    SAY(sigaction(SIGUSR1, NULL, &old));
    HOLDS(old.sa_handler == note);
    set(SIGUSR2, note, SA_RESETHAND);
    raise(SIGUSR2);
    SAY(sigaction(SIGUSR2, NULL, &old));
    HOLDS(old.sa_handler == SIG_DFL);
    signal(SIGUSR2, SIG_IGN);
    raise(SIGUSR2);
    SAY(seen[SIGUSR2]);
    SAY(sigaction(SIGKILL, &old, NULL));
    SAY(raise(SIGCHLD));
}

static void masks(void)
{
    sigset_t set_, old, pending;

    orders = 0;
    set(SIGUSR1, note, 0);
    set(SIGUSR2, note, 0);
    sigemptyset(&set_);
    sigaddset(&set_, SIGUSR1);
    sigaddset(&set_, SIGUSR2);
    SAY(sigprocmask(SIG_BLOCK, &set_, &old));
    raise(SIGUSR2);
    raise(SIGUSR1);
    raise(SIGUSR1);
    SAY(orders);
    SAY(sigpending(&pending));
    SAY(sigismember(&pending, SIGUSR1));
    SAY(sigismember(&pending, SIGTERM));
    SAY(sigprocmask(SIG_SETMASK, &old, NULL));
    SAY(orders);
    SAY(order[0] + order[1] - SIGUSR1 - SIGUSR2);
    SAY(sigprocmask(SIG_BLOCK, &set_, NULL));
    raise(SIGUSR1);
    sigdelset(&set_, SIGUSR1);
    SAY(sigsuspend(&set_));
    SAY(orders);
    SAY(sigprocmask(SIG_SETMASK, &old, &set_));
    SAY(sigismember(&set_, SIGUSR1));
}

/* --- signals without effect ------------------------------------------------------------------- */

static int gate[2];
static pthread_t sleeper;

/* Sends many signals without effect, then the byte that the sleeper waits for. */
static void *send_ineffective(void *arg)
{
    for (int i = 0; i < 40; i++) {
        pthread_kill(sleeper, SIGWINCH);
        pthread_kill(sleeper, SIGURG);
        pthread_kill(sleeper, SIGUSR2);
        usleep(1000);
    }
    return (void *)(arg ? write(gate[1], "x", 1) : 0);
}

static void ineffective(void)
{
    struct itimerval it = { .it_value = { 0, 30000 } };
    struct timespec t = { 0, 30000000 };
    sigset_t set_, old, pending;
    pthread_t other;
    void *written;
    char c = 0;

    set(SIGWINCH, SIG_DFL, 0);
    set(SIGURG, SIG_DFL, 0);
    set(SIGUSR2, SIG_IGN, 0);
    sleeper = pthread_self();
    SAY(pipe(gate));
    pthread_create(&other, NULL, send_ineffective, gate);
    SAY(read(gate[0], &c, 1));
    pthread_join(other, &written);
    SAY((long)written);
    pthread_create(&other, NULL, send_ineffective, NULL);
    SAY(nanosleep(&t, NULL));
    pthread_join(other, NULL);
    close(gate[0]);
    close(gate[1]);

    sigemptyset(&set_);
    sigaddset(&set_, SIGURG);
    sigaddset(&set_, SIGUSR1);
    sigaddset(&set_, SIGUSR2);
    SAY(sigprocmask(SIG_BLOCK, &set_, &old));
    set(SIGUSR1, note, 0);
    raise(SIGURG);
    raise(SIGUSR1);
    raise(SIGUSR2);
    SAY(sigpending(&pending));
    SAY(sigismember(&pending, SIGURG));
    SAY(sigismember(&pending, SIGUSR1));
    SAY(sigismember(&pending, SIGUSR2));
    signal(SIGUSR1, SIG_IGN);
    SAY(sigpending(&pending));
    SAY(sigismember(&pending, SIGUSR1));
    set(SIGALRM, note, 0);
    orders = 0;
    SAY(setitimer(ITIMER_REAL, &it, NULL));
    SAY(sigsuspend(&old));
    SAY(orders == 1 && order[0] == SIGALRM);
    SAY(sigprocmask(SIG_SETMASK, &old, NULL));
}

static void faults(void)
{
    volatile int zero = 0;
    volatile double x = 1.25;
    struct sigaction sa = { .sa_flags = SA_SIGINFO };
    int *nowhere = (int *)(uintptr_t)(getpid() > 0 ? 16 : 4096);

    set(SIGSEGV, jump, 0);
    if (sigsetjmp(back, 1) == 0)
        *nowhere = 1;
    else
        printf("after the fault %.2f\n", x);
    if (sigsetjmp(back, 1) == 0)
        *nowhere = 1;
    else
        printf("again\n");
    set(SIGFPE, jump, 0);
    if (sigsetjmp(back, 1) == 0)
        printf("%d\n", 1 / zero);
    else
        printf("divided\n");
    sa.sa_sigaction = skip;
    sigaction(SIGILL, &sa, NULL);
    x *= 2;
    __asm__ volatile("ud2");
    printf("skipped %d %.2f\n", (int)seen[SIGILL], x);
}

static void stacks(void)
{
    stack_t s = { .ss_sp = alt, .ss_size = sizeof(alt) }, old;

    SAY(sigaltstack(&s, NULL));
    SAY(sigaltstack(NULL, &old));
    HOLDS(old.ss_sp == alt && old.ss_size == sizeof(alt));
    set(SIGSEGV, on_alt, SA_ONSTACK);
    switch (sigsetjmp(back, 1)) {
    case 0: SAY(overflow(0)); break;
    case 100: printf("overflow, told on the other stack\n"); break;
    default: printf("overflow, told on the wrong stack\n");
    }
    set(SIGUSR1, on_alt, SA_ONSTACK);
    if (sigsetjmp(back, 1) == 0)
        raise(SIGUSR1);
    else
        printf("there\n");
}

static void timers(void)
{
    struct itimerval it = { .it_value = { 0, 30000 } }, was;
    struct timespec second = { 5, 0 }, left = { 0, 0 };

    set(SIGALRM, note, 0);
    SAY(setitimer(ITIMER_REAL, &it, NULL));
    SAY(nanosleep(&second, &left));
    HOLDS(left.tv_sec == 4);
    SAY(seen[SIGALRM]);
    SAY(alarm(100));
    SAY(getitimer(ITIMER_REAL, &was));
    HOLDS(was.it_value.tv_sec >= 98);
    HOLDS(alarm(0) >= 99);
    it.it_interval.tv_usec = 10000;
    SAY(setitimer(ITIMER_REAL, &it, NULL));
    while (seen[SIGALRM] < 4)
        pause();
    it.it_value.tv_usec = 0;
    SAY(setitimer(ITIMER_REAL, &it, NULL));
    HOLDS(seen[SIGALRM] >= 4);
}

/* The signal arrives while the program computes. */
static void while_running(void)
{
    struct itimerval it = { .it_value = { 0, 20000 } };
    volatile double sum = 0;
    int before = seen[SIGALRM];

    setitimer(ITIMER_REAL, &it, NULL);
    while (seen[SIGALRM] == before)
        sum += 0.5;
    HOLDS(sum > 0);
}

/* The signal arrives at any point of many short calls. It must be delivered at once: no further
 * call would deliver it. */
static void among_calls(void)
{
    struct itimerval it = { .it_value = { 0, 1000 } };
    int missed = 0;

    for (int round = 0; round < 100; round++) {
        int before = seen[SIGALRM];
        struct timespec start, now;

        it.it_value.tv_usec = 200 + 13 * round;
        setitimer(ITIMER_REAL, &it, NULL);
        for (int i = 0; i < 5000 && seen[SIGALRM] == before; i++)
            getppid();
        clock_gettime(CLOCK_MONOTONIC, &start);
        for (volatile long i = 0; seen[SIGALRM] == before; i++) {
            if (i % 1000000)
                continue;
            clock_gettime(CLOCK_MONOTONIC, &now);
            missed += now.tv_sec > start.tv_sec + 20;
            if (now.tv_sec > start.tv_sec + 20)
                break;
        }
    }
    SAY(missed);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    simple();
    registers();
    masks();
    ineffective();
    faults();
    stacks();
    timers();
    while_running();
    among_calls();
    signal(SIGTERM, SIG_DFL);
    raise(SIGTERM);
    return 0;
}
