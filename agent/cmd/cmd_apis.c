// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_apis.c - foreshape apis: what every API serves, how fast, and what it costs. */
#include <string.h>

#include "agent/base/util.h"
#include "agent/client.h"
#include "agent/client_cmd.h"
#include "agent/show.h"
#include "agent/table.h"

#define INDENT 4

/* clang-format off */
static const struct table_column columns[] = {
	{ "SERVICE", false, true }, { "API", false, true },
	{ "REQUESTS", true, false }, { "RATE/s", true, false }, { "ERRORS", true, false },
	{ "p50", true, false }, { "p90", true, false }, { "p99", true, false }, { "CPU/REQ", true, false },
};
static const struct table_column slo_columns[] = {
	{ "SERVICE", false, true }, { "API", false, true },
	{ "OBJECTIVE", true, false }, { "UNDER", true, false }, { "OVER", true, false },
	{ "ATTAINED", true, false }, { "FAST", true, false }, { "SLOW", true, false },
};
/* clang-format on */

static void add_api(struct table *t, const json_t *api)
{
	const json_t *total = json_object_get(api, "total_us");

	table_cell(t, "%s", show_text(json_object_get(api, "service"), "?"));
	table_cell(t, "%s", show_text(json_object_get(api, "route"), "?"));
	table_cell(t, "%s", show_rate(json_object_get(api, "requests")).text);
	table_cell(t, "%s", show_rate(json_object_get(api, "rate_per_s")).text);
	table_cell(t, "%s", show_rate(json_object_get(api, "errors")).text);
	table_cell(t, "%s", show_us(json_object_get(total, "p50")).text);
	table_cell(t, "%s", show_us(json_object_get(total, "p90")).text);
	table_cell(t, "%s", show_us(json_object_get(total, "p99")).text);
	table_cell(t, "%s", show_us(json_object_get(api, "cpu_us_per_request")).text);
}

static struct shown show_window(const json_t *slo)
{
	double s = show_number(json_object_get(slo, "window_s"));

	return show_ns(s > 0 ? (uint64_t)s * NS_PER_S : 0);
}

static void add_slo(struct table *t, const json_t *slo)
{
	table_cell(t, "%s", show_text(json_object_get(slo, "service"), "?"));
	table_cell(t, "%s", show_text(json_object_get(slo, "route"), "(all)"));
	table_cell(t, "%s", show_percent(json_object_get(slo, "objective")).text);
	table_cell(t, "%s", show_us(json_object_get(slo, "latency_us")).text);
	table_cell(t, "%s", show_window(slo).text);
	table_cell(t, "%s", show_percent(json_object_get(slo, "attained")).text);
	table_cell(t, "%s", show_plain(json_object_get(slo, "burn_rate")).text);
	table_cell(t, "%s", show_plain(json_object_get(slo, "burn_rate_slow")).text);
}

static void print_slos(const json_t *slos)
{
	const json_t *slo;
	struct table t;
	size_t i, n = 0;

	table_start(&t, slo_columns, ARRAY_SIZE(slo_columns));
	json_array_foreach (slos, i, slo) {
		if (!json_is_number(json_object_get(slo, "attained")))
			continue;
		add_slo(&t, slo);
		n++;
	}
	if (n)
		table_print(&t, stdout);
	table_free(&t);
}

static void print_unattributed(json_t *reasons)
{
	const char *reason;
	json_t *count;
	size_t column = 0;

	json_object_foreach (reasons, reason, count) {
		char word[64];

		if (json_integer_value(count) == 0)
			continue;
		if (column == 0)
			column = (size_t)printf("unattributed:");
		(void)snprintf(word, sizeof(word), " %.40s %.20s", reason, show_plain(count).text);
		screen_word(stdout, &column, INDENT, word);
	}
	if (column)
		printf("\n");
}

static void print_apis(const json_t *answer)
{
	const json_t *apis = json_object_get(answer, "apis"), *api;
	struct table t;
	size_t i;

	if (json_array_size(apis) == 0) {
		printf("no APIs: no service has a policy yet\n");
	} else {
		table_start(&t, columns, ARRAY_SIZE(columns));
		json_array_foreach (apis, i, api)
			add_api(&t, api);
		table_print(&t, stdout);
		table_free(&t);
	}
	print_slos(json_object_get(answer, "slo"));
	print_unattributed(json_object_get(answer, "unattributed"));
}

static int run(const struct cmd *cmd, struct cmd_args *args)
{
	char path[512] = "/v1/apis", name[256];

	if (args->n_words > 1)
		return cmd_usage(cmd, "takes one service, not also '%s'", args->words[1]);
	if (args->n_words == 1)
		(void)snprintf(path, sizeof(path), "/v1/apis?service=%s",
			       client_escape(name, sizeof(name), args->words[0]));
	return client_show(args, path, print_apis);
}

const struct cmd cmd_apis = {
	.name = "apis",
	.args = "[SERVICE]",
	.help = "every API: requests, rate, errors, latency, CPU per request",
	.more = "Requests and errors (5xx and unanswered) are totals since the agent first saw the service; rate and "
		"latency are of the last 60 s. Latency runs from the first byte of a request reaching the host to the "
		"last byte of its response leaving it. CPU/REQ is learned. 'other' is what matches no route of the "
		"policy. A second table, where answers came, has what share of requests is to be under which latency over "
		"which window, and how well that is kept by the service and by each API, which without an objective of "
		"its own is held to the service's; a burn rate of 1 uses up the error budget exactly, FAST over the last "
		"twelfth of the window, SLOW over all of it, '-' below 20 answers. A last line counts what could not be attributed to an API, by reason.",
	.json = true,
	.run = run,
};
