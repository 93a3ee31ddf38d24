// SPDX-License-Identifier: GPL-2.0-or-later
/* api.c - the HTTP server on the control socket: connections, bounds, who may ask; see api_rows.c.
 */
#include "agent/api.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "agent/api_private.h"
#include "agent/base/cleanup.h"
#include "agent/base/util.h"

#define MAX_OTHER_CONNECTIONS 24 /* of users other than root, so that root always gets in */
#define IDLE_S                2
#define WHOLE_REQUEST_MS      5000 /* a request dripping in byte by byte ends here */
#define POOL_BYTES            (32 * KIB)

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct guest *guest_of(struct api *api, const struct MHD_Connection *connection)
{
	for (size_t i = 0; i < ARRAY_SIZE(api->guests); i++)
		if (api->guests[i].connection == connection)
			return &api->guests[i];
	return NULL;
}

static void welcome(struct api *api, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *socket_of =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct guest *g = guest_of(api, NULL);
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t size = sizeof(peer);
	size_t others = 0;

	if (!socket_of)
		return;
	if (getsockopt(socket_of->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		peer.uid = (uid_t)-1;
	for (size_t i = 0; i < ARRAY_SIZE(api->guests); i++)
		others += api->guests[i].connection && !api->guests[i].is_root;
	if (!g || (peer.uid != 0 && others >= MAX_OTHER_CONNECTIONS)) {
		(void)shutdown(socket_of->connect_fd, SHUT_RDWR);
		return;
	}
	*g = (struct guest){.connection = connection,
			    .fd = socket_of->connect_fd,
			    .is_root = peer.uid == 0,
			    .since_ms = now_ms()};
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct api *api = cls;
	struct guest *g;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		welcome(api, connection);
		return;
	}
	api->n_moved++;
	g = guest_of(api, connection);
	if (g)
		*g = (struct guest){};
}

/* Garbage on a local socket is answered by closing it, not by a line in the log. */
static void say_nothing(void *cls, const char *fmt, va_list ap)
{
}

static struct MHD_Daemon *start_daemon(struct api *api, int fd)
{
	return MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		call_request, api, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)POOL_BYTES, MHD_OPTION_NOTIFY_CONNECTION, on_connection, api,
		MHD_OPTION_NOTIFY_COMPLETED, call_completed, NULL, MHD_OPTION_END);
}

int api_new(int listen_fd, struct agent *a, struct api **ret, struct err *e)
{
	_cleanup_(freep) struct api *api = calloc(1, sizeof(*api));
	_cleanup_(closep) int fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 3);

	if (!api)
		return err_set(e, -ENOMEM, "start the API");
	if (fd < 0)
		return err_set(e, -errno, "start the API");
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return err_set(e, -errno, "start the API");
	api->agent = a;
	api->daemon = start_daemon(api, fd);
	if (!api->daemon)
		return err_say(e, -EIO, "start the API: the HTTP server would not start");
	(void)take_fd(fd); /* the daemon closes it */
	*ret = take_ptr(api);
	return 0;
}

void api_free(struct api *api)
{
	if (!api)
		return;
	while (api->waiting) {
		struct api_call *call = api->waiting;

		call_leave_waiting(call);
		call->later = true; /* freed with its answer, not with its connection */
		call->api = NULL;
		MHD_resume_connection(call->connection);
	}
	MHD_stop_daemon(api->daemon);
	free(api);
}

int api_fd(const struct api *api)
{
	const union MHD_DaemonInfo *epoll =
		MHD_get_daemon_info(api->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	return epoll ? epoll->epoll_fd : -EBADF;
}

int api_timeout_ms(const struct api *api)
{
	MHD_UNSIGNED_LONG_LONG ms;
	int64_t next_ms = INT64_MAX, now = now_ms();

	if (MHD_get_timeout(api->daemon, &ms) == MHD_YES)
		next_ms = (int64_t)MIN(ms, (MHD_UNSIGNED_LONG_LONG)INT32_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(api->guests); i++) {
		const struct guest *g = &api->guests[i];

		if (g->connection && !g->asked)
			next_ms = MIN(next_ms, MAX(g->since_ms + WHOLE_REQUEST_MS - now, 0));
	}
	return next_ms == INT64_MAX ? -1 : (int)next_ms;
}

/* Ends connections whose request did not arrive in time: dripping does not hold a place. */
static void show_out(struct api *api)
{
	int64_t now = now_ms();

	for (size_t i = 0; i < ARRAY_SIZE(api->guests); i++) {
		struct guest *g = &api->guests[i];

		if (g->connection && !g->asked && now - g->since_ms >= WHOLE_REQUEST_MS) {
			(void)shutdown(g->fd, SHUT_RDWR);
			g->asked = true;
		}
	}
}

void api_run(struct api *api)
{
	uint64_t moved;

	if (api->running)
		return;
	api->running = true;
	show_out(api);
	do { /* libmicrohttpd 0.9.75 listens again after a full house only in the run after one left
	      */
		moved = api->n_moved;
		(void)MHD_run(api->daemon);
	} while (api->n_moved != moved);
	api->running = false;
}
