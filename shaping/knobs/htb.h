/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * htb.h - bandwidth: one HTB tree per interface, a class per tier under the link, a leaf per
 *service.
 *
 *	7f5e:		root qdisc; what is not classified goes to 7f5e:f
 *	  7f5e:1	the link, at its full rate
 *	    7f5e:f	unclassified: a tenth guaranteed, may borrow all of the link
 *	    7f5e:1000	gold, 7f5e:2000 silver, 7f5e:3000 bronze: idle rate is lent in this order
 *	      7f5e:1001	a service; its packets carry skb->priority == htb_classid(minor)
 *
 * A leaf's rate is guaranteed and its ceil is how far it may borrow. HTB keeps its promises only
 * while the rates of all leaves together stay within the link: that sum is the caller's to keep.
 * Classes die with the interface and survive it going down.
 */
#ifndef FORESHAPE_HTB_H
#define FORESHAPE_HTB_H

#include <stdint.h>

#include "agent/base/err.h"
#include "policies/policy.h"

/* Below 8000, so that the kernel never hands it out by itself. */
#define HTB_MAJOR      0x7f5eu
#define HTB_MAX_LEAVES 0xfffu /* a tier */

/* The number of the @n-th leaf (1 to HTB_MAX_LEAVES) of @tier: it says the tier too. */
static inline uint32_t htb_minor(enum tier tier, uint32_t n)
{
	return ((uint32_t)tier + 1) << 12 | n;
}

/* What skb->priority (and fsh route tables) must say for packets to choose class @minor. */
static inline uint32_t htb_classid(uint32_t minor)
{
	return HTB_MAJOR << 16 | minor;
}

struct htb; /* a netlink socket */

int htb_open(struct htb **ret, struct err *e);
void htb_close(struct htb *h);
void htb_closep(struct htb **h);

/*
 * Builds the tree on interface @ifname, or takes over the one that is ours already (its leaves stay
 * as they are, its link rate becomes @rate_bits_per_s). Never touches another's: -EEXIST with the
 * name of what is there. -ENODEV: no such interface; -EINVAL: rate below 8 kbit/s; or -errno.
 * Returns 0 and *ret_ifindex, by which the interface is called from then on.
 */
int htb_root_add(struct htb *h, const char *ifname, uint64_t rate_bits_per_s, int *ret_ifindex,
		 struct err *e);

/*
 * Takes our tree off, classes included; the kernel puts its default back. Returns 0, also when
 * there is none or the interface is gone; -EEXIST when the root is another's (left alone); or
 * -errno.
 */
int htb_root_del(struct htb *h, int ifindex, struct err *e);

/*
 * Makes or changes leaf @minor (from htb_minor). @ceil UNLIMITED is the link's rate; a ceil below
 * the rate is raised to it. Reads back: 0 when the kernel has both to within 8 bit/s, -EIO when it
 * kept something else; -ENOENT: no tree of ours there; -ENODEV: no such interface; -EINVAL; or
 * -errno.
 */
int htb_class_set(struct htb *h, int ifindex, uint32_t minor, uint64_t rate_bits_per_s,
		  uint64_t ceil_bits_per_s, struct err *e);

/* What the kernel has for leaf @minor. Returns 0, -ENOENT (no such leaf), -ENODEV or -errno. */
int htb_class_get(struct htb *h, int ifindex, uint32_t minor, uint64_t *rate_bits_per_s,
		  uint64_t *ceil_bits_per_s, struct err *e);

/* Takes leaf @minor away; its packets become unclassified. Returns 0, also when there is none; or
 * -errno. */
int htb_class_del(struct htb *h, int ifindex, uint32_t minor, struct err *e);

#endif
