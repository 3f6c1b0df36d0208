/* SPDX-License-Identifier: MIT */
/* sha256 [FILE]: the SHA-256 (FIPS 180-4) of a file or of standard input, in hexadecimal. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct sha256 {
    uint32_t state[8];
    uint32_t constant[64];
    uint64_t bytes;
    uint8_t block[64];
};

static uint32_t rotate(uint32_t x, unsigned by)
{
    return x >> by | x << (32 - by);
}

/* The first 32 bits of the fraction of the square or cube root of p, in integers alone. */
static uint32_t root_fraction(uint64_t p, int cube)
{
    uint64_t low = 0;
    uint64_t high = 32ull << 32; /* root in units of 2^-32; all roots here are below 20 */

    while (low + 1 < high) {
        unsigned __int128 mid = (low + high) / 2;
        unsigned __int128 wanted = (unsigned __int128)p << (cube ? 96 : 64);
        int above = (cube ? mid * mid * mid : mid * mid) > wanted;

        if (above)
            high = (uint64_t)mid;
        else
            low = (uint64_t)mid;
    }
    return (uint32_t)low;
}

static int is_prime(uint64_t n)
{
    for (uint64_t d = 2; d * d <= n; d++) {
        if (n % d == 0)
            return 0;
    }
    return 1;
}

static void sha256_init(struct sha256 *s)
{
    unsigned found = 0;

    memset(s, 0, sizeof(*s));
    for (uint64_t n = 2; found < 64; n++) {
        if (!is_prime(n))
            continue;
        if (found < 8)
            s->state[found] = root_fraction(n, 0);
        s->constant[found++] = root_fraction(n, 1);
    }
}

static void compress(struct sha256 *s, const uint8_t *block)
{
    uint32_t w[64];
    uint32_t v[8];

    for (unsigned i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (unsigned i = 16; i < 64; i++) {
        uint32_t a = w[i - 15];
        uint32_t b = w[i - 2];

        w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] +
               (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    memcpy(v, s->state, sizeof(v));
    for (unsigned i = 0; i < 64; i++) {
        uint32_t sum1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
        uint32_t t1 = v[7] + sum1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + s->constant[i] + w[i];
        uint32_t sum0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
        uint32_t t2 = sum0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

        memmove(&v[1], &v[0], 7 * sizeof(v[0]));
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (unsigned i = 0; i < 8; i++)
        s->state[i] += v[i];
}

static void sha256_add(struct sha256 *s, const uint8_t *data, size_t len)
{
    while (len) {
        size_t used = s->bytes % 64;
        size_t n = 64 - used < len ? 64 - used : len;

        if (used == 0 && len >= 64) {
            compress(s, data);
            n = 64;
        } else {
            memcpy(s->block + used, data, n);
            if (used + n == 64)
                compress(s, s->block);
        }
        s->bytes += n;
        data += n;
        len -= n;
    }
}

static void sha256_end(struct sha256 *s)
{
    uint64_t bits = s->bytes * 8;
    uint8_t tail[8];

    sha256_add(s, (const uint8_t *)"\x80", 1);
    while (s->bytes % 64 != 56)
        sha256_add(s, (const uint8_t *)"", 1);
    for (unsigned i = 0; i < 8; i++)
        tail[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(s, tail, 8);
}

int main(int argc, char **argv)
{
    static uint8_t buffer[1 << 18];
    struct sha256 s;
    int fd = argc > 1 ? open(argv[1], O_RDONLY) : STDIN_FILENO;
    ssize_t n;

    sha256_init(&s);
    while ((n = read(fd, buffer, sizeof(buffer))) > 0)
        sha256_add(&s, buffer, (size_t)n);
    if (n < 0) {
        perror(argc > 1 ? argv[1] : "sha256");
        return 1;
    }
    sha256_end(&s);
    for (unsigned i = 0; i < 8; i++)
        printf("%08x", s.state[i]);
    printf("\n");
    return 0;
}
