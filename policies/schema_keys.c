// SPDX-License-Identifier: GPL-2.0-or-later
/* schema_keys.c - every key of a service's policy and of host.yaml. */
#include "policies/rules.h"
#include "policies/scalar.h"
#include "policies/schema.h"

#define AT(type, member) .offset = offsetof(struct type, member)
#define TEXT(type, member)                                                                         \
	.offset = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)
#define POS(type, member) .at = offsetof(struct type, member)
#define ARRAY(type, member, counter)                                                               \
	.count = SCHEMA_ARRAY, .offset = offsetof(struct type, member),                            \
	.n = offsetof(struct type, counter), .max = ARRAY_SIZE(((struct type *)0)->member),        \
	.stride = sizeof(((struct type *)0)->member[0])
#define GROWING(type, member, counter, most)                                                       \
	.count = SCHEMA_GROWING, .offset = offsetof(struct type, member),                          \
	.n = offsetof(struct type, counter), .max = (most),                                        \
	.stride = sizeof(*((struct type *)0)->member)
#define KEYS(k) .keys = (k), .n_keys = ARRAY_SIZE(k)

/* clang-format off */
static const struct schema_key match_keys[] = {
	{ .name = "unit", .type = &scalar_unit, TEXT(policy_service, unit), .example = "unit: checkout.service",
	  .also = "service systemd name",
	  .help = "The systemd unit: a service, scope or slice. Either this or cgroup." },
	{ .name = "cgroup", .type = &scalar_cgroup, TEXT(policy_service, cgroup), .example = "cgroup: /shop/checkout",
	  .also = "path group slice",
	  .help = "The cgroup's path below each hierarchy's root. Never init, sshd, dbus, systemd's own or "
		  "foreshape's, nor what holds them." },
	{ .name = "ports", .type = &scalar_port, ARRAY(policy_service, ports, n_ports), .lowest = "1",
	  .highest = "65535", .example = "ports: [8443]", .also = "listen",
	  .absent = "every port", .help = "Only what listens on these TCP ports." },
};
static const struct schema_map match_map = { KEYS(match_keys), .check = rules_match,
	.help = "Which processes are the service." };

static const struct schema_key slo_keys[] = {
	{ .name = "objective", .type = &scalar_percent, AT(policy_slo, objective), .lowest = "0%", .highest = "100%",
	  .open_range = true, .required = true, .example = "objective: 99.9%", .also = "target goal",
	  .help = "The share of requests that must be fast enough." },
	{ .name = "latency", .type = &scalar_duration_us, AT(policy_slo, latency_us), .lowest = "1us", .highest = "1h",
	  .required = true, .example = "latency: 200ms", .also = "threshold duration under within",
	  .help = "Fast enough: from the request's first byte in to the response's last byte out." },
	{ .name = "window", .type = &scalar_duration_s, AT(policy_slo, window_s), .lowest = "1min", .highest = "90d",
	  .otherwise = "1h", .example = "window: 1h", .also = "period over interval",
	  .help = "The time over which the objective counts." },
};
static const struct schema_map slo_map = { KEYS(slo_keys), .help = "A latency objective." };

static const struct schema_key api_keys[] = {
	{ .name = "route", .type = &scalar_route, .size = POLICY_ROUTE_MAX, .required = true,
	  .example = "route: POST /v1/orders/{id}", .also = "path url endpoint uri pattern",
	  .help = "Method and path. {name} is any one segment; a last segment * is any rest. Without a method "
		  "(gRPC: /pkg.Service/Method) any method. Literal segments win over {name}, {name} over *." },
	{ .name = "tier", .type = &scalar_tier, AT(policy_api, tier), .given = offsetof(struct policy_api, tier_given),
	  .absent = "the service's", .otherwise = "bronze", .example = "tier: bronze", .also = "priority class",
	  .help = "gold, silver or bronze: the demand of this API counts with this tier's quantile." },
	{ .name = "slo", .map = &slo_map, AT(policy_api, slo), .given = offsetof(struct policy_api, slo.set),
	  POS(policy_api, slo.at), .example = "slo: { objective: 99.95%, latency: 100ms }", .absent = "none",
	  .also = "objectives", .help = "The objective of this API alone." },
};
static const struct schema_map api_map = { KEYS(api_keys), .help = "An API." };

static const struct schema_key cpu_keys[] = {
	{ .name = "floor", .type = &scalar_cpu, AT(policy_cpu, floor_mcpu), POS(policy_cpu, floor_at), .lowest = "0",
	  .highest = "4096", .example = "floor: 200m", .absent = "none",
	  .also = "min minimum request requests guarantee low reserved",
	  .help = "What the service always gets: 1 is one CPU, 200m a fifth of one." },
	{ .name = "ceiling", .type = &scalar_cpu, AT(policy_cpu, ceiling_mcpu), POS(policy_cpu, ceiling_at),
	  .lowest = "10m", .highest = "4096", .may_be_unlimited = true, .example = "ceiling: 4",
	  .also = "max maximum limit limits quota high cap",
	  .help = "What it never gets more than." },
	{ .name = "mode", .type = &scalar_cpu_mode, AT(policy_cpu, mode), .otherwise = "reserve",
	  .example = "mode: reserve", .also = "kind type",
	  .help = "reserve: gold and silver keep room to burst; cap: a tight limit that follows the demand, and with an slo is lent "
		  "more for as long as requests wait." },
};
static const struct schema_map cpu_map = { KEYS(cpu_keys), .check = rules_cpu, .help = "Bounds for CPU." };

static const struct schema_key memory_keys[] = {
	{ .name = "floor", .type = &scalar_bytes, AT(policy_memory, floor_bytes), POS(policy_memory, floor_at),
	  .lowest = "0B", .highest = "1024TiB", .example = "floor: 256MiB", .absent = "none",
	  .also = "min minimum request requests guarantee low reserved",
	  .help = "What is protected from reclaim." },
	{ .name = "ceiling", .type = &scalar_bytes, AT(policy_memory, ceiling_bytes), POS(policy_memory, ceiling_at),
	  .lowest = "1MiB", .highest = "1024TiB", .may_be_unlimited = true, .example = "ceiling: 2GiB",
	  .also = "max maximum limit limits high cap", .help = "What it never gets more than." },
	{ .name = "reclaim", .type = &scalar_reclaim, AT(policy_memory, reclaim), .otherwise = "bronze",
	  .example = "reclaim: bronze", .also = "proactive senpai cold trim",
	  .help = "When memory it does not touch is given back before anybody needs it, in steps of at most 1 % every "
		  "30 s while hardly any task waits for memory: while it is bronze, always or never. Not below its floor, "
		  "memory.low, or what it holds. Needs cgroup version 2 and Linux 5.19; elsewhere nothing happens." },
};
static const struct schema_map memory_map = { KEYS(memory_keys), .check = rules_memory,
	.help = "Bounds for memory." };

static const struct schema_key bandwidth_keys[] = {
	{ .name = "interface", .type = &scalar_interface, TEXT(policy_bandwidth, interface), .required = true,
	  .example = "interface: eth0", .also = "dev device nic iface link",
	  .help = "The interface the responses leave by. It may appear later." },
	{ .name = "floor", .type = &scalar_bits_per_s, AT(policy_bandwidth, floor_bits_per_s),
	  POS(policy_bandwidth, floor_at), .lowest = "0bit", .highest = "1000Gbit", .example = "floor: 10Mbit",
	  .absent = "none", .also = "min minimum rate guarantee reserved", .help = "What is always there for it." },
	{ .name = "ceiling", .type = &scalar_bits_per_s, AT(policy_bandwidth, ceiling_bits_per_s),
	  POS(policy_bandwidth, ceiling_at), .lowest = "8kbit", .highest = "1000Gbit", .may_be_unlimited = true,
	  .example = "ceiling: 1Gbit", .also = "max maximum limit ceil cap", .help = "What it never gets more than." },
};
static const struct schema_map bandwidth_map = { KEYS(bandwidth_keys), .check = rules_bandwidth,
	.help = "Bounds for outgoing traffic." };

static const struct schema_key forecast_keys[] = {
	{ .name = "lead", .type = &scalar_duration_ns, AT(policy_forecast, lead_ns), .lowest = "1s", .highest = "24h",
	  .may_be_auto = true, .otherwise = "auto", .example = "lead: 30s", .also = "horizon ahead leadtime",
	  .help = "How long before a need the limits are raised. What has to be there so long before a ramp begins, for "
		  "its top, takes the ramp's length more. At most the host's largest horizon. With auto it is 30s, or "
		  "longer, up to 5min, where the service has twice in a row taken longer after a start or a jump of its load "
		  "until a request cost the CPU it usually does." },
	{ .name = "quantile", .type = &scalar_ratio, AT(policy_forecast, quantile), .lowest = "0", .highest = "1",
	  .open_range = true, .absent = "the tier's", .example = "quantile: 0.99", .also = "percentile level",
	  .help = "How sure the service must be of its resources: the quantile of its demand that is planned for." },
	{ .name = "short_cost", .type = &scalar_factor, AT(policy_forecast, short_cost), .lowest = "1",
	  .highest = "1000000", .absent = "by quantile", .example = "short_cost: 100", .also = "price penalty cost",
	  .help = "What having too little costs, in times of leaving as much idle, for as long, as is used in the mean. The "
		  "limit is then the one that costs least, instead of a quantile." },
};
static const struct schema_map forecast_map = { KEYS(forecast_keys), .help = "How the demand is planned for." };

static const struct schema_key event_keys[] = {
	{ .name = "name", .type = &scalar_name, TEXT(policy_event, name), .required = true,
	  .example = "name: spring-sale", .also = "title event id",
	  .help = "Events of one name are the same thing happening again: what one does is learned for the next." },
	{ .name = "starts", .type = &scalar_time, AT(policy_event, starts_real_ns), .required = true,
	  .example = "starts: 2027-03-20T08:00", .also = "start begins begin from at time when",
	  .help = "When, in the host's zone unless it ends with Z or +hh:mm." },
	{ .name = "lasts", .type = &scalar_duration_ns, AT(policy_event, lasts_ns), .lowest = "1s", .highest = "366d",
	  .example = "lasts: 12h", .absent = "until ends", .also = "duration length for",
	  .help = "How long. Either this or ends." },
	{ .name = "ends", .type = &scalar_time, AT(policy_event, ends_real_ns), .example = "ends: 2027-03-20T20:00",
	  .absent = "after lasts", .also = "end until till to stop", .help = "When it is over. Either this or lasts." },
	{ .name = "multiplier", .type = &scalar_factor, AT(policy_event, multiplier), .lowest = "0", .highest = "1000",
	  .absent = "learned", .example = "multiplier: 3", .also = "factor times scale",
	  .help = "How many times the usual demand is expected. More than that is believed at once when it comes; where less does, "
		  "or nothing, it is given up as the event passes." },
};
static const struct schema_map event_map = { KEYS(event_keys), .check = rules_event, .help = "A known event." };

static const struct schema_key service_keys[] = {
	{ .name = "version", .type = &scalar_version, .required = true, .example = "version: 1",
	  .help = "The version of this language: 1." },
	{ .name = "service", .type = &scalar_name, TEXT(policy_service, name), POS(policy_service, at),
	  .required = true, .example = "service: checkout", .also = "name",
	  .help = "The service's name, one on this host." },
	{ .name = "tenant", .type = &scalar_name, TEXT(policy_service, tenant), .example = "tenant: shop",
	  .absent = "none", .also = "team owner namespace project",
	  .help = "Whose it is. Within a tier, tenants share CPU, memory to protect and links by dominant-resource fairness: "
		  "each gets as much of what it asks most of, however many services it has. A service without one is a "
		  "tenant by itself." },
	{ .name = "tier", .type = &scalar_tier_or_auto, .otherwise = "bronze", .example = "tier: gold",
	  .also = "priority class qos",
	  .help = "gold, silver or bronze; auto: placed by forecast load and SLO, within tier_range." },
	{ .name = "tier_range", .type = &scalar_tier, ARRAY(policy_service, tier_range, n_tier_range),
	  .example = "tier_range: [bronze, gold]", .absent = "[bronze, gold]", .also = "tiers auto",
	  .help = "With tier: auto, the lowest and the highest tier it may be placed in." },
	{ .name = "weight", .type = &scalar_factor, AT(policy_service, weight), .lowest = "0.01", .highest = "100",
	  .otherwise = "1", .example = "weight: 2", .also = "share shares",
	  .help = "Its share among services of its tier when there is not enough for all. A tenant has the weight of its "
		  "heaviest service." },
	{ .name = "match", .map = &match_map, .required = true, POS(policy_service, match_at),
	  .example = "match: { unit: checkout.service }", .also = "matches selector matcher",
	  .help = "Which processes are the service." },
	{ .name = "slo", .map = &slo_map, AT(policy_service, slo), .given = offsetof(struct policy_service, slo.set),
	  POS(policy_service, slo.at), .example = "slo: { objective: 99.9%, latency: 200ms, window: 1h }",
	  .absent = "none", .also = "objectives", .help = "The objective over all requests of the service." },
	{ .name = "apis", .map = &api_map, GROWING(policy_service, apis, n_apis, POLICY_MAX_APIS),
	  POS(policy_api, at), .example = "apis: [{ route: GET /v1/orders/{id} }]", .absent = "all count as other",
	  .also = "routes endpoints paths", .help = "The APIs to tell apart. What matches none counts as other." },
	{ .name = "cpu", .map = &cpu_map, AT(policy_service, cpu), POS(policy_service, cpu.at),
	  .example = "cpu: { floor: 200m, ceiling: 4 }", .absent = "no bounds", .also = "cpus cores processor",
	  .help = "Bounds for CPU." },
	{ .name = "memory", .map = &memory_map, AT(policy_service, memory), POS(policy_service, memory.at),
	  .example = "memory: { floor: 256MiB, ceiling: 2GiB }", .absent = "no bounds", .also = "mem ram",
	  .help = "Bounds for memory." },
	{ .name = "bandwidth", .map = &bandwidth_map, AT(policy_service, bandwidth), POS(policy_service, bandwidth.at),
	  .example = "bandwidth: { interface: eth0, floor: 10Mbit, ceiling: 1Gbit }",
	  .absent = "traffic is not shaped", .also = "network net bw traffic",
	  .help = "Bounds for outgoing traffic." },
	{ .name = "forecast", .map = &forecast_map, AT(policy_service, forecast), POS(policy_service, forecast.at),
	  .example = "forecast: { lead: 30s, quantile: 0.99 }", .absent = "the defaults", .also = "prediction",
	  .help = "How the demand is planned for." },
	{ .name = "events", .map = &event_map, GROWING(policy_service, events, n_events, POLICY_MAX_EVENTS),
	  POS(policy_event, at), .example = "events: [{ name: sale, starts: 2027-03-20T08:00, lasts: 12h }]",
	  .absent = "none", .help = "Known future events." },
	{ .name = "calendars", .type = &scalar_calendar, ARRAY(policy_service, calendars, n_calendars),
	  .size = POLICY_NAME_MAX, .example = "calendars: [holidays.csv, matches.ics]", .absent = "none",
	  .also = "calendar holidays ical icalendar",
	  .help = "Files of more events in the policy's directory, as safe as policies must be: iCalendar (.ics), where "
		  "SUMMARY is the event's name, or lines of date,name[,end[,multiplier]] (.csv) with dates, the last one "
		  "included, or times, in the host's zone unless they say otherwise. The next ones count, with the "
		  "policy's own events up to 64." },
};
const struct schema_map schema_service = { KEYS(service_keys), .check = rules_service,
	.help = "A service's policy, one a file." };

static const struct schema_key reserve_keys[] = {
	{ .name = "cpu", .type = &scalar_cpu, AT(policy_host, reserve_mcpu), .lowest = "0", .highest = "4096",
	  .may_be_unlimited = true, .absent = "5% of the CPUs", .example = "cpu: 100m", .also = "cpus cores",
	  .help = "CPU kept out of the plan." },
	{ .name = "memory", .type = &scalar_bytes, AT(policy_host, reserve_bytes), .lowest = "0B",
	  .highest = "1024TiB", .may_be_unlimited = true, .absent = "5% of the memory", .example = "memory: 512MiB",
	  .also = "mem ram", .help = "Memory kept out of the plan." },
};
static const struct schema_map reserve_map = { KEYS(reserve_keys), .help = "What the plan never gives away." };

#define TIER_KEYS(q, w)                                                                                             \
	{ .name = "quantile", .type = &scalar_ratio, AT(policy_tier, quantile), .lowest = "0", .highest = "1",      \
	  .open_range = true, .otherwise = q, .example = "quantile: " q, .also = "percentile level",                \
	  .help = "The quantile of demand planned for." },                                                          \
	{ .name = "cpu_weight", .type = &scalar_count, AT(policy_tier, cpu_weight), .lowest = "1",                  \
	  .highest = "10000", .otherwise = w, .example = "cpu_weight: " w, .also = "weight shares cpushares",       \
	  .help = "cpu.weight of its services." },                                                                  \
	{ .name = "io_weight", .type = &scalar_count, AT(policy_tier, io_weight), .lowest = "1",                    \
	  .highest = "10000", .otherwise = w, .example = "io_weight: " w, .also = "ioweight blkioweight disk_weight", \
	  .help = "io.weight of its services: their share of the disks." },                                         \
	{ .name = "ceiling", .type = &scalar_cpu, AT(policy_tier, ceiling_mcpu), .lowest = "10m",                   \
	  .highest = "4096", .may_be_unlimited = true, .example = "ceiling: 2", .also = "max maximum limit cap",    \
	  .help = "CPU all services of the tier get together at most." }
static const struct schema_key gold_keys[] = { TIER_KEYS("0.99", "400") };
static const struct schema_key silver_keys[] = { TIER_KEYS("0.95", "200") };
static const struct schema_key bronze_keys[] = { TIER_KEYS("0.80", "50") };
static const struct schema_map gold_map = { KEYS(gold_keys), .help = "Gold." };
static const struct schema_map silver_map = { KEYS(silver_keys), .help = "Silver." };
static const struct schema_map bronze_map = { KEYS(bronze_keys), .help = "Bronze." };

static const struct schema_key tiers_keys[] = {
	{ .name = "gold", .map = &gold_map, AT(policy_host, tiers[TIER_GOLD]), .example = "gold: { quantile: 0.99 }",
	  .absent = "the defaults", .help = "Served first." },
	{ .name = "silver", .map = &silver_map, AT(policy_host, tiers[TIER_SILVER]),
	  .example = "silver: { quantile: 0.95 }", .absent = "the defaults", .help = "Served next." },
	{ .name = "bronze", .map = &bronze_map, AT(policy_host, tiers[TIER_BRONZE]),
	  .example = "bronze: { quantile: 0.80 }", .absent = "the defaults", .help = "Served from what is left." },
};
static const struct schema_map tiers_map = { KEYS(tiers_keys), .help = "Limits and sharing of each tier." };

static const struct schema_key link_keys[] = {
	{ .name = "interface", .type = &scalar_interface, TEXT(policy_link, interface), .required = true,
	  .example = "interface: eth0", .also = "dev device nic iface name", .help = "The interface." },
	{ .name = "rate", .type = &scalar_bits_per_s, AT(policy_link, rate_bits_per_s), .lowest = "8kbit",
	  .highest = "1000Gbit", .required = true, .example = "rate: 1Gbit", .also = "speed bandwidth capacity",
	  .help = "What it really carries." },
};
static const struct schema_map link_map = { KEYS(link_keys), .help = "An interface whose traffic is shaped." };

static const struct schema_key retention_keys[] = {
	{ .name = "seconds", .type = &scalar_duration_ns, AT(policy_retention, second_ns), .lowest = "1min",
	  .highest = "7d", .otherwise = "1h", .example = "seconds: 1h", .also = "second 1s",
	  .help = "How long samples of every second are kept." },
	{ .name = "minutes", .type = &scalar_duration_ns, AT(policy_retention, minute_ns), .lowest = "1h",
	  .highest = "366d", .otherwise = "30d", .example = "minutes: 30d", .also = "minute 1min 1m",
	  .help = "How long those of every minute are kept." },
	{ .name = "hours", .type = &scalar_duration_ns, AT(policy_retention, hour_ns), .lowest = "1d",
	  .highest = "36500d", .otherwise = "1825d", .example = "hours: 1825d", .also = "hour 1h",
	  .help = "How long those of every hour are kept." },
};
static const struct schema_map retention_map = { KEYS(retention_keys), .check = rules_retention,
	.help = "How long the history is kept." };

static const struct schema_key host_keys[] = {
	{ .name = "version", .type = &scalar_version, .required = true, .example = "version: 1",
	  .help = "The version of this language: 1." },
	{ .name = "reserve", .map = &reserve_map, POS(policy_host, at), .example = "reserve: { cpu: 100m, memory: 512MiB }",
	  .absent = "the defaults", .also = "reserved system", .help = "What the plan never gives away." },
	{ .name = "tiers", .map = &tiers_map, .example = "tiers: { gold: { quantile: 0.99 } }",
	  .absent = "the defaults", .help = "Limits and sharing of each tier." },
	{ .name = "links", .map = &link_map, ARRAY(policy_host, links, n_links), POS(policy_link, at),
	  .example = "links: [{ interface: eth0, rate: 1Gbit }]", .absent = "the speed the interface reports",
	  .also = "interfaces nics network bandwidth", .help = "The interfaces whose traffic is shaped, and their rates." },
	{ .name = "horizons", .type = &scalar_duration_ns, ARRAY(policy_host, horizons_ns, n_horizons), .lowest = "1s",
	  .highest = "14d", .absent = "[30s, 5min, 1h, 24h, 7d]", .example = "horizons: [30s, 5min, 1h, 24h, 7d]",
	  .also = "forecast", .help = "How far ahead demand is forecast, ascending." },
	{ .name = "retention", .map = &retention_map, AT(policy_host, retention), .example = "retention: { seconds: 1h }",
	  .absent = "the defaults", .also = "history keep", .help = "How long the history is kept." },
	{ .name = "writes_per_minute", .type = &scalar_count, AT(policy_host, writes_per_minute), .lowest = "1",
	  .highest = "60000", .otherwise = "600", .example = "writes_per_minute: 600", .also = "budget",
	  .help = "How many knobs may be written a minute on this host. What tight limits are lent for a moment and give back "
		  "is counted apart, up to as many." },
	{ .name = "deadband", .type = &scalar_percent, AT(policy_host, deadband), .lowest = "0%", .highest = "50%",
	  .otherwise = "5%", .example = "deadband: 5%", .also = "hysteresis tolerance",
	  .help = "Smaller changes of a knob are not written." },
	{ .name = "dwell", .type = &scalar_duration_ns, AT(policy_host, dwell_ns), .lowest = "0s", .highest = "1h",
	  .otherwise = "10s", .example = "dwell: 10s", .also = "cooldown wait",
	  .help = "How long a lowering waits after the last change." },
	{ .name = "max_step", .type = &scalar_percent, AT(policy_host, max_step), .lowest = "1%", .highest = "100%",
	  .otherwise = "25%", .example = "max_step: 25%", .also = "step",
	  .help = "The largest lowering at once." },
	{ .name = "target_utilisation", .type = &scalar_percent, AT(policy_host, target_utilisation), .lowest = "10%",
	  .highest = "100%", .otherwise = "70%", .example = "target_utilisation: 70%",
	  .also = "target_utilization utilisation utilization",
	  .help = "Of planned CPU, before feedback has learned a service's own." },
	{ .name = "throttle_target", .type = &scalar_percent, AT(policy_host, throttle_target), .lowest = "0%",
	  .highest = "100%", .otherwise = "2%", .example = "throttle_target: 2%", .also = "throttling throttle",
	  .help = "The share of throttled periods the fast guard accepts." },
	{ .name = "alert_hook", .type = &scalar_path, TEXT(policy_host, alert_hook), .absent = "none",
	  .example = "alert_hook: /usr/local/bin/alert", .also = "hook alert command",
	  .help = "A program of root's, run as the agent's user when forecast demand cannot be met, and when it can be again: its "
		  "words are alert or over, the service (empty: the host), cpu or memory, and what to tell a person." },
};
const struct schema_map schema_host = { KEYS(host_keys), .check = rules_host, .help = "The host: host.yaml." };
/* clang-format on */

_Static_assert(ARRAY_SIZE(service_keys) <= SCHEMA_MAX_KEYS, "schema_read counts the keys seen");
_Static_assert(ARRAY_SIZE(host_keys) <= SCHEMA_MAX_KEYS, "schema_read counts the keys seen");
