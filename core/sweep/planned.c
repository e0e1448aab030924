#include "core/sweep/planned.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/run/folder.h"
#include "core/sweep/plan_file.h"
#include "core/sweep/plan_lock.h"
#include "core/run/record.h"
#include "core/run/config_file.h"

enum { DEEPEST = 4 }; /* VARIANT/k=v/seed-N is three deep */

bool skl_is_plan_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !strcmp(slash ? slash + 1 : path, SKL_FILE_PLAN);
}

/* ---- which run ---- */

static int read_listed(const char *folder, const struct skl_listed_run *listed, struct skl_plan *plan,
                       struct skl_err *err)
{
    char *text = skl_run_list_settings(folder, listed->setting), *name = skl_path(folder, SKL_FILE_PLAN);
    int status = text ? skl_plan_load_text(name, text, listed->seed, plan, err)
                      : skl_fail(err, SKL_DATA, "%s: it has no settings of %s", name, listed->setting);
    if (!status &&
        (plan->count != 1 || strcmp(plan->run[0].exp.hash, listed->hash) || strcmp(plan->run[0].dir, listed->dir))) {
        status =
            skl_fail(err, SKL_DATA, "%s: its settings of %s are not those that its list records: edited or damaged",
                     name, listed->dir);
        skl_plan_release(plan);
    }
    free(text);
    free(name);
    return status;
}

int skl_planned_run(const char *folder, const char *dir, struct skl_plan *plan, struct skl_err *err)
{
    struct skl_run_list list;
    int status = skl_run_list_read(folder, &list, err);
    if (status) return status;
    const struct skl_listed_run *listed = skl_run_list_find(&list, dir);
    status = listed ? read_listed(folder, listed, plan, err)
                    : skl_fail(err, SKL_USAGE, "%s/plan.json lists no run %s", folder, dir);
    skl_run_list_release(&list);
    return status;
}

/* Is there a list in `folder` with this run in it?  One that cannot be read may have it. */
static int lists(const char *folder, const char *dir, bool *listed, struct skl_err *err)
{
    char *path = skl_path(folder, SKL_FILE_PLAN);
    struct skl_run_list list;
    int status = skl_is_there(path, listed, err);
    if (!status && *listed) {
        status = skl_run_list_read(folder, &list, err);
        *listed = !status && skl_run_list_find(&list, dir);
        if (!status) skl_run_list_release(&list);
    }
    free(path);
    return status;
}

int skl_planned_where(const char *run_dir, char **folder, char **dir, struct skl_err *err)
{
    char *path = skl_strdup(run_dir), *end = path + strlen(path);
    int status = SKL_OK;
    *folder = *dir = NULL;
    while (end > path && end[-1] == '/') *--end = 0;
    for (int i = 0; i < DEEPEST && !status && !*folder; i++) {
        while (end > path && *end != '/') end--;
        if (end == path) break;
        *end = 0;
        bool listed;
        const char *below = run_dir + (end - path) + 1;
        char *name = skl_format("%.*s", (int)(strlen(below) - (below[strlen(below) - 1] == '/')), below);
        status = lists(path, name, &listed, err);
        if (!status && listed) {
            *folder = skl_strdup(path);
            *dir = name;
        } else {
            free(name);
        }
        end--;
    }
    free(path);
    return status;
}

/* ---- may it be trained ---- */

static int other_settings(const char *folder, const struct skl_listed_run *listed, const struct skl_plan *plan,
                          const struct skl_plan_run *run, struct skl_err *err)
{
    char *there = skl_run_list_settings(folder, listed->setting), *here = skl_plan_emit(plan, run);
    char *diff = there ? skl_config_file_diff(there, here) : skl_strdup("");
    int status = skl_fail(err, SKL_USAGE,
                          "%s/%s is planned with other settings by %s/plan.json (%s): train elsewhere "
                          "with --run-dir, or give the experiment another 'name:'",
                          folder, listed->dir, folder, *diff ? diff : "its hash is another");
    free(diff);
    free(there);
    free(here);
    return status;
}

int skl_planned_check(const char *folder, const char *dir, const struct skl_plan *plan, const struct skl_plan_run *run,
                      struct skl_err *err)
{
    struct skl_run_list list;
    int status = skl_plan_wait(folder, err);
    if (!status) status = skl_run_list_read(folder, &list, err);
    if (status) return status;
    const struct skl_listed_run *listed = skl_run_list_find(&list, dir);
    if (!listed)
        status = skl_fail(err, SKL_USAGE, "%s/plan.json lists no run %s any more", folder, dir);
    else if (strcmp(listed->hash, run->exp.hash))
        status = other_settings(folder, listed, plan, run, err);
    skl_run_list_release(&list);
    return status;
}

/* ---- data ---- */

static int compare_data(const char *folder, const char *set, const char *planned, const char *here, struct skl_err *err)
{
    if (!strncmp(planned, here, 16)) return SKL_OK;
    if (*set == '/')
        return skl_fail(err, SKL_DATA,
                        "%s: its runs begin with other weights: %s had the SHA-256 %.16s..., it has %.16s... now; put "
                        "that file back, or give the experiment another 'name:'",
                        folder, set, planned, here);
    return skl_fail(
        err, SKL_DATA,
        "%s: its runs are trained on other data: '%s' has the fingerprint %s there, %s here; give data.path "
        "as before, or the experiment another 'name:'",
        folder, set, planned, here);
}

/* What a run of a version that did not note it in the plan was trained with; "": no run was. */
static void find_recorded(const char *folder, const struct skl_run_list *list, const char *set, char fingerprint[17])
{
    *fingerprint = 0;
    for (int i = 0; i < list->count && !list->knows_data && !*fingerprint; i++) {
        char *path = skl_path(folder, list->run[i].dir);
        struct skl_run_state state;
        if (!strcmp(list->run[i].set, set) && !skl_run_state_read(path, &state, NULL))
            snprintf(fingerprint, 17, "%s", state.data);
        free(path);
    }
}

int skl_planned_data_look(const char *folder, const char *set, const char *fingerprint, struct skl_err *err)
{
    struct skl_run_list list;
    char recorded[17] = "";
    if (skl_run_list_read(folder, &list, NULL)) return SKL_OK; /* none, or it will be heard of */
    const char *planned = skl_run_list_data(&list, set);
    if (!planned) find_recorded(folder, &list, set, recorded);
    int status =
        planned || *recorded ? compare_data(folder, set, planned ? planned : recorded, fingerprint, err) : SKL_OK;
    skl_run_list_release(&list);
    return status;
}

/* Under the lock: another run may have been first. */
static int note_data(const char *folder, int desk, const char *set, const char *here, struct skl_err *err)
{
    struct skl_run_list list;
    char recorded[17];
    int status = skl_run_list_read(folder, &list, err);
    if (status) return status;
    const char *planned = skl_run_list_data(&list, set);
    if (!planned) {
        find_recorded(folder, &list, set, recorded);
        status = skl_run_list_add_data(folder, desk, set, *recorded ? recorded : here, err);
        planned = *recorded ? recorded : here;
    }
    if (!status) status = compare_data(folder, set, planned, here, err);
    skl_run_list_release(&list);
    return status;
}

int skl_planned_data(const char *folder, const char *set, const char *fingerprint, struct skl_err *err)
{
    struct skl_run_list list;
    struct skl_claim *claim;
    int status = skl_run_list_read(folder, &list, err);
    if (status) return status;
    const char *planned = skl_run_list_data(&list, set);
    if (planned) {
        status = compare_data(folder, set, planned, fingerprint, err);
    } else if (!(status = skl_plan_lock(folder, &claim, err))) {
        status = note_data(folder, skl_claim_desk(claim), set, fingerprint, err);
        skl_plan_unlock(folder, claim);
    }
    skl_run_list_release(&list);
    return status;
}
