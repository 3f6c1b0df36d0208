/* SPDX-License-Identifier: MIT */
/* stdio, strings, numbers, environment, time: the C library over the calls. */
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "say.h"

static void formats(void)
{
    char text[100];
    int a, b;
    double d;

    printf("%d %5u %-5x| %#o %+ld %c %s %.3s %%\n", -42, 42u, 0xbeefu, 8, 7L, 'q', "str", "cut");
    printf("%f %.3e %g %a %.0f %10.4f|\n", 1.5, 12345.678, 1e-10, 1.0, 2.5, M_PI);
    printf("%lld %zu %hhd %n", -(1LL << 62), sizeof(long), 300, &a);
    printf("%d\n", a);
    SAY(snprintf(text, 5, "%s", "longer than that"));
    printf("%s\n", text);
    SAY(sscanf("12 abc 3.25 0x1f", "%d %99s %lf %x", &a, text, &d, &b));
    printf("%d %s %f %d\n", a, text, d, b);
    printf("%.10f %.10f %.10f\n", sqrt(2), sin(1), exp(1));
    printf("%ld %lu %f\n", strtol("-0x7f", NULL, 0), strtoul("777", NULL, 8), strtod("1e3", NULL));
    printf("%ls %d\n", L"wide", (int)wcslen(L"wide"));
}

static void files(void)
{
    char line[100], *more = NULL;
    size_t size = 0;
    FILE *f = fopen("stream", "w+");

    for (int i = 0; i < 5000; i++)
        fprintf(f, "line %d\n", i);
    SAY(ftell(f));
    rewind(f);
    SAY(fgets(line, sizeof(line), f) != NULL);
    printf("%s", line);
    SAY(fseek(f, -10, SEEK_END));
    SAY(fgets(line, sizeof(line), f) != NULL);
    printf("%s", line);
    SAY(getc(f));
    SAY(getc(f));
    SAY(feof(f) != 0);
    SAY(ungetc('x', f));
    SAY(getc(f));
    SAY(fclose(f));
    f = fopen("stream", "a");
    SAY(fputs("end of it", f) >= 0);
    SAY(fclose(f));
    f = fopen("stream", "r");
    SAY(fseek(f, 0, SEEK_END));
    SAY(ftell(f));
    SAY(fseek(f, -9, SEEK_CUR));
    SAY(getline(&more, &size, f));
    printf("%s\n", more);
    free(more);
    SAY(ferror(f) != 0);
    SAY(fclose(f));
    SAY(!fopen("none", "r"));
    SAY(!fopen("none/x", "w"));
    f = fopen("stream", "rx");
    if (f)
        fclose(f);
    SAY(remove("stream"));
    f = tmpfile();
    SAY(f != NULL);
    SAY(fwrite("0123456789", 1, 10, f));
    rewind(f);
    SAY(fread(line, 3, 4, f));
    fclose(f);
}

static void buffers(void)
{
    static char space[1 << 16];
    FILE *f = fopen("buffered", "w");
    struct stat st;

    SAY(setvbuf(f, space, _IOFBF, sizeof(space)));
    for (int i = 0; i < 1000; i++)
        fputs("0123456789", f);
    SAY(stat("buffered", &st));
    SAY(st.st_size);
    SAY(fflush(f));
    SAY(stat("buffered", &st));
    SAY(st.st_size);
    fclose(f);
    SAY(unlink("buffered"));
}

static void environment(void)
{
    char **list = (char *[]){ NULL };

    (void)list;
    SAY(setenv("ONE", "1", 1));
    SAY(setenv("ONE", "2", 0));
    printf("%s\n", getenv("ONE"));
    SAY(putenv("TWO=two"));
    SAY(unsetenv("ONE"));
    SAY(!getenv("ONE"));
    printf("%s %s\n", getenv("TWO"), setlocale(LC_ALL, "C"));
    SAY(setenv("A=B", "x", 1));
}

static void times(void)
{
    struct timespec a, b, nap = { 0, 20000000 };
    struct tm tm;
    struct timeval tv;
    time_t t = 1700000000;
    char text[64];

    gmtime_r(&t, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %a %j", &tm);
    printf("%s %ld\n", text, (long)timegm(&tm));
    SAY(clock_gettime(CLOCK_MONOTONIC, &a));
    SAY(nanosleep(&nap, NULL));
    SAY(clock_gettime(CLOCK_MONOTONIC, &b));
    HOLDS((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec >= 20000000L);
    HOLDS((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec < 5000000000L);
    SAY(gettimeofday(&tv, NULL));
    HOLDS(tv.tv_sec > 1700000000);
    HOLDS(labs((long)(time(NULL) - tv.tv_sec)) < 3);
    SAY(clock_gettime(99, &a));
    nap.tv_nsec = 1000000000;
    SAY(nanosleep(&nap, NULL));
    SAY(clock_getres(CLOCK_MONOTONIC, &a));
    HOLDS(clock() >= 0);
}

static void stamps(void)
{
    struct timespec when[2] = { { 1000, 5 }, { 2000, 7 } };
    struct stat st;
    int fd = open("stamp", O_WRONLY | O_CREAT, 0644);

    SAY(futimens(fd, when));
    SAY(fstat(fd, &st));
    printf("%ld.%ld\n", (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    SAY(write(fd, "x", 1));
    SAY(fstat(fd, &st));
    HOLDS(st.st_mtim.tv_sec > 1700000000);
    when[1].tv_nsec = -5;
    SAY(utimensat(AT_FDCWD, "stamp", when, 0));
    SAY(utimensat(AT_FDCWD, "none", NULL, 0));
    close(fd);
}

static void at_end(void)
{
    printf("at the end\n");
}

int main(int argc, char **argv)
{
    if (argc != 2 || chdir(argv[1]) < 0)
        return 2;
    formats();
    files();
    buffers();
    environment();
    times();
    stamps();
    atexit(at_end);
    printf("not flushed by hand");
    exit(7);
}
