/* SPDX-License-Identifier: MIT */
/* The host console: a DEVICE object (twz/device.h) over a virtio-serial device. */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <kernel/object.h>
#include <twz/device.h>

/*
 * Creates the console object, attaches it to the root KSO, and starts the device. Must be called
 * once, after kso_init. Without a device the object has no ports, and the log has a line about it.
 * Panics without memory.
 */
void console_init(void);

objid_t console_id(void);

/* Waits until the host has read all bytes of the rings, or has read none for two seconds. Takes the
 * console's lock; wakes waiters. */
void console_drain(void);

#endif
