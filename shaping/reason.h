/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reason.h - why a knob has its value: one row of words for each reason and refusal. */
#ifndef FORESHAPE_REASON_H
#define FORESHAPE_REASON_H

/* clang-format off */
#define REASONS(X)                                                                                       \
	X(UNCHANGED,        "unchanged",        "nothing asked for another value")                        \
	X(BASELINE,         "baseline",         "what it had before; this knob is not used for the tier") \
	X(FORECAST_RAISE,   "forecast_raise",   "forecast demand over the lead horizon needs more")       \
	X(FORECAST_LOWER,   "forecast_lower",   "forecast demand needs less, and the dwell is over")      \
	X(EVENT,            "event",            "a known event is coming")                                \
	X(GUARD_THROTTLED,  "guard_throttled",  "throttled more than its target just now")                \
	X(LOAN,             "loan",             "requests wait: lent until they are done")                \
	X(LOAN_BACK,        "loan_back",        "what waited is done: back towards the plan")             \
	X(GUARD_STALLED,    "guard_stalled",    "stalled on memory more than its target just now")        \
	X(SLO_BURN,         "slo_burn",         "the objective is being missed")                          \
	X(UNDO_LOWERING,    "undo_lowering",    "the last lowering was followed by throttling or misses") \
	X(CONTENTION_CAP,   "contention_cap",   "a higher tier is predicted to need this capacity")       \
	X(CONTENTION_OVER,  "contention_over",  "the predicted contention is over")                       \
	X(CAPACITY_SHARE,   "capacity_share",   "the host has less than all demands; shared by tier and weight") \
	X(TIER_WEIGHT,      "tier_weight",      "its tier's share of the CPU, sized by forecast demand")  \
	X(IO_WEIGHT,        "io_weight",        "its tier's share of the disks when there is not enough for all") \
	X(IO_CONTENTION,    "io_contention",    "a higher tier waits for the disks")                       \
	X(IO_PREDICTED,     "io_predicted",     "a higher tier is forecast to use the disks as much as it waited at before") \
	X(IO_OVER,          "io_over",          "no higher tier waits for the disks, or this did not help it") \
	X(POLICY_FLOOR,     "policy_floor",     "held at the policy's floor")                             \
	X(POLICY_CEILING,   "policy_ceiling",   "held at the policy's ceiling")                           \
	X(BURST,            "burst",            "sized from how bursty the service was observed to be")   \
	X(MEMORY_PROTECT,   "memory_protect",   "working set the tier protects from reclaim")             \
	X(MEMORY_LIMIT,     "memory_limit",     "forecast memory and margin, within the policy")          \
	X(MEMORY_PRESSURE,  "memory_pressure",  "forecast working sets are more than the host has; higher tiers come first") \
	X(RECLAIM,          "reclaim",          "cold memory is given back in small steps while nothing waits for any") \
	X(RECLAIM_PAUSED,   "reclaim_paused",   "memory given back was needed again, or hardly any could be: not for a while") \
	X(LINK_SHARE,       "link_share",       "its share of the interface by tier and forecast")        \
	X(WARMING_UP,       "warming_up",       "too little seen yet to plan on")                         \
	X(TENANT_SHARE,     "tenant_share",     "its tenant has its share; more would be taken from other tenants")

/* Considered and not done; bits of plan_entry.refused. */
#define REFUSALS(X)                                                                                      \
	X(DEADBAND,      "deadband",       "the change is smaller than the deadband")                     \
	X(DWELL,         "dwell",          "too soon after the last change to lower")                     \
	X(STEP,          "step",           "lowered by the largest step allowed at once")                 \
	X(BUDGET,        "budget",         "the writes of this minute are used up")                       \
	X(FROZEN,        "frozen",         "changes are frozen")                                          \
	X(YIELDED,       "yielded",        "somebody else set this knob; adopt takes it back")            \
	X(STALE,         "stale",          "inputs were missing or late: limits are held, not lowered")   \
	X(ANOMALY,       "anomaly",        "what was measured does not belong: limits are held for now, not lowered") \
	X(IN_USE,        "in_use",         "lower than what is in use would kill or stall it")            \
	X(FLOOR,         "floor",          "the policy's floor")                                          \
	X(CEILING,       "ceiling",        "the policy's ceiling or the host's capacity")                 \
	X(REMEMBERED,    "remembered",     "such a lowering went wrong before")                           \
	X(ABA,           "a_b_a",          "would go back to the value before the last change")           \
	X(WRITE_FAILED,  "write_failed",   "the kernel refused the last write; tried again later")        \
	X(OBSERVE,       "observe",        "observe mode: planned, not written")                          \
	X(UNSUPPORTED,   "unsupported",    "this host's kernel has no such knob here")

enum reason {
#define X(id, name, text) REASON_##id,
	REASONS(X)
#undef X
	REASON_COUNT
};

enum refusal {
#define X(id, name, text) REFUSAL_##id,
	REFUSALS(X)
#undef X
	REFUSAL_COUNT
};
/* clang-format on */

struct reason_row {
	const char *name; /* in JSON and history */
	const char *text; /* for people */
};
extern const struct reason_row reason_rows[REASON_COUNT];
extern const struct reason_row refusal_rows[REFUSAL_COUNT];

#endif
