/* SPDX-License-Identifier: MIT */
/* The host console: a DEVICE object (twz/device.h) over a virtio-serial device. */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <kernel/object.h>
#include <twz/device.h>

/*
 * Makes the console object, attaches it to the root KSO, and starts the device; it goes on by
 * interrupts. After kso_init. Where there is no device the object has no ports and the log a line.
 */
void console_init(void);

objid_t console_id(void);

/* User code moved a counter of the port. Takes the console's lock; wakes waiters. */
void console_notify(unsigned port);

/* Waits until the host took all that was put into the rings, or takes nothing any more. */
void console_drain(void);

#endif
