# SPDX-License-Identifier: GPL-2.0-or-later
# The measuring part: its test host, its benchmark.

MEASURE_HOST = $(BUILD)/tests/system/measure_host
MEASURE_LOAD = $(BUILD)/tests/system/measure_load
SYSTEM_HELPERS += $(MEASURE_HOST) $(MEASURE_LOAD)
MEASURE_OBJ = $(call obj,agent/probe.c agent/counters.c agent/routes.c agent/rows.c)

$(BUILD)/tests/system/measure_host.o: | $(SKEL)
$(MEASURE_HOST): $(BUILD)/tests/system/measure_host.o $(MEASURE_OBJ) $(L_base)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(L_base) $(PKG_LIBS) -lm

$(MEASURE_LOAD): $(MEASURE_LOAD).o
	$(CC) $(LDFLAGS) -o $@ $<

MEASURE_EMPTY = $(BUILD)/tests/bench/measure_empty
$(MEASURE_EMPTY): $(BUILD)/tests/bench/measure_empty.o
	$(CC) $(LDFLAGS) -o $@ $< $(PKG_LIBS)

.PHONY: bench-measure
bench-measure: $(MEASURE_HOST) $(MEASURE_EMPTY) all
	BUILD=$(BUILD) FORESHAPE=$(BUILD)/foreshape $(PYTHON) tests/bench/measure.py
