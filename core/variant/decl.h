/* decl.h - what a variant's declare() has said of one unit, checked; for those who build from it. */
#ifndef SKL_DECL_H
#define SKL_DECL_H
#include "core/base/err.h"
#include "core/variant/shortcut.h"

enum { SKL_MAX_SHORTCUT_CONVS = 4, SKL_MAX_OWN = 8, SKL_MAX_NUMBERS = 8, SKL_DECL_NAME_MAX = 30 };
/* A variant may be wrong or lie: nothing larger is built, whatever it asks for. */
enum { SKL_MAX_CHANNELS = 16384, SKL_MAX_OWN_FLOATS = 1 << 26 };

/* What stands on a shortcut path, filled by the variant's declare(). */
struct skl_decl {
    enum skl_source source;
    bool sigmoid; /* at the end of the path */
    int convs;
    struct {
        char name[SKL_DECL_NAME_MAX + 2];
        struct skl_conv_spec spec;
        bool bn;
        char bn_name[SKL_DECL_NAME_MAX + 2];
        double bn_bias;
        unsigned bn_flags;
    } conv[SKL_MAX_SHORTCUT_CONVS];
    int owns;
    struct {
        char name[SKL_DECL_NAME_MAX + 2];
        int shape[4], ndim;
        enum skl_init init;
        double value;
        unsigned flags;
    } own[SKL_MAX_OWN];
    int numbers;
    float p[SKL_MAX_NUMBERS];
    size_t keep, scratch; /* floats an image */
    bool starts;
    double branch_start; /* starts: F begins branch_start times what it would be */
    char wrong[160];     /* the first thing that is not allowed; empty: all is */
};

/* Asks s what unit u of it has.  SKL_USAGE: what it says cannot be, goes not together or not with s, or in one line
 * what else is wrong; d must not be built from then. */
int skl_declare(const struct skl_shortcut *s, const struct skl_unit *u, const void *opts, struct skl_decl *d,
                struct skl_err *err);
static inline size_t skl_shape_floats(struct skl_shape s) { return (size_t)s.h * (size_t)s.w * (size_t)s.c; }
/* Of h: what the declared layers make of x. */
struct skl_shape skl_declared_shape(const struct skl_decl *d, const struct skl_unit *u);
#endif
