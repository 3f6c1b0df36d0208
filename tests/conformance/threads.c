/* SPDX-License-Identifier: MIT */
/* Threads: start, join, locks, conditions, their own data, cancellation. */
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

#define THREADS 8
#define ROUNDS  2000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static sem_t sem;
static long counter, once_count, ended, cleaned, turn;
static _Thread_local long own = 5;
static volatile sig_atomic_t told;

static void *count(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&lock);
        counter++;
        pthread_mutex_unlock(&lock);
        own += (long)arg;
    }
    return (void *)own;
}

static void counting(void)
{
    pthread_t t[THREADS];
    void *result;
    long sum = 0;

    for (long i = 0; i < THREADS; i++)
        SAY(pthread_create(&t[i], NULL, count, (void *)i));
    for (int i = 0; i < THREADS; i++) {
        SAY(pthread_join(t[i], &result));
        sum += (long)result;
    }
    SAY(counter);
    SAY(sum);
    SAY(own);
}

static void *take_turns(void *arg)
{
    long mine = (long)arg;

    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&lock);
        while (turn % 3 != mine)
            pthread_cond_wait(&changed, &lock);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void turns(void)
{
    struct timespec soon;
    pthread_t t[3];

    for (long i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, take_turns, (void *)i);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    SAY(turn);
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 30000000;
    if (soon.tv_nsec >= 1000000000) {
        soon.tv_nsec -= 1000000000;
        soon.tv_sec++;
    }
    pthread_mutex_lock(&lock);
    HOLDS(pthread_cond_timedwait(&changed, &lock, &soon) == ETIMEDOUT);
    HOLDS(pthread_mutex_trylock(&lock) == EBUSY);
    pthread_mutex_unlock(&lock);
}

static void count_once(void)
{
    once_count++;
}

static void end_of(void *value)
{
    __atomic_fetch_add(&ended, (long)value, __ATOMIC_SEQ_CST);
}

static void *meet(void *arg)
{
    (void)arg;
    pthread_once(&once, count_once);
    pthread_setspecific(key, (void *)3);
    pthread_rwlock_rdlock(&rw);
    pthread_rwlock_unlock(&rw);
    pthread_rwlock_wrlock(&rw);
    counter++;
    pthread_rwlock_unlock(&rw);
    if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
        sem_post(&sem);
    return NULL;
}

static void meeting(void)
{
    pthread_t t[4];

    counter = 0;
    SAY(pthread_barrier_init(&barrier, NULL, 4));
    SAY(sem_init(&sem, 0, 0));
    SAY(pthread_key_create(&key, end_of));
    SAY(sem_trywait(&sem));
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, meet, NULL);
    SAY(sem_wait(&sem));
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    SAY(once_count);
    SAY(ended);
    SAY(counter);
    SAY(sem_trywait(&sem));
}

static void clean(void *arg)
{
    cleaned += (long)arg;
}

static void *wait_for_ever(void *arg)
{
    pthread_cleanup_push(clean, (void *)7);
    sem_post(&sem);
    if (arg)
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    for (int i = 0; !arg || i < 2; i++)
        usleep(arg ? 20000 : 1000000000);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_testcancel();
    pthread_cleanup_pop(1);
    return NULL;
}

static void cancelling(void)
{
    pthread_t t;
    void *result;

    for (long i = 0; i < 2; i++) {
        pthread_create(&t, NULL, wait_for_ever, (void *)i);
        sem_wait(&sem);
        SAY(pthread_cancel(t));
        SAY(pthread_join(t, &result));
        HOLDS(result == PTHREAD_CANCELED);
    }
    SAY(cleaned);
}

static void tell(int signo)
{
    (void)signo;
    told++;
}

static void *sleep_long(void *arg)
{
    struct timespec t = { 1000, 0 };

    sem_post(&sem);
    *(int *)arg = nanosleep(&t, NULL) < 0 ? errno : 0;
    return NULL;
}

static void interrupting(void)
{
    struct sigaction sa = { .sa_handler = tell };
    int error = 0;
    pthread_t t;

    sigaction(SIGUSR1, &sa, NULL);
    pthread_create(&t, NULL, sleep_long, &error);
    sem_wait(&sem);
    usleep(20000);
    SAY(pthread_kill(t, SIGUSR1));
    pthread_join(t, NULL);
    printf("%s %d\n", error_name(error), (int)told);
}

static void *detached(void *arg)
{
    char big[8192];

    memset(big, (int)(long)arg, sizeof(big));
    __atomic_fetch_add(&ended, big[100], __ATOMIC_SEQ_CST);
    sem_post(&sem);
    return NULL;
}

static void many(void)
{
    pthread_attr_t attr;
    pthread_t t;
    int failed = 0;

    ended = 0;
    pthread_attr_init(&attr);
    SAY(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED));
    SAY(pthread_attr_setstacksize(&attr, 65536));
    for (int i = 0; i < 300; i++) {
        failed += pthread_create(&t, &attr, detached, (void *)1) != 0;
        sem_wait(&sem);
    }
    SAY(failed);
    SAY(ended);
}

/* join frees the thread's stack at once: the thread must not run on it any more. */
static void *at_once(void *arg)
{
    return arg;
}

static void joined(void)
{
    long wrong = 0;
    pthread_t t[4];
    void *result;

    for (int round = 0; round < 1000; round++) {
        for (long i = 0; i < 4; i++)
            wrong += pthread_create(&t[i], NULL, at_once, (void *)i) != 0;
        for (long i = 0; i < 4; i++)
            wrong += pthread_join(t[i], &result) != 0 || result != (void *)i;
    }
    SAY(wrong);
}

static void *last_word(void *arg)
{
    pthread_join(*(pthread_t *)arg, NULL);
    printf("the last thread\n");
    return NULL;
}

int main(void)
{
    static pthread_t self;
    pthread_t t;

    setvbuf(stdout, NULL, _IOLBF, 0);
    counting();
    turns();
    meeting();
    cancelling();
    interrupting();
    many();
    joined();
    self = pthread_self();
    pthread_create(&t, NULL, last_word, &self);
    pthread_exit(NULL);
}
