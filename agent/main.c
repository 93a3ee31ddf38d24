// SPDX-License-Identifier: GPL-2.0-or-later
/* main.c - the binary's entry: everything is in the table of commands. */
#include "agent/cmd.h"

int main(int argc, char **argv)
{
	return cmd_main(argc, argv);
}
