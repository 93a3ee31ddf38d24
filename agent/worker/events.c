// SPDX-License-Identifier: GPL-2.0-or-later
/* events.c - known future events: those of policies, and those people added. */
#include <errno.h>
#include <math.h>
#include <time.h>

#include "agent/worker/worker.h"

static void take(const struct store_known_event *ev, void *arg)
{
	struct agent *a = arg;

	if (a->n_events < WORKER_MAX_EVENTS)
		a->events[a->n_events++] = *ev;
}

void events_load(struct agent *a)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	(void)store_known_events(a->conf.db_path, (int64_t)now.tv_sec * (int64_t)NS_PER_S, take, a,
				 NULL);
}

/* The policies' own events reach the controller with the policies. */
static int apply(struct agent *a, const struct store_known_event *ev)
{
	int i = agent_find(a, ev->service);

	if (i < 0)
		return i;
	tape_event(&a->tape, (uint32_t)i, ev->name, ev->starts_real_ns, ev->lasts_ns,
		   ev->multiplier);
	return controller_event(a->controller, (uint32_t)i, ev->name, ev->starts_real_ns,
				ev->lasts_ns, ev->multiplier);
}

void events_apply(struct agent *a)
{
	for (size_t i = 0; i < a->n_events; i++)
		(void)apply(a, &a->events[i]);
}

void events_renew(struct agent *a)
{
	tape_events(&a->tape, a->set);
	controller_event_clear(a->controller);
	events_apply(a);
}

int agent_event_add(struct agent *a, const char *service, const char *name, int64_t starts_real_ns,
		    uint64_t lasts_ns, double multiplier, int64_t *id, struct err *e)
{
	struct store_known_event ev = {
		.starts_real_ns = starts_real_ns, .lasts_ns = lasts_ns, .multiplier = multiplier};
	int r;

	if (agent_find(a, service) < 0)
		return err_say(e, -ENOENT, "no service '%s'; 'foreshape status' lists them",
			       service);
	if (a->n_events == WORKER_MAX_EVENTS)
		return err_say(e, -ENOSPC, "%d events are known already; remove some",
			       WORKER_MAX_EVENTS);
	if (!copy_str(ev.service, sizeof(ev.service), service) ||
	    !copy_str(ev.name, sizeof(ev.name), name) || !*name)
		return err_say(e, -EINVAL, "an event's name has 1 to %zu characters",
			       sizeof(ev.name) - 1);
	if (!lasts_ns || (!isnan(multiplier) && !(multiplier > 0 && multiplier <= 1000)))
		return err_say(e, -EINVAL,
			       "an event lasts longer than nothing and multiplies by "
			       "more than 0 and at most 1000");
	r = apply(a, &ev);
	if (r < 0)
		return err_set(e, r, "event %s of %s", name, service);
	ev.id = store_known_event_add(a->store, &ev);
	a->events[a->n_events++] = ev;
	*id = ev.id;
	record_event(a, "event", service, "event %s was added", name);
	return 0;
}

int agent_event_remove(struct agent *a, int64_t id, struct err *e)
{
	for (size_t i = 0; i < a->n_events; i++) {
		if (a->events[i].id != id)
			continue;
		record_event(a, "event", a->events[i].service, "event %s was removed",
			     a->events[i].name);
		store_known_event_remove(a->store, id);
		memmove(&a->events[i], &a->events[i + 1],
			(--a->n_events - i) * sizeof(a->events[0]));
		events_renew(a);
		return 0;
	}
	return err_say(e, -ENOENT, "no event %lld; 'foreshape event list' shows them",
		       (long long)id);
}

size_t agent_n_events(struct agent *a)
{
	size_t n = a->n_events;

	for (size_t i = 0; i < a->n_services; i++)
		n += a->services[i].policy->n_events;
	return n;
}

void agent_view_event(struct agent *a, size_t i, struct view_event *ret)
{
	const struct store_known_event *ev;

	if (i < a->n_events) {
		ev = &a->events[i];
		*ret = (struct view_event){ev->id,       ev->service,
					   ev->name,     ev->starts_real_ns,
					   ev->lasts_ns, ev->multiplier};
		return;
	}
	i -= a->n_events;
	for (size_t k = 0; k < a->n_services; k++) {
		const struct policy_service *p = a->services[k].policy;

		if (i >= p->n_events) {
			i -= p->n_events;
			continue;
		}
		*ret = (struct view_event){0,
					   p->name,
					   p->events[i].name,
					   p->events[i].starts_real_ns,
					   p->events[i].lasts_ns,
					   p->events[i].multiplier};
		return;
	}
}
