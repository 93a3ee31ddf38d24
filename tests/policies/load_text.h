/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load_text.h - loading policies from strings, through files in memory. */
#ifndef FORESHAPE_LOAD_TEXT_H
#define FORESHAPE_LOAD_TEXT_H

#include <sys/mman.h>
#include <unistd.h>

#include "policies/policy.h"

/* A file in memory with @size bytes of @text; the caller closes it. */
static inline int text_fd(const char *text, size_t size)
{
	int fd = memfd_create("policy", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, text, size) != (ssize_t)size)
		return -1;
	return fd;
}

/* Loads the one policy (host.yaml where @is_host) of @size bytes at @text, as "t.yaml". */
static inline int load_bytes(const char *text, size_t size, bool is_host, struct policy_set **ret,
			     struct policy_errors *errors)
{
	struct policy_input in = {.name = "t.yaml", .fd = text_fd(text, size), .is_host = is_host};
	int r = policy_load(&in, 1, 0, 0, ret, errors);

	close(in.fd);
	return r;
}

static inline int load_text(const char *text, struct policy_set **ret, struct policy_errors *errors)
{
	return load_bytes(text, strlen(text), false, ret, errors);
}

#endif
