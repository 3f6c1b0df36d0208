/* SPDX-License-Identifier: MIT */
/* sha256sum [FILE...]: print the SHA-256 (FIPS 180-4) of files, or of standard input ("-"). */
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "tool.h"

#define BLOCK        64u
#define BUFFER_BYTES (256u << 10)

struct sha256 {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t rest[BLOCK];
};

static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t ror(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void expand_block(uint32_t w[64], const uint8_t *p)
{
    for (int i = 0; i < 16; i++, p += 4)
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];

        w[i] = w[i - 16] + w[i - 7] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) +
               (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
    }
}

/* The n-th working variable in round i. The index rotates, instead of the eight values. */
#define V(n) v[((n)-i) & 7]

static void hash_block(struct sha256 *s, const uint8_t *p)
{
    uint32_t w[64], v[8];

    expand_block(w, p);
    memcpy(v, s->h, sizeof(v));
#pragma GCC unroll 8
    for (unsigned i = 0; i < 64; i++) {
        uint32_t a = V(0), e = V(4);
        uint32_t t = V(7) + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + (V(6) ^ (e & (V(5) ^ V(6)))) +
                     k[i] + w[i];

        V(3) += t;
        V(7) = t + (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & V(1)) | (V(2) & (a | V(1))));
    }
    for (int i = 0; i < 8; i++)
        s->h[i] += v[i];
}

static void sha256_init(struct sha256 *s)
{
    static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

    memcpy(s->h, start, sizeof(start));
    s->bytes = 0;
}

static void sha256_update(struct sha256 *s, const uint8_t *p, size_t len)
{
    size_t have = s->bytes % BLOCK;

    s->bytes += len;
    if (have && have + len >= BLOCK) {
        memcpy(s->rest + have, p, BLOCK - have);
        hash_block(s, s->rest);
        p += BLOCK - have;
        len -= BLOCK - have;
        have = 0;
    }
    for (; have == 0 && len >= BLOCK; p += BLOCK, len -= BLOCK)
        hash_block(s, p);
    memcpy(s->rest + have, p, len);
}

static void sha256_final(struct sha256 *s)
{
    static const uint8_t pad[BLOCK] = { 0x80 };
    uint64_t bits = s->bytes * 8;
    uint8_t tail[8];

    for (int i = 0; i < 8; i++)
        tail[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_update(s, pad, 1 + (BLOCK + 55 - s->bytes % BLOCK) % BLOCK);
    sha256_update(s, tail, sizeof(tail));
}

static void print_sum(int fd, const char *name)
{
    static uint8_t buf[BUFFER_BYTES];
    struct sha256 s;
    ssize_t n;

    sha256_init(&s);
    while ((n = read(fd, buf, sizeof(buf))) > 0)
        sha256_update(&s, buf, (size_t)n);
    if (n < 0) {
        report_errno("sha256sum", name);
        return;
    }
    sha256_final(&s);
    for (int i = 0; i < 8; i++)
        printf("%08x", s.h[i]);
    printf("  %s\n", name);
}

int main(int argc, char **argv)
{
    if (argc == 1)
        print_sum(0, "-");
    for (int i = 1; i < argc; i++) {
        int fd = strcmp(argv[i], "-") ? open(argv[i], O_RDONLY) : 0;

        if (fd < 0) {
            report_errno("sha256sum", argv[i]);
            continue;
        }
        print_sum(fd, argv[i]);
        if (fd)
            close(fd);
    }
    return status;
}
