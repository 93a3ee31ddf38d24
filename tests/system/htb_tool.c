// SPDX-License-Identifier: GPL-2.0-or-later
/* htb_tool.c - the HTB back end by hand: root IF RATE, unroot IF, set IF MINOR RATE CEIL, get, del;
 * rates in bit/s. */
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "shaping/knobs/htb.h"

/* Bits per second, or "max". */
static uint64_t number(const char *s)
{
	uint64_t n = UNLIMITED;

	if (!streq(s, "max"))
		(void)parse_u64(s, &n);
	return n;
}

/* @v: interface and up to three numbers. */
static int act(struct htb *h, const char *verb, char **v, int n, struct err *e)
{
	int ifindex = (int)if_nametoindex(v[0]);
	uint64_t rate, ceil;
	int r = -EINVAL;

	if (streq(verb, "root") && n == 2)
		return htb_root_add(h, v[0], number(v[1]), &ifindex, e);
	if (streq(verb, "unroot") && n == 1)
		return htb_root_del(h, ifindex, e);
	if (streq(verb, "set") && n == 4)
		return htb_class_set(h, ifindex, (uint32_t)strtoul(v[1], NULL, 16), number(v[2]),
				     number(v[3]), e);
	if (streq(verb, "del") && n == 2)
		return htb_class_del(h, ifindex, (uint32_t)strtoul(v[1], NULL, 16), e);
	if (streq(verb, "get") && n == 2) {
		r = htb_class_get(h, ifindex, (uint32_t)strtoul(v[1], NULL, 16), &rate, &ceil, e);
		if (r == 0)
			printf("%" PRIu64 " %" PRIu64 "\n", rate, ceil);
	}
	return r;
}

int main(int argc, char **argv)
{
	struct err e = {};
	struct htb *h;
	int r;

	if (argc < 3)
		return 2;
	r = htb_open(&h, &e);
	if (r == 0) {
		r = act(h, argv[1], argv + 2, argc - 2, &e);
		htb_close(h);
	}
	if (r < 0)
		fprintf(stderr, "%s\n", e.text[0] ? e.text : strerror(-r));
	return r < 0;
}
