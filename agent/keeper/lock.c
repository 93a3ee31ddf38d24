// SPDX-License-Identifier: GPL-2.0-or-later
/* lock.c - the runtime directory: one agent a host, and the socket people ask it by. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/parse.h"
#include "agent/keeper/private.h"

#define LOCK_NAME   "lock"
#define SOCKET_NAME "control.sock"
#define READY       "ready\n"      /* after the pid */
#define GROUP_NAME  "foreshape"    /* may talk to the socket, where installed */
#define LINGER_NS   (3 * NS_PER_S) /* a dead keeper's worker or waiter lets go within this */

int lock_open_runtime(const char *dir, struct err *e)
{
	int fd;

	if (mkdir(dir, 0755) == 0)
		(void)chmod(dir, 0755);
	else if (errno != EEXIST)
		return err_set(e, -errno, "make %s", dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(e, -errno, "open %s", dir) : fd;
}

int lock_read_pid(int runtime_fd, bool *ready)
{
	_cleanup_(closep) int fd = openat(runtime_fd, LOCK_NAME, O_RDONLY | O_CLOEXEC);
	char text[24];
	uint64_t pid;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	*ready = false;
	if (n <= 0)
		return 0;
	text[n] = '\0';
	*ready = strstr(text, READY) != NULL;
	text[strcspn(text, "\n")] = '\0';
	return parse_u64(text, &pid) == 0 && pid < INT32_MAX ? (int)pid : 0;
}

/* A process that ended but was not waited for is dead too. */
bool lock_pid_is_alive(int pid)
{
	_cleanup_(closep) int fd = -1;
	char name[32], stat[128];
	const char *after;
	ssize_t n;

	(void)snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
	if (n <= 0)
		return false;
	stat[n] = '\0';
	after = strrchr(stat, ')');
	return after && strncmp(after, ") Z", 3) != 0 && strncmp(after, ") X", 3) != 0;
}

/* The lock outlives its keeper for as long as the worker, or a restore, has it open. */
static int wait_for_lock(int fd, int runtime_fd, int *holder_pid)
{
	uint64_t until_mono_ns = keeper_now_mono_ns() + LINGER_NS;
	const struct timespec pause = {.tv_nsec = 20 * NS_PER_MS};
	bool ready;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -errno;
		*holder_pid = lock_read_pid(runtime_fd, &ready);
		if ((*holder_pid > 0 && lock_pid_is_alive(*holder_pid)) ||
		    keeper_now_mono_ns() > until_mono_ns)
			return -EBUSY;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

int lock_take(int runtime_fd, int *holder_pid, struct err *e)
{
	_cleanup_(closep) int fd =
		openat(runtime_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	int r;

	if (fd < 0)
		return err_set(e, -errno, "open the lock");
	*holder_pid = 0;
	r = wait_for_lock(fd, runtime_fd, holder_pid);
	if (r == -EBUSY)
		return err_say(e, r, "foreshape is running already, as process %d", *holder_pid);
	return r < 0 ? err_set(e, r, "take the lock") : take_fd(fd);
}

int lock_write_pid(int lock_fd)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(lock_fd, 0) < 0 || pwrite(lock_fd, text, (size_t)n, 0) != n)
		return -errno;
	return 0;
}

int lock_write_ready(int lock_fd)
{
	if (lseek(lock_fd, 0, SEEK_END) < 0 ||
	    write(lock_fd, READY, strlen(READY)) != (ssize_t)strlen(READY))
		return -errno;
	return 0;
}

int lock_bind_socket(int runtime_fd, const char *dir, struct err *e)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const struct group *group = getgrnam(GROUP_NAME);
	int n = snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", dir, SOCKET_NAME);

	if (fd < 0)
		return err_set(e, -errno, "make the control socket");
	if (n < 0 || (size_t)n >= sizeof(at.sun_path)) /* too long a name for bind: by descriptor */
		(void)snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/%s", runtime_fd,
			       SOCKET_NAME);
	(void)unlinkat(runtime_fd, SOCKET_NAME, 0);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    fchmodat(runtime_fd, SOCKET_NAME, 0660, 0) < 0 || listen(fd, 64) < 0)
		return err_set(e, -errno, "bind %s/%s", dir, SOCKET_NAME);
	if (group && fchownat(runtime_fd, SOCKET_NAME, 0, group->gr_gid, 0) < 0)
		return err_set(e, -errno, "give %s/%s to group %s", dir, SOCKET_NAME, GROUP_NAME);
	return take_fd(fd);
}
