# SPDX-License-Identifier: GPL-2.0-or-later
# foreshape: make, make demo, make test, make plot, make vmtest KERNEL=6.1, make lint, make bench-NAME, make install

BUILD ?= build
CC = gcc
CLANG ?= clang
BPFTOOL ?= /usr/sbin/bpftool
PYTHON ?= /usr/bin/python3
PREFIX ?= /usr/local
VERSION := 0.1.0

PKGS := libbpf libsystemd libnl-3.0 libnl-route-3.0 sqlite3 yaml-0.1 jansson libmicrohttpd libcap-ng \
	libseccomp libcgroup
# Only asked when something is to be built: the packages may still be missing when make starts.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla \
	-Wpointer-arith -Wno-unused-parameter
HARDEN := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection
ifdef SAN
BUILD := build-san
HARDEN := -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=undefined,float-cast-overflow
LDSAN := -fsanitize=address,undefined
OPT := -O1
else
OPT := -O2
LDHARD := -Wl,-z,relro,-z,now
endif
CFLAGS = -std=gnu11 $(OPT) -g -fPIE $(WARN) $(HARDEN) -D_GNU_SOURCE -DFORESHAPE_VERSION='"$(VERSION)"' \
	-I. -I$(BUILD) $(PKG_CFLAGS)
LDFLAGS = -pie $(LDSAN) $(LDHARD)

# One archive a folder, so that a test links what its folder may include and nothing more.
src = $(wildcard $(addsuffix /*.c,$(1)))
BASE_SRC := $(call src,agent/base)
FORECAST_SRC := $(call src,forecast forecast/models)
POLICIES_SRC := $(call src,policies)
SHAPING_SRC := $(call src,shaping shaping/knobs)
AGENT_SRC := $(filter-out agent/main.c,$(call src,agent agent/cmd agent/keeper agent/worker))
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
# What a control step is made of. No flag changes a result: nobody reads errno or traps of mathematics.
STEP_OPT := -O3 -fno-math-errno -fno-trapping-math -fno-plt -include agent/base/minmax.h
ifndef SAN
$(call obj,$(FORECAST_SRC) $(SHAPING_SRC)): OPT := $(STEP_OPT)
endif
LIB = $(BUILD)/lib
L_base = $(LIB)/base.a
L_forecast = $(LIB)/forecast.a $(L_base)
L_policies = $(LIB)/policies.a $(L_base)
L_shaping = $(LIB)/shaping.a $(LIB)/forecast.a $(LIB)/policies.a $(L_base)
L_agent = $(LIB)/agent.a $(L_shaping)
L_bpf = $(L_agent)

BPF_SRC := $(wildcard bpf/*.bpf.c)
SKEL = $(patsubst bpf/%.bpf.c,$(BUILD)/bpf/%.skel.h,$(BPF_SRC))

# Debian 12 packages: to build, to test, to run the demo. qemu and the rest of VM_DEBS for vmtest alone.
DEBS := build-essential pkg-config clang llvm bpftool libbpf-dev libelf-dev libsystemd-dev libcgroup-dev \
	libnl-3-dev libnl-route-3-dev libsqlite3-dev libyaml-dev libjansson-dev libmicrohttpd-dev \
	libcap-ng-dev libseccomp-dev libical-dev
TEST_DEBS := libcmocka-dev nginx-light wrk iproute2 curl strace sqlite3 python3 procps util-linux man-db
VM_DEBS := qemu-system-x86 busybox-static cpio kmod xz-utils
LINT_DEBS := clang-format clang-tidy man-db libclang-rt-14-dev

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all plot deps test-deps clean demo test systest vmtest lint install uninstall
all: $(BUILD)/foreshape man
# Sub-makes, so that nothing is built before the packages are in.
demo test vmtest lint: export DEBIAN_FRONTEND := noninteractive

include tests/tests.mk

$(BUILD)/foreshape: $(BUILD)/agent/main.o $(L_agent)
	@echo '  LD   $@'
	@$(CC) $(LDFLAGS) -o $@ $(BUILD)/agent/main.o -Wl,--start-group $(L_agent) -Wl,--end-group $(PKG_LIBS) -lm -lpthread

$(LIB)/base.a: $(call obj,$(BASE_SRC))
$(LIB)/forecast.a: $(call obj,$(FORECAST_SRC))
$(LIB)/policies.a: $(call obj,$(POLICIES_SRC))
$(LIB)/shaping.a: $(call obj,$(SHAPING_SRC))
$(LIB)/agent.a: $(call obj,$(AGENT_SRC))
$(LIB)/%.a:
	@mkdir -p $(@D)
	@rm -f $@ && ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo '  CC   $<'
	@$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(call obj,$(AGENT_SRC) agent/main.c): | $(SKEL)

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h)
	@mkdir -p $(@D)
	@echo '  BPF  $<'
	@$(CLANG) -target bpf -mcpu=v3 -O2 -g -Wall -Werror -I. -I/usr/include/$(shell uname -m)-linux-gnu -c -o $@ $<

$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
	@$(BPFTOOL) gen skeleton $< name $*_bpf > $@

deps:
	@tests/deps $(DEBS)
test-deps:
	@tests/deps $(DEBS) $(TEST_DEBS)

test: test-deps
	@$(MAKE) --no-print-directory -j$(shell nproc) all unit-bins system-bins
	@BUILD=$(BUILD) tests/all

vmtest:
	@tests/deps $(DEBS) $(TEST_DEBS) $(VM_DEBS)
	@$(MAKE) --no-print-directory -j$(shell nproc) all system-bins
	@BUILD=$(BUILD) tests/vm/run $(or $(KERNEL),6.1) $(VM_TESTS)

lint:
	@tests/deps $(DEBS) $(TEST_DEBS) $(LINT_DEBS)
	@$(MAKE) --no-print-directory -j$(shell nproc) all
	@BUILD=$(BUILD) tests/lint

# make plot CSV=use.csv POLICY='a.yaml [b.yaml]' OUT=a.svg [ARGS='--scale 1000']
plot: $(BUILD)/foreshape
	@[ -n "$(CSV)" ] && [ -n "$(POLICY)" ] && [ -n "$(OUT)" ] || \
		{ echo "make plot CSV=FILE POLICY='FILE [FILE]' OUT=FILE.svg [ARGS='--scale 1000']"; exit 2; }
	@$(BUILD)/foreshape replay --csv "$(CSV)" --svg "$(OUT)" $(ARGS) -- $(POLICY)

# forecast/ for other programs: one object whose own names are local, the others start with fsh_.
FORECAST_LIB = $(BUILD)/libforeshape-forecast.a
FORECAST_HEADER = $(BUILD)/include/foreshape-forecast.h
.PHONY: lib
lib: $(FORECAST_LIB) $(FORECAST_HEADER)
$(FORECAST_HEADER): forecast/forecast.h forecast/public.sed
	@mkdir -p $(@D)
	@sed -E -f forecast/public.sed $< > $@
$(FORECAST_LIB): $(L_forecast) $(FORECAST_HEADER)
	@echo '  LIB  $@'
	@mkdir -p $(LIB)/public
	@$(LD) -r -o $(LIB)/public/forecast.o --whole-archive $(LIB)/forecast.a --no-whole-archive $(L_base)
	@grep -oE 'fsh_[a-z_]+' $(FORECAST_HEADER) | sort -u > $(LIB)/public/names
	@sed -E 's/^fsh_(.*)/\1 &/' $(LIB)/public/names > $(LIB)/public/renamed
	@objcopy --redefine-syms=$(LIB)/public/renamed $(LIB)/public/forecast.o
	@objcopy --keep-global-symbols=$(LIB)/public/names $(LIB)/public/forecast.o
	@rm -f $@ && ar rcs $@ $(LIB)/public/forecast.o

.PHONY: man
man: $(BUILD)/man/foreshape.1
$(BUILD)/man/foreshape.1: $(BUILD)/foreshape
	@mkdir -p $(@D)
	@$(BUILD)/foreshape _man > $@

BIN = $(DESTDIR)$(PREFIX)/sbin/foreshape
SHARE = $(DESTDIR)$(PREFIX)/share
SYSTEMD = $(DESTDIR)$(PREFIX)/lib/systemd/system
SYSUSERS = $(DESTDIR)$(PREFIX)/lib/sysusers.d/foreshape.conf
COMPLETION = $(SHARE)/bash-completion/completions/foreshape
EXAMPLES = $(SHARE)/doc/foreshape/examples
UNITS := foreshape.service foreshape-restore.service
MAN5 := $(notdir $(wildcard man/*.5))
LIBRARY = $(DESTDIR)$(PREFIX)/lib/libforeshape-forecast.a
HEADER = $(DESTDIR)$(PREFIX)/include/foreshape-forecast.h
MAN3 = $(SHARE)/man/man3/foreshape-forecast.3

install: all lib
	install -D -m 0755 $(BUILD)/foreshape $(BIN)
	install -D -m 0644 $(BUILD)/man/foreshape.1 $(SHARE)/man/man1/foreshape.1
	install -D -m 0644 -t $(SHARE)/man/man5 $(addprefix man/,$(MAN5))
	install -D -m 0644 man/foreshape-forecast.3 $(MAN3)
	install -D -m 0644 $(FORECAST_LIB) $(LIBRARY)
	install -D -m 0644 $(FORECAST_HEADER) $(HEADER)
	install -D -m 0644 -t $(EXAMPLES) policies/examples/*.yaml policies/right-size.yaml
	install -d -m 0755 $(dir $(COMPLETION)) $(SYSTEMD) $(DESTDIR)/etc/foreshape/policies.d $(DESTDIR)/var/lib/foreshape
	$(BUILD)/foreshape completion bash > $(COMPLETION)
	for u in $(UNITS); do sed 's|/usr/local/|$(PREFIX)/|' agent/$$u > $(SYSTEMD)/$$u || exit 1; done
	install -D -m 0644 agent/foreshape.sysusers $(SYSUSERS)
ifndef DESTDIR
	-systemd-sysusers $(SYSUSERS)
	-! getent passwd foreshape > /dev/null || chown foreshape: /var/lib/foreshape
	-test ! -d /run/systemd/system || systemctl daemon-reload
endif

# Gives every limit back first; what the administrator and history wrote stays.
uninstall:
ifndef DESTDIR
	-test ! -d /run/systemd/system || systemctl disable --now foreshape.service
	-$(BIN) restore
endif
	rm -f $(LIBRARY) $(HEADER) $(MAN3)
	rm -f $(BIN) $(SHARE)/man/man1/foreshape.1 $(addprefix $(SHARE)/man/man5/,$(MAN5)) $(COMPLETION) $(SYSUSERS) \
		$(addprefix $(SYSTEMD)/,$(UNITS)) $(addprefix $(EXAMPLES)/,$(notdir $(wildcard policies/examples/*.yaml policies/*.yaml)))
	-for d in $(EXAMPLES) $(dir $(EXAMPLES)) $(DESTDIR)/etc/foreshape/policies.d $(DESTDIR)/etc/foreshape \
		$(DESTDIR)/var/lib/foreshape; do test ! -d $$d || rmdir --ignore-fail-on-non-empty $$d; done
ifndef DESTDIR
	-test ! -d /run/systemd/system || systemctl daemon-reload
endif

clean:
	rm -rf build build-san

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
