// SPDX-License-Identifier: GPL-2.0-or-later
/* attach.c - the packet programs at the outermost cgroups; owners and priorities in the maps. */
#include <errno.h>

#include "agent/log.h"
#include "agent/worker/worker.h"

/* True when @inner is @outer or lies below it. */
static bool within(const char *inner, const char *outer)
{
	size_t len = strlen(outer);

	return strncmp(inner, outer, len) == 0 && (inner[len] == '\0' || inner[len] == '/');
}

/* Attached at two nested cgroups, the programs would count a packet twice. */
static bool outermost(const struct agent *a, const struct worker_service *s)
{
	for (size_t i = 0; i < a->n_services; i++) {
		const struct worker_service *other = &a->services[i];

		if (other->present && !streq(other->cgroup, s->cgroup) &&
		    within(s->cgroup, other->cgroup))
			return false;
	}
	return true;
}

static bool is_attached(const struct agent *a, const char *path)
{
	for (size_t i = 0; i < a->n_attached; i++)
		if (streq(a->attached[i], path))
			return true;
	return false;
}

static void mark(struct agent *a)
{
	for (size_t i = 0; i < a->n_services; i++) {
		struct worker_service *s = &a->services[i];

		s->attached = false;
		for (size_t k = 0; s->present && k < a->n_attached; k++)
			s->attached = s->attached || within(s->cgroup, a->attached[k]);
	}
}

static void attached(struct agent *a, const struct worker_pending *p, const struct answer *ans)
{
	if (ans->err) {
		log_warning("attach to %s: %s", p->order.path,
			    *ans->text ? ans->text : strerror(-ans->err));
		(void)copy_str(a->packets_problem, sizeof(a->packets_problem),
			       *ans->text ? ans->text : "packets are not counted");
		return;
	}
	if (a->n_attached < ARRAY_SIZE(a->attached) && !is_attached(a, p->order.path))
		(void)copy_str(a->attached[a->n_attached++], sizeof(a->attached[0]), p->order.path);
	mark(a);
}

static void ask(struct agent *a, enum order_kind kind, const char *path,
		void (*done)(struct agent *, const struct worker_pending *, const struct answer *))
{
	struct worker_pending p = {.order = {.kind = kind, .target = ORDER_NO_TARGET},
				   .done = done};

	(void)copy_str(p.order.path, sizeof(p.order.path), path);
	(void)orders_send(a, &p);
}

static bool wanted(const struct agent *a, const char *path)
{
	for (size_t i = 0; i < a->n_services; i++)
		if (a->services[i].present && streq(a->services[i].cgroup, path))
			return outermost(a, &a->services[i]);
	return false;
}

static uint32_t priority_of(const struct agent *a, const struct worker_service *s)
{
	if (!a->enforce || !s->link_ready || !(s->tick.known & 1u << KNOB_HTB_RATE))
		return 0;
	return htb_classid(htb_minor(s->policy->tier, s->target + 1));
}

void attach_publish(struct agent *a)
{
	struct err e = {};

	for (size_t i = 0; a->counters && i < a->n_services; i++) {
		const struct worker_service *s = &a->services[i];

		if (counters_set_service(a->counters, s->number, s->present, priority_of(a, s),
					 s->rows[s->n_apis], &e) < 0)
			(void)copy_str(a->packets_problem, sizeof(a->packets_problem), e.text);
	}
}

static bool has_port(const struct policy_service *p, uint16_t port)
{
	for (size_t i = 0; i < p->n_ports; i++)
		if (p->ports[i] == port)
			return true;
	return !port;
}

static bool owns(const void *agent, uint64_t cgroup_id, uint16_t port, uint32_t number)
{
	const struct agent *a = agent;

	for (size_t i = 0; i < a->n_services; i++) {
		const struct worker_service *s = &a->services[i];

		if (s->present && s->number == number && s->cgroup_id == cgroup_id)
			return has_port(s->policy, port);
	}
	return false;
}

static void own_all(struct agent *a)
{
	struct err e = {};

	for (size_t i = 0; i < a->n_services; i++) {
		const struct worker_service *s = &a->services[i];

		if (s->present && counters_own(a->counters, s->cgroup_id, s->policy->ports,
					       s->policy->n_ports, s->number, &e) < 0)
			(void)copy_str(a->packets_problem, sizeof(a->packets_problem), e.text);
	}
}

static void publish_owners(struct agent *a)
{
	own_all(a);
	(void)counters_disown(a->counters, owns, a, NULL);
	own_all(a);
	(void)counters_owners_changed(a->counters, NULL);
}

void attach_reconcile(struct agent *a)
{
	if (!a->counters)
		return;
	attach_publish(a);
	publish_owners(a);
	for (size_t i = 0; i < a->n_attached;) {
		if (wanted(a, a->attached[i])) {
			i++;
			continue;
		}
		ask(a, ORDER_DETACH, a->attached[i], NULL);
		memmove(a->attached[i], a->attached[--a->n_attached], sizeof(a->attached[0]));
	}
	for (size_t i = 0; i < a->n_services; i++) {
		const struct worker_service *s = &a->services[i];

		if (s->present && outermost(a, s) && !is_attached(a, s->cgroup))
			ask(a, ORDER_ATTACH, s->cgroup, attached);
	}
	mark(a);
}

static void looked(struct agent *a, const struct worker_pending *p, const struct answer *ans)
{
	int i = agent_find(a, p->order.name);

	if (i >= 0 && !ans->err)
		a->services[i].unseen_listeners = ans->after;
}

void attach_look(struct agent *a)
{
	struct worker_pending p = {.order = {.kind = ORDER_LISTENERS, .target = ORDER_NO_TARGET},
				   .done = looked};
	const struct worker_service *s;

	if (!a->counters || !a->n_services)
		return;
	s = &a->services[a->n_ticks % a->n_services];
	if (!s->attached)
		return;
	(void)copy_str(p.order.name, sizeof(p.order.name), s->policy->name);
	(void)copy_str(p.order.path, sizeof(p.order.path), s->cgroup);
	(void)orders_send(a, &p);
}
