// SPDX-License-Identifier: GPL-2.0-or-later
/* fuzz_policy.c - libFuzzer: any bytes as a policy are valid or have an error, and nothing leaks.
 */
#include <stdlib.h>

#include "tests/policies/load_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_errors errors = {};
	struct policy_set *set = NULL;
	bool is_host = size > 0 && data[size - 1] == '#';
	int r = load_bytes((const char *)data, size, is_host, &set, &errors);
	char buf[2048];

	if ((r == 0) != (errors.n_errors == 0) || (r == 0) != (set != NULL))
		abort();
	for (size_t i = 0; i < errors.n; i++)
		policy_error_format(&errors.list[i], buf, sizeof(buf));
	policy_set_free(set);
	policy_errors_free(&errors);
	return 0;
}
