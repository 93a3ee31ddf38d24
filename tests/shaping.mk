# SPDX-License-Identifier: GPL-2.0-or-later
# Cores under an SLO on a live service: make bench-shaping DATA=DIR [FULL=1] [MINUTES=2] [TRACES=..] [ONLY=..].

SHAPING_SAMPLER = $(BUILD)/bench/shaping/sampler
$(SHAPING_SAMPLER): $(BUILD)/tests/bench/shaping/sampler.o $(L_base)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $< $(L_base)

SYSTEM_HELPERS += $(SHAPING_SAMPLER)

.PHONY: bench-shaping
bench-shaping: all $(DEMO_TOOLS) $(SHAPING_SAMPLER)
	@DATA=$(DATA) FULL=$(FULL) MINUTES=$(MINUTES) WARM_UP_S=$(WARM_UP_S) TRACES="$(TRACES)" ONLY="$(ONLY)" \
		BUILD=$(BUILD) DEMO_TOOLS=$(BUILD)/demo FORESHAPE=$(BUILD)/foreshape PYTHONDONTWRITEBYTECODE=1 \
		$(PYTHON) tests/bench/shaping/main.py
