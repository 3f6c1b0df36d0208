/* SPDX-License-Identifier: MIT */
/*
 * Bytes and frames between this program and the command on the host: the rings of the console
 * object (twz/device.h) and what goes through them (twz/hostlink.h). One thread uses it.
 */
#ifndef INIT_LINK_H
#define INIT_LINK_H

#include <twz/device.h>
#include <twz/hostlink.h>
#include <twz/sync.h>

/* 0, or -TWZ_ENOOBJ: this machine has no console. */
int link_open(void);

/* All of it, waiting for room where there is none. port is a TWZ_PORT_*. */
void link_write(uint32_t port, const void *bytes, uint64_t len);
void link_text(const char *text);

/* Wait until the device has given back everything that was written to the port. */
void link_drain(uint32_t port);

/* From now on the runtime's writes to the port end with `error`, one of Linux's numbers. */
void link_set_error(uint32_t port, uint32_t error);

void link_send(uint16_t type, const void *payload, uint32_t len);

/*
 * The next frame from the host; payload is cut to `size` bytes. Waits for it. With `until` (a word
 * of another object, may be NULL) it waits for that word to become other than 0 too: then 0, else
 * 1.
 */
int link_receive(struct twz_host_frame *frame, void *payload, uint32_t size, const uint64_t *until);

#endif
