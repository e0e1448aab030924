/* decl.h - what a variant's declare() has said of one unit; for those who build from it. */
#ifndef SKL_DECL_H
#define SKL_DECL_H
#include "core/variant/shortcut.h"

enum { SKL_MAX_SHORTCUT_CONVS = 4, SKL_MAX_OWN = 8 };

/* What stands on a shortcut path, filled by the variant's declare(). */
struct skl_decl {
    enum skl_source source;
    bool sigmoid; /* at the end of the path */
    int convs;
    struct {
        char name[32];
        struct skl_conv_spec spec;
        bool bn;
        char bn_name[32];
        double bn_bias;
        unsigned bn_flags;
    } conv[SKL_MAX_SHORTCUT_CONVS];
    int owns;
    struct {
        char name[32];
        int shape[4], ndim;
        enum skl_init init;
        double value;
        unsigned flags;
    } own[SKL_MAX_OWN];
    size_t keep, scratch; /* floats an image */
    bool starts;
    double branch_start; /* starts: F begins branch_start times what it would be */
    const char *wrong;   /* what is not allowed, NULL if all is */
};

/* Sets d->wrong where what was declared does not go together, or not with s. */
void skl_decl_check(struct skl_decl *d, const struct skl_shortcut *s);
#endif
