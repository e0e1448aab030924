/* reference.h - what is generated from the tables of commands, keys and variants, so that none of it can differ from
 * --help: the manual page, the completion of the shells, the JSON schema of experiment files.
 *
 *   skiplab help --man                  the manual page skiplab(1), roff
 *   skiplab help --schema               the schema, JSON
 *   skiplab help --complete WORD ...    what may stand where the last word stands ("skiplab" itself left out)
 *
 * core/cli/install and configs/meson.build run the first two when the program is built. */
#ifndef SKL_CLI_REFERENCE_H
#define SKL_CLI_REFERENCE_H
#include <stdio.h>
#include "core/cli/cmd.h"

void skl_man_print(FILE *out, const struct skl_command *const *commands);
void skl_schema_print(FILE *out);
/* A line a candidate: "WORD<tab>what it is"; a word that ends with '=' wants a value.  ":files<tab>*.yaml": files that
 * match, and folders on the way to them; ":folders": folders.  words[count - 1] is the one to be completed, maybe
 * "". */
void skl_complete_print(FILE *out, const struct skl_command *const *commands, char *const *words, int count);
#endif
