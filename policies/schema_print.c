// SPDX-License-Identifier: GPL-2.0-or-later
/* schema_print.c - what people read about the language, printed from the table of keys. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policies/policy.h"
#include "policies/scalar.h"
#include "policies/schema.h"

#define HOST "host."

/* "a list of at most 16: a port, 1 to 65535": what the value of @key looks like. */
static void print_form(FILE *out, const struct schema_key *key)
{
	const char *const *words;

	if (key->count != SCHEMA_ONE)
		fprintf(out, "a list of at most %zu, each ", key->max);
	if (key->map) {
		fprintf(out, "a map");
		return;
	}
	words = key->type->words;
	if (!words)
		fprintf(out, "%s", key->type->what);
	for (size_t i = 0; words && words[i]; i++)
		fprintf(out, "%s%s", i ? " | " : "", words[i]);
	if (key->lowest && key->highest)
		fprintf(out, key->open_range ? ", above %s and below %s" : ", %s to %s",
			key->lowest, key->highest);
	if (key->may_be_unlimited)
		fprintf(out, ", or unlimited");
	if (key->may_be_auto)
		fprintf(out, ", or auto");
}

static const char *default_of(const struct schema_key *key)
{
	if (key->required)
		return "required";
	if (key->absent)
		return key->absent;
	if (key->otherwise)
		return key->otherwise;
	return key->may_be_unlimited ? "unlimited" : "none";
}

static void print_default(FILE *out, const struct schema_key *key)
{
	fprintf(out, key->required ? "%s" : "default %s", default_of(key));
}

/* Calls for each key below @map with its dotted path, outer keys first. */
static void walk(FILE *out, const struct schema_map *map, const char *path,
		 void (*print)(FILE *out, const struct schema_key *key, const char *path))
{
	for (size_t i = 0; i < map->n_keys; i++) {
		const struct schema_key *key = &map->keys[i];
		char full[128];

		(void)snprintf(full, sizeof(full), "%s%s", path, key->name);
		print(out, key, full);
		if (!key->map)
			continue;
		(void)snprintf(full, sizeof(full), "%s%s.", path, key->name);
		walk(out, key->map, full, print);
	}
}

static void print_line(FILE *out, const struct schema_key *key, const char *path)
{
	fprintf(out, "%-28s ", path);
	print_form(out, key);
	fprintf(out, "; ");
	print_default(out, key);
	fputc('\n', out);
}

void policy_schema_print_keys(FILE *out)
{
	walk(out, &schema_service, "", print_line);
	walk(out, &schema_host, HOST, print_line);
}

int policy_explain_key(FILE *out, const char *path)
{
	bool of_host = strncmp(path, HOST, strlen(HOST)) == 0;
	const struct schema_key *key = of_host ? schema_find(&schema_host, path + strlen(HOST))
					       : schema_find(&schema_service, path);

	if (!key && !of_host)
		key = schema_find(&schema_host, path);
	if (!key)
		return -ENOENT;
	fprintf(out, "%s\n  %s\n  ", path, key->help);
	print_form(out, key);
	fprintf(out, "; ");
	print_default(out, key);
	fprintf(out, "\n  example: %s\n", key->example);
	for (size_t i = 0; key->map && i < key->map->n_keys; i++)
		print_line(out, &key->map->keys[i], key->map->keys[i].name);
	return 0;
}

/* Prints @text for roff: '-' stays a minus, a leading '.' or '\'' is no request. */
static void print_roff(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '-' || *text == '\\')
			fputs(*text == '-' ? "\\-" : "\\e", out);
		else
			fputc(*text, out);
	}
}

static void print_entry(FILE *out, const struct schema_key *key, const char *path)
{
	fputs(".TP\n.B ", out);
	print_roff(out, path);
	fputs("\n", out);
	print_roff(out, key->help);
	fputs("\n(", out);
	print_form(out, key);
	fputs("; ", out);
	print_default(out, key);
	fputs(".)\n", out);
	if (key->map)
		return;
	fputs("Example:\n.B ", out);
	print_roff(out, key->example);
	fputs("\n", out);
}

/* clang-format off */
static const char *const before[] = {
	(".TH FORESHAPE\\-POLICY 5 \"\" \"foreshape " FORESHAPE_VERSION "\" \"File formats\""),
	".SH NAME",
	"foreshape\\-policy \\- policy files of foreshape",
	".SH SYNOPSIS",
	"/etc/foreshape/policies.d/*.yaml, /etc/foreshape/host.yaml",
	".SH DESCRIPTION",
	"One file describes one service. What concerns the whole host is in host.yaml. Both are checked by",
	".BR \"foreshape check\" ,",
	"which runs the very code of the agent and names file, line and column of each error.",
	".PP",
	"The language is a strict subset of YAML: maps, lists and single values, in block or flow form, with",
	"comments. There are no anchors, aliases, tags, merge keys, directives or second documents. A truth is",
	"true or false; no key of version 1 takes one, and yes, no, on, off, true, false and null must be",
	"quoted where they are meant as text. Duplicate and unknown keys are errors.",
	".PP",
	"Every quantity has its unit: m for thousandths of a CPU; B, kB, MB, GB, TB, KiB, MiB, GiB, TiB for sizes;",
	"bit, kbit, Mbit, Gbit for rates (a second); ns, us, ms, s, min, h, d, w for durations; % for shares.",
	"A bare number is CPUs for cpu, a ratio for quantile and multiplier, a plain number for weight, cpu_weight,",
	"io_weight, writes_per_minute, ports and version. Times are the host's zone unless they end with Z or +hh:mm.",
	".PP",
	"Files are read in order of name, must be regular, owned by root, not writable by others and have one name",
	"only; the check warns otherwise, the agent refuses. They must be readable for the agent's unprivileged part:",
	"chmod 0644. A file is at most 256 KiB and 8 levels deep, a directory has at most 256 files.",
	"After an error the agent keeps the last good set; with none it only observes.",
	".SH A SERVICE",
};
static const char *const after[] = {
	".SH TIERS THAT CHANGE",
	"With",
	".B tier: auto",
	"a service is placed by its forecast load and its objectives, within",
	".B tier_range: [bronze, gold]",
	"(the default), beginning with the lower.",
	".SH WHAT IS NEVER SHAPED",
	"init, sshd, dbus, the units of systemd, foreshape itself, and what holds them: the root,",
	"/init.scope and /system.slice as a whole.",
	".SH SEE ALSO",
	".BR foreshape (1),",
	".BR foreshape\\-history (5)",
};
/* clang-format on */

void policy_schema_print_man(FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(before); i++)
		fprintf(out, "%s\n", before[i]);
	walk(out, &schema_service, "", print_entry);
	fputs(".SH HOST.YAML\n", out);
	walk(out, &schema_host, "", print_entry);
	for (size_t i = 0; i < ARRAY_SIZE(after); i++)
		fprintf(out, "%s\n", after[i]);
}
