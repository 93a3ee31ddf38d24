# SPDX-License-Identifier: GPL-2.0-or-later
# The demo, its load tools, and the helper of the HTB test.

DEMO_TOOLS := $(addprefix $(BUILD)/demo/,burner hog openload)

$(BUILD)/tests/system/htb_tool: $(BUILD)/tests/system/htb_tool.o $(L_shaping)
	$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(L_shaping) -Wl,--end-group $(PKG_LIBS) -lm

$(BUILD)/demo/openload: $(patsubst %,$(BUILD)/tests/demo/%.o,load_curve load_hist load_stream)
$(BUILD)/demo/%: $(BUILD)/tests/demo/%.o $(L_base)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(L_base) -lm -lpthread

SYSTEM_HELPERS += $(BUILD)/tests/system/htb_tool $(DEMO_TOOLS)

# In steps: the packages come first, and then what is built with them.
.PHONY: demo
demo:
	@$(MAKE) --no-print-directory deps
	@tests/deps iproute2 python3 $(if $(shell PATH=$$PATH:/usr/sbin; command -v nginx),,nginx-light)
	@$(MAKE) --no-print-directory --silent -j$$(nproc) all $(DEMO_TOOLS)
	@PYTHONDONTWRITEBYTECODE=1 DEMO_TOOLS=$(BUILD)/demo $(PYTHON) tests/demo/demo.py --foreshape $(BUILD)/foreshape

# Ten minutes: what the agent learns of a server whose true costs are known.
.PHONY: bench-cost
bench-cost: all $(DEMO_TOOLS)
	@COST_S=600 BENCH_DIR=$(BUILD)/bench DEMO_TOOLS=$(BUILD)/demo FORESHAPE=$(BUILD)/foreshape \
		PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/system/test_cost.py

# Ten minutes: how often the demand forecast of live services held.
.PHONY: bench-demand
bench-demand: all $(DEMO_TOOLS)
	@BUILD=$(BUILD) DEMO_TOOLS=$(BUILD)/demo FORESHAPE=$(BUILD)/foreshape PYTHONDONTWRITEBYTECODE=1 \
		$(PYTHON) tests/bench/demand.py
