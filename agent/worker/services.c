// SPDX-License-Identifier: GPL-2.0-or-later
/* services.c - from policies to services, and their cgroups coming and going. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/log.h"
#include "agent/worker/worker.h"

#define LOOK_AGAIN_TICKS 8

/* Elsewhere host.yaml lies beside the services' files. */
#define POLICIES_DIR "/etc/foreshape/policies.d"
#define HOST_FILE    "/etc/foreshape/host.yaml"

/* A component that systemd names makes the cgroup systemd's. */
static bool of_systemd(const char *cgroup)
{
	static const char *const suffixes[] = {".service", ".scope", ".slice"};

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		const char *at = strstr(cgroup, suffixes[i]);
		char behind = at ? at[strlen(suffixes[i])] : 'x';

		if (behind == '\0' || behind == '/')
			return true;
	}
	return false;
}

/* What becomes of a number: it is free again once the keeper has given the baselines back. */
enum target_use {
	TARGET_FREE,
	TARGET_USED,
	TARGET_LEFT,  /* by its service: the keeper is still to be told */
	TARGET_ASKED, /* it was, and has not answered */
};

static uint32_t free_target(struct agent *a)
{
	for (uint32_t t = 0; t < ORDER_MAX_TARGETS; t++)
		if (a->target_use[t] == TARGET_FREE) {
			a->target_use[t] = TARGET_USED;
			return t;
		}
	return ORDER_NO_TARGET;
}

static int make_apis(struct worker_service *s)
{
	size_t n = s->policy->n_apis;

	s->n_apis = n;
	s->apis = calloc(n + 1, sizeof(*s->apis));
	s->rows = calloc(n + 1, sizeof(*s->rows));
	s->windows = calloc(n + 1, sizeof(*s->windows));
	s->routes = calloc(n + 1, sizeof(*s->routes));
	s->seen = calloc(n + 2, sizeof(*s->seen));
	if (!s->apis || !s->rows || !s->windows || !s->routes || !s->seen)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		(void)snprintf(s->routes[i], sizeof(s->routes[i]), "%s %s",
			       s->policy->apis[i].method, s->policy->apis[i].route);
	(void)copy_str(s->routes[n], sizeof(s->routes[n]), "other");
	s->tick.apis = s->apis;
	s->guard.apis = s->apis;
	return 0;
}

static void release(struct worker_service *s)
{
	collect_close(s->group);
	if (s->windows)
		for (size_t i = 0; i <= s->n_apis; i++)
			window_release(&s->windows[i]);
	free(s->windows);
	free(s->apis);
	free(s->rows);
	free(s->routes);
	free(s->seen);
}

static void free_list(struct worker_service *list, size_t n)
{
	for (size_t i = 0; list && i < n; i++)
		release(&list[i]);
	free(list);
}

void services_free(struct agent *a)
{
	free_list(a->services, a->n_services);
	free(a->tick_services);
	a->services = NULL;
	a->n_services = 0;
}

static void place(struct worker_service *s)
{
	const struct policy_service *p = s->policy;

	if (*p->cgroup)
		(void)copy_str(s->cgroup, sizeof(s->cgroup), p->cgroup);
	else
		(void)snprintf(s->cgroup, sizeof(s->cgroup), "/system.slice/%.200s", p->unit);
	s->systemd = of_systemd(s->cgroup);
}

/* What goes on for a service over a reload: everything but what its policy says. */
static void inherit(struct worker_service *s, struct worker_service *old)
{
	if (!streq(s->cgroup, old->cgroup))
		return; /* the old one is forgotten, the new one a target of its own */
	s->target = old->target;
	s->present = old->present;
	s->declared = old->declared;
	s->cgroup_id = old->cgroup_id;
	s->hierarchies = old->hierarchies;
	s->group = take_ptr(old->group);
	s->before = old->before;
	s->guard_before = old->guard_before;
	s->unsupported = old->unsupported;
	s->wire_bytes_before = old->wire_bytes_before;
	memcpy(s->tick.knob, old->tick.knob, sizeof(s->tick.knob));
	memcpy(s->tick.baseline, old->tick.baseline, sizeof(s->tick.baseline));
	s->tick.known = old->tick.known;
	s->tick.yielded = old->tick.yielded;
	s->tick.baseline_known = old->tick.baseline_known;
	memcpy(s->last_value, old->last_value, sizeof(s->last_value));
	memcpy(s->last_reason, old->last_reason, sizeof(s->last_reason));
	memcpy(s->decision_id, old->decision_id, sizeof(s->decision_id));
}

static struct worker_service *by_name(struct worker_service *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (streq(list[i].policy->name, name))
			return &list[i];
	return NULL;
}

/* Windows of APIs that are in both, by route. */
static void inherit_windows(struct worker_service *s, struct worker_service *old)
{
	for (size_t i = 0; i <= s->n_apis; i++)
		for (size_t k = 0; k <= old->n_apis; k++)
			if (streq(s->routes[i], old->routes[k])) {
				s->windows[i] = old->windows[k];
				old->windows[k] = (struct window){};
			}
}

static void forgotten(struct agent *a, const struct worker_pending *p, const struct answer *ans)
{
	bool over = ans->err == 0 || ans->err == -ENOENT;

	if (!over)
		log_warning("target %u is not given back yet: %s", p->order.target,
			    strerror(-ans->err));
	a->target_use[p->order.target] = over ? TARGET_FREE : TARGET_LEFT;
}

/* Again each second what the keeper was too busy for: nobody else gives those limits back. */
static void forget_left(struct agent *a)
{
	for (uint32_t t = 0; t < ORDER_MAX_TARGETS; t++) {
		const struct worker_pending p = {.order = {.kind = ORDER_FORGET, .target = t},
						 .done = forgotten};

		if (a->target_use[t] == TARGET_LEFT && orders_send(a, &p) == 0)
			a->target_use[t] = TARGET_ASKED;
	}
}

static void say_findings(const struct policy_errors *errors)
{
	char text[1024];

	for (size_t i = 0; i < errors->n; i++)
		log_warning("%s", policy_error_format(&errors->list[i], text, sizeof(text)));
}

/* A directory that came later or was replaced is not the one that was passed: @path as it is now.
 */
int services_find_dir(struct agent *a, struct err *e)
{
	struct stat now, had;
	bool gone = a->policies_fd >= 0 && fstat(a->policies_fd, &had) == 0 && had.st_nlink == 0;
	int fd = open(a->conf.policies_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return gone ? err_set(e, -errno, "open %s", a->conf.policies_dir) : 0;
	if (a->policies_fd >= 0 && fstat(fd, &now) == 0 && now.st_ino == had.st_ino &&
	    now.st_dev == had.st_dev) {
		close(fd);
		return 0;
	}
	closep(&a->policies_fd);
	a->policies_fd = fd;
	return 0;
}

static int read_policies(struct agent *a, struct policy_set **ret, struct err *e)
{
	struct policy_errors errors = {};
	const char *host = streq(a->conf.policies_dir, POLICIES_DIR) ? HOST_FILE : NULL;
	char text[1024];
	int r = policy_load_dir(a->policies_fd, a->conf.policies_dir, host, true, true,
				a->facts.capacity_mcpu, a->facts.memory_bytes, ret, &errors);

	say_findings(&errors);
	if (r < 0 && errors.n)
		(void)err_say(e, r, "%s", policy_errors_first(&errors, text, sizeof(text)));
	else if (r < 0)
		(void)err_set(e, r, "load policies of %s", a->conf.policies_dir);
	policy_errors_free(&errors);
	return r;
}

static int make_services(struct agent *a, const struct policy_set *set, struct worker_service **ret)
{
	struct worker_service *list = calloc(set->n_services + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_services; i++) {
		struct worker_service *s = &list[i], *old;

		s->policy = &set->services[i];
		s->target = ORDER_NO_TARGET;
		s->tick.missing = MISSING_ALL;
		place(s);
		if (make_apis(s) < 0) {
			free_list(list, i + 1);
			return -ENOMEM;
		}
		old = by_name(a->services, a->n_services, s->policy->name);
		if (old) {
			inherit(s, old);
			inherit_windows(s, old);
		}
	}
	*ret = list;
	return 0;
}

/* Counters of a route start where its row stands, so that a new window sees no flood. */
static void start_counting(struct agent *a, struct worker_service *s)
{
	for (size_t i = 0; a->counters && i <= s->n_apis; i++) {
		struct window *w = &s->windows[i];
		struct counters_totals t;

		if (s->rows[i] == FSH_ROW_NONE || w->requests)
			continue;
		counters_read(a->counters, s->rows[i], &t);
		w->requests = t.requests;
		w->finished = t.done + t.aborted;
		w->errors = t.responses[4] + t.aborted;
		w->bytes_in = t.bytes_in;
		w->bytes_out = t.bytes_out;
		memcpy(w->responses, t.responses, sizeof(w->responses));
	}
}

static int publish_routes(struct agent *a, const struct policy_set *set,
			  struct worker_service *list, struct err *e)
{
	_cleanup_(freep) struct fsh_route_table *table = NULL;
	const struct rows_clear clear = {
		.row = counters_clear_row,
		.service = counters_clear_service,
		.arg = a->counters,
		.settle_row = counters_settle_row,
		.settle_service = counters_settle_service,
	};
	int r;

	if (!a->counters)
		return 0;
	table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	r = rows_assign(a->rows, set, &clear, e);
	if (r >= 0)
		r = routes_compile(set, a->rows, rows_round(a->rows), table, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < set->n_services; i++) {
		assert(list[i].rows);
		list[i].number = (uint32_t)rows_service(a->rows, set->services[i].name);
		for (size_t k = 0; k <= list[i].n_apis; k++)
			list[i].rows[k] = rows_of(a->rows, &set->services[i], k);
		start_counting(a, &list[i]);
	}
	return counters_publish(a->counters, table, e);
}

int services_load(struct agent *a, bool first, struct err *e)
{
	struct policy_set *set = NULL;
	struct worker_service *list = NULL;
	struct tick_service *ticks = NULL;
	struct host_facts facts = a->facts;
	struct controller *c = NULL;
	struct err ignored = {};
	int r;

	r = read_policies(a, &set, e);
	if (r < 0)
		return r;
	if (a->set && policy_calendars_hand_on(a->set, set) < 0)
		log_warning("calendars: no memory; their events are known again in a second");
	if (!first) /* CPUs may have come or gone; where that cannot be read, the old ones count */
		(void)collect_facts(a->collect, &facts, &ignored);
	r = first ? controller_new(set, &facts, WORKER_TICK_NS, &c)
		  : controller_reload(a->controller, set, &facts, &c);
	if (r >= 0)
		r = make_services(a, set, &list);
	if (r >= 0)
		ticks = calloc(set->n_services + 1, sizeof(*ticks));
	if (r >= 0 && !ticks)
		r = -ENOMEM;
	if (r >= 0)
		r = publish_routes(a, set, list, e);
	if (r < 0) {
		free_list(list, set->n_services);
		free(ticks);
		controller_free(c);
		policy_set_free(set);
		return *e->text ? r : err_set(e, r, "prepare %s", a->conf.policies_dir);
	}
	a->facts = facts;
	for (size_t i = 0; i < a->n_services; i++) {
		const struct worker_service *s =
			by_name(list, set->n_services, a->services[i].policy->name);

		if ((!s || s->target == ORDER_NO_TARGET) &&
		    a->services[i].target != ORDER_NO_TARGET)
			a->target_use[a->services[i].target] = TARGET_LEFT;
	}
	forget_left(a);
	services_free(a);
	tapes_end(a);
	models_restart(&a->models);
	controller_free(a->controller);
	policy_set_free(a->set);
	calendars_stop(a);
	a->set = set;
	a->controller = c;
	a->services = list;
	a->n_services = set->n_services;
	a->tick_services = ticks;
	a->plan = NULL;
	for (size_t i = 0; i < a->n_services; i++)
		if (a->services[i].target == ORDER_NO_TARGET)
			a->services[i].target = free_target(a);
	return 0;
}

uint32_t services_knobs(const struct worker_service *s)
{
	uint32_t knobs = (1u << KNOB_HTB_RATE) - 1;

	if (s->systemd)
		return 0;
	if (s->link_ready)
		knobs |= 1u << KNOB_HTB_RATE | 1u << KNOB_HTB_CEIL;
	return knobs & ~s->unsupported;
}

static void declared(struct agent *a, const struct worker_pending *p, const struct answer *ans)
{
	struct worker_service *s = by_name(a->services, a->n_services, p->order.name);

	if (!s || s->target != p->order.target)
		return;
	if (ans->err) {
		record_event(a, "error", s->policy->name, "declare %s: %s", s->cgroup,
			     *ans->text ? ans->text : strerror(-ans->err));
		s->declared = ans->err == -EPERM; /* never managed: do not ask again */
		s->systemd = s->systemd || ans->err == -EPERM;
		return;
	}
	s->hierarchies = ans->hierarchies;
	links_known(s);
	carry_read_knobs(a, s);
}

static void declare(struct agent *a, struct worker_service *s)
{
	struct worker_pending p;

	if (s->target == ORDER_NO_TARGET)
		s->target = free_target(a);
	if (s->target == ORDER_NO_TARGET)
		return; /* all are taken until one forgotten is given back */
	p = (struct worker_pending){
		.order = {.kind = ORDER_TARGET,
			  .target = s->target,
			  .cgroup_id = s->cgroup_id,
			  .flags = ORDER_PRIORITY,
			  .htb_minor = htb_minor(s->policy->tier, s->target + 1)},
		.done = declared,
	};

	(void)copy_str(p.order.name, sizeof(p.order.name), s->policy->name);
	(void)copy_str(p.order.path, sizeof(p.order.path), s->cgroup);
	(void)copy_str(p.order.interface, sizeof(p.order.interface),
		       s->policy->bandwidth.interface);
	s->declared = orders_send(a, &p) == 0;
}

static void appear(struct agent *a, struct worker_service *s, uint64_t id)
{
	if (collect_open(a->collect, s->cgroup, &s->group) < 0)
		return;
	s->present = true;
	s->declared = false;
	s->cgroup_id = id;
	s->tick.known = s->tick.baseline_known = s->tick.yielded = 0;
	s->unsupported = 0;
	collect_read(s->group, &s->before);
	s->guard_before = s->before;
	record_event(a, "appeared", s->policy->name, "cgroup %s is there", s->cgroup);
}

static void vanish(struct agent *a, struct worker_service *s)
{
	collect_close(take_ptr(s->group));
	s->present = s->declared = s->attached = false;
	s->cgroup_id = 0;
	s->unseen_listeners = 0;
	s->tick.missing = MISSING_ALL;
	s->tick.known = s->tick.baseline_known = s->tick.yielded = 0;
	s->in_flight_knobs = 0;
	record_event(a, "vanished", s->policy->name, "cgroup %s is gone", s->cgroup);
}

/*
 * On v2 a group gets its files when its parent passes the controller on, which can be long after
 * the group was made (systemd: when the first unit of a slice asks).
 */
static void look_again(struct agent *a, struct worker_service *s)
{
	(void)collect_open_more(a->collect, s->cgroup, s->group);
	if (!s->declared || !s->unsupported)
		return;
	s->unsupported = 0;
	carry_read_knobs(a, s);
}

void services_watch(struct agent *a)
{
	bool changed = false;

	forget_left(a);
	for (size_t i = 0; i < a->n_services; i++) {
		struct worker_service *s = &a->services[i];
		uint64_t id = 0;
		bool there = collect_exists(a->collect, s->cgroup, &id);

		if (s->present && (!there || id != s->cgroup_id)) {
			vanish(a, s);
			changed = true;
		}
		if (there && !s->present) {
			appear(a, s, id);
			changed = true;
		}
		if (s->present && !s->declared)
			declare(a, s);
		if (s->present && (a->n_ticks + i) % LOOK_AGAIN_TICKS == 0)
			look_again(a, s);
	}
	if (changed)
		attach_reconcile(a);
	links_reconcile(a);
	attach_look(a);
}
