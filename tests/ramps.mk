# SPDX-License-Identifier: GPL-2.0-or-later
# How early limits are up before recurring ramps, in virtual time: make bench-ramps.

.PHONY: bench-ramps
bench-ramps: $(BUILD)/foreshape
	@BUILD=$(BUILD) FORESHAPE=$(BUILD)/foreshape PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/bench/ramps/main.py
