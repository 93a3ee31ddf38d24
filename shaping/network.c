// SPDX-License-Identifier: GPL-2.0-or-later
/* network.c - the network that all series of the host share: trained on them once a day. */
#include "agent/base/util.h"
#include "shaping/state.h"

#define FIRST_NS (S_PER_H * NS_PER_S) /* after the start */
#define EVERY_NS (S_PER_DAY * NS_PER_S)
#define WINDOWS  400  /* to learn from */
#define BATCHES  1500 /* a second or two */

void network_share(struct controller *c)
{
	const struct gru *weights = c->network->kept.version ? &c->network->kept.weights : NULL;

	for (size_t i = 0; i < c->n; i++) {
		for (size_t k = 0; k < service_n_series(&c->services[i]); k++) {
			struct series *s = service_series(&c->services[i], k);

			if (s)
				series_share(s, weights);
		}
	}
}

struct gru_fit *network_take(struct controller *c)
{
	const struct network *w = c->network;
	struct gru_fit *fit;

	if (c->network->next_ns == 0)
		c->network->next_ns = c->now_ns + FIRST_NS;
	if (c->now_ns < w->next_ns)
		return NULL;
	c->network->next_ns = c->now_ns + EVERY_NS;
	if (gru_fit_new(WINDOWS, c->now_ns, w->kept.version ? &w->kept.weights : NULL, &fit) < 0)
		return NULL;
	for (size_t i = 0; i < c->n; i++) {
		for (size_t k = 0; k < service_n_series(&c->services[i]); k++) {
			const struct series *s = service_series(&c->services[i], k);

			if (s)
				gru_fit_offer(fit, s);
		}
	}
	return fit;
}

void network_run(struct gru_fit *fit)
{
	(void)gru_fit_run(fit, BATCHES);
}

void network_give(struct controller *c, struct gru_fit *fit)
{
	double loss;
	const struct gru *best = gru_fit_best(fit, &loss);

	if (best) {
		c->network->kept.weights = *best;
		c->network->kept.loss = loss;
		c->network->kept.version++;
		network_share(c);
	}
	gru_fit_free(fit);
}

uint64_t controller_fits_ns(const struct controller *c)
{
	return c->network->next_ns;
}

void controller_fit_at(struct controller *c, uint64_t mono_ns)
{
	c->network->next_ns = mono_ns;
}
