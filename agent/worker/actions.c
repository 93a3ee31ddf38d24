// SPDX-License-Identifier: GPL-2.0-or-later
/* actions.c - what people ask of a running agent. */
#include <errno.h>
#include <time.h>

#include "agent/log.h"
#include "agent/worker/worker.h"

static int64_t until(uint64_t for_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return ns_after((int64_t)now.tv_sec * (int64_t)NS_PER_S + now.tv_nsec, for_ns);
}

void actions_tell_mode(struct agent *a)
{
	struct worker_pending p = {
		.order = {.kind = ORDER_ENFORCE, .target = ORDER_NO_TARGET, .value = a->enforce}};

	_Static_assert(MODE_TEXT_MAX == sizeof(p.order.name), "it fits");
	mode_format(&a->mode, p.order.name);
	(void)orders_send(a, &p);
}

/* What was asked for is in force once there is a policy, and observed until then. */
static void put_in_force(struct agent *a)
{
	bool enforce = a->mode.enforce && a->n_services, same = a->enforce == enforce;

	a->enforce = enforce;
	actions_tell_mode(a);
	if (same)
		return;
	for (size_t i = 0; i < a->n_links; i++)
		a->link_asked[i] = false;
	attach_publish(a);
	record_event(a, "mode", NULL, "%s", enforce ? "enforce" : "observe");
}

int agent_reload(struct agent *a, struct err *e)
{
	struct err local = {};
	int r = services_find_dir(a, &local);

	if (r == 0)
		r = services_load(a, false, &local);
	if (r < 0) {
		(void)copy_str(a->policy_problem, sizeof(a->policy_problem), local.text);
		record_event(a, "reload", NULL, "kept the last good policies: %s", local.text);
		if (e)
			*e = local;
		return r;
	}
	*a->policy_problem = '\0';
	jobs_move(a->jobs);
	events_apply(a);
	services_watch(a); /* one not looked for yet must not be published as gone */
	attach_reconcile(a);
	record_event(a, "reload", NULL, "%zu services", a->n_services);
	put_in_force(a);
	return 0;
}

int agent_mode(struct agent *a, bool enforce, uint64_t for_ns, struct err *e)
{
	if (enforce && !a->n_services)
		return err_say(e, -EINVAL,
			       "no valid policy is loaded: there is nothing to enforce");
	mode_ask(&a->mode, enforce, for_ns ? until(for_ns) : 0);
	put_in_force(a);
	return 0;
}

int agent_freeze(struct agent *a, uint64_t for_ns, struct err *e)
{
	(void)e;
	a->mode.frozen_until_real_ns = for_ns ? until(for_ns) : 0;
	actions_tell_mode(a);
	record_event(a, "freeze", NULL, for_ns ? "changes are frozen" : "changes go on");
	return 0;
}

/* Gives knobs of @service (all of them when NULL) away or takes them back. */
static int change_hands(struct agent *a, const char *service, enum order_kind kind, struct err *e)
{
	struct worker_pending p = {.order = {.kind = (uint16_t)kind}};
	bool found = false;

	for (size_t i = 0; i < a->n_services; i++) {
		struct worker_service *s = &a->services[i];

		if (service && !streq(service, s->policy->name))
			continue;
		found = true;
		p.order.target = s->target;
		if (s->target != ORDER_NO_TARGET) /* that would be all of them */
			(void)orders_send(a, &p);
		s->tick.yielded = kind == ORDER_YIELD ? (1u << KNOB_COUNT) - 1 : 0;
		if (kind == ORDER_ADOPT && s->declared)
			carry_read_knobs(a, s);
		record_event(a, kind == ORDER_YIELD ? "yield" : "adopt", s->policy->name, "%s",
			     kind == ORDER_YIELD ? "left alone until adopted" : "managed again");
	}
	if (found || !service)
		return 0;
	return err_say(e, -ENOENT, "no service '%s'; 'foreshape status' lists them", service);
}

int agent_adopt(struct agent *a, const char *service, struct err *e)
{
	return change_hands(a, service, ORDER_ADOPT, e);
}

int agent_yield(struct agent *a, const char *service, struct err *e)
{
	return change_hands(a, service, ORDER_YIELD, e);
}

static void restored(struct agent *a, const struct worker_pending *p, const struct answer *ans)
{
	struct worker_restore *r = p->arg;

	for (size_t i = 0; i < a->n_services; i++)
		if (a->services[i].declared)
			carry_given_back(a, &a->services[i]);
	record_event(a, "restore", NULL, "%llu knobs have their baseline again, %llu refused",
		     (unsigned long long)ans->before, (unsigned long long)ans->after);
	if (r && r->done)
		r->done(r->arg, (unsigned int)ans->before, (unsigned int)ans->after);
	free(r);
}

int agent_restore(struct agent *a, const char *service,
		  void (*done)(void *arg, unsigned int restored, unsigned int refused), void *arg,
		  struct err *e)
{
	int i = service ? agent_find(a, service) : 0, ret;
	struct worker_restore *r;
	struct worker_pending p = {.order = {.kind = ORDER_RESTORE, .target = ORDER_NO_TARGET},
				   .done = restored};

	if (i < 0)
		return err_say(e, i, "no service '%s'; 'foreshape status' lists them", service);
	if (service && a->services[i].target == ORDER_NO_TARGET) /* that would be all of them */
		return err_say(e, -EBUSY, "'%s' has no number yet: nothing of it was written",
			       service);
	(void)agent_mode(a, false, 0, NULL);
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(e, -ENOMEM, "restore");
	*r = (struct worker_restore){done, arg};
	p.arg = r;
	if (service)
		p.order.target = a->services[i].target;
	ret = orders_send(a, &p);
	if (ret < 0) {
		free(r);
		return err_set(e, ret, "ask the keeper to restore");
	}
	return 0;
}

void actions_expire(struct agent *a)
{
	int64_t now = until(0);

	if (a->mode.frozen_until_real_ns && now >= a->mode.frozen_until_real_ns)
		(void)agent_freeze(a, 0, NULL);
	if (!a->mode.until_real_ns || now < a->mode.until_real_ns)
		return;
	log_info("the time to %s is over", a->mode.enforce ? "enforce" : "observe");
	if (a->mode.enforce) { /* a trial that ends leaves nothing behind */
		(void)agent_restore(a, NULL, NULL, NULL, NULL);
		return;
	}
	mode_ask(&a->mode, true, 0);
	put_in_force(a);
}
