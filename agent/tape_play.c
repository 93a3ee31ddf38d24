// SPDX-License-Identifier: GPL-2.0-or-later
/* tape_play.c - a tape told to a planner again. */
#include "agent/tape_play.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"

void tape_player_free(struct tape_player *p)
{
	for (size_t i = 0; i < TAPE_LANES; i++)
		if (p->jobs[i])
			controller_job_give(NULL, p->jobs[i]);
	controller_free(p->controller);
	free(p->services);
	free(p->last);
	free(p->apis);
	free(p->changes);
	*p = (struct tape_player){};
}

static int make_room(struct tape_player *p)
{
	size_t n = p->set->n_services, n_apis = 0;

	for (size_t i = 0; i < n; i++)
		n_apis += p->set->services[i].n_apis + 1;
	p->services = calloc(n + 1, sizeof(*p->services));
	p->last = calloc(n + 1, sizeof(*p->last));
	p->apis = calloc(n_apis + 1, sizeof(*p->apis));
	p->changes = calloc(n * KNOB_COUNT + 1, sizeof(*p->changes));
	if (!p->services || !p->last || !p->apis || !p->changes)
		return -ENOMEM;
	for (size_t i = 0, at = 0; i < n; at += p->set->services[i++].n_apis + 1)
		p->services[i].apis = &p->apis[at];
	return 0;
}

static bool same_services(struct tape_reader *r, const struct policy_set *set)
{
	char name[POLICY_NAME_MAX];

	if (tape_get(r) != set->n_services)
		return false;
	for (size_t i = 0; i < set->n_services; i++) {
		tape_get_text(r, name, sizeof(name));
		if (!streq(name, set->services[i].name) || tape_get(r) != set->services[i].n_apis ||
		    r->cut)
			return false;
	}
	return true;
}

uint64_t tape_state_size(const void *bytes, size_t size)
{
	uint64_t all = 0;

	if (size >= sizeof(all))
		memcpy(&all, bytes, sizeof(all));
	return all;
}

static int begin(struct tape_player *p, struct tape_reader *r, struct err *e)
{
	struct host_facts facts;
	uint64_t period_ns, fits_ns, size;
	int err;

	if (r->left == 0 || tape_state_size(r->p, r->left) != r->left)
		return err_say(e, -EINVAL, "the recording is damaged");
	r->p += sizeof(uint64_t);
	r->left -= sizeof(uint64_t);
	facts.capacity_mcpu = tape_get(r);
	facts.memory_bytes = tape_get(r);
	facts.swap_bytes = tape_get(r);
	period_ns = tape_get(r);
	fits_ns = tape_get(r);
	if (!same_services(r, p->set))
		return err_say(e, -EINVAL,
			       "the policies are not those of the recording: it has other "
			       "services or APIs");
	size = tape_get(r);
	if (r->cut || size > r->left)
		return err_say(e, -EINVAL, "the recording is damaged");
	err = make_room(p);
	if (err == 0)
		err = controller_new(p->set, &facts, period_ns, &p->controller);
	if (err < 0)
		return err_set(e, err, "start the planner");
	if (controller_load(p->controller, r->p, size) < 0)
		return err_say(e, -EINVAL, "the recording is of another version of foreshape");
	controller_fit_at(p->controller, fits_ns);
	return 0;
}

int tape_player_new(struct policy_set *set, const void *bytes, size_t size, struct tape_player *ret,
		    struct err *e)
{
	struct tape_reader r = {bytes, size, false};
	int err;

	*ret = (struct tape_player){.set = set};
	err = begin(ret, &r, e);
	if (err < 0)
		tape_player_free(ret);
	return err;
}

/* What was decided and nobody claimed: it was not decided then. */
static void unclaimed(struct tape_player *p)
{
	for (size_t i = 0; i < p->n_changes; i++)
		if (p->decided)
			p->decided(p->arg, 0, p->changes[i].service, p->changes[i].knob,
				   &p->changes[i]);
	p->n_changes = 0;
}

void tape_play_end(struct tape_player *p)
{
	unclaimed(p);
}

static void get_service(struct tape_player *p, struct tape_reader *r, size_t i)
{
	uint64_t changed = tape_get(r);

	for (size_t k = 0; k < TAPE_FIELDS; k++)
		if (changed >> k & 1)
			p->last[i][k] = tape_get_limit(r);
	tape_unflatten(p->last[i], &p->services[i]);
}

static void get_apis(struct tape_reader *r, struct tick_api *apis, size_t n)
{
	uint64_t busy = tape_get(r);

	memset(apis, 0, n * sizeof(*apis));
	for (uint64_t k = 0; k < busy && !r->cut; k++) {
		uint64_t i = tape_get(r);
		struct tick_api a = {.requests = tape_get(r)};

		a.finished = tape_get(r);
		a.errors = tape_get(r);
		a.bytes_in = tape_get(r);
		a.bytes_out = tape_get(r);
		a.in_flight = tape_get_real(r);
		a.slo_total = tape_get(r);
		a.slo_good = tape_get(r);
		if (i >= n)
			r->cut = true;
		else
			apis[i] = a;
	}
}

static void play_tick(struct tape_player *p, struct tape_reader *r)
{
	struct tick_input in = {.now_mono_ns = tape_get(r), .services = p->services};
	const struct plan *plan;
	struct tick_api *apis = p->apis;
	uint64_t flags;

	in.now_real_ns = tape_get_signed(r);
	in.interval_ns = tape_get(r);
	in.host_cpu_used_mcpu = tape_get_limit(r);
	in.host_memory_available_bytes = tape_get_limit(r);
	flags = tape_get(r);
	in.frozen = flags & 1;
	in.observe = flags & 2;
	for (size_t i = 0; i < p->set->n_services; i++) {
		size_t n = p->set->services[i].n_apis + 1;

		get_service(p, r, i);
		get_apis(r, apis, n);
		apis += n;
	}
	if (r->cut)
		return;
	unclaimed(p);
	plan = tick_once(p->controller, &in);
	p->n_ticks++;
	for (size_t i = 0; i < plan->n_entries; i++)
		if (plan->entries[i].change)
			p->changes[p->n_changes++] = plan->entries[i];
}

static void get_in_flight(struct tape_reader *r, struct tick_api *apis, size_t n)
{
	uint64_t busy = tape_get(r);

	for (size_t i = 0; i < n; i++)
		apis[i].in_flight = 0;
	for (uint64_t k = 0; k < busy && !r->cut; k++) {
		uint64_t i = tape_get(r);
		double in_flight = tape_get_real(r);

		if (i >= n)
			r->cut = true;
		else
			apis[i].in_flight = in_flight;
	}
}

static struct tick_api *apis_of(const struct tape_player *p, size_t service)
{
	struct tick_api *apis = p->apis;

	for (size_t i = 0; i < service; i++)
		apis += p->set->services[i].n_apis + 1;
	return apis;
}

static void play_guard(struct tape_player *p, struct tape_reader *r)
{
	uint64_t i = tape_get(r), now_ns = tape_get(r), interval_ns = tape_get(r);
	struct plan_entry entry;

	if (i >= p->set->n_services) {
		r->cut = true;
		return;
	}
	get_service(p, r, i);
	if (tick_guard_reads_apis(&p->set->services[i]))
		get_in_flight(r, apis_of(p, i), p->set->services[i].n_apis + 1);
	if (r->cut)
		return;
	unclaimed(p);
	p->n_guards++;
	if (tick_guard(p->controller, (uint32_t)i, &p->services[i], now_ns, interval_ns, &entry))
		p->changes[p->n_changes++] = entry;
}

static void play_decided(struct tape_player *p, struct tape_reader *r)
{
	uint32_t service = (uint32_t)tape_get(r);
	uint16_t knob = (uint16_t)tape_get(r);
	int64_t id = tape_get_signed(r);
	const struct plan_entry *found = NULL;
	size_t i = 0;

	while (i < p->n_changes && (p->changes[i].service != service || p->changes[i].knob != knob))
		i++;
	if (i < p->n_changes)
		found = &p->changes[i];
	if (p->decided && !r->cut)
		p->decided(p->arg, id, service, knob, found);
	if (found)
		p->changes[i] = p->changes[--p->n_changes];
}

static void play_written(struct tape_player *p, struct tape_reader *r)
{
	struct plan_entry e = {.service = (uint32_t)tape_get(r)};
	uint64_t after;

	e.knob = (uint16_t)tape_get(r);
	e.reason = (uint16_t)tape_get(r);
	e.value = tape_get_limit(r);
	e.before = tape_get_limit(r);
	after = tape_get_limit(r);
	tick_written(p->controller, &e, after, (int)tape_get_signed(r));
}

static int play_asked(struct tape_player *p, struct tape_reader *r, struct err *e)
{
	uint64_t v = tape_get(r), lane = v >> 1;
	struct tick_job *job;

	if (lane >= TAPE_LANES || p->jobs[lane]) {
		r->cut = true;
		return 0;
	}
	job = lane ? controller_tune_take(p->controller) : controller_job_take(p->controller);
	p->jobs[lane] = job;
	if ((job != NULL) != (v & 1))
		return err_say(e, -EINVAL, "tick %llu: a fit is %sdue that was%s",
			       (unsigned long long)p->n_ticks, job ? "" : "not ",
			       job ? " not" : "");
	if (job)
		controller_job_run(job);
	return 0;
}

static void play_given(struct tape_player *p, struct tape_reader *r)
{
	uint64_t lane = tape_get(r);

	if (lane >= TAPE_LANES || !p->jobs[lane])
		r->cut = true;
	else
		controller_job_give(p->controller, take_ptr(p->jobs[lane]));
}

/* The policies' events are what the tape says, whatever the files say today. */
static int play_events(struct tape_player *p, struct tape_reader *r)
{
	for (size_t i = 0; i < p->set->n_services && !r->cut; i++) {
		_cleanup_(freep) struct policy_event *events = NULL;
		struct policy_service *s = &p->set->services[i];
		uint64_t n = tape_get(r);

		if (n > POLICY_MAX_EVENTS) {
			r->cut = true;
			return 0;
		}
		events = calloc(n + 1, sizeof(*events));
		if (!events)
			return -ENOMEM;
		for (uint64_t k = 0; k < n; k++) {
			tape_get_text(r, events[k].name, sizeof(events[k].name));
			events[k].starts_real_ns = tape_get_signed(r);
			events[k].lasts_ns = tape_get(r);
			events[k].multiplier = tape_get_real(r);
		}
		s->n_own_events = 0;
		if (policy_calendars_replace(s, events, n) < 0)
			return -ENOMEM;
	}
	if (!r->cut)
		controller_event_clear(p->controller);
	return 0;
}

static void play_event(struct tape_player *p, struct tape_reader *r)
{
	uint32_t service = (uint32_t)tape_get(r);
	char name[POLICY_NAME_MAX];
	int64_t starts_ns;
	uint64_t lasts_ns;

	tape_get_text(r, name, sizeof(name));
	starts_ns = tape_get_signed(r);
	lasts_ns = tape_get(r);
	(void)controller_event(p->controller, service, name, starts_ns, lasts_ns, tape_get_real(r));
}

static int play_one(struct tape_player *p, struct tape_reader *r, struct err *e)
{
	switch (tape_get(r)) {
	case TAPE_TICK:
		play_tick(p, r);
		return 0;
	case TAPE_GUARD:
		play_guard(p, r);
		return 0;
	case TAPE_DECIDED:
		play_decided(p, r);
		return 0;
	case TAPE_WRITTEN:
		play_written(p, r);
		return 0;
	case TAPE_JOB_ASKED:
		return play_asked(p, r, e);
	case TAPE_JOB_GIVEN:
		play_given(p, r);
		return 0;
	case TAPE_EVENTS:
		return play_events(p, r);
	case TAPE_EVENT:
		play_event(p, r);
		return 0;
	default:
		r->cut = true;
		return 0;
	}
}

int tape_play(struct tape_player *p, const void *bytes, size_t size, struct err *e)
{
	struct tape_reader r = {bytes, size, false};
	int err = 0;

	while (err == 0 && r.left > 0)
		err = play_one(p, &r, e);
	if (err == -ENOMEM)
		return err_set(e, err, "play the recording");
	if (err == 0 && r.cut)
		return err_say(e, -EINVAL, "the recording is damaged");
	return err;
}
