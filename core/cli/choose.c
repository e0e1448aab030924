#include "core/cli/choose.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/say.h"

const char *skl_chosen_variant, *skl_chosen_seed;

int skl_choose_seed(const char *word, struct skl_err *err)
{
    if (word[strspn(word, "0123456789")]) return skl_fail(err, SKL_USAGE, "--seed: '%s' is not a whole number", word);
    skl_chosen_seed = word;
    return SKL_OK;
}

void skl_say_what_is_vain(const struct skl_plan_run *run, int count)
{
    char *note[] = {skl_plan_beyond_end(run, count), skl_plan_idle(run, count)};
    for (size_t i = 0; i < sizeof note / sizeof *note; i++) {
        if (note[i]) skl_say("skiplab: note: %s\n", note[i]);
        free(note[i]);
    }
}

static bool fits(const char *wanted, const char *variant, const char *setting)
{
    return !wanted || !strcmp(variant, wanted) || !strcmp(setting, wanted);
}

bool skl_choose_fits(const char *variant, const char *setting, uint64_t seed)
{
    return fits(skl_chosen_variant, variant, setting) &&
           (!skl_chosen_seed || strtoull(skl_chosen_seed, NULL, 10) == seed);
}

static int unknown(const struct skl_plan *plan, const char *file, const char *variant, struct skl_err *err)
{
    const char **names = skl_alloc_array((size_t)plan->count + 1, sizeof *names);
    for (int i = 0; i < plan->count; i++) names[i] = plan->run[i].exp.variant;
    const char *hint = skl_nearest(variant, names);
    int status = hint ? skl_fail(err, SKL_USAGE, "%s: no variant '%s' (did you mean '%s'?)", file, variant, hint)
                      : skl_fail(err, SKL_USAGE, "%s: no variant '%s'; the first is '%s'", file, variant, names[0]);
    free(names);
    return status;
}

int skl_choose_run(const struct skl_plan *plan, const char *file, const char *variant, const char *more,
                   const struct skl_plan_run **run, struct skl_err *err)
{
    int fitting = 0;
    for (int i = 0; i < plan->count; i++)
        if (fits(variant, plan->run[i].exp.variant, plan->run[i].setting) && !fitting++) *run = &plan->run[i];
    if (!fitting) return unknown(plan, file, variant, err);
    if (fitting > 1 && more)
        skl_say("skiplab: %s holds %d runs%s; this is %s%s\n", file, fitting, variant ? " of that variant" : "",
                (*run)->dir, more);
    return SKL_OK;
}

int skl_choose(int argc, char **argv, const char *more, struct skl_plan *plan, const struct skl_plan_run **run,
               struct skl_err *err)
{
    char **overrides = skl_alloc_array((size_t)argc + 1, sizeof *overrides), *seeds = NULL;
    int count = 0;
    for (int i = 1; i < argc; i++) overrides[count++] = argv[i];
    if (skl_chosen_seed) overrides[count++] = seeds = skl_format("seeds=[%s]", skl_chosen_seed);
    int status = skl_plan_load(argv[0], overrides, count, plan, err);
    free(seeds);
    free(overrides);
    if (status) return status;
    status = skl_choose_run(plan, argv[0], skl_chosen_variant, more, run, err);
    if (status) skl_plan_release(plan);
    return status;
}
