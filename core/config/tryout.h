/* tryout.h - a plug-in's check() and declare() in a process of their own, before they run in this one. */
#ifndef SKL_TRYOUT_H
#define SKL_TRYOUT_H
#include "core/base/err.h"
#include "core/variant/shortcut.h"

enum { SKL_TRYOUT_SECONDS = 20 };
/* What a child writes (skl_shared) while it tries. */
struct skl_tryout {
    const char *doing; /* "its declare()": a constant */
    bool refused;      /* check() has refused the options, with this text */
    char text[1024];
    char changed[100]; /* what it has left changed in the process; empty: nothing */
};
/* In the child: check(), and declare() for units of several shapes. */
void skl_tryout_functions(struct skl_tryout *t, const struct skl_shortcut *s, const void *opts);
/* Options of a plug-in that are read: check() of them, in a child together with declare(); once for the same options.
 * SKL_USAGE: refused by check(), or a function that crashes, hangs, ends the process or changes it. */
int skl_tryout_options(const struct skl_shortcut *s, const void *opts, struct skl_err *err);
#endif
