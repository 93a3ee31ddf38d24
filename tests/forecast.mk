# SPDX-License-Identifier: GPL-2.0-or-later
# Forecasts of public series, and with R=1 those of R's forecast package and prophet: make bench-forecast DATA=DIR [R=1].

FORECAST_SCALE = $(BUILD)/tests/bench/forecast_scale
$(FORECAST_SCALE): tests/bench/forecast/scale.c $(BUILD)/libforeshape-forecast.a
	@mkdir -p $(@D)
	@$(CC) -std=gnu11 -O2 $(WARN) -I$(BUILD)/include -o $@ $< $(BUILD)/libforeshape-forecast.a -lm
FORECAST_PARTS = $(BUILD)/tests/bench/forecast_models $(BUILD)/tests/bench/forecast_experts
$(FORECAST_PARTS): $(BUILD)/tests/bench/forecast_%: tests/bench/forecast/%.c $(L_forecast)
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -o $@ $< -Wl,--start-group $(L_forecast) -Wl,--end-group -lm

.PHONY: bench-forecast
bench-forecast: $(BUILD)/foreshape $(FORECAST_SCALE) $(FORECAST_PARTS)
	@$(if $(R),tests/deps r-cran-forecast r-cran-prophet)
	@DATA=$(DATA) R=$(R) ONLY=$(ONLY) BUILD=$(BUILD) FORESHAPE=$(BUILD)/foreshape PYTHONDONTWRITEBYTECODE=1 \
		$(PYTHON) tests/bench/forecast/main.py

SYSTEM_HELPERS += $(BUILD)/libforeshape-forecast.a
