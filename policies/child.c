// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * child.c - what a forked process gives up before it reads what others wrote: above all the locks
 * and sockets of the agent, which nobody else may hold after its end.
 */
#include "policies/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/base/cleanup.h"

#define FIRST_FD     3
#define ASIDE_FD     32 /* above all that are kept */
#define MEMORY_BYTES (256u << 20)

/* Sanitizers reserve terabytes of addresses. */
#ifdef __SANITIZE_ADDRESS__
#define MEMORY_LIMITED false
#else
#define MEMORY_LIMITED true
#endif

static bool limit(int what, rlim_t most)
{
	const struct rlimit l = {most, most};

	return setrlimit(what, &l) == 0;
}

/* So much more than was inherited. */
static bool limit_memory(void)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages;

	if (!f || fscanf(f, "%lu", &pages) != 1)
		return false;
	return limit(RLIMIT_AS, (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + MEMORY_BYTES);
}

static bool keep_only(int *keep, size_t n)
{
	for (size_t i = 0; i < n; i++)
		keep[i] = fcntl(keep[i], F_DUPFD_CLOEXEC, ASIDE_FD);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < 0 || dup3(keep[i], FIRST_FD + (int)i, O_CLOEXEC) < 0)
			return false;
		keep[i] = FIRST_FD + (int)i;
	}
	return close_range(FIRST_FD + (unsigned int)n, ~0u, 0) == 0;
}

void child_alone(pid_t parent, int *keep, size_t n, unsigned int seconds)
{
	sigset_t none;

	(void)sigemptyset(&none);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || !keep_only(keep, n) ||
	    !limit(RLIMIT_CPU, seconds) || (MEMORY_LIMITED && !limit_memory()))
		_exit(1);
	(void)signal(SIGALRM, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

bool child_write(int fd, const void *from, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, from, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		from = (const char *)from + n;
		size -= (size_t)n;
	}
	return true;
}
