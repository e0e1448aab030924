/* ending.h - how the program ends.
 * A plug-in, or a library, that ends the process or its thread in the middle of a command would end it with an exit
 * code of its own choice, 0 for instance, and no word.  Each such way leads here: one line that names it, and the
 * plug-in, and exit code 1.  exit() and quick_exit() have handlers; _exit() and _Exit() are ours, since a plug-in's
 * calls are bound to the program's names first, as with skl_conv(); children that fork() made end as they say.
 * Not noticed: bare system calls, and exec(): a plug-in has all rights. */
#ifndef SKL_ENDING_H
#define SKL_ENDING_H
#include "core/base/err.h"

void skl_ending_watch(void); /* from here on; at the start of main() */
void skl_ending_now(void);   /* the work is done: it ends as it should */
/* Returns what fn does; should its thread end instead (pthread_exit), so does the process. */
int skl_ending_watched(int (*fn)(int argc, char **argv, struct skl_err *err), int argc, char **argv,
                       struct skl_err *err);
#endif
