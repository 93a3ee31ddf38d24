/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decision_text.h - what a decision rests on, as the texts the audit keeps. */
#ifndef FORESHAPE_DECISION_TEXT_H
#define FORESHAPE_DECISION_TEXT_H

#include "shaping/tick.h"

/* An object of numbers ("{\"demand_mcpu\":1200}"), to be freed; NULL: no memory. */
char *decision_inputs(const struct plan_entry *entry);
/* A list of names ("[\"dwell\"]"), to be freed; NULL: no memory. */
char *decision_refused(uint32_t refused);

#endif
