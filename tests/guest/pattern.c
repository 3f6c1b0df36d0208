/* SPDX-License-Identifier: MIT */
/* pattern BYTES [FILE]: writes bytes that tests can make again (files.py), 64 KiB a call. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE 65536u

static uint64_t words[PIECE / 8];

/* A counter mixed: word i of the whole stream. */
static uint64_t word(uint64_t i)
{
    uint64_t x = (i + 1) * 0x9e3779b97f4a7c15ull;

    return x ^ x >> 29;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);

        if (n <= 0) {
            perror("pattern");
            return -1;
        }
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t left = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
    int fd = argc > 2 ? open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0666) : STDOUT_FILENO;
    uint64_t next = 0;

    if (fd < 0) {
        perror(argv[2]);
        return 1;
    }
    while (left) {
        size_t piece = left < PIECE ? (size_t)left : PIECE;

        for (size_t i = 0; i < PIECE / 8; i++)
            words[i] = word(next++);
        if (write_all(fd, (const char *)words, piece) < 0)
            return 1;
        left -= piece;
    }
    return fd == STDOUT_FILENO ? 0 : close(fd) != 0;
}
