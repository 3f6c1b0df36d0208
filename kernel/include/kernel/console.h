/* SPDX-License-Identifier: MIT */
/* The link to the host: two DEVICE objects (twz/device.h) over a virtio-serial device. */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <kernel/object.h>
#include <twz/device.h>

/*
 * Creates the two objects, attaches the console object to the root KSO, and starts the device.
 * Must be called once, after kso_init. Without a device the objects have no ports, and the log has
 * a line about it. Panics without memory.
 */
void console_init(void);

objid_t console_id(void);

/* The object of the control port. Its ID must go to the first program alone. */
objid_t console_control_id(void);

/* Waits until the host has read all bytes of the rings, or has read none for two seconds. Takes the
 * console's lock; wakes waiters. */
void console_drain(void);

#endif
