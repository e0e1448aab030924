/* The list of checks, and how one is run: in a child process that writes its verdict into shared memory. */
#include "core/check/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/trial.h"
#include "core/check/internal.h"

enum { SECONDS_MAX = 120 }; /* one check; they take a second at most on a variant that ends at all */

/* A `first` check that fails keeps the later ones from running: they would say the same in many ways. */
static const struct {
    const char *name, *what;
    check_fn *run;
    bool first;
} checks[] = {
    {"descriptor", "texts, option table and functions are complete", check_descriptor, true},
    {"options", "limits are accepted in an experiment file, anything else refused with file and line", check_options,
     false},
    {"declaration", "declare() is pure, dry and real declarations agree, layers end with the branch's shape",
     check_declaration, true},
    {"writes", "writes everything it must and nothing else; adds to dw; reads no stale scratch", check_writes, true},
    {"finite", "no NaN or infinity for inputs up to 100", check_finite, false},
    {"repeat", "the same call gives the same bits", check_repeat, false},
    {"ranges", "the same bits for any split of the mini-batch into ranges", check_ranges, false},
    {"images", "no image depends on another", check_images, false},
    {"evaluation", "training off: no random numbers, nothing depends on the iteration", check_evaluation, false},
    {"gradients", "derivatives of x, h, f and own tensors against central differences, with sign", check_gradients,
     false},
    {"odd-shapes", "the same for 1, 3 and 17 channels, h not w, one image", check_odd_shapes, false},
    {"net-gradients", "every tensor of a small net, declared layers included, against central differences",
     check_net_gradients, false},
    {"fused", "way 1 inside the kernels equals the plain formula; bands of rows equal whole images", check_fused,
     false},
    {"threads", "the same bits on 1, 2 and 3 threads", check_threads, false},
    {"resume", "save, load and continue gives the same bits", check_resume, false},
    {"cost", "parameters and time beside the identity's", check_cost, false},
};
enum { CHECKS = sizeof checks / sizeof *checks };
_Static_assert((int)CHECKS <= (int)SKL_CHECKS_MAX, "too many checks for a report");

/* ---- one check in a child ---- */

struct one {
    const struct skl_shortcut *s;
    int check;
    const void *opts; /* NULL: all variations */
    struct skl_check_row *row;
};

static void run_in_child(void *arg)
{
    static struct variation variation[VARIATIONS_MAX];
    const struct one *o = arg;
    struct check c = {.s = o->s, .variation = variation, .iteration = o->opts ? 0 : 7, .row = o->row};
    wall_watch(&c);
    if (o->opts) {
        memcpy(variation[0].opts, o->opts, SKL_OPTS_MAX);
        snprintf(variation[0].label, sizeof variation[0].label, "its options");
        c.variations = 1;
    } else if (checks[o->check].run != check_descriptor) {
        c.variations = make_variations(o->s, variation);
    }
    checks[o->check].run(&c);
}

/* A failure that the child has written down stays; anything else that did not come back is one too. */
static void read_end(struct skl_check_row *row, const struct skl_trial *trial)
{
    char words[160];
    struct check c = {.row = row};
    if (trial->returned) return;
    if (trial->error) skl_die("cannot start a process: %s: raise the limit on processes", strerror(trial->error));
    skl_trial_words(trial, SECONDS_MAX, words, sizeof words);
    fail(&c, "it %s", words);
}

static void run_one(const struct skl_shortcut *s, int i, const void *opts, struct skl_check_row *shared,
                    struct skl_check_row *row)
{
    const double start = skl_seconds();
    struct one o = {s, i, opts, shared};
    *shared = (struct skl_check_row){.result = SKL_CHECK_PASS};
    const struct skl_trial trial = skl_trial(run_in_child, &o, SECONDS_MAX);
    read_end(shared, &trial);
    *row = *shared;
    row->seconds = skl_seconds() - start;
}

static struct skl_check_row *shared_row(void)
{
    struct skl_check_row *row = skl_shared(sizeof *row);
    if (!row) skl_die("no shared memory: %s", strerror(errno));
    return row;
}

int skl_check_before_run(const struct skl_shortcut *s, const void *opts, struct skl_err *err)
{
    struct skl_check_row *shared = shared_row(), row;
    int i = 0;
    while (checks[i].run != check_writes) i++;
    run_one(s, i, opts, shared, &row);
    skl_shared_free(shared, sizeof *shared);
    if (row.result != SKL_CHECK_FAIL) return SKL_OK;
    return skl_fail(err, SKL_USAGE, "shortcut '%s' does not keep its contract and is not run: %s", s->name, row.text);
}

void skl_check_shortcut(const struct skl_shortcut *s, void (*each)(const struct skl_check_row *row, void *arg),
                        void *arg, struct skl_check_report *report)
{
    memset(report, 0, sizeof *report);
    struct skl_check_row *shared = shared_row();
    const char *before = NULL;
    for (int i = 0; i < CHECKS; i++) {
        struct skl_check_row *row = &report->row[report->count++];
        if (before) {
            row->result = SKL_CHECK_SKIP;
            snprintf(row->text, sizeof row->text, "not run: '%s' must pass first", before);
        } else {
            run_one(s, i, NULL, shared, row);
        }
        row->name = checks[i].name, row->what = checks[i].what;
        if (row->result == SKL_CHECK_FAIL) {
            report->failed++;
            if (checks[i].first) before = checks[i].name;
        }
        if (each) each(row, arg);
    }
    skl_shared_free(shared, sizeof *shared);
}
