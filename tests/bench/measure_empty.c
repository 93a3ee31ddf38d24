// SPDX-License-Identifier: GPL-2.0-or-later
/* measure_empty.c - attaches programs that only return 1 to a cgroup until standard input ends. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

int main(int argc, char **argv)
{
	static const struct bpf_insn RETURN_1[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	static const enum bpf_attach_type TYPES[] = {BPF_CGROUP_INET_INGRESS,
						     BPF_CGROUP_INET_EGRESS};
	int cgroup = argc > 1 ? open(argv[1], O_DIRECTORY | O_RDONLY | O_CLOEXEC) : -1;
	char byte;

	for (int i = 0; i < 2; i++) {
		LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = TYPES[i]);
		int fd =
			bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "empty", "GPL", RETURN_1, 2, &opts);

		if (fd < 0 || bpf_link_create(fd, cgroup, TYPES[i], NULL) < 0) {
			perror("empty program");
			return 1;
		}
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
