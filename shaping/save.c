// SPDX-License-Identifier: GPL-2.0-or-later
/* save.c - what a controller has learned, to bytes and back, by service name. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "shaping/state.h"

#define MAGIC   UINT64_C(0x706873)
#define VERSION UINT64_C(14)

struct head {
	uint64_t magic, version, kept_size, period_ns;
	uint64_t generation, n_parts; /* of a part; 0 of the whole */
	uint64_t n_services, size, sum;
	struct budget budget, loan_budget;
	uint64_t network_size; /* of what comes next; 0: what is the host's is not here */
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

static size_t shared_size(void)
{
	return sizeof(struct head) + sizeof(struct network_kept);
}

size_t controller_save_size(const struct controller *c)
{
	size_t n = shared_size();

	for (size_t i = 0; i < c->n; i++)
		n += service_size(&c->services[i]);
	return n;
}

size_t controller_n_parts(const struct controller *c)
{
	return c->n + 1;
}

size_t controller_part_size(const struct controller *c, size_t part)
{
	return part == 0 ? shared_size()
			 : sizeof(struct head) + service_size(&c->services[part - 1]);
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

static void begin_head(const struct controller *c, size_t size, struct head *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->magic = MAGIC;
	ret->version = VERSION;
	ret->kept_size = sizeof(struct service_kept);
	ret->period_ns = c->period_ns;
	ret->size = size;
}

static unsigned char *save_shared(const struct controller *c, struct head *h, unsigned char *p)
{
	h->budget = c->budget;
	h->loan_budget = c->loan_budget;
	h->network_size = sizeof(c->network->kept);
	h->now_ns = c->now_ns;
	h->unmanaged_mcpu = c->unmanaged_mcpu;
	return put(p, &c->network->kept, sizeof(c->network->kept));
}

static void end_head(struct head *h, void *buf)
{
	h->sum = fnv(0, (unsigned char *)buf + sizeof(*h), h->size - sizeof(*h));
	memcpy(buf, h, sizeof(*h));
}

size_t controller_save(const struct controller *c, void *buf, size_t size)
{
	size_t need = controller_save_size(c);
	unsigned char *p = (unsigned char *)buf + sizeof(struct head);
	struct head h;

	if (size < need)
		return 0;
	begin_head(c, need, &h);
	h.n_services = c->n;
	p = save_shared(c, &h, p);
	for (size_t i = 0; i < c->n; i++)
		p = save_service(&c->services[i], p);
	end_head(&h, buf);
	return need;
}

size_t controller_save_part(const struct controller *c, uint64_t generation, size_t part, void *buf,
			    size_t size)
{
	size_t need = controller_part_size(c, part);
	unsigned char *p = (unsigned char *)buf + sizeof(struct head);
	struct head h;

	if (size < need)
		return 0;
	begin_head(c, need, &h);
	h.generation = generation;
	h.n_parts = controller_n_parts(c);
	h.n_services = part > 0;
	if (part == 0)
		(void)save_shared(c, &h, p);
	else
		(void)save_service(&c->services[part - 1], p);
	end_head(&h, buf);
	return need;
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

/* The head of what @r reads, where all of that is as it was saved. Returns 0 or -EINVAL. */
static int get_head(struct reader *r, struct head *ret)
{
	size_t size = r->left;
	const void *at = get(r, sizeof(*ret));

	if (!at)
		return -EINVAL;
	memcpy(ret, at, sizeof(*ret));
	if (ret->magic != MAGIC || ret->version != VERSION ||
	    ret->kept_size != sizeof(struct service_kept) || ret->size > size ||
	    ret->size < sizeof(*ret) || ret->sum != fnv(0, r->p, ret->size - sizeof(*ret)))
		return -EINVAL;
	r->left = ret->size - sizeof(*ret);
	return 0;
}

static int load_shared(struct reader *r, const struct head *h, struct controller *c)
{
	const void *at = get(r, sizeof(c->network->kept));

	if (!at || h->network_size != sizeof(c->network->kept))
		return -EINVAL;
	memcpy(&c->network->kept, at, sizeof(c->network->kept));
	if (!network_is_sound(&c->network->kept))
		c->network->kept = (struct network_kept){};
	network_share(c); /* before the series know what it earned there */
	c->budget = h->budget;
	c->loan_budget = h->loan_budget;
	c->now_ns = h->now_ns;
	c->unmanaged_mcpu =
		h->unmanaged_mcpu >= 0 && h->unmanaged_mcpu <= (double)c->facts.capacity_mcpu
			? h->unmanaged_mcpu
			: NAN;
	return 0;
}

static int load_one(struct reader *r, struct controller *c)
{
	struct service_head sh;
	const void *at = get(r, sizeof(sh));
	struct reader one;

	if (!at)
		return -EINVAL;
	memcpy(&sh, at, sizeof(sh));
	sh.name[sizeof(sh.name) - 1] = '\0';
	one = (struct reader){get(r, sh.size), sh.size};
	if (!one.p)
		return -EINVAL;
	for (size_t k = 0; k < c->n; k++)
		if (streq(c->services[k].policy->name, sh.name))
			load_service(c, &one, &sh, &c->services[k]);
	return 0;
}

int controller_part(const void *buf, size_t size, uint64_t *generation, size_t *n_parts)
{
	struct reader r = {buf, size};
	struct head h;

	if (get_head(&r, &h) < 0 || h.n_parts == 0)
		return -EINVAL;
	*generation = h.generation;
	*n_parts = (size_t)h.n_parts;
	return 0;
}

int controller_load(struct controller *c, const void *buf, size_t size)
{
	struct reader r = {buf, size};
	struct head h;
	int err = get_head(&r, &h);

	if (err < 0 || h.period_ns != c->period_ns)
		return -EINVAL;
	if (h.network_size > 0)
		err = load_shared(&r, &h, c);
	for (uint64_t i = 0; err == 0 && i < h.n_services; i++)
		err = load_one(&r, c);
	return err;
}
