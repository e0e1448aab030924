/* surroundings.h - what a process inherits from the one that starts it: docs/hardening.md has the whole table. */
#ifndef SKL_SURROUNDINGS_H
#define SKL_SURROUNDINGS_H
#include <signal.h>
#include <stdbool.h>

/* The first call of main().  Standard streams that are closed are taken up by /dev/null, signal mask, dispositions,
 * umask and arithmetic are put into the state that the program expects, and a limit to processor time warns before it
 * kills. */
void skl_surroundings_reset(void);
bool skl_signal_ignored(int number);
void skl_ending_signals(sigset_t *set); /* that ask a program to end, without those that are ignored */
#endif
