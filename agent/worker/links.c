// SPDX-License-Identifier: GPL-2.0-or-later
/* links.c - the HTB trees of the interfaces policies name. */
#include <errno.h>
#include <stdio.h>

#include "agent/base/parse.h"
#include "agent/log.h"
#include "agent/worker/worker.h"

/* The administrator's word, else the device's own. 0: neither. */
static uint64_t rate_of(const struct agent *a, const char *interface)
{
	char path[64], line[32];
	uint64_t rate = 0, mbit;
	FILE *f;

	for (size_t i = 0; i < a->set->host.n_links; i++)
		if (streq(a->set->host.links[i].interface, interface))
			return a->set->host.links[i].rate_bits_per_s;
	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/speed", interface);
	f = fopen(path, "re");
	if (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (parse_u64(line, &mbit) == 0)
			rate = mbit * 1000000;
	}
	fclosep(&f);
	return rate;
}

void links_known(struct worker_service *s)
{
	const uint32_t bits = 1u << KNOB_HTB_RATE | 1u << KNOB_HTB_CEIL;

	if (!s->link_ready || s->tick.known & bits)
		return;
	s->tick.known |= bits;
	s->tick.knob[KNOB_HTB_RATE] = 0;
	s->tick.knob[KNOB_HTB_CEIL] = UNLIMITED;
}

static void set_ready(struct agent *a, const char *interface, bool ready)
{
	for (size_t i = 0; i < a->n_services; i++) {
		struct worker_service *s = &a->services[i];

		if (!streq(s->policy->bandwidth.interface, interface))
			continue;
		s->link_ready = ready;
		links_known(s);
	}
}

static void built(struct agent *a, const struct worker_pending *p, const struct answer *ans)
{
	set_ready(a, p->order.interface, ans->err == 0);
	if (ans->err)
		record_event(a, "error", NULL, "shape %s: %s", p->order.interface,
			     *ans->text ? ans->text : strerror(-ans->err));
}

static size_t link_of(struct agent *a, const char *interface)
{
	for (size_t i = 0; i < a->n_links; i++)
		if (streq(a->links[i], interface))
			return i;
	if (a->n_links == POLICY_MAX_LINKS)
		return POLICY_MAX_LINKS;
	(void)copy_str(a->links[a->n_links], sizeof(a->links[0]), interface);
	a->link_asked[a->n_links] = false;
	return a->n_links++;
}

static void build(struct agent *a, const char *interface)
{
	struct worker_pending p = {.order = {.kind = ORDER_LINK,
					     .target = ORDER_NO_TARGET,
					     .value = rate_of(a, interface)},
				   .done = built};

	if (!p.order.value) {
		record_event(a, "error", NULL,
			     "the rate of %s is unknown; add it to links in host.yaml", interface);
		return;
	}
	(void)copy_str(p.order.interface, sizeof(p.order.interface), interface);
	(void)orders_send(a, &p);
}

/* Trees are only built while enforcing: observing changes nothing on the host. */
void links_reconcile(struct agent *a)
{
	if (!a->enforce)
		return;
	for (size_t i = 0; i < a->n_services; i++) {
		const char *interface = a->services[i].policy->bandwidth.interface;
		size_t link = *interface ? link_of(a, interface) : POLICY_MAX_LINKS;

		if (link == POLICY_MAX_LINKS || a->link_asked[link] || !a->services[i].present)
			continue;
		a->link_asked[link] = true;
		build(a, interface);
	}
}
