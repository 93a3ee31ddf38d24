// SPDX-License-Identifier: GPL-2.0-or-later
/* fake_agent.c - serves the API of a made-up agent at DIR/control.sock until its input ends. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/api.h"
#include "tests/agent/fake.h"

static int listen_at(const char *dir)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/control.sock", dir);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 64) < 0) {
		perror(at.sun_path);
		return -1;
	}
	(void)chmod(at.sun_path, 0666);
	return fd;
}

/* A restore that waits is answered a second after the loop has seen it. */
static void answer_restore(void)
{
	void (*done)(void *, unsigned int, unsigned int) = fake_done;

	fake_done = NULL;
	if (done)
		done(fake_done_arg, 3, 1);
}

int main(int argc, char **argv)
{
	struct pollfd p[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};
	struct err e = {};
	struct api *api;
	int fd = listen_at(argc > 1 ? argv[1] : ".");

	fake_restore_waits = argc > 2 && streq(argv[2], "slow");
	if (argc > 2 && streq(argv[2], "empty"))
		fake_n_services = 0;
	if (argc > 2 && streq(argv[2], "many"))
		fake_n_services = 256;
	if (fd < 0 || api_new(fd, NULL, &api, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	p[1].fd = api_fd(api);
	while (!(p[0].revents & (POLLIN | POLLHUP))) {
		int ms = api_timeout_ms(api);

		if (poll(p, 2, fake_done && (ms < 0 || ms > 1000) ? 1000 : ms) == 0)
			answer_restore();
		api_run(api);
	}
	api_free(api);
	return 0;
}
