# SPDX-License-Identifier: GPL-2.0-or-later
# Helpers of the keeper's system tests: the keeper with a scripted worker.

KEEPER_HELPERS = $(BUILD)/tests/system/keeper_host $(BUILD)/tests/system/keeper_worker
SYSTEM_HELPERS += $(KEEPER_HELPERS)

$(KEEPER_HELPERS): %: %.o $(L_agent)
	$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(L_agent) -Wl,--end-group $(PKG_LIBS) -lm -lpthread
$(patsubst %,%.o,$(KEEPER_HELPERS)): | $(SKEL)
