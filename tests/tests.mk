# SPDX-License-Identifier: GPL-2.0-or-later
# Tests: one program a tests/<folder>/test_*.c, linked with what that folder may use; system tests are scripts.

UNIT_SRC := $(wildcard $(foreach d,base forecast policies shaping agent bpf,tests/$(d)/test_*.c))
UNIT_BIN = $(patsubst %.c,$(BUILD)/%,$(UNIT_SRC))

define unit_rule
$(BUILD)/tests/$(1)/test_%: $(BUILD)/tests/$(1)/test_%.o $$(L_$(1))
	@$$(CC) $$(LDFLAGS) -o $$@ $$< -Wl,--start-group $$(L_$(1)) -Wl,--end-group $$(PKG_LIBS) -lcmocka -lm -lpthread
endef
$(foreach d,base forecast policies shaping agent bpf,$(eval $(call unit_rule,$(d))))

.PHONY: unit unit-bins system-bins
unit-bins: $(UNIT_BIN)
unit: $(UNIT_BIN)
	@tests/run_units $(UNIT_BIN)

-include $(filter-out tests/tests.mk,$(wildcard tests/*.mk))
# What the parts' rules name as run by their system tests.
system-bins: $(SYSTEM_HELPERS)
