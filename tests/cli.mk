# SPDX-License-Identifier: GPL-2.0-or-later
# The command line's own files: a made-up agent for tests, the man page and the completion.

$(BUILD)/tests/agent/fake_agent: $(BUILD)/tests/agent/fake_agent.o $(L_agent)
	@$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(L_agent) -Wl,--end-group $(PKG_LIBS) -lm -lpthread

SYSTEM_HELPERS += $(BUILD)/tests/agent/fake_agent

$(BUILD)/foreshape.1: $(BUILD)/foreshape
	$< _man > $@

$(BUILD)/foreshape.bash: $(BUILD)/foreshape
	$< completion bash > $@

.PHONY: generated
generated: $(BUILD)/foreshape.1 $(BUILD)/foreshape.bash
