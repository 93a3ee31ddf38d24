// SPDX-License-Identifier: GPL-2.0-or-later
/* links.c - bandwidth: which interfaces carry our HTB root, and the classes of targets. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "agent/keeper/private.h"
#include "shaping/clamp.h"

#define RATE_LEAST_BITS_PER_S UINT64_C(8000)

static struct link *find(struct keeper *k, const char *interface)
{
	for (size_t i = 0; i < KEEPER_MAX_LINKS; i++) {
		if (streq(k->links[i].interface, interface))
			return &k->links[i];
	}
	return NULL;
}

static struct journal_entry root_entry(const char *interface, int ifindex)
{
	struct journal_entry e = {.kind = JOURNAL_ROOT, .cgroup_id = (uint64_t)ifindex};

	(void)snprintf(e.path, sizeof(e.path), "%s", interface);
	return e;
}

int links_add(struct keeper *k, const struct order *o, struct err *e)
{
	struct link *link = find(k, o->interface);
	struct journal_entry entry = root_entry(o->interface, (int)if_nametoindex(o->interface));
	int ifindex, r = 0;

	if (!k->enforce)
		return err_say(e, -EPERM, "observe mode: nothing is built");
	if (entry.cgroup_id == 0)
		return err_set(e, -ENODEV, "interface %s", o->interface);
	if (!link)
		link = find(k, "");
	if (!link)
		return err_set(e, -ENOSPC, "interface %s", o->interface);
	if (!k->htb)
		r = htb_open(&k->htb, e);
	if (r == 0)
		r = journal_put_durable(k->journal, &entry);
	if (r < 0)
		return r;
	r = htb_root_add(k->htb, o->interface, o->value, &ifindex, e);
	if (r < 0) {
		(void)journal_delete(k->journal, &entry);
		return r;
	}
	(void)copy_str(link->interface, sizeof(link->interface), o->interface);
	link->ifindex = ifindex;
	return 0;
}

static struct link *link_of(struct keeper *k, const struct target *t)
{
	struct link *link = t->interface[0] && t->htb_minor ? find(k, t->interface) : NULL;

	return k->htb ? link : NULL;
}

int links_read(struct keeper *k, struct target *t, enum knob knob, uint64_t *ret)
{
	struct link *link = link_of(k, t);
	uint64_t rate, ceil;
	int r;

	if (!link)
		return -EOPNOTSUPP;
	r = htb_class_get(k->htb, link->ifindex, t->htb_minor, &rate, &ceil, NULL);
	if (r == 0)
		*ret = knob == KNOB_HTB_RATE ? rate : ceil;
	return r;
}

int links_set(struct keeper *k, struct target *t, const struct order *o, struct answer *ans)
{
	struct link *link = link_of(k, t);
	enum knob knob = (enum knob)o->knob;
	uint64_t rate = 0, ceil = UNLIMITED, want;
	struct clamp_bounds bounds = {.floor = o->floor,
				      .ceiling = o->ceiling,
				      .highest = UNLIMITED,
				      .now = UNLIMITED,
				      .max_lower_ppm = o->max_lower_ppm};
	struct err e = {};
	int r;

	if (!link)
		return -EOPNOTSUPP;
	if (htb_class_get(k->htb, link->ifindex, t->htb_minor, &rate, &ceil, NULL) == 0) {
		bounds.now = knob == KNOB_HTB_RATE ? rate : ceil;
		ans->before = bounds.now;
	}
	r = clamp_value(knob, o->value, &bounds, &want, &ans->clamped);
	if (r < 0)
		return r;
	rate = knob == KNOB_HTB_RATE ? want : MAX(rate, RATE_LEAST_BITS_PER_S);
	ceil = knob == KNOB_HTB_CEIL ? want : ceil;
	r = htb_class_set(k->htb, link->ifindex, t->htb_minor, rate, ceil, &e);
	if (r < 0)
		(void)copy_str(ans->text, sizeof(ans->text), e.text);
	else
		r = links_read(k, t, knob, &ans->after);
	return r;
}

void links_drop_class(struct keeper *k, const struct target *t)
{
	struct link *link = link_of(k, t);

	if (link)
		(void)htb_class_del(k->htb, link->ifindex, t->htb_minor, NULL);
}

/* A root dies with its interface: what the name means next is not ours. */
void links_sweep(struct keeper *k)
{
	for (size_t i = 0; i < KEEPER_MAX_LINKS; i++) {
		struct link *link = &k->links[i];
		struct journal_entry entry = root_entry(link->interface, link->ifindex);
		struct answer notice;

		if (!link->interface[0] || (int)if_nametoindex(link->interface) == link->ifindex)
			continue;
		(void)journal_delete(k->journal, &entry);
		notice = orders_blank(0, NOTICE_LINK, ORDER_NO_TARGET, KNOB_HTB_RATE);
		(void)copy_str(notice.text, sizeof(notice.text), link->interface);
		link->interface[0] = '\0';
		orders_answer(k, &notice);
	}
}

void links_forget(struct keeper *k)
{
	memset(k->links, 0, sizeof(k->links));
}

unsigned int links_remove(struct journal *j, restore_tell_t *tell, void *arg)
{
	_cleanup_(htb_closep) struct htb *htb = NULL;
	unsigned int refused = 0;

	for (size_t i = j->n; i-- > 0;) {
		struct journal_entry entry = j->entries[i];
		struct restore_line line = {entry.path, "htb", "restored", ""};
		struct err e = {};
		int r = 0;

		if (entry.kind != JOURNAL_ROOT)
			continue;
		if (!htb)
			r = htb_open(&htb, &e);
		if (r == 0)
			r = htb_root_del(htb, (int)entry.cgroup_id, &e);
		if (r < 0) {
			line.what = r == -EEXIST ? "left" : "refused";
			line.why = e.text;
			refused += r != -EEXIST;
		}
		if (r == 0 || r == -EEXIST)
			(void)journal_delete(j, &entry);
		if (tell)
			tell(arg, &line);
	}
	return refused;
}
