# SPDX-License-Identifier: GPL-2.0-or-later
# Forecasts of recorded series against naive ones: make bench-forecast DATA=DIR (with cpu/ and rates/).

.PHONY: bench-forecast
bench-forecast: $(BUILD)/foreshape
	@DATA=$(DATA) FORESHAPE=$(BUILD)/foreshape $(PYTHON) tests/bench/forecast.py
