# SPDX-License-Identifier: GPL-2.0-or-later
# What a control step costs with 100 services and 1,000 APIs: make bench-tick.

TICK_BENCH = $(BUILD)/tests/bench/tick
$(TICK_BENCH): tests/bench/tick.c $(L_shaping)
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -o $@ $< -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc \
		-Wl,--start-group $(L_shaping) -Wl,--end-group $(PKG_LIBS) -lm -lpthread

.PHONY: bench-tick
bench-tick: $(TICK_BENCH)
	@BUILD=$(BUILD) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/bench/tick.py
