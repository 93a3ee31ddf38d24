/* SPDX-License-Identifier: GPL-2.0-or-later */
/* yamltext.h - making a file's bytes fit for the parser: encoding, and cutting out what is no YAML.
 */
#ifndef FORESHAPE_YAMLTEXT_H
#define FORESHAPE_YAMLTEXT_H

#include <stdbool.h>

#include "policies/findings.h"

/*
 * Copies the bytes of @f to *ret (free; @f->size bytes) with everything blanked that libyaml would
 * refuse: for each syntax error, which goes to @f, the block from its key at the left margin to the
 * next such key. Lines and columns stay. *ret_cut tells whether anything was blanked. Returns 0;
 * -EINVAL when the file is not text or nothing is left; -ENOMEM.
 */
int yamltext_clean(struct findings *f, char **ret, bool *ret_cut);

#endif
