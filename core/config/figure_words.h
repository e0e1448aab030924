/* figure_words.h - the words of figure.h by the names that the table of keys gives them. */
#ifndef SKL_FIGURE_WORDS_H
#define SKL_FIGURE_WORDS_H
#include "core/config/figure.h"
#include "core/config/keys.h"

/* Sets the word called `name` ("width"); false: there is none, or the text is not one of its values. */
bool skl_figure_set(struct skl_figure_words *words, const char *name, const char *text);
/* The word of a key of the table (keys.h) that has SKL_KEY_SHOWN. */
char **skl_figure_word(struct skl_figure_words *words, const struct skl_key *key);
void skl_figure_release(struct skl_figure_words *words);
#endif
