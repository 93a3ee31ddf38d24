# SPDX-License-Identifier: GPL-2.0-or-later
# make fuzz-policy [SECONDS=60]: the policy parser under libFuzzer with ASan and UBSan.

FUZZ_POLICY_SRC := tests/fuzz/fuzz_policy.c $(POLICIES_SRC) $(BASE_SRC)

$(BUILD)/fuzz/fuzz_policy: $(FUZZ_POLICY_SRC) $(wildcard policies/*.h agent/base/*.h)
	@mkdir -p $(@D)
	$(CLANG) -std=gnu11 -g -O1 -D_GNU_SOURCE -DFORESHAPE_VERSION='"$(VERSION)"' -I. \
		-fsanitize=fuzzer,address,undefined,float-cast-overflow -fno-sanitize-recover=undefined \
		-o $@ $(FUZZ_POLICY_SRC) -lyaml -lm

.PHONY: fuzz-policy
fuzz-policy: $(BUILD)/fuzz/fuzz_policy
	@mkdir -p $(BUILD)/fuzz/policy
	$< -max_total_time=$(or $(FUZZ_S),$(SECONDS),60) -max_len=8192 -timeout=10 -print_final_stats=1 \
		-artifact_prefix=$(BUILD)/fuzz/ $(BUILD)/fuzz/policy policies/examples \
		tests/data/policies/good tests/data/policies/broken

# make fuzz-calendar [SECONDS=60]: the readers of events. What libical and the libraries below it leak is not ours.
FUZZ_CALENDAR_SRC := tests/fuzz/fuzz_calendar.c $(wildcard policies/calendar.c policies/calendar_*.c) policies/libical.c $(BASE_SRC)

$(BUILD)/fuzz/fuzz_calendar: $(FUZZ_CALENDAR_SRC) $(wildcard policies/*.h agent/base/*.h)
	@mkdir -p $(@D)
	$(CLANG) -std=gnu11 -g -O1 -D_GNU_SOURCE -I. -fsanitize=fuzzer,address,undefined,float-cast-overflow \
		-fno-sanitize-recover=undefined -o $@ $(FUZZ_CALENDAR_SRC) -lm

.PHONY: fuzz-calendar
fuzz-calendar: $(BUILD)/fuzz/fuzz_calendar
	@mkdir -p $(BUILD)/fuzz/calendar
	ASAN_OPTIONS=detect_leaks=0 $< -max_total_time=$(or $(FUZZ_S),$(SECONDS),60) -max_len=4096 -timeout=10 \
		-print_final_stats=1 -artifact_prefix=$(BUILD)/fuzz/ $(BUILD)/fuzz/calendar tests/data/calendars
