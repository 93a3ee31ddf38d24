// SPDX-License-Identifier: GPL-2.0-or-later
/* htb.c - bandwidth: one HTB tree per interface, a class per tier, a leaf per service. */
#include "shaping/knobs/htb.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>

#include <netlink/netlink.h>
#include <netlink/route/class.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/qdisc/htb.h>
#include <netlink/route/tc.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"

#define ROOT               (HTB_MAJOR << 16)
#define MINOR_LINK         0x1u
#define MINOR_UNCLASSIFIED 0xfu
#define LOWEST_RATE        8000 /* bits/s */
#define LOWEST_BURST_BYTES 16384
#define BURST_PER_S        100 /* a class may save up a hundredth of a second */
#define LOWEST_QUANTUM     1600 /* one frame: less makes the round robin starve and the kernel warn */
#define HIGHEST_QUANTUM    60000

/* The classes every tree has. A tier's own rate is small, so that it hardly decides who borrows. */
static const struct {
	uint32_t minor, parent;
	uint32_t share; /* of the link guaranteed: one part in so many */
} frame[] = {
	{MINOR_LINK, 0, 1},
	{0x1000, MINOR_LINK, 100},
	{0x2000, MINOR_LINK, 100},
	{0x3000, MINOR_LINK, 100},
	{MINOR_UNCLASSIFIED, MINOR_LINK, 10},
};

struct htb {
	struct nl_sock *sock;
};

struct class_spec {
	uint32_t parent, handle, priority;
	uint64_t rate, ceil; /* bytes/s */
};

static void cachep(struct nl_cache **c)
{
	nl_cache_free(*c);
}

static void qdiscp(struct rtnl_qdisc **q)
{
	rtnl_qdisc_put(*q);
}

static void classp(struct rtnl_class **c)
{
	rtnl_class_put(*c);
}

/* libnl has numbers of its own: the errno of each, at its place. */
static const int errors[] = {
	[NLE_EXIST] = EEXIST, [NLE_OBJ_NOTFOUND] = ENOENT, [NLE_NODEV] = ENODEV,
	[NLE_PERM] = EPERM,   [NLE_NOMEM] = ENOMEM,        [NLE_INVAL] = EINVAL,
};

static int nl_errno(int r)
{
	size_t n = (size_t)abs(r);

	return r >= 0 ? 0 : n < ARRAY_SIZE(errors) && errors[n] ? -errors[n] : -EIO;
}

int htb_open(struct htb **ret, struct err *e)
{
	struct htb *h = calloc(1, sizeof(*h));
	int r = -NLE_NOMEM;

	if (h)
		h->sock = nl_socket_alloc();
	if (h && h->sock)
		r = nl_connect(h->sock, NETLINK_ROUTE);
	if (r == 0)
		*ret = h;
	else
		htb_close(h);
	return r < 0 ? err_set(e, nl_errno(r), "open netlink") : 0;
}

void htb_close(struct htb *h)
{
	if (!h)
		return;
	nl_socket_free(h->sock);
	free(h);
}

void htb_closep(struct htb **h)
{
	htb_close(*h);
}

/* 0: the root is ours; -ENOENT: the kernel's default; -EEXIST: another's, named in @e. */
static int root_check(struct htb *h, int ifindex, struct err *e)
{
	_cleanup_(cachep) struct nl_cache *cache = NULL;
	_cleanup_(qdiscp) struct rtnl_qdisc *q = NULL;
	char name[IF_NAMESIZE], handle[32];
	int r;

	if (!if_indextoname((unsigned int)ifindex, name))
		return err_set(e, -ENODEV, "interface %d", ifindex);
	r = rtnl_qdisc_alloc_cache(h->sock, &cache);
	if (r < 0)
		return err_set(e, nl_errno(r), "read the root qdisc of %s", name);
	q = rtnl_qdisc_get_by_parent(cache, ifindex, TC_H_ROOT);
	if (!q || rtnl_tc_get_handle(TC_CAST(q)) == 0) /* a link that is down has none that shows */
		return -ENOENT;
	if (rtnl_tc_get_handle(TC_CAST(q)) == ROOT && streq(rtnl_tc_get_kind(TC_CAST(q)), "htb"))
		return 0;
	(void)rtnl_tc_handle2str(rtnl_tc_get_handle(TC_CAST(q)), handle, sizeof(handle));
	return err_say(
		e, -EEXIST,
		"%s already has a root qdisc %s %s, not touched; 'tc qdisc del dev %s root' lets it be shaped",
		name, rtnl_tc_get_kind(TC_CAST(q)), handle, name);
}

/* Says which object is meant. -ENOMEM where there is no object or no room. */
static int aim(struct rtnl_tc *tc, int ifindex, uint32_t parent, uint32_t handle, const char *kind)
{
	if (!tc)
		return -ENOMEM;
	rtnl_tc_set_ifindex(tc, ifindex);
	rtnl_tc_set_parent(tc, parent);
	rtnl_tc_set_handle(tc, handle);
	return nl_errno(rtnl_tc_set_kind(tc, kind));
}

static uint32_t burst_bytes(uint64_t rate)
{
	return (uint32_t)clamp_u64(rate / BURST_PER_S, LOWEST_BURST_BYTES, INT32_MAX);
}

static int class_put(struct htb *h, int ifindex, const struct class_spec *s)
{
	_cleanup_(classp) struct rtnl_class *c = rtnl_class_alloc();
	int r = aim(TC_CAST(c), ifindex, s->parent, s->handle, "htb");

	if (r < 0)
		return r;
	(void)rtnl_htb_set_prio(c, s->priority);
	(void)rtnl_htb_set_rate64(c, s->rate);
	(void)rtnl_htb_set_ceil64(c, s->ceil);
	(void)rtnl_htb_set_rbuffer(c, burst_bytes(s->rate));
	(void)rtnl_htb_set_cbuffer(c, burst_bytes(s->ceil));
	(void)rtnl_htb_set_quantum(
		c, (uint32_t)clamp_u64(s->rate / 100, LOWEST_QUANTUM, HIGHEST_QUANTUM));
	return nl_errno(rtnl_class_add(h->sock, c, NLM_F_CREATE));
}

/* Gives class @handle the fairest queue this kernel has; its own fifo will do. */
static void leaf_queue(struct htb *h, int ifindex, uint32_t handle)
{
	static const char *const kinds[] = {"fq_codel", "sfq"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		_cleanup_(qdiscp) struct rtnl_qdisc *q = rtnl_qdisc_alloc();

		if (aim(TC_CAST(q), ifindex, handle, TC_H_UNSPEC, kinds[i]) == 0 &&
		    rtnl_qdisc_add(h->sock, q, NLM_F_CREATE | NLM_F_EXCL) == 0)
			return;
	}
}

static int root_make(struct htb *h, int ifindex)
{
	_cleanup_(qdiscp) struct rtnl_qdisc *q = rtnl_qdisc_alloc();
	int r = aim(TC_CAST(q), ifindex, TC_H_ROOT, ROOT, "htb");

	if (r < 0)
		return r;
	(void)rtnl_htb_set_defcls(q, MINOR_UNCLASSIFIED);
	return nl_errno(rtnl_qdisc_add(h->sock, q, NLM_F_CREATE | NLM_F_EXCL));
}

static int frame_put(struct htb *h, int ifindex, uint64_t link)
{
	for (size_t i = 0; i < ARRAY_SIZE(frame); i++) {
		struct class_spec s = {ROOT | frame[i].parent, ROOT | frame[i].minor, 0,
				       MAX(link / frame[i].share, (uint64_t)1), link};
		int r = class_put(h, ifindex, &s);

		if (r < 0)
			return r;
	}
	return 0;
}

int htb_root_add(struct htb *h, const char *ifname, uint64_t rate_bits_per_s, int *ret_ifindex,
		 struct err *e)
{
	int r, ifindex = (int)if_nametoindex(ifname);
	bool fresh;

	if (ifindex == 0)
		return err_say(e, -ENODEV, "no interface %s: see 'ip link'", ifname);
	if (rate_bits_per_s < LOWEST_RATE || rate_bits_per_s == UNLIMITED)
		return err_set(e, -EINVAL, "link rate of %s", ifname);
	r = root_check(h, ifindex, e);
	fresh = r == -ENOENT;
	if (r < 0 && !fresh)
		return r;
	r = fresh ? root_make(h, ifindex) : 0;
	if (r == 0)
		r = frame_put(h, ifindex, rate_bits_per_s / BITS_BYTE);
	if (r < 0) {
		if (fresh)
			(void)htb_root_del(h, ifindex, NULL); /* only what has our handle */
		return err_set(e, r, "add the HTB tree of %s", ifname);
	}
	if (fresh)
		leaf_queue(h, ifindex, ROOT | MINOR_UNCLASSIFIED);
	*ret_ifindex = ifindex;
	return 0;
}

int htb_root_del(struct htb *h, int ifindex, struct err *e)
{
	_cleanup_(qdiscp) struct rtnl_qdisc *q = NULL;
	int r = root_check(h, ifindex, e);

	if (r == -ENOENT || r == -ENODEV)
		return 0;
	if (r < 0)
		return r;
	q = rtnl_qdisc_alloc();
	/* The handle makes the kernel refuse when the root changed meanwhile. */
	r = aim(TC_CAST(q), ifindex, TC_H_ROOT, ROOT, "htb");
	if (r == 0)
		r = nl_errno(rtnl_qdisc_delete(h->sock, q));
	return r < 0 ? err_set(e, r, "take off the HTB root of interface %d", ifindex) : 0;
}

int htb_class_get(struct htb *h, int ifindex, uint32_t minor, uint64_t *rate_bits_per_s,
		  uint64_t *ceil_bits_per_s, struct err *e)
{
	_cleanup_(cachep) struct nl_cache *cache = NULL;
	_cleanup_(classp) struct rtnl_class *c = NULL;
	uint64_t rate, ceil;
	int r = root_check(h, ifindex, e);

	if (r == 0)
		r = nl_errno(rtnl_class_alloc_cache(h->sock, ifindex, &cache));
	if (r < 0)
		return r;
	c = rtnl_class_get(cache, ifindex, htb_classid(minor));
	if (!c || rtnl_htb_get_rate64(c, &rate) < 0 || rtnl_htb_get_ceil64(c, &ceil) < 0)
		return -ENOENT;
	*rate_bits_per_s = rate * BITS_BYTE;
	*ceil_bits_per_s = ceil * BITS_BYTE;
	return 0;
}

static bool is_leaf(uint32_t minor)
{
	return minor >> 12 >= 1 && minor >> 12 <= TIER_COUNT && (minor & HTB_MAX_LEAVES) != 0;
}

int htb_class_set(struct htb *h, int ifindex, uint32_t minor, uint64_t rate_bits_per_s,
		  uint64_t ceil_bits_per_s, struct err *e)
{
	struct class_spec s = {htb_classid(minor & ~HTB_MAX_LEAVES), htb_classid(minor),
			       (minor >> 12) - 1, rate_bits_per_s / BITS_BYTE, 0};
	uint64_t rate = 0, ceil = 0, link;
	int r, fresh;

	if (!is_leaf(minor) || rate_bits_per_s < BITS_BYTE || rate_bits_per_s == UNLIMITED)
		return err_set(e, -EINVAL, "set class %x:%x", HTB_MAJOR, minor);
	r = htb_class_get(h, ifindex, MINOR_LINK, &link, &ceil, e);
	if (r < 0)
		return r == -ENOENT ? err_say(e, r, "interface %d has no tree of ours", ifindex)
				    : r;
	s.ceil = MAX(MIN(ceil_bits_per_s, link), rate_bits_per_s) / BITS_BYTE;
	fresh = htb_class_get(h, ifindex, minor, &rate, &ceil, NULL) == -ENOENT;
	r = class_put(h, ifindex, &s);
	if (r == 0 && fresh)
		leaf_queue(h, ifindex, s.handle);
	if (r == 0)
		r = htb_class_get(h, ifindex, minor, &rate, &ceil, NULL);
	if (r == 0 && (rate != s.rate * BITS_BYTE || ceil != s.ceil * BITS_BYTE))
		r = -EIO;
	return r < 0 ? err_set(e, r, "set class %x:%x", HTB_MAJOR, minor) : 0;
}

int htb_class_del(struct htb *h, int ifindex, uint32_t minor, struct err *e)
{
	_cleanup_(classp) struct rtnl_class *c = rtnl_class_alloc();
	int r = is_leaf(minor) ? root_check(h, ifindex, e) : -EINVAL;

	if (r == 0)
		r = aim(TC_CAST(c), ifindex, TC_H_UNSPEC, htb_classid(minor), "htb");
	if (r == 0)
		r = nl_errno(rtnl_class_delete(h->sock, c));
	if (r == 0 || r == -ENOENT || r == -ENODEV)
		return 0;
	return err_set(e, r, "take off class %x:%x", HTB_MAJOR, minor);
}
