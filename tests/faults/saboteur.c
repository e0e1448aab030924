/* saboteur.c - a plug-in whose run ends badly in iteration `at`: shortcuts that people write have mistakes.  `slow`
 * only sleeps `at` milliseconds in every iteration, `slow_test` in every mini-batch evaluated: as long on every
 * machine. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/variant/shortcut.h"

enum { NOTHING, NOT_A_NUMBER, SEGFAULT, ABORT, LEAVE, HANG, SLOW, SLOW_TEST, MEMORY };
static const char *const ways[] = {"nothing", "nan",  "segfault",  "abort",  "exit",
                                   "hang",    "slow", "slow_test", "memory", NULL};

struct options {
    int how, at;
};
static const struct skl_param params[] = {
    SKL_PARAM_CHOICE(struct options, how, NOTHING, "what happens", ways),
    SKL_PARAM(struct options, at, 5, 0, 1000000, "in which iteration"),
    SKL_PARAM_END,
};

/* The default action: a sanitizer would end the program in its own way. */
static void crash(void)
{
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

/* volatile: a compiler may leave out memory that nobody reads. */
static void take_all(void)
{
    enum { MORE = 8 << 20, PAGE = 4096 };
    for (volatile char *p; (p = malloc(MORE));)
        for (size_t i = 0; i < MORE; i += PAGE) p[i] = 1;
    abort(); /* malloc did not give more: no kill for want of memory */
}

static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)
{
    const struct options *o = k->opts;
    bool once = k->unit->index == 0 && k->first == 0;
    if (once && o->how == (k->training ? SLOW : SLOW_TEST)) usleep((useconds_t)o->at * 1000);
    if (!k->training || k->iteration != o->at) return;
    if (o->how == NOT_A_NUMBER) b->constant = NAN;
    if (o->how == SEGFAULT) crash();
    if (o->how == ABORT) abort();
    if (o->how == LEAVE) fputs("saboteur: I have had enough\n", stderr);
    if (o->how == LEAVE) syscall(SYS_exit_group, 3); /* an exit() would be told by the program itself */
    if (o->how == MEMORY) take_all();
    while (o->how == HANG) pause();
}

SKL_SHORTCUT(saboteur) = {
    SKL_SHORTCUT_HEAD(saboteur),
    .summary = "x + F until something happens",
    .formula = "y = x + F",
    .source = "a test",
    .on_shortcut = "1",
    .on_residual = "1",
    .opts_size = sizeof(struct options),
    .params = params,
    .affine = affine,
};
