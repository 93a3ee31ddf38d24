# SPDX-License-Identifier: GPL-2.0-or-later
# Right-sizing of CPU limits on recorded use, against what others do: make bench-sizing DATA=DIR.

.PHONY: bench-sizing
bench-sizing: $(BUILD)/foreshape
	@DATA=$(DATA) BUILD=$(BUILD) FORESHAPE=$(BUILD)/foreshape PYTHONDONTWRITEBYTECODE=1 \
		$(PYTHON) tests/bench/sizing/main.py
