/* options.h - the command line of one command, read after its table in cmd.h.
 *
 * GNU style: --name VALUE, --name=VALUE, options and words in any order, "--" ends the options, the last of a
 * repeated option wins.  --help, -h and --version are known everywhere.  Numbers are decimal and read to the end. */
#ifndef SKL_OPTIONS_H
#define SKL_OPTIONS_H
#include <stdio.h>
#include "core/cli/cmd.h"

/* Fills the targets of cmd->options from argv[0..*argc); leaves the words that are no options in argv[0..*argc).
 * SKL_USAGE: unknown option (with the nearest known one), missing, unwanted or bad value, too few or too many words. */
int skl_options_parse(const struct skl_command *cmd, int *argc, char **argv, struct skl_err *err);
/* true if `name` stands among the options, before any "--". */
bool skl_options_asked(int argc, char *const *argv, const char *name);
/* What `skiplab CMD --help` prints. */
void skl_options_help(FILE *out, const struct skl_command *cmd);
/* A mistake in the table itself (a doubled name, no help, no target, min > max): what is wrong, or NULL. */
const char *skl_options_unsound(const struct skl_command *cmd);
#endif
