// SPDX-License-Identifier: GPL-2.0-or-later
/* cmd_table.c - the commands there are, in the order help shows them. */
#include "agent/cmd.h"

#include "agent/base/util.h"

extern const struct cmd cmd_run, cmd_exec, cmd_doctor, cmd_check, cmd_status, cmd_apis,
	cmd_forecast, cmd_explain, cmd_history, cmd_event, cmd_reload, cmd_observe, cmd_enforce,
	cmd_freeze, cmd_adopt, cmd_yield, cmd_restore, cmd_replay, cmd_help, cmd_version,
	cmd_completion, cmd_man, cmd_services, cmd_worker;

/* clang-format off */
const struct cmd *const cmd_table[] = {
	&cmd_run,
	&cmd_exec,
	&cmd_doctor,
	&cmd_check,
	&cmd_status,
	&cmd_apis,
	&cmd_forecast,
	&cmd_explain,
	&cmd_history,
	&cmd_event,
	&cmd_reload,
	&cmd_observe,
	&cmd_enforce,
	&cmd_freeze,
	&cmd_adopt,
	&cmd_yield,
	&cmd_restore,
	&cmd_replay,
	&cmd_help,
	&cmd_version,
	&cmd_completion,
	&cmd_man,
	&cmd_services,
	&cmd_worker,
};
/* clang-format on */
const size_t cmd_table_size = ARRAY_SIZE(cmd_table);
