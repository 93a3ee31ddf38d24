// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_status.c - foreshape status: the agent and every service on one screen. */
#include <math.h>
#include <time.h>

#include "agent/base/util.h"
#include "agent/client_cmd.h"
#include "agent/show.h"
#include "agent/table.h"

#define INDENT 4

/* clang-format off */
static const struct table_column columns[] = {
	{ "SERVICE", false, true }, { "TIER", false, false },
	{ "CPU", true, false }, { "LIMIT", true, false }, { "q50..q99", true, false },
	{ "MEM", true, false }, { "LIMIT", true, false }, { "bit/s", true, false },
	{ "SLO", true, false }, { "BURN", true, false },
};
/* clang-format on */

/* " until" of a mode or freeze: " for 28 min more". */
static struct shown time_left(const json_t *until_real_ns)
{
	struct shown left = {""};
	struct timespec now;
	int64_t ns;

	if (!json_is_integer(until_real_ns))
		return left;
	clock_gettime(CLOCK_REALTIME, &now);
	ns = json_integer_value(until_real_ns) - (now.tv_sec * (int64_t)NS_PER_S + now.tv_nsec);
	(void)snprintf(left.text, sizeof(left.text), " for %.20s more",
		       show_ns((uint64_t)MAX(ns, 0) / NS_PER_S * NS_PER_S).text);
	return left;
}

static void print_agent(const json_t *status)
{
	const json_t *degraded = json_object_get(status, "degraded");
	double uptime_s = show_number(json_object_get(status, "uptime_s"));
	const json_t *line;
	size_t i;

	printf("mode %s%s%s", screen_bold(stdout), show_text(json_object_get(status, "mode"), "?"),
	       screen_plain(stdout));
	printf("%s", time_left(json_object_get(status, "mode_until_real_ns")).text);
	if (json_is_integer(json_object_get(status, "frozen_until_real_ns")))
		printf(", frozen%s",
		       time_left(json_object_get(status, "frozen_until_real_ns")).text);
	printf(", up %s, keeper %lld, worker %lld\n",
	       show_ns(uptime_s > 0 ? (uint64_t)uptime_s * NS_PER_S : 0).text,
	       json_integer_value(json_object_get(status, "pid")),
	       json_integer_value(json_object_get(status, "worker_pid")));
	json_array_foreach (degraded, i, line)
		printf("%sdegraded: %s%s\n", screen_red(stdout), show_text(line, ""),
		       screen_plain(stdout));
}

/* " CPU 1.24 (0.62 unused)" */
static void print_left(size_t *column, const char *what, struct shown all, struct shown unused)
{
	char word[120];

	if (streq(all.text, "-"))
		return;
	if (*column == 0)
		*column = (size_t)printf("left for bronze:");
	else
		*column += (size_t)printf(",");
	(void)snprintf(word, sizeof(word), " %.30s %.30s (%.30s unused)", what, all.text,
		       unused.text);
	screen_word(stdout, column, INDENT, word);
}

static void print_host(const json_t *host)
{
	const json_t *link;
	size_t column = 0, i;

	print_left(&column, "CPU", show_cores(json_object_get(host, "left_mcpu")),
		   show_cores(json_object_get(host, "unused_mcpu")));
	print_left(&column, "memory", show_bytes(json_object_get(host, "left_bytes")),
		   show_bytes(json_object_get(host, "unused_bytes")));
	json_array_foreach (json_object_get(host, "links"), i, link)
		print_left(&column, show_text(json_object_get(link, "interface"), "?"),
			   show_rate(json_object_get(link, "left_bits_per_s")),
			   show_rate(json_object_get(link, "unused_bits_per_s")));
	if (column)
		printf("\n");
}

/* The objective that burns fastest; one that says nothing only when there is no other. */
static const json_t *worst_slo(const json_t *slos)
{
	const json_t *slo, *worst = NULL;
	double most = -1;
	size_t i;

	json_array_foreach (slos, i, slo) {
		double burn = fmax(show_number(json_object_get(slo, "burn_rate")),
				   show_number(json_object_get(slo, "burn_rate_slow")));

		if (!worst || burn > most) {
			worst = slo;
			most = isnan(burn) ? -1 : burn;
		}
	}
	return worst;
}

static void add_service(struct table *t, const json_t *s)
{
	const json_t *cpu = json_object_get(s, "cpu"), *memory = json_object_get(s, "memory");
	const json_t *net = json_object_get(s, "bandwidth"),
		     *demand = json_object_get(cpu, "demand_mcpu");
	const json_t *slo = worst_slo(json_object_get(s, "slo"));
	const json_t *q50 = json_object_get(demand, "0.5"), *q99 = json_object_get(demand, "0.99");

	table_cell(t, "%s", show_text(json_object_get(s, "name"), "?"));
	table_cell(t, "%s", show_text(json_object_get(s, "effective_tier"), "?"));
	table_cell(t, "%s", show_cores(json_object_get(cpu, "usage_mcpu")).text);
	table_cell(t, "%s", show_cores(json_object_get(cpu, "limit_mcpu")).text);
	if (json_is_number(q50))
		table_cell(t, "%s..%s", show_cores(q50).text, show_cores(q99).text);
	else
		table_cell(t, "-");
	table_cell(t, "%s", show_bytes(json_object_get(memory, "usage_bytes")).text);
	table_cell(t, "%s", show_bytes(json_object_get(memory, "limit_bytes")).text);
	table_cell(t, "%s", show_rate(json_object_get(net, "rate_bits_per_s")).text);
	table_cell(t, "%s", show_percent(json_object_get(slo, "attained")).text);
	table_cell(t, "%s", show_burn(slo).text);
}

/* What is wrong with a service, where something is. */
static void print_notes(const json_t *s)
{
	const char *name = show_text(json_object_get(s, "name"), "?");
	const json_t *yielded = json_object_get(s, "yielded"), *knob;
	size_t i;

	if (json_is_false(json_object_get(s, "present")))
		printf("%s: its cgroup %s does not exist\n", name,
		       show_text(json_object_get(s, "cgroup"), "(none)"));
	else if (json_is_false(json_object_get(s, "attached")))
		printf("%s: its requests are not counted: the packet programs are not attached\n",
		       name);
	if (json_array_size(yielded) == 0)
		return;
	printf("%s: somebody else set ", name);
	json_array_foreach (yielded, i, knob)
		printf("%s%s", i ? ", " : "", show_text(knob, "?"));
	printf("; 'foreshape adopt %s' takes over\n", name);
}

static void print_status(const json_t *status)
{
	const json_t *services = json_object_get(status, "services"), *s;
	struct table t;
	size_t i;

	print_agent(status);
	if (json_array_size(services) == 0) {
		printf("no services: no policy in %s\n",
		       show_text(json_object_get(status, "policies"), "?"));
		return;
	}
	table_start(&t, columns, ARRAY_SIZE(columns));
	json_array_foreach (services, i, s)
		add_service(&t, s);
	table_print(&t, stdout);
	table_free(&t);
	print_host(json_object_get(status, "host"));
	json_array_foreach (services, i, s)
		print_notes(s);
}

static int run(const struct cmd *cmd, struct cmd_args *args)
{
	if (args->n_words > 0)
		return cmd_usage(cmd, "takes no words, not '%s'", args->words[0]);
	return client_show(args, "/v1/status", print_status);
}

const struct cmd cmd_status = {
	.name = "status",
	.args = "",
	.help = "the agent and its services now: CPU, memory, objectives",
	.more = "One row a service. CPU and its limit are in CPUs, with the forecast peak over the lead horizon "
		"as its 0.5 and 0.99 quantiles; memory in powers of 1024; bit/s is what it sends. SLO is the share "
		"of requests within the objective's latency, of the objective that uses up its error budget "
		"fastest; a BURN of 1 uses up the budget exactly: first over the last twelfth of the objective's "
		"window, then over all of it, '-' below 20 answers. A line says what gold and silver are "
		"likely to leave for bronze of CPU, memory and each link in bit/s, and what of it bronze does not use "
		"yet. Lines before and after the table say what does "
		"not work as it should.",
	.json = true,
	.run = run,
};
