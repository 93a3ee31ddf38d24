// SPDX-License-Identifier: GPL-2.0-or-later
/* orders.c - orders to the keeper, its answers and notices back. */
#include <errno.h>
#include <sys/socket.h>

#include "agent/log.h"
#include "agent/worker/worker.h"

static struct worker_pending *find(struct agent *a, uint32_t seq)
{
	for (size_t i = 0; i < WORKER_MAX_PENDING; i++)
		if (a->pending[i].seq == seq)
			return &a->pending[i];
	return NULL;
}

int orders_send(struct agent *a, const struct worker_pending *p)
{
	struct worker_pending *slot = find(a, 0);
	struct order o = p->order;

	if (!slot)
		return -EBUSY;
	if (++a->next_seq == 0)
		a->next_seq = 1;
	o.seq = a->next_seq;
	if (send(a->orders_fd, &o, sizeof(o), MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(o))
		return -errno;
	*slot = *p;
	slot->order = o;
	slot->seq = o.seq;
	return 0;
}

static struct worker_service *by_target(struct agent *a, uint32_t target)
{
	for (size_t i = 0; i < a->n_services; i++)
		if (a->services[i].target == target)
			return &a->services[i];
	return NULL;
}

static void foreign(struct agent *a, const struct answer *ans)
{
	struct worker_service *s = by_target(a, ans->target);
	const char *knob;

	if (!s || ans->knob >= KNOB_COUNT)
		return;
	knob = knob_rows[ans->knob].name;
	s->tick.yielded |= 1u << ans->knob;
	s->tick.knob[ans->knob] = ans->after;
	record_event(a, "foreign_write", s->policy->name,
		     "%s was set from %llu to %llu by %s (pid %d, uid %u); left alone until "
		     "'foreshape adopt %s'",
		     knob, (unsigned long long)ans->before, (unsigned long long)ans->after,
		     *ans->comm ? ans->comm : "somebody", ans->pid, ans->uid, s->policy->name);
	log_info("%s of %s was changed by pid %d (%s): yielded", knob, s->policy->name, ans->pid,
		 ans->comm);
}

static void gone(struct agent *a, const struct answer *ans)
{
	struct worker_service *s = by_target(a, ans->target);

	if (s)
		s->declared = false; /* services_watch looks again */
}

static void link_changed(struct agent *a, const struct answer *ans)
{
	for (size_t i = 0; i < a->n_links; i++)
		a->link_asked[i] = false;
	(void)ans;
}

static void reload(struct agent *a, const struct answer *ans)
{
	struct err e = {};

	(void)ans;
	if (agent_reload(a, &e) < 0)
		log_warning("reload: %s", e.text);
}

static void stop(struct agent *a, const struct answer *ans)
{
	(void)ans;
	a->stopping = true;
	sd_event_exit(a->loop, 0);
}

static void (*const notices[])(struct agent *a, const struct answer *ans) = {
	[NOTICE_FOREIGN] = foreign, [NOTICE_GONE] = gone, [NOTICE_LINK] = link_changed,
	[NOTICE_RELOAD] = reload,   [NOTICE_STOP] = stop,
};

static void take(struct agent *a, const struct answer *ans)
{
	struct worker_pending *slot, p;

	if (ans->kind != ANSWER_ORDER) {
		if (ans->kind < ARRAY_SIZE(notices))
			notices[ans->kind](a, ans);
		return;
	}
	slot = ans->seq ? find(a, ans->seq) : NULL;
	if (!slot)
		return;
	p = *slot;
	slot->seq = 0;
	if (p.done)
		p.done(a, &p, ans);
}

/* The keeper's end closing means that it is dead: limits hold, this process ends. */
static int readable(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct agent *a = arg;
	struct answer ans;
	ssize_t n;

	(void)source;
	(void)events;
	for (;;) {
		n = recv(fd, &ans, sizeof(ans), MSG_DONTWAIT);
		if (n == (ssize_t)sizeof(ans)) {
			take(a, &ans);
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		log_error("the keeper is gone; limits stay as they are");
		worker_hurry();
		return sd_event_exit(a->loop, EXIT_FAILURE);
	}
}

int orders_init(struct agent *a, struct err *e)
{
	int r;

	a->pending = calloc(WORKER_MAX_PENDING, sizeof(*a->pending));
	if (!a->pending)
		return err_set(e, -ENOMEM, "orders");
	r = sd_event_add_io(a->loop, NULL, a->orders_fd, EPOLLIN, readable, a);
	return r < 0 ? err_set(e, r, "watch the keeper's socket") : 0;
}
