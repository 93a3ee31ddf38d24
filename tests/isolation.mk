# SPDX-License-Identifier: GPL-2.0-or-later
# Six minutes: gold beside a hog of CPU, memory, network and disk: make bench-isolation [ISOLATION='--rounds 9'].

.PHONY: bench-isolation
bench-isolation:
	@$(MAKE) --no-print-directory deps
	@tests/deps iproute2 python3 $(if $(shell PATH=$$PATH:/usr/sbin; command -v nginx),,nginx-light)
	@$(MAKE) --no-print-directory --silent -j$$(nproc) all $(DEMO_TOOLS)
	@BUILD=$(BUILD) DEMO_TOOLS=$(BUILD)/demo FORESHAPE=$(BUILD)/foreshape PYTHONDONTWRITEBYTECODE=1 \
		$(PYTHON) tests/bench/isolation/main.py $(ISOLATION)
