// SPDX-License-Identifier: GPL-2.0-or-later
/* save.c - what a controller has learned, to bytes and back, by service name. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "shaping/state.h"

#define MAGIC   UINT64_C(0x706873)
#define VERSION UINT64_C(11)

struct head {
	uint64_t magic, version, kept_size, period_ns, n_services, size, sum;
	struct budget budget;
	uint64_t network_size; /* of what comes next */
	uint64_t now_ns;
	double unmanaged_mcpu;
};

struct service_head {
	char name[POLICY_NAME_MAX];
	uint64_t size;           /* of all that follows for this service */
	uint64_t n_apis, routes; /* and a hash of the routes: the same set, or APIs are left out */
	uint64_t lead_steps;
};

static uint64_t fnv(uint64_t h, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(1099511628211);
	return h;
}

static uint64_t routes_hash(const struct policy_service *p)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < p->n_apis; i++) {
		h = fnv(h, p->apis[i].method, strlen(p->apis[i].method) + 1);
		h = fnv(h, p->apis[i].route, strlen(p->apis[i].route) + 1);
	}
	return h;
}

static size_t price_size(const struct service_state *s)
{
	return s->price ? sizeof(*s->price) : 0;
}

static size_t service_size(const struct service_state *s)
{
	size_t n = sizeof(struct service_head) + sizeof(s->kept) + s->n_apis * sizeof(*s->apis) +
		   2 * sizeof(uint64_t) + cost_save_size(s->cost) + price_size(s);
	const struct ladder *l;

	for (size_t k = 0; (l = service_ladder(s, k)); k++)
		n += sizeof(uint64_t) + ladder_save_size(l);
	return n;
}

size_t controller_save_size(const struct controller *c)
{
	size_t n = sizeof(struct head) + sizeof(struct network_kept);

	for (size_t i = 0; i < c->n; i++)
		n += service_size(&c->services[i]);
	return n;
}

static unsigned char *put(unsigned char *p, const void *bytes, size_t n)
{
	if (n)
		memcpy(p, bytes, n);
	return p + n;
}

static unsigned char *save_service(const struct service_state *s, unsigned char *p)
{
	struct service_head h;
	const struct ladder *l;
	uint64_t n;

	memset(&h, 0, sizeof(h));
	memcpy(h.name, s->policy->name, strnlen(s->policy->name, sizeof(h.name) - 1));
	h.size = service_size(s) - sizeof(h);
	h.n_apis = s->n_apis;
	h.routes = routes_hash(s->policy);
	h.lead_steps = s->lead_steps;
	p = put(p, &h, sizeof(h));
	p = put(p, &s->kept, sizeof(s->kept));
	for (size_t k = 0; k < SERVICE_LADDERS; k++) {
		l = service_ladder(s, k);
		n = ladder_save_size(l);
		p = put(p, &n, sizeof(n));
		p += ladder_save(l, p, n);
	}
	n = price_size(s);
	p = put(p, &n, sizeof(n));
	p = put(p, s->price, n);
	p = put(p, s->apis, s->n_apis * sizeof(*s->apis));
	n = cost_save_size(s->cost);
	p = put(p, &n, sizeof(n));
	p += cost_save(s->cost, p, n);
	for (size_t k = SERVICE_LADDERS; (l = service_ladder(s, k)); k++) {
		n = ladder_save_size(l);
		p = put(p, &n, sizeof(n));
		p += ladder_save(l, p, n);
	}
	return p;
}

size_t controller_save(const struct controller *c, void *buf, size_t size)
{
	struct head h;
	unsigned char *p = buf;

	if (size < controller_save_size(c))
		return 0;
	memset(&h, 0, sizeof(h));
	h.magic = MAGIC;
	h.version = VERSION;
	h.kept_size = sizeof(struct service_kept);
	h.period_ns = c->period_ns;
	h.n_services = c->n;
	h.size = controller_save_size(c);
	h.budget = c->budget;
	h.network_size = sizeof(c->network->kept);
	h.now_ns = c->now_ns;
	h.unmanaged_mcpu = c->unmanaged_mcpu;
	p += sizeof(h);
	p = put(p, &c->network->kept, sizeof(c->network->kept));
	for (size_t i = 0; i < c->n; i++)
		p = save_service(&c->services[i], p);
	h.sum = fnv(0, (unsigned char *)buf + sizeof(h),
		    (size_t)(p - (unsigned char *)buf) - sizeof(h));
	memcpy(buf, &h, sizeof(h));
	return (size_t)(p - (unsigned char *)buf);
}

struct reader {
	const unsigned char *p;
	size_t left;
};

static const void *get(struct reader *r, size_t n)
{
	const void *at = r->p;

	if (n > r->left)
		return NULL;
	r->p += n;
	r->left -= n;
	return at;
}

/* A block with its length in front; NULL at the end or where it is cut. */
static const void *get_block(struct reader *r, uint64_t *n)
{
	const void *at = get(r, sizeof(*n));

	if (!at)
		return NULL;
	memcpy(n, at, sizeof(*n));
	return get(r, *n);
}

static void load_ladder(struct reader *r, struct ladder *l)
{
	uint64_t n;
	const void *at = get_block(r, &n);

	if (at)
		(void)ladder_load(l, at, n);
}

static void load_price(struct reader *r, struct service_state *s)
{
	uint64_t n;
	const void *at = get_block(r, &n);
	struct price price;

	if (!at || !s->price || n != sizeof(price))
		return;
	memcpy(&price, at, sizeof(price));
	if (price_is_sound(&price))
		*s->price = price;
}

static void load_apis(struct reader *r, struct service_state *s)
{
	const void *at = get(r, s->n_apis * sizeof(*s->apis));
	struct ladder *l;
	uint64_t n;

	if (!at)
		return;
	memcpy(s->apis, at, s->n_apis * sizeof(*s->apis));
	for (size_t i = 0; i < s->n_apis; i++) {
		if (!slo_is_sound(&s->apis[i].slo))
			s->apis[i].slo = (struct slo_window){};
		if (s->apis[i].slot >= (int32_t)s->n_slots || s->apis[i].slot < -1)
			s->apis[i].slot = (int32_t)s->n_slots - 1;
	}
	at = get_block(r, &n);
	if (at)
		(void)cost_load(s->cost, at, n);
	for (size_t k = SERVICE_LADDERS; (l = service_ladder(s, k)); k++)
		load_ladder(r, l);
}

/* What is not sound is left out, as if the service were new. */
static void load_kept(const struct controller *c, const struct service_head *h, const void *bytes,
		      struct service_state *s)
{
	struct service_kept kept;
	uint32_t tier = s->kept.tier;

	memcpy(&kept, bytes, sizeof(kept));
	if (!kept_is_sound(&kept))
		return;
	s->kept = kept;
	if (!s->policy->auto_tier || s->kept.tier > s->policy->tier_min ||
	    s->kept.tier < s->policy->tier_max)
		s->kept.tier = tier;
	(void)lead_follow(c, s);
	if (h->lead_steps != s->lead_steps || !demand_is_sound(&s->kept.demand))
		demand_init(&s->kept.demand);
}

static void load_service(const struct controller *c, struct reader *r, const struct service_head *h,
			 struct service_state *s)
{
	const void *kept = get(r, sizeof(s->kept));

	if (!kept)
		return;
	load_kept(c, h, kept, s);
	for (size_t k = 0; k < SERVICE_LADDERS; k++)
		load_ladder(r, service_ladder(s, k));
	load_price(r, s);
	s->tell_anew = true; /* the series still know those of the time they were saved */
	if (h->n_apis == s->n_apis && h->routes == routes_hash(s->policy))
		load_apis(r, s);
	else
		demand_forget_apis(&s->kept.demand);
}

int controller_load(struct controller *c, const void *buf, size_t size)
{
	struct reader r = {buf, size};
	struct service_head sh;
	struct head h;
	const void *at = get(&r, sizeof(h));

	if (!at)
		return -EINVAL;
	memcpy(&h, at, sizeof(h));
	if (h.magic != MAGIC || h.version != VERSION ||
	    h.kept_size != sizeof(struct service_kept) ||
	    h.network_size != sizeof(c->network->kept) || h.period_ns != c->period_ns ||
	    h.size > size || h.size < sizeof(h) || h.sum != fnv(0, r.p, h.size - sizeof(h)))
		return -EINVAL;
	r.left = h.size - sizeof(h);
	at = get(&r, sizeof(c->network->kept));
	if (!at)
		return -EINVAL;
	memcpy(&c->network->kept, at, sizeof(c->network->kept));
	if (!network_is_sound(&c->network->kept))
		c->network->kept = (struct network_kept){};
	network_share(c); /* before the series know what it earned there */
	c->budget = h.budget;
	c->now_ns = h.now_ns;
	c->unmanaged_mcpu =
		h.unmanaged_mcpu >= 0 && h.unmanaged_mcpu <= (double)c->facts.capacity_mcpu
			? h.unmanaged_mcpu
			: NAN;
	for (uint64_t i = 0; i < h.n_services; i++) {
		struct reader one;

		at = get(&r, sizeof(sh));
		if (!at)
			return -EINVAL;
		memcpy(&sh, at, sizeof(sh));
		sh.name[sizeof(sh.name) - 1] = '\0';
		one = (struct reader){get(&r, sh.size), sh.size};
		if (!one.p)
			return -EINVAL;
		for (size_t k = 0; k < c->n; k++)
			if (streq(c->services[k].policy->name, sh.name))
				load_service(c, &one, &sh, &c->services[k]);
	}
	return 0;
}
