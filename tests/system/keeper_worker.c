// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keeper_worker.c - a worker for the keeper's tests: lines from a socket become orders, answers and
 * notices become lines. KEEPER_TEST_SOCKET names the socket the test listens on.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "shaping/order.h"

#define MAX_WORDS 16

static const char *const kinds[ORDER_KIND_COUNT] = {
	"target", "forget",  "link",   "set",    "adopt",     "yield", "restore",
	"read",   "enforce", "attach", "detach", "listeners", "quit",
};

static uint64_t number(const char *word)
{
	uint64_t n = 0;

	if (streq(word, "max"))
		return UNLIMITED;
	if (parse_u64(word, &n) < 0)
		exit(3);
	return n;
}

/* "set target=0 knob=cpu.max value=1500 seq=7" */
static void set_word(struct order *o, char *word)
{
	char *value = strchr(word, '=');

	if (!value)
		exit(3);
	*value++ = '\0';
	if (streq(word, "seq"))
		o->seq = (uint32_t)number(value);
	else if (streq(word, "target"))
		o->target = streq(value, "all") ? ORDER_NO_TARGET : (uint32_t)number(value);
	else if (streq(word, "knob"))
		o->knob = (uint16_t)knob_find(value);
	else if (streq(word, "flags"))
		o->flags = (uint32_t)number(value);
	else if (streq(word, "value"))
		o->value = number(value);
	else if (streq(word, "floor"))
		o->floor = number(value);
	else if (streq(word, "ceiling"))
		o->ceiling = number(value);
	else if (streq(word, "step"))
		o->max_lower_ppm = (uint32_t)number(value);
	else if (streq(word, "id"))
		o->cgroup_id = number(value);
	else if (streq(word, "minor"))
		o->htb_minor = (uint32_t)number(value);
	else if (streq(word, "path"))
		(void)copy_str(o->path, sizeof(o->path), value);
	else if (streq(word, "name"))
		(void)copy_str(o->name, sizeof(o->name), value);
	else if (streq(word, "interface"))
		(void)copy_str(o->interface, sizeof(o->interface), value);
	else
		exit(3);
}

static void send_line(char *line)
{
	struct order o = {.ceiling = UNLIMITED};
	char *word = strsep(&line, " ");

	while (o.kind < ORDER_KIND_COUNT && !streq(kinds[o.kind], word))
		o.kind++;
	while ((word = strsep(&line, " ")))
		set_word(&o, word);
	if (send(WORKER_FD_ORDERS, &o, sizeof(o), 0) != sizeof(o))
		exit(4);
}

static void print_answer(FILE *out, const struct answer *a)
{
	fprintf(out,
		"{\"seq\":%u,\"kind\":%u,\"knob\":%u,\"target\":%u,\"err\":%d,\"before\":%" PRIu64
		",\"after\":%" PRIu64 ",\"id\":%" PRIu64 ",\"clamped\":%u,\"pid\":%d,\"uid\":%u,"
		"\"hierarchies\":%u,\"comm\":\"%s\",\"text\":\"%s\",\"baseline\":%" PRIu64
		",\"state\":%u}\n",
		a->seq, a->kind, a->knob, a->target, a->err, a->before, a->after, a->cgroup_id,
		a->clamped, a->pid, a->uid, a->hierarchies, a->comm, a->text, a->baseline,
		a->state);
	fflush(out);
}

static int connect_test(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)copy_str(at.sun_path, sizeof(at.sun_path), getenv("KEEPER_TEST_SOCKET"));
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		exit(5);
	return fd;
}

int main(int argc, char **argv)
{
	int fd = connect_test();
	FILE *in = fdopen(dup(fd), "r"), *out = fdopen(fd, "w");
	struct pollfd p[] = {{.fd = WORKER_FD_ORDERS, .events = POLLIN},
			     {.fd = fileno(in), .events = POLLIN}};
	char line[1024];
	struct answer a;

	setvbuf(in, NULL, _IONBF, 0); /* what is buffered, poll does not see */
	fprintf(out, "{\"argv\":\"");
	for (int i = 0; i < argc; i++)
		fprintf(out, "%s ", argv[i]);
	fprintf(out, "\",\"pid\":%d}\n", (int)getpid());
	fflush(out);
	while (poll(p, 2, -1) >= 0) {
		if (p[0].revents) {
			if (recv(WORKER_FD_ORDERS, &a, sizeof(a), 0) != sizeof(a))
				return 0; /* the keeper is gone */
			print_answer(out, &a);
			if (a.kind == NOTICE_STOP)
				return 0;
		}
		if (p[1].revents) {
			if (!fgets(line, sizeof(line), in))
				return 6;
			line[strcspn(line, "\n")] = '\0';
			send_line(line);
		}
	}
	return 7;
}
