# SPDX-License-Identifier: GPL-2.0-or-later
# The program with which tests/system/test_history.py drives the history without an agent.

STORE_DRIVER := $(BUILD)/tests/agent/store_driver

$(STORE_DRIVER): $(STORE_DRIVER).o $(L_agent)
	$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(L_agent) -Wl,--end-group $(PKG_LIBS) -lm -lpthread

SYSTEM_HELPERS += $(STORE_DRIVER)
