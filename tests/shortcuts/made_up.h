/* made_up.h - variants that exist only to test the conformance test. */
#ifndef MADE_UP_H
#define MADE_UP_H
#include <stddef.h>
#include "core/variant/formula.h"

#define TEXTS \
    .abi = SKL_SHORTCUT_ABI, .size = sizeof(struct skl_shortcut), .summary = "made up", .formula = "y = ...", \
    .source = "a test", .on_shortcut = "1", .on_residual = "1"

/* Right, but of every kind that the shipped ones are not. */
extern const struct skl_shortcut *const right_variants[];
extern const struct skl_shortcut all_of_formulas;
/* Wrong in one place each, with the check that must notice. */
struct wrong_variant {
    struct skl_shortcut s;
    const char *check; /* the row that must fail */
    const char *says;  /* a part of its text */
};
extern const struct wrong_variant wrong_variants[];
extern const int wrong_count;
#endif
