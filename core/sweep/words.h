/* words.h - the command that trains a run of a plan somewhere else, word by word. */
#ifndef SKL_WORDS_H
#define SKL_WORDS_H
#include <limits.h>

#include "core/sweep/driver.h"

enum { SKL_WORDS_MAX = 256 }; /* ours, at most a fourth of them the user's, and two a plug-in */
struct skl_words {
    char *word[SKL_WORDS_MAX + 1]; /* NULL-terminated where it began as {0} */
    int count;
};
void skl_words_add(struct skl_words *w, char *word); /* takes it */
void skl_words_release(struct skl_words *w);
/* Where this program and the working folder stand, which a command elsewhere begins with. */
int skl_words_program(char program[PATH_MAX], char folder[PATH_MAX], struct skl_err *err);
int skl_words_threads(const struct skl_sweep_options *options); /* of one run: elsewhere cores are asked for */
/* What `train PLAN --run-dir FOLDER` wants to know besides: --threads and what the sweep was told. */
void skl_words_train(struct skl_words *w, const struct skl_plan *plan, const struct skl_sweep_options *options);
#endif
