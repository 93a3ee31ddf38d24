// SPDX-License-Identifier: GPL-2.0-or-later
/* carry.c - a planned value to the keeper, its answer to history and the planner. */
#include <errno.h>
#include <stdio.h>

#include "agent/log.h"
#include "agent/worker/worker.h"

typedef void worker_done_t(struct agent *a, const struct worker_pending *p,
			   const struct answer *ans);

static struct worker_service *service_named(struct agent *a, const char *name, uint32_t *index)
{
	int i = agent_find(a, name);

	if (i < 0)
		return NULL;
	*index = (uint32_t)i;
	return &a->services[i];
}

/* What the keeper knows of a knob: its value, whose it is, and what goes back. */
static void take_state(struct worker_service *s, unsigned int knob, const struct answer *ans)
{
	uint32_t bit = 1u << knob;

	s->tick.known |= bit;
	s->tick.knob[knob] = ans->after;
	s->tick.baseline[knob] = ans->baseline;
	s->tick.baseline_known |= bit;
	if (ans->state & STATE_YIELDED)
		s->tick.yielded |= bit;
	else
		s->tick.yielded &= ~bit;
}

/* Values are wanted for the planner's "in force"; a knob the host does not have is remembered. */
static void read_done(struct agent *a, const struct worker_pending *p, const struct answer *ans)
{
	uint32_t index;
	struct worker_service *s = service_named(a, p->order.name, &index);
	uint32_t bit = 1u << p->order.knob;

	if (!s || s->target != p->order.target)
		return;
	if (ans->err == -EOPNOTSUPP || ans->err == -ENOENT) {
		s->unsupported |= bit;
		return;
	}
	if (ans->err)
		return;
	take_state(s, p->order.knob, ans);
}

/* What a restore changed is a write like others; "baseline" is why. */
static void read_again(struct agent *a, const struct worker_pending *p, const struct answer *ans)
{
	uint32_t index;
	const struct worker_service *s = service_named(a, p->order.name, &index);
	bool known = s && s->target == p->order.target && s->tick.known & 1u << p->order.knob;
	uint64_t before = known ? s->tick.knob[p->order.knob] : 0;

	read_done(a, p, ans);
	if (!known || ans->err || ans->after == before)
		return;
	store_write(a->store, &(struct store_write){
				      .at_real_ns = (int64_t)ans->at_real_ns,
				      .service = p->order.name,
				      .knob = knob_rows[p->order.knob].name,
				      .reason = reason_rows[REASON_BASELINE].name,
				      .before = before,
				      .after = ans->after,
				      .asked = ans->after,
			      });
}

static void read_knobs(struct agent *a, struct worker_service *s, worker_done_t *done)
{
	for (int k = 0; k < KNOB_HTB_RATE; k++) {
		struct worker_pending p = {
			.order = {.kind = ORDER_READ, .knob = (uint16_t)k, .target = s->target},
			.done = done};

		(void)copy_str(p.order.name, sizeof(p.order.name), s->policy->name);
		(void)orders_send(a, &p);
	}
}

void carry_read_knobs(struct agent *a, struct worker_service *s)
{
	read_knobs(a, s, read_done);
}

void carry_given_back(struct agent *a, struct worker_service *s)
{
	read_knobs(a, s, read_again);
}

/* A cgroup that went away or a knob that is somebody else's is no trouble of the host's. */
static void cannot_write(struct agent *a, const struct store_write *w, const struct answer *ans)
{
	const char *why = *ans->text ? ans->text : strerror(-ans->err);

	log_warning("set %s of %s: %s", w->knob, w->service, why);
	if (ans->err == -EROFS || ans->err == -EACCES || ans->err == -EIO)
		(void)snprintf(a->write_problem, sizeof(a->write_problem),
			       "limits cannot be written: %s of %s: %s", w->knob, w->service, why);
}

static void written(struct agent *a, const struct worker_pending *p, const struct answer *ans)
{
	uint32_t index, bit = 1u << p->order.knob;
	struct worker_service *s = service_named(a, p->order.name, &index);
	struct plan_entry entry = p->entry;
	struct store_write w = {
		.at_real_ns = (int64_t)ans->at_real_ns,
		.decision_id = p->decision_id,
		.service = p->order.name,
		.knob = knob_rows[p->order.knob].name,
		.reason = reason_rows[entry.reason].name,
		.before = ans->before,
		.after = ans->after,
		.asked = p->order.value,
		.err = -ans->err,
	};

	if (s && s->target != p->order.target)
		s = NULL; /* of the cgroup its policy named before */
	if (s && ans->err == -EOPNOTSUPP) {
		s->in_flight_knobs &= ~bit;
		s->unsupported |= bit;
		return;
	}
	store_write(a->store, &w);
	if (!s)
		return;
	entry.service = index;
	s->in_flight_knobs &= ~bit;
	tape_written(&a->tape, &entry, ans->after, ans->err);
	tick_written(a->controller, &entry, ans->after, ans->err);
	if (ans->err) {
		cannot_write(a, &w, ans);
		return;
	}
	*a->write_problem = '\0';
	take_state(s, p->order.knob, ans);
	if (p->order.knob == KNOB_HTB_RATE)
		attach_publish(a);
}

void carry_entry(struct agent *a, const struct plan_entry *entry)
{
	struct worker_service *s = &a->services[entry->service];
	uint32_t bit = 1u << entry->knob;
	int64_t id = record_decision(a, entry);
	struct worker_pending p = {
		.order = {.kind = ORDER_SET,
			  .knob = entry->knob,
			  .target = s->target,
			  .flags = entry->urgent ? ORDER_URGENT : 0,
			  .value = entry->value,
			  .floor = entry->floor,
			  .ceiling = entry->ceiling,
			  .cgroup_id = s->cgroup_id},
		.entry = *entry,
		.decision_id = id,
		.done = written,
	};

	tape_decided(&a->tape, entry, id);
	if (!a->enforce || !s->declared || !(services_knobs(s) & bit))
		return;
	if (s->in_flight_knobs & bit && !entry->urgent) /* the guard's raise waits for nothing */
		return;
	if (entry->knob == KNOB_MEMORY_MAX && entry->value < entry->before)
		p.order.flags |= ORDER_SHRINK;
	(void)copy_str(p.order.name, sizeof(p.order.name), s->policy->name);
	if (orders_send(a, &p) == 0)
		s->in_flight_knobs |= bit;
}
