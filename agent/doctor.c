// SPDX-License-Identifier: GPL-2.0-or-later
/* doctor.c - what the checks share. */
#include "agent/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/cleanup.h"

void doctor_say(struct doctor_finding *ret, enum doctor_state state, const char *fmt, ...)
{
	va_list ap;

	ret->state = state;
	va_start(ap, fmt);
	(void)vsnprintf(ret->text, sizeof(ret->text), fmt, ap);
	va_end(ap);
}

void doctor_run(const struct doctor *d, const struct doctor_check *check,
		struct doctor_finding *ret)
{
	doctor_say(ret, DOCTOR_OK, "ok");
	check->check(d, ret);
}

int doctor_read(const char *path, char *buf, size_t size)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return (int)strlen(buf);
}
