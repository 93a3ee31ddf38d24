// SPDX-License-Identifier: GPL-2.0-or-later
/* orders.c - the worker's orders in, one answer each, and notices. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "agent/keeper/private.h"
#include "agent/log.h"

#define ORDERS_A_WAKE 64 /* other sources get their turn */

struct answer orders_blank(uint32_t seq, enum answer_kind kind, uint32_t target, enum knob knob)
{
	struct answer ans = {.seq = seq, .kind = kind, .knob = knob, .target = target};
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	ans.at_real_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	return ans;
}

/* The order is refused where its words do not end, or its numbers name nothing. */
static bool is_sound(const struct order *o)
{
	bool all = o->kind == ORDER_YIELD || o->kind == ORDER_ADOPT || o->kind == ORDER_RESTORE;

	if (o->kind >= ORDER_KIND_COUNT || o->knob >= KNOB_COUNT || o->seq == 0)
		return false;
	if (o->target >= ORDER_MAX_TARGETS && !(all && o->target == ORDER_NO_TARGET) &&
	    o->kind <= ORDER_READ && o->kind != ORDER_LINK)
		return false;
	return memchr(o->name, '\0', sizeof(o->name)) && memchr(o->path, '\0', sizeof(o->path)) &&
	       memchr(o->interface, '\0', sizeof(o->interface));
}

static int each_target(struct keeper *k, uint32_t index,
		       int (*fn)(struct keeper *k, struct target *t))
{
	struct target *one = target_get(k, index);
	int r = 0;

	if (index != ORDER_NO_TARGET)
		return one ? fn(k, one) : -ENOENT;
	for (size_t i = 0; i < ORDER_MAX_TARGETS && r == 0; i++) {
		if (k->targets[i].used && k->targets[i].alive)
			r = fn(k, &k->targets[i]);
	}
	return r;
}

static int with_words(struct answer *ans, int r, const struct err *e)
{
	if (r < 0)
		(void)snprintf(ans->text, sizeof(ans->text), "%.150s", e->text);
	return r;
}

/* Returns 1 when the answer comes later. */
static int carry_out(struct keeper *k, const struct order *o, struct answer *ans)
{
	struct err e = {};

	switch ((enum order_kind)o->kind) {
	case ORDER_TARGET:
		return target_declare(k, o, ans);
	case ORDER_FORGET:
	case ORDER_RESTORE:
		return release_start(k, o);
	case ORDER_LINK:
		return with_words(ans, links_add(k, o, &e), &e);
	case ORDER_SET:
		return apply_set(k, o, ans);
	case ORDER_READ:
		return apply_read(k, o, ans);
	case ORDER_ADOPT:
		return each_target(k, o->target, claim_adopt);
	case ORDER_YIELD:
		return each_target(k, o->target, claim_yield);
	case ORDER_ENFORCE:
		k->enforce = o->value != 0;
		(void)copy_str(k->mode, sizeof(k->mode), o->name);
		return 0;
	case ORDER_ATTACH:
		return with_words(ans, packets_attach(k, o->path, &e), &e);
	case ORDER_DETACH:
		return with_words(ans, packets_detach(k, o->path, &e), &e);
	case ORDER_LISTENERS:
		return listeners_unseen(k, o->path, &ans->after);
	case ORDER_QUIT:
		keeper_stop(k);
		return 0;
	case ORDER_KIND_COUNT:
		break;
	}
	return -EINVAL;
}

static void take(struct keeper *k, const struct order *o)
{
	struct answer ans = orders_blank(o->seq, ANSWER_ORDER, o->target,
					 o->knob < KNOB_COUNT ? (enum knob)o->knob : KNOB_CPU_MAX);
	int r = is_sound(o) ? carry_out(k, o, &ans) : -EINVAL;

	if (r > 0)
		return;
	ans.err = r;
	orders_answer(k, &ans);
}

static bool send_now(struct keeper *k, const struct answer *ans)
{
	return send(k->orders_fd, ans, sizeof(*ans), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
	       errno != EAGAIN;
}

static void flush(struct keeper *k)
{
	while (k->queue_n > 0 && send_now(k, &k->queue[k->queue_start])) {
		k->queue_start = (k->queue_start + 1) % KEEPER_MAX_QUEUED;
		k->queue_n--;
	}
	(void)sd_event_source_set_io_events(k->orders_source, k->queue_n ? EPOLLOUT : EPOLLIN);
	if (k->queue_n == 0 && k->n_lost > 0) {
		log_warning("the worker read no answers for a while: %u are lost", k->n_lost);
		k->n_lost = 0;
	}
}

/* No order is read while answers wait, so only notices can ever find the queue full. */
void orders_answer(struct keeper *k, const struct answer *ans)
{
	if (k->orders_fd < 0 || (k->queue_n == 0 && send_now(k, ans)))
		return;
	if (k->queue_n == KEEPER_MAX_QUEUED) {
		k->n_lost++;
		return;
	}
	k->queue[(k->queue_start + k->queue_n++) % KEEPER_MAX_QUEUED] = *ans;
	(void)sd_event_source_set_io_events(k->orders_source, EPOLLOUT);
}

static int on_orders(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct keeper *k = arg;
	struct order o;

	if (k->queue_n > 0)
		flush(k);
	for (int i = 0; i < ORDERS_A_WAKE && k->queue_n == 0 && k->orders_fd >= 0; i++) {
		ssize_t n = recv(fd, &o, sizeof(o), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0) /* closed: its death is noticed elsewhere */
			return sd_event_source_set_enabled(source, SD_EVENT_OFF);
		if (n == (ssize_t)sizeof(o))
			take(k, &o);
	}
	(void)events;
	return 0;
}

int orders_attach(struct keeper *k, int fd)
{
	k->orders_fd = fd;
	k->queue_n = 0;
	return sd_event_add_io(k->loop, &k->orders_source, fd, EPOLLIN, on_orders, k);
}

void orders_detach(struct keeper *k)
{
	k->orders_source = sd_event_source_disable_unref(k->orders_source);
	closep(&k->orders_fd);
	k->orders_fd = -1;
	k->release.seq = 0;
	k->n_waiting = 0;
	for (size_t i = 0; i < ORDER_MAX_TARGETS; i++)
		k->targets[i].orphaned = true;
	squeeze_orphan_all(k);
}
