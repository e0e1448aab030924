#include "core/config/tryout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/footprint.h"
#include "core/base/grow.h"
#include "core/base/trial.h"
#include "core/variant/decl.h"

static const struct skl_unit units[] = {{0, 9, {32, 32, 16}, {32, 32, 16}},
                                        {3, 9, {32, 32, 16}, {16, 16, 32}},
                                        {8, 9, {8, 8, 64}, {8, 8, 64}},
                                        {0, 1, {7, 7, 64}, {7, 7, 256}}};

void skl_tryout_functions(struct skl_tryout *t, const struct skl_shortcut *s, const void *opts)
{
    struct skl_err err = {0};
    struct skl_decl d;
    t->doing = "its check()";
    t->refused = s->check && s->check(opts, &err);
    snprintf(t->text, sizeof t->text, "%s", err.text[0] ? err.text : "check() refuses these options");
    t->doing = "its declare()";
    for (size_t i = 0; i < sizeof units / sizeof *units && !t->refused; i++) skl_declare(s, &units[i], opts, &d, NULL);
}

struct question {
    const struct skl_shortcut *s;
    const void *opts;
    struct skl_tryout *answer;
};

static void ask(void *arg)
{
    struct question *q = arg;
    struct skl_footprint *before = skl_footprint_take();
    skl_tryout_functions(q->answer, q->s, q->opts);
    const char *changed = skl_footprint_changed(before);
    snprintf(q->answer->changed, sizeof q->answer->changed, "%s", changed ? changed : "");
}

static int judge(const struct skl_shortcut *s, const struct skl_trial *trial, const struct skl_tryout *t,
                 struct skl_err *err)
{
    char words[160];
    if (trial->returned && !t->changed[0]) return t->refused ? skl_fail(err, SKL_USAGE, "%s", t->text) : SKL_OK;
    if (trial->returned)
        return skl_fail(err, SKL_USAGE,
                        "shortcut '%s', a plug-in: its check() or declare() leaves the process changed: %s", s->name,
                        t->changed);
    skl_trial_words(trial, SKL_TRYOUT_SECONDS, words, sizeof words);
    return skl_fail(err, trial->error ? SKL_FAILED : SKL_USAGE, "shortcut '%s', a plug-in: %s %s", s->name,
                    t->doing ? t->doing : "it", words);
}

/* Those that have passed: a sweep's plan asks for the same again and again. */
static struct {
    const struct skl_shortcut *s;
    char opts[SKL_OPTS_MAX];
} * passed;
static size_t passes;

static bool has_passed(const struct skl_shortcut *s, const void *opts)
{
    for (size_t i = 0; i < passes; i++)
        if (passed[i].s == s && memcmp(passed[i].opts, opts, SKL_OPTS_MAX) == 0) return true;
    return false;
}

static void remember(const struct skl_shortcut *s, const void *opts)
{
    SKL_ADD(passed, passes)->s = s;
    memcpy(passed[passes - 1].opts, opts, SKL_OPTS_MAX);
}

int skl_tryout_options(const struct skl_shortcut *s, const void *opts, struct skl_err *err)
{
    if (has_passed(s, opts)) return SKL_OK;
    struct skl_tryout *answer = skl_shared(sizeof *answer);
    if (!answer) return skl_fail(err, SKL_FAILED, "no memory to try shortcut '%s': %s", s->name, strerror(errno));
    struct question q = {s, opts, answer};
    const struct skl_trial trial = skl_trial(ask, &q, SKL_TRYOUT_SECONDS);
    const int status = judge(s, &trial, answer, err);
    skl_shared_free(answer, sizeof *answer);
    if (!status) remember(s, opts);
    return status;
}
