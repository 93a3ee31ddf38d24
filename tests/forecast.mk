# SPDX-License-Identifier: GPL-2.0-or-later
# Forecasts of public series, and with R=1 those of R's forecast package and prophet: make bench-forecast DATA=DIR [R=1].

.PHONY: bench-forecast
bench-forecast: $(BUILD)/foreshape
	@$(if $(R),tests/deps r-cran-forecast r-cran-prophet)
	@DATA=$(DATA) R=$(R) ONLY=$(ONLY) BUILD=$(BUILD) FORESHAPE=$(BUILD)/foreshape PYTHONDONTWRITEBYTECODE=1 \
		$(PYTHON) tests/bench/forecast/main.py

SYSTEM_HELPERS += $(BUILD)/libforeshape-forecast.a
