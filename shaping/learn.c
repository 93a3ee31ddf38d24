// SPDX-License-Identifier: GPL-2.0-or-later
/* learn.c - one interval of a service into its series, cost model and objective windows. */
#include <math.h>

#include "forecast/events.h"
#include "shaping/state.h"

/* Above these the CPU use is taken to be cut short, by a limit or by others on the CPUs. */
#define THROTTLED_SOME 0.01
#define STALLED_SOME   0.3
#define LENT_TICKS     10 /* since a loan: what waits is lent for */
#define THROTTLED_MOST                                                                             \
	0.5             /* share of time lost that is believed: need is at most twice the use      \
			 */
#define MAX_TOLD  12    /* events a series is told of: it holds 16, some over that are still felt */
#define PEAK_KEPT 0.999 /* of a decaying maximum, a tick */

static double per_second(uint64_t n, uint64_t interval_ns)
{
	return (double)n * (double)NS_PER_S / (double)interval_ns;
}

/* A slot of its own while there are any; the last one is for all that come later. */
static size_t slot_of(struct service_state *s, size_t api)
{
	struct api_kept *a = &s->apis[api];
	int32_t next = 0;

	if (a->slot >= 0)
		return (size_t)a->slot;
	for (size_t i = 0; i < s->n_apis; i++)
		next = MAX(next, s->apis[i].slot + 1);
	a->slot = MIN(next, (int32_t)s->n_slots - 1);
	return (size_t)a->slot;
}

static void learn_apis(struct service_state *s, const struct tick_service *ts, uint64_t interval_ns)
{
	double *arrived = s->slot_arrived;

	for (size_t k = 0; k < s->n_slots; k++)
		s->slot_requests[k] = s->slot_bytes[k] = arrived[k] = s->slot_in_flight[k] = 0;
	for (size_t i = 0; i < s->n_apis; i++) {
		const struct tick_api *a = &ts->apis[i];
		size_t k;

		if (s->apis[i].slot < 0 && a->requests == 0 && a->finished == 0)
			continue;
		k = slot_of(s, i);
		arrived[k] += per_second(a->requests, interval_ns);
		s->slot_requests[k] += (double)a->finished;
		s->slot_bytes[k] += (double)a->bytes_out;
		s->slot_in_flight[k] += isfinite(a->in_flight) ? a->in_flight : 0;
	}
	for (size_t k = 0; k < s->n_slots; k++) {
		bool has_begun = ladder_begun(&s->requests[k]);

		if (arrived[k] > 0 || has_begun)
			ladder_observe(&s->requests[k], arrived[k], interval_ns);
		/* Steps pass from the first request that ever came: events are told from then on.
		 */
		s->tell_anew |= !has_begun && arrived[k] > 0;
	}
}

static void skip_apis(struct service_state *s, uint64_t interval_ns)
{
	for (size_t k = 0; k < s->n_slots; k++)
		if (ladder_begun(&s->requests[k]))
			ladder_observe(&s->requests[k], NAN, interval_ns);
}

static void learn_cost(struct service_state *s, const struct tick_service *ts, uint64_t interval_ns)
{
	struct cost_sample sample = {
		.seconds = (double)interval_ns / (double)NS_PER_S,
		.cpu_us = ts->missing & MISSING_CPU ? NAN : (double)ts->cpu_usage_us,
		.memory_bytes = s->used_bytes,
		.requests = s->slot_requests,
		.bytes_out = s->slot_bytes,
		.in_flight_of = s->slot_in_flight,
	};

	for (size_t k = 0; k < s->n_slots; k++)
		sample.in_flight += s->slot_in_flight[k];
	cost_observe(s->cost, &sample);
}

static void count_burned(struct service_state *s, const struct policy_slo *slo, uint64_t good,
			 uint64_t total)
{
	s->answers += (double)total;
	s->burned += (double)(total - MIN(good, total)) / (1 - slo->objective);
}

static void learn_slo(struct service_state *s, const struct tick_service *ts, uint64_t interval_ns)
{
	const struct policy_service *p = s->policy;
	uint64_t good = 0, total = 0;

	s->answers = s->burned = 0;
	for (size_t i = 0; i < s->n_apis; i++) {
		const struct policy_slo *own = i < p->n_apis ? &p->apis[i].slo : &p->slo;
		const struct policy_slo *slo = own->set ? own : &p->slo; /* as answers are judged */
		const struct tick_api *a = ts->missing & MISSING_APIS ? NULL : &ts->apis[i];

		if (slo->set)
			slo_observe(&s->apis[i].slo, slo->window_s * NS_PER_S, interval_ns,
				    a ? a->slo_good : 0, a ? a->slo_total : 0);
		if (own->set && a)
			count_burned(s, own, a->slo_good, a->slo_total);
		good += a ? a->slo_good : 0;
		total += a ? a->slo_total : 0;
	}
	if (!p->slo.set)
		return;
	slo_observe(&s->kept.slo, p->slo.window_s * NS_PER_S, interval_ns, good, total);
	count_burned(s, &p->slo, good, total);
}

/* What arrived would have cost, in mcpu; 0 where costs are not known. */
static double arrivals_mcpu(const struct service_state *s, const struct tick_service *ts,
			    uint64_t interval_ns)
{
	double sum = cost_base_mcpu(s->cost);

	for (size_t i = 0; i < s->n_apis; i++) {
		int32_t k = s->apis[i].slot;
		double us = k < 0 ? 0 : cost_cpu_us(s->cost, (size_t)k);

		if (isfinite(us))
			sum += us * per_second(ts->apis[i].requests, interval_ns) / 1000;
	}
	return isfinite(sum) ? sum : 0;
}

/*
 * A limit hides what was needed: a service that could not run for a part of the time is taken to
 * have needed use / (1 - part), and no less than what arrived costs. One that is held down for
 * others would use whatever it is given, so nothing is learned of it.
 */
static double needed_mcpu(const struct controller *c, const struct service_state *s,
			  const struct tick_service *ts, uint64_t interval_ns)
{
	double interval_us = (double)interval_ns / (double)NS_PER_US;
	double lost = fmin(s->throttled, (double)ts->throttled_us / interval_us);
	double stalled = ts->missing & MISSING_PSI ? 0 : (double)ts->psi_cpu_some_us / interval_us;
	/*
	 * Throttling is what a limit that lends is meant to do: what came is known. Where nothing
	 * is lent, clients may be waiting for answers before they ask for more.
	 */
	bool lent = loan_applies(c, s) && !(ts->missing & MISSING_APIS) &&
		    since(c, s->kept.lent_ns) < LENT_TICKS * c->period_ns;
	double need = s->use_mcpu / (1 - (lent ? 0 : fmin(lost, THROTTLED_MOST)));

	if (s->kept.capped && s->throttled > THROTTLED_SOME)
		return NAN;
	if ((lost > THROTTLED_SOME || stalled > STALLED_SOME) && !(ts->missing & MISSING_APIS))
		need = fmax(need, arrivals_mcpu(s, ts, interval_ns));
	return fmin(need, (double)MAX(c->facts.capacity_mcpu, 1));
}

static void learn_cpu(struct controller *c, struct service_state *s, const struct tick_service *ts,
		      uint64_t interval_ns)
{
	s->use_mcpu = s->need_mcpu = s->limit_mcpu = NAN;
	s->throttled = 0;
	if (ts->known & 1u << KNOB_CPU_MAX && ts->knob[KNOB_CPU_MAX] != UNLIMITED)
		s->limit_mcpu = (double)loan_base(s, ts->knob[KNOB_CPU_MAX]);
	if (ts->missing & (MISSING_CPU | MISSING_ALL))
		return;
	s->use_mcpu = fmin(per_second(ts->cpu_usage_us, interval_ns) / 1000,
			   2.0 * (double)MAX(c->facts.capacity_mcpu, 1));
	if (ts->nr_periods)
		s->throttled = fmin(1, (double)ts->nr_throttled / (double)ts->nr_periods);
	s->need_mcpu = needed_mcpu(c, s, ts, interval_ns);
	s->kept.need_most_mcpu = fmax(s->kept.need_most_mcpu, s->need_mcpu); /* leaves out NAN */
	s->kept.use_peak_mcpu = fmax(s->kept.use_peak_mcpu * PEAK_KEPT, s->use_mcpu);
	if (s->kept.ticks < UINT32_MAX)
		s->kept.ticks++;
}

static void learn_tx(struct service_state *s, bool missing, uint64_t bytes, uint64_t interval_ns)
{
	double rate = missing ? NAN : per_second(bytes, interval_ns) * (double)BITS_BYTE;

	s->used_bits_per_s = rate;
	s->kept.tx_most_bits_per_s = fmax(s->kept.tx_most_bits_per_s, rate); /* leaves out NAN */
	ladder_observe(&s->tx, rate, interval_ns);
}

/* Whether all series took it. */
static bool tell(struct service_state *s, const struct known_event *e, int64_t in_ns)
{
	bool took = ladder_event(&s->cpu, e->id, in_ns, e->lasts_ns, e->multiplier) == 0;

	took &= ladder_event(&s->tx, e->id, in_ns, e->lasts_ns, e->multiplier) == 0;
	if (ladder_begun(&s->io))
		took &= ladder_event(&s->io, e->id, in_ns, e->lasts_ns, e->multiplier) == 0;
	for (size_t k = 0; k < s->n_slots; k++) {
		struct ladder *l = &s->requests[k];

		if (ladder_begun(l))
			took &= ladder_event(l, e->id, in_ns, e->lasts_ns, e->multiplier) == 0;
	}
	return took;
}

static void clear_events(struct service_state *s)
{
	ladder_event_clear(&s->cpu);
	ladder_event_clear(&s->tx);
	ladder_event_clear(&s->io);
	for (size_t k = 0; k < s->n_slots; k++)
		ladder_event_clear(&s->requests[k]);
}

static bool is_over(const struct known_event *e, int64_t now_real_ns)
{
	return ns_after(ns_between(now_real_ns, e->starts_real_ns), e->lasts_ns) <= 0;
}

/* The next event the series have not heard of, or NULL. */
static struct known_event *next_untold(struct service_state *s, int64_t now_real_ns)
{
	struct known_event *next = NULL;

	for (size_t i = 0; i < s->n_events; i++) {
		struct known_event *e = &s->events[i];

		if (!e->told && !is_over(e, now_real_ns) &&
		    (!next || e->starts_real_ns < next->starts_real_ns))
			next = e;
	}
	return next;
}

/*
 * Tells the series, whose next step begins at @now_real_ns, of the next events they have not heard
 * of, as many as they hold; of these instead of any other ones where they have to hear anew. What
 * is over may still be felt and take the room, of longer steps above all: what a series did not
 * take is told again at the next tick.
 */
static void tell_events(struct service_state *s, int64_t now_real_ns)
{
	struct known_event *e, *refused[MAX_TOLD];
	size_t told = 0, n_refused = 0;

	if (s->tell_anew)
		clear_events(s);
	for (size_t i = 0; i < s->n_events; i++) {
		s->events[i].told &= !s->tell_anew;
		told += s->events[i].told && !is_over(&s->events[i], now_real_ns);
	}
	for (; told < MAX_TOLD && (e = next_untold(s, now_real_ns)) != NULL; told++) {
		e->told = true; /* for this tick at least */
		if (!tell(s, e, ns_between(now_real_ns, e->starts_real_ns)))
			refused[n_refused++] = e;
	}
	while (n_refused > 0)
		refused[--n_refused]->told = false;
	s->tell_anew = false;
}

/*
 * While the load of a stated event stays away, room is kept for it against all that is measured.
 * What was forecast so says nothing of how good forecasts are.
 */
static void observe_cpu(const struct controller *c, struct service_state *s, uint64_t interval_ns)
{
	struct series_anomaly found;
	bool doubted = series_doubts(s->cpu.series[0]);

	ladder_observe(&s->cpu, s->need_mcpu, interval_ns);
	if (doubted || series_doubts(s->cpu.series[0]))
		demand_drop_waiting(&s->kept.demand);
	series_anomaly(s->cpu.series[0], &found);
	if (found.count != s->kept.anomalies)
		s->kept.anomaly_ns = MAX(c->now_ns, 1);
	s->kept.anomalies = found.count;
}

static void find_near(struct service_state *s, int64_t now_real_ns)
{
	s->event_near = false;
	for (size_t i = 0; i < s->n_events; i++) {
		int64_t in_ns = ns_between(now_real_ns, s->events[i].starts_real_ns);

		s->event_near |=
			in_ns <= (int64_t)s->lead_ns && ns_after(in_ns, s->events[i].lasts_ns) > 0;
	}
}

void learn(struct controller *c, size_t i, const struct tick_input *in)
{
	struct service_state *s = &c->services[i];
	const struct tick_service *ts = &in->services[i];
	uint64_t interval_ns = MAX(in->interval_ns, 1);
	bool gone = ts->missing & MISSING_ALL;

	s->stale = c->gap || ts->missing & (MISSING_CPU | MISSING_ALL);
	/* Before the step that is over: it may have been within one. */
	tell_events(s, in->now_real_ns - (int64_t)interval_ns);
	learn_cpu(c, s, ts, interval_ns);
	observe_cpu(c, s, interval_ns);
	learn_memory(s, ts, interval_ns);
	learn_tx(s, gone || ts->missing & MISSING_APIS, ts->tx_bytes, interval_ns);
	learn_slo(s, ts, interval_ns);
	if (s->apis_seen)
		learn_apis(s, ts, interval_ns);
	else
		skip_apis(s, interval_ns);
	lead_learn(c, s, ts, interval_ns);
	if (s->apis_seen && !c->gap)
		learn_cost(s, ts, interval_ns);
	find_near(s, in->now_real_ns);
}
