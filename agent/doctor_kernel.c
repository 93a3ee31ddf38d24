// SPDX-License-Identifier: GPL-2.0-or-later
/* doctor_kernel.c - what the kernel offers, found out by trying and undone at once. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"
#include "agent/doctor.h"

#define OLDEST_MAJOR 6
#define OLDEST_MINOR 1

static void check_release(const struct doctor *d, struct doctor_finding *ret)
{
	struct utsname u;
	char *end;
	unsigned long major, minor = 0;

	if (uname(&u) < 0) {
		doctor_say(ret, DOCTOR_WARNING, "uname: %s", strerror(errno));
		return;
	}
	major = strtoul(u.release, &end, 10);
	if (*end == '.')
		minor = strtoul(end + 1, NULL, 10);
	doctor_say(ret,
		   major > OLDEST_MAJOR || (major == OLDEST_MAJOR && minor >= OLDEST_MINOR)
			   ? DOCTOR_OK
			   : DOCTOR_WARNING,
		   "Linux %s on %s", u.release, u.machine);
}

/* A packet program that lets everything through; -errno where it does not load. */
static int load_program(enum bpf_attach_type attach)
{
	const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);
	int fd = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "fsh_doctor", "GPL", pass,
			       ARRAY_SIZE(pass), &opts);

	return fd < 0 ? -errno : fd;
}

static void check_bpf_load(const struct doctor *d, struct doctor_finding *ret)
{
	_cleanup_(closep) int fd = load_program(BPF_CGROUP_INET_INGRESS);

	if (fd < 0)
		doctor_say(ret, DOCTOR_BROKEN, "a cgroup_skb program does not load: %s",
			   strerror(-fd));
	else
		doctor_say(ret, DOCTOR_OK, "a cgroup_skb program loads");
}

/* Attaches to an empty group made for it. */
static void check_bpf_attach(const struct doctor *d, struct doctor_finding *ret)
{
	_cleanup_(closep) int program = load_program(BPF_CGROUP_INET_INGRESS), group = -1,
			      link = -1;
	char path[HIERARCHY_MOUNT_MAX + 40];

	if (!d->has_cgroups || !*d->cgroups.mount[HIERARCHY_UNIFIED]) {
		doctor_say(ret, DOCTOR_BROKEN, "no cgroup v2 hierarchy to attach to");
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/foreshape-doctor-%d",
		       d->cgroups.mount[HIERARCHY_UNIFIED], (int)getpid());
	if (mkdir(path, 0755) < 0) {
		doctor_say(ret, DOCTOR_BROKEN, "make a group in %s: %s",
			   d->cgroups.mount[HIERARCHY_UNIFIED], strerror(errno));
		return;
	}
	group = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (program >= 0 && group >= 0)
		link = bpf_link_create(program, group, BPF_CGROUP_INET_INGRESS, NULL);
	if (link < 0)
		doctor_say(ret, DOCTOR_BROKEN, "attach to a cgroup: %s",
			   strerror(program < 0 ? -program : errno));
	else
		doctor_say(ret, DOCTOR_OK, "it attaches to a cgroup");
	closep(&link);
	link = -1;
	(void)rmdir(path);
}

static void check_bpf_maps(const struct doctor *d, struct doctor_finding *ret)
{
	LIBBPF_OPTS(bpf_map_create_opts, mmapped, .map_flags = BPF_F_MMAPABLE);
	_cleanup_(closep) int rows = -1, ring = -1;

	rows = bpf_map_create(BPF_MAP_TYPE_ARRAY, "fsh_doctor", sizeof(uint32_t), sizeof(uint64_t),
			      1, &mmapped);
	if (rows < 0) {
		doctor_say(ret, DOCTOR_BROKEN, "make a mappable array: %s", strerror(errno));
		return;
	}
	ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "fsh_doctor", 0, 0,
			      (uint32_t)sysconf(_SC_PAGESIZE), NULL);
	if (ring < 0)
		doctor_say(ret, DOCTOR_WARNING, "make a ring buffer: %s", strerror(errno));
	else
		doctor_say(ret, DOCTOR_OK, "mappable arrays and ring buffers");
}

static void check_btf(const struct doctor *d, struct doctor_finding *ret)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		doctor_say(ret, DOCTOR_BROKEN, "/sys/kernel/btf/vmlinux: %s", strerror(errno));
	else
		doctor_say(ret, DOCTOR_OK, "the kernel describes its types");
}

static void check_jit(const struct doctor *d, struct doctor_finding *ret)
{
	char on[16];
	int r = doctor_read("/proc/sys/net/core/bpf_jit_enable", on, sizeof(on));

	if (r < 0 && r != -ENOENT)
		doctor_say(ret, DOCTOR_OK, "bpf_jit_enable cannot be read: %s", strerror(-r));
	else if (r >= 0 && streq(on, "0"))
		doctor_say(ret, DOCTOR_WARNING, "programs are interpreted");
	else
		doctor_say(ret, DOCTOR_OK, "programs are compiled");
}

static void check_lockdown(const struct doctor *d, struct doctor_finding *ret)
{
	char modes[64];
	int r = doctor_read("/sys/kernel/security/lockdown", modes, sizeof(modes));

	if (r < 0)
		doctor_say(ret, DOCTOR_OK, "not shown: %s", strerror(-r));
	else if (strstr(modes, "[confidentiality]"))
		doctor_say(ret, DOCTOR_WARNING, "confidentiality");
	else
		doctor_say(ret, DOCTOR_OK, "%s", modes);
}

static void check_unprivileged(const struct doctor *d, struct doctor_finding *ret)
{
	char level[16];
	int r = doctor_read("/proc/sys/kernel/unprivileged_bpf_disabled", level, sizeof(level));

	if (r >= 0 && streq(level, "0"))
		doctor_say(ret, DOCTOR_WARNING, "kernel.unprivileged_bpf_disabled = 0");
	else
		doctor_say(ret, DOCTOR_OK, "%s",
			   r < 0 ? strerror(-r) : "users without rights load no programs");
}

static void check_paranoid(const struct doctor *d, struct doctor_finding *ret)
{
	char level[16];
	uint64_t n;

	if (doctor_read("/proc/sys/kernel/perf_event_paranoid", level, sizeof(level)) < 0)
		doctor_say(ret, DOCTOR_WARNING, "this kernel has no perf events");
	else if (parse_u64(level, &n) == 0 && n > 2)
		doctor_say(ret, DOCTOR_WARNING, "kernel.perf_event_paranoid = %s", level);
	else
		doctor_say(ret, DOCTOR_OK, "kernel.perf_event_paranoid = %s", level);
}

static void check_clocksource(const struct doctor *d, struct doctor_finding *ret)
{
	static const char *const slow[] = {"hpet", "acpi_pm", "refined-jiffies", "jiffies", "pit"};
	char name[32] = "unknown";

	(void)doctor_read("/sys/devices/system/clocksource/clocksource0/current_clocksource", name,
			  sizeof(name));
	doctor_say(ret, DOCTOR_OK, "%s", name);
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
		if (streq(name, slow[i]))
			ret->state = DOCTOR_WARNING;
}

static void check_clock(const struct doctor *d, struct doctor_finding *ret)
{
	struct timex t = {};
	int r = adjtimex(&t);

	if (t.time.tv_sec < 1700000000)
		doctor_say(ret, DOCTOR_WARNING, "the clock says it is before 2024");
	else if (r == TIME_ERROR || (t.status & STA_UNSYNC))
		doctor_say(ret, DOCTOR_WARNING, "the clock is not synchronised");
	else
		doctor_say(ret, DOCTOR_OK, "synchronised to within %ld ms", t.maxerror / 1000);
}

static void check_psi(const struct doctor *d, struct doctor_finding *ret)
{
	static const char *const files[] = {"/proc/pressure/cpu", "/proc/pressure/memory",
					    "/proc/pressure/io"};
	char line[128];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int r = doctor_read(files[i], line, sizeof(line));

		if (r <= 0) {
			doctor_say(ret, DOCTOR_WARNING, "%s: %s", files[i],
				   r < 0 ? strerror(-r) : "empty");
			return;
		}
	}
	doctor_say(ret, DOCTOR_OK, "pressure of CPU, memory and I/O");
}

/* clang-format off */
const struct doctor_check doctor_kernel[] = {
	{ "kernel-release", check_release, "older kernels than 6.1 are not tested",
	  "apt-get install linux-image-amd64" },
	{ "bpf-load", check_bpf_load, "requests are counted by programs on the packets of a cgroup",
	  "run this as root; else the kernel needs CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF" },
	{ "bpf-attach", check_bpf_attach, "requests are counted by programs on the packets of a cgroup",
	  "mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified" },
	{ "bpf-maps", check_bpf_maps, "counters are read from the kernel through memory both share",
	  "run this as root; else a kernel of 5.8 or later" },
	{ "btf", check_btf, "the programs find the kernel's fields by it",
	  "the kernel needs CONFIG_DEBUG_INFO_BTF" },
	{ "bpf-jit", check_jit, "interpreted programs cost several times the CPU",
	  "sysctl -w net.core.bpf_jit_enable=1" },
	{ "lockdown", check_lockdown, "library probes for TLS do not load under it; clear HTTP is counted all the same",
	  "boot without lockdown=confidentiality" },
	{ "unprivileged-bpf", check_unprivileged, "any user may load programs, which side-channel attacks have used",
	  "sysctl -w kernel.unprivileged_bpf_disabled=2" },
	{ "perf-paranoid", check_paranoid, "library probes for TLS then need CAP_SYS_ADMIN",
	  "sysctl -w kernel.perf_event_paranoid=2" },
	{ "clock-source", check_clocksource, "each packet reads the clock; a slow one costs a microsecond a request",
	  "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource" },
	{ "clock", check_clock, "history and known events go by the wall clock",
	  "timedatectl set-ntp true" },
	{ "psi", check_psi, "stalls on memory, CPU and I/O are seen by it",
	  "boot with psi=1" },
	{},
};
/* clang-format on */
