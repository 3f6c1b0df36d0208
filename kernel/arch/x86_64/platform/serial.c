/* SPDX-License-Identifier: MIT */
/* The log's output: a 16550 at 0x3f8, polled. Whether the port exists is tested at boot. The log
 * serialises the calls (log/log.c). */
#include "../x86.h"

#define PORT 0x3f8u
#define DATA (PORT + 0)
#define IER  (PORT + 1)
#define FCR  (PORT + 2)
#define LCR  (PORT + 3)
#define MCR  (PORT + 4)
#define LSR  (PORT + 5)
#define SCR  (PORT + 7)

#define LCR_8N1   0x03u
#define LCR_DLAB  0x80u
#define FCR_ON    0x07u /* FIFOs on and emptied */
#define MCR_READY 0x03u
#define LSR_EMPTY 0x20u
#define FIFO      16u
#define SPINS     1000000u

static bool present;

void x86_serial_init(void)
{
    x86_outb(SCR, 0x5a);
    present = x86_inb(SCR) == 0x5a;
    if (!present)
        return;
    x86_outb(IER, 0);
    x86_outb(LCR, LCR_DLAB);
    x86_outb(DATA, 1); /* 115200 baud */
    x86_outb(IER, 0);
    x86_outb(LCR, LCR_8N1);
    x86_outb(FCR, FCR_ON);
    x86_outb(MCR, MCR_READY);
}

void arch_log_write(const char *text, size_t len)
{
    while (present && len) {
        size_t burst = len < FIFO ? len : FIFO;

        for (unsigned i = 0; !(x86_inb(LSR) & LSR_EMPTY); i++) {
            if (i == SPINS)
                return;
            x86_relax();
        }
        len -= burst;
        __asm__ volatile("rep outsb" : "+S"(text), "+c"(burst) : "d"((uint16_t)DATA) : "memory");
    }
}
