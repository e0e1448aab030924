/* code.h - formulas as text, checked: what a device that compiles them itself builds from. */
#ifndef SKL_CODE_H
#define SKL_CODE_H
#include "core/base/err.h"
#include "core/variant/shortcut.h"

enum skl_code_part { SKL_CODE_FORWARD, SKL_CODE_BACKWARD, SKL_CODE_GAIN, SKL_CODE_PARTS };
extern const char *const skl_code_part_name[SKL_CODE_PARTS]; /* "SKL_FORWARD", ... */

enum { SKL_CODE_TEXT_MAX = 4000, SKL_CODE_WORDS_MAX = 48, SKL_CODE_WORD_MAX = 31 };
struct skl_code_read {
    const struct skl_code *code; /* the variant's own; NULL: it has no formula for this part */
    int words;                   /* the identifiers of the text, each once, in order: x, skl_exp, its own names */
    char word[SKL_CODE_WORDS_MAX][SKL_CODE_WORD_MAX + 1];
    int numbers; /* it reads p[0] ... p[numbers - 1] */
};

/* The formula of one part.  SKL_USAGE where the text has anything that formula.h does not allow, or leaves something
 * unset: one line that names it.  What passes is C and OpenCL C with one meaning, and can only compute. */
int skl_code_read(const struct skl_shortcut *s, enum skl_code_part part, struct skl_code_read *read,
                  struct skl_err *err);
bool skl_code_uses(const struct skl_code_read *read, const char *word);
/* OpenCL C 1.2: the definitions of the functions that formulas may call (functions.h), to stand before them. */
const char *skl_code_functions(void);
#endif
