# SPDX-License-Identifier: GPL-2.0-or-later
# How fast a host of 10 services is replayed: make bench-replay [HOURS=6].

.PHONY: bench-replay
bench-replay: $(BUILD)/foreshape
	@BUILD=$(BUILD) FORESHAPE=$(BUILD)/foreshape PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/bench/replay.py
