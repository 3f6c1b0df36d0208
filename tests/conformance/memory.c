/* SPDX-License-Identifier: MIT */
/* malloc, and mmap of memory and of files. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

#define PAGE 4096

static void heap(void)
{
    enum { COUNT = 400 };
    unsigned char *block[COUNT] = { NULL };
    size_t size[COUNT];
    unsigned seed = 1;
    int wrong = 0;

    for (int round = 0; round < 20000; round++) {
        int i = (int)((seed = seed * 1103515245 + 12345) >> 8) % COUNT;

        i = i < 0 ? -i : i;
        if (block[i]) {
            for (size_t k = 0; k < size[i]; k += 97)
                wrong += block[i][k] != (unsigned char)i;
            free(block[i]);
            block[i] = NULL;
            continue;
        }
        seed = seed * 1103515245 + 12345;
        size[i] = (seed >> 12) % (round % 50 ? 3000 : 300000) + 1;
        block[i] = round % 3 ? malloc(size[i]) : realloc(NULL, size[i]);
        memset(block[i], i, size[i]);
    }
    for (int i = 0; i < COUNT; i++)
        free(block[i]);
    printf("wrong bytes: %d\n", wrong);
    SAY(!malloc(SIZE_MAX / 2));
    block[0] = calloc(1000, 1000);
    for (int i = 0; i < 1000000; i++)
        wrong += block[0][i] != 0;
    printf("not zero: %d\n", wrong);
    block[0] = realloc(block[0], 5000000);
    block[0][4999999] = 1;
    block[0] = realloc(block[0], 10);
    free(block[0]);
    SAY(posix_memalign((void **)&block[0], 65536, 100));
    SAY((uintptr_t)block[0] % 65536);
    free(block[0]);
}

static void anonymous(void)
{
    unsigned char *p, *q;
    long sum = 0;

    p = mmap(NULL, 10 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SAY(p != MAP_FAILED);
    for (int i = 0; i < 10 * PAGE; i++)
        sum += p[i];
    SAY(sum);
    memset(p, 1, 10 * PAGE);
    SAY(munmap(p + 4 * PAGE, PAGE));
    q = mmap(p + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
             -1, 0);
    SAY(q == p + 2 * PAGE);
    SAY(p[2 * PAGE] + p[PAGE] + p[3 * PAGE]);
    SAY(madvise(p, PAGE, MADV_DONTNEED));
    SAY(p[0]);
    SAY(munmap(p, 10 * PAGE));
    p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 7, 2 * PAGE);
    p = mremap(p, 2 * PAGE, 200 * PAGE, MREMAP_MAYMOVE);
    SAY(p != MAP_FAILED);
    SAY(p[0] + p[2 * PAGE - 1] + p[2 * PAGE] + p[200 * PAGE - 1]);
    SAY(munmap(p, 200 * PAGE));
    SAY((long)mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    SAY((long)mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0));
    SAY((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0));
}

static void shared_file(void)
{
    char text[20] = { 0 };
    char *p, *q;
    int fd = open("map", O_RDWR | O_CREAT | O_TRUNC, 0644);

    SAY(ftruncate(fd, 3 * PAGE));
    SAY(pwrite(fd, "from write", 10, 2 * PAGE));
    p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    SAY(p != MAP_FAILED);
    SAY(memcmp(p + 2 * PAGE, "from write", 10));
    memcpy(p + PAGE, "from memory", 11);
    SAY(pread(fd, text, 11, PAGE));
    SAY(memcmp(text, "from memory", 11));
    q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
    SAY(memcmp(q, "from memory", 11));
    p[PAGE] = 'F';
    SAY(q[0]);
    SAY(msync(p, 3 * PAGE, MS_SYNC));
    SAY(munmap(q, PAGE));
    SAY(close(fd));
    p[0] = 'x';
    SAY(munmap(p, 3 * PAGE));
    fd = open("map", O_RDONLY);
    SAY(read(fd, text, 1));
    SAY(text[0]);
    SAY((long)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    SAY((long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 100));
    close(fd);
}

static void private_file(void)
{
    char text[8] = { 0 };
    char *p;
    int fd = open("map", O_RDWR | O_CREAT | O_TRUNC, 0644);

    SAY(write(fd, "original", 8));
    p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    SAY(p != MAP_FAILED);
    SAY(memcmp(p, "original", 8));
    SAY(p[8]);
    p[0] = 'O';
    SAY(pread(fd, text, 8, 0));
    SAY(memcmp(text, "original", 8));
    SAY(memcmp(p, "Original", 8));
    SAY(close(fd));
    SAY(memcmp(p, "Original", 8));
    SAY(munmap(p, PAGE));
    fd = open("/dev/null", O_RDONLY);
    SAY((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
    close(fd);
}

/* Growing, shrinking, and holes in the middle, of private and shared mappings. */
static void reshaped(void)
{
    static char page[3][PAGE];
    int fd = open("shape", O_RDWR | O_CREAT | O_TRUNC, 0644);
    char *p, *q;

    for (int i = 0; i < 3; i++)
        memset(page[i], 'A' + i, PAGE);
    SAY(write(fd, page, 3 * PAGE - 100));
    p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    p[1] = 'x';
    p = mremap(p, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
    SAY(p != MAP_FAILED);
    SAY(p[0] + p[1] * 1000);
    SAY(p[PAGE]);
    SAY(p[3 * PAGE - 101]);
    SAY(p[3 * PAGE - 100]);
    p[2 * PAGE] = 'y';
    SAY(munmap(p + PAGE, PAGE));
    SAY(p[0] + p[1] * 1000);
    SAY(p[2 * PAGE]);
    SAY(munmap(p + 2 * PAGE, PAGE));
    SAY(p[1]);
    SAY(munmap(p, 3 * PAGE));
    p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    q = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    SAY(munmap(p + PAGE, PAGE));
    p[2 * PAGE] = 'z';
    SAY(munmap(p, 3 * PAGE));
    SAY(q[2 * PAGE]);
    SAY(q[PAGE]);
    q = mremap(q, 3 * PAGE, PAGE, 0);
    SAY(q[5]);
    SAY(munmap(q, PAGE));
    SAY(munmap(NULL, PAGE));
    p = mmap(NULL, 100, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, PAGE);
    SAY(p[0] + p[PAGE - 1]);
    SAY(munmap(p, 100));
    SAY(unlink("shape"));
    p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, PAGE);
    SAY(p[0] + p[PAGE]);
    SAY(p[2 * PAGE - 101]);
    SAY(p[2 * PAGE - 100]);
    SAY(munmap(p, 4 * PAGE));
    SAY(munmap(page, SIZE_MAX));
    SAY(munmap(page, SIZE_MAX / 4));
    SAY(munmap(page + 1, 0));
    close(fd);
}

/* An unmapped private mapping must release its slot and its copy: 2,000 in turn must succeed. */
static void many_private(void)
{
    int fd = open("shape", O_RDWR | O_CREAT, 0644), failed = 0;

    SAY(write(fd, "A", 1));
    for (int i = 0; i < 2000; i++) {
        char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

        failed += p == MAP_FAILED || p[0] != 'A';
        if (p != MAP_FAILED)
            p[0] = 'a';
        failed += p == MAP_FAILED || munmap(p, 2 * PAGE) < 0;
    }
    SAY(failed);
    close(fd);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 2 || chdir(argv[1]) < 0)
        return 2;
    heap();
    anonymous();
    shared_file();
    private_file();
    reshaped();
    many_private();
    return 0;
}
