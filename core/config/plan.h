/* plan.h - an experiment file becomes a list of runs: variants x grid/zip x seeds, seed by seed.
 * Precedence: defaults < include < file < set < grid/zip < command line.  Setting a mapping replaces it whole (but
 * `model`, `data` and `train` are merged key by key), setting a leaf does not. */
#ifndef SKL_PLAN_H
#define SKL_PLAN_H
#include "core/config/experiment.h"
#include "core/config/figure.h"
#include "core/config/names.h"

struct skl_pair {
    char *key, *value;
    bool quoted;
}; /* quoted: the value was written in quotes */

struct skl_plan_run {
    char *dir;     /* "VARIANT[/k1=v1,k2=v2]/seed-N", below results/NAME */
    char *setting; /* dir without /seed-N: runs of one setting differ in the seed only */
    char *label;   /* its variant's, NULL: none */
    char *paper;   /* paper.test_error as written ("6.61", "fail"); NULL: none */
    struct skl_pair *papers;
    int paper_count; /* all of `paper:`, as written */
    struct skl_pair *axis;
    int axis_count; /* this run's grid and zip keys, full paths, and values as written */
    struct skl_experiment exp;
};
struct skl_plan {
    char *name, *label, *notes, *baseline; /* baseline: a variant's name; all but name: NULL where there is none */
    struct {
        double fail_above, fail_times_baseline;
    } report; /* percent; times the baseline's error, 0: not used */
    struct skl_figure_words figure;
    struct skl_plan_run *run;
    int count;
    char hash[65]; /* over all runs' folders and hashes */
};
enum { SKL_PLAN_MAX_RUNS = 20000 };

/* What the settings of runs ask for after their last iteration, so that it never happens (a drop of the learning rate,
 * the end of the warm-up, give_up), in one line; malloc'd, NULL: nothing. */
char *skl_plan_beyond_end(const struct skl_plan_run *run, int count);
/* Keys that are not at their default and that no run heeds, as they belong to another data set or to a rule that is
 * off; in one line, malloc'd, NULL: none. */
char *skl_plan_idle(const struct skl_plan_run *run, int count);

/* overrides: "train.iterations=10".  Every error is SKL_USAGE with file:line:column (or the override's text).
 * An override of a grid or zip key takes that key out of the grid: it has one value then.
 * path NULL: no file, defaults and overrides alone (name=... must be among them).
 * A file with `model:` only is fine too (step, summary, bench): its first run, exp.has_data false. */
int skl_plan_load(const char *path, char *const *overrides, int overrides_count, struct skl_plan *plan,
                  struct skl_err *err);
/* A run's own config.yaml, or any file that is only looked at: loads no plug-in, whatever it says.  SKL_USAGE: it needs
 * one that was not given (--plugin), or was given in another build; the message says which.  SKL_DATA: anything else.
 * any_build: for those who run nothing of it. */
int skl_plan_load_recorded(const char *path, bool any_build, struct skl_plan *plan, struct skl_err *err);
/* The same of a text that stands elsewhere, under the name that messages give it; its seed is replaced. */
int skl_plan_load_text(const char *name, const char *text, uint64_t seed, struct skl_plan *plan, struct skl_err *err);
void skl_plan_release(struct skl_plan *plan);
/* A complete experiment file of one run, every default written out; malloc'd.  Loading it gives a plan of one run with
 * the same hash and folder. */
extern const char skl_plan_heading[]; /* its first line */
char *skl_plan_emit(const struct skl_plan *plan, const struct skl_plan_run *run);
/* The section `figure:`, "" where there is none; malloc'd. */
char *skl_plan_emit_figure(const struct skl_plan *plan);
/* Does the shell's pattern (*, ?, [abc]) fit the run's folder, "gated/seed-1", or its setting, "gated"? */
bool skl_plan_matches(const struct skl_plan_run *run, const char *pattern);
#endif
