# SPDX-License-Identifier: GPL-2.0-or-later
# make fuzz [FUZZ_S=60]: everything that has a fuzzer, so many seconds each; make fuzz-series: forecasts alone.

FUZZ_SERIES_SRC := tests/fuzz/fuzz_series.c $(FORECAST_SRC)

$(BUILD)/fuzz/fuzz_series: $(FUZZ_SERIES_SRC) $(wildcard forecast/*.h forecast/models/*.h agent/base/*.h)
	@mkdir -p $(@D)
	$(CLANG) -std=gnu11 -g -O1 -D_GNU_SOURCE -I. '-DCMPLX(x,y)=__builtin_complex(x,y)' \
		-fsanitize=fuzzer,address,undefined,float-cast-overflow \
		-fno-sanitize-recover=undefined,float-cast-overflow -o $@ $(FUZZ_SERIES_SRC) -lm

.PHONY: fuzz fuzz-series
fuzz: fuzz-policy fuzz-calendar fuzz-series
fuzz-series: $(BUILD)/fuzz/fuzz_series
	@mkdir -p $(BUILD)/fuzz/series
	$< -max_total_time=$(or $(FUZZ_S),60) -max_len=1024 -len_control=10 -timeout=10 -print_final_stats=1 \
		-artifact_prefix=$(BUILD)/fuzz/ $(BUILD)/fuzz/series
