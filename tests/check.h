/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.h - cmocka with the headers it forgets to include itself. */
#ifndef FORESHAPE_CHECK_H
#define FORESHAPE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
