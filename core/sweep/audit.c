/* audit.c - which runs a folder of results ought to hold, and which it does. */
#include "core/sweep/audit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/base/twins.h"
#include "core/run/folder.h"
#include "core/sweep/plan_file.h"
#include "core/run/record.h"

enum { MAX_DEPTH = 8 };

static int look_for(const char *folder, const char *name, bool *there, struct skl_err *err)
{
    char *path = skl_path(folder, name);
    int status = skl_is_there(path, there, err);
    free(path);
    return status;
}

/* Calls visit for each folder below `folder`, links not followed; dir: its path below the folder. */
static int each_folder(const char *folder, const char *dir, int depth,
                       int (*visit)(void *context, const char *path, const char *dir, struct skl_err *err),
                       void *context, struct skl_err *err)
{
    char **names;
    int count, status = skl_list(folder, &names, &count, err);
    for (int i = 0; i < count && !status; i++) {
        if (names[i][0] == '.') continue;
        char *path = skl_path(folder, names[i]), *inner = skl_path(dir, names[i]);
        struct skl_seen seen;
        status = skl_look(path, &seen, err);
        if (!status && seen.kind == SKL_FOLDER) {
            status = visit(context, path, inner, err);
            if (!status && depth > 1) status = each_folder(path, inner, depth - 1, visit, context, err);
        }
        free(path);
        free(inner);
    }
    skl_list_free(names, count);
    return status;
}

/* ---- one sweep ---- */

struct sweep {
    struct skl_audit *audit;
    struct skl_run_list list;
    const char **sorted; /* the list's folders */
    struct skl_twins twins;
    struct skl_listed_data *set; /* of a plan that does not say: the data of each set's first run */
    int sets;
};

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void sort_list(struct sweep *s)
{
    s->sorted = skl_alloc_array((size_t)s->list.count + 1, sizeof *s->sorted);
    for (int i = 0; i < s->list.count; i++) s->sorted[i] = s->list.run[i].dir;
    qsort(s->sorted, (size_t)s->list.count, sizeof *s->sorted, by_text);
}

static bool is_listed(const struct sweep *s, const char *dir)
{
    return bsearch(&dir, s->sorted, (size_t)s->list.count, sizeof *s->sorted, by_text) != NULL;
}

static int check_unlisted(void *context, const char *path, const char *dir, struct skl_err *err)
{
    struct sweep *s = context;
    bool is_run;
    int status = look_for(path, SKL_FILE_RECORD, &is_run, err);
    if (!status && is_run && !is_listed(s, dir))
        skl_audit_tell(s->audit, SKL_STALE, path, "a run that plan.json does not list");
    return status;
}

/* Folder, log and checkpoint of a run that stand under another run's name too would be two seeds that agree. */
static int check_twins(struct sweep *s, const char *folder, struct skl_err *err)
{
    static const char *const names[] = {"", SKL_FILE_RECORD, SKL_FILE_TRAIN, SKL_FILE_LAST};
    const char *twin = NULL;
    int status = SKL_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && !twin && !status; i++) {
        char *path = i ? skl_path(folder, names[i]) : skl_strdup(folder);
        status = skl_twins_look(&s->twins, path, &twin, err);
        if (twin) skl_audit_tell(s->audit, SKL_EDITED, path, "it is %s once more", twin);
        free(path);
    }
    return status;
}

static void check_build(const struct sweep *s, const char *path)
{
    struct skl_run_state run;
    const char *planned = NULL;
    if (!skl_run_state_read(path, &run, NULL) && *run.plugin) planned = skl_run_list_plugin(&s->list, run.plugin);
    if (planned && !skl_same_build(planned, run.plugin_sha256))
        skl_audit_tell(s->audit, SKL_STALE, path,
                       "trained with the build %.16s... of the plug-in '%s', the plan has %.16s...", run.plugin_sha256,
                       run.plugin, planned);
}

static void check_plan_seal(struct skl_audit *a, const char *folder, enum skl_seal seal)
{
    char *path = skl_path(folder, SKL_FILE_PLAN);
    if (seal == SKL_SEAL_BROKEN)
        skl_audit_tell(a, SKL_EDITED, path, "its seal is broken: it was edited since it was written");
    if (seal == SKL_UNSEALED) skl_audit_note(a, path, "not sealed: of an earlier version, edits of it do not show");
    free(path);
}

/* What was not looked at in a folder's runs, once for all. */
static void tell_notes(struct skl_audit *a, const char *folder)
{
    if (a->unsealed)
        skl_audit_note(a, folder, "%d run%s not sealed: of an earlier version, edits of run.json do not show",
                       a->unsealed, a->unsealed == 1 ? "" : "s");
    if (a->lacking)
        skl_audit_note(a, folder, "%d run%s: settings compared by the hash of their file alone; %s", a->lacking,
                       a->lacking == 1 ? "" : "s", a->lacking_why);
    a->unsealed = a->lacking = 0;
}

/* Are these the plan's data, or those of the first run if it does not say?  wrong: what to say where they are not. */
static void check_same(struct sweep *s, const char *set, const char *here, const char *path, const char *wrong)
{
    const char *planned = skl_run_list_data(&s->list, set);
    for (int i = 0; i < s->sets && !planned; i++)
        if (!strcmp(s->set[i].set, set)) planned = s->set[i].fingerprint;
    if (planned && strncmp(planned, here, 16))
        skl_audit_tell(s->audit, SKL_STALE, path, "%s: '%s' has the fingerprint %.16s, not %s", wrong, set, here,
                       planned);
    if (planned) return;
    SKL_ADD(s->set, s->sets)->set = skl_strdup(set);
    snprintf(s->set[s->sets - 1].fingerprint, sizeof s->set->fingerprint, "%.16s", here);
}

/* All runs on one set are trained with the same files, all that begin with the weights of a file with the same ones. */
static void check_data(struct sweep *s, const char *set, const char *path)
{
    struct skl_run_record run;
    skl_run_record_read(path, &run, NULL);
    if (*run.data && strcmp(set, "synthetic"))
        check_same(s, set, run.data, path, "trained on other data than the plan's");
    if (*run.init_from)
        check_same(s, run.init_from, run.init_from_sha256, path, "begun with other weights than the plan's");
    skl_run_record_release(&run);
}

static int audit_sweep(struct skl_audit *a, const char *folder, struct skl_err *err)
{
    struct sweep s = {.audit = a};
    int status = skl_run_list_read(folder, &s.list, err);
    if (status) return status;
    sort_list(&s);
    check_plan_seal(a, folder, s.list.seal);
    for (int i = 0; i < s.list.count && !status; i++) {
        char *path = skl_path(folder, s.list.run[i].dir);
        skl_audit_run(a, path, s.list.run[i].hash);
        check_build(&s, path);
        if (!status) check_data(&s, s.list.run[i].set, path);
        if (!status) status = check_twins(&s, path, err);
        free(path);
    }
    if (!status) status = each_folder(folder, "", MAX_DEPTH, check_unlisted, &s, err);
    tell_notes(a, folder);
    skl_twins_release(&s.twins);
    for (int i = 0; i < s.sets; i++) free(s.set[i].set);
    free(s.set);
    free(s.sorted);
    skl_run_list_release(&s.list);
    return status;
}

/* ---- many ---- */

struct many {
    struct skl_audit *audit;
    int sweeps;
};

static int audit_if_sweep(void *context, const char *path, const char *dir, struct skl_err *err)
{
    struct many *m = context;
    bool is_sweep;
    int status = look_for(path, SKL_FILE_PLAN, &is_sweep, err);
    if (status || !is_sweep) return status;
    m->sweeps++;
    return audit_sweep(m->audit, path, err);
}

int skl_audit(struct skl_audit *a, const char *folder, struct skl_err *err)
{
    bool is_sweep = false, is_run = false;
    struct many m = {.audit = a};
    struct skl_seen seen;
    int status = skl_look(folder, &seen, err);
    if (!status) status = look_for(folder, SKL_FILE_PLAN, &is_sweep, err);
    if (!status) status = look_for(folder, SKL_FILE_RECORD, &is_run, err);
    if (status) return status;
    if (is_sweep) return audit_sweep(a, folder, err);
    if (is_run) {
        skl_audit_run(a, folder, NULL);
        tell_notes(a, folder);
        return SKL_OK;
    }
    if (seen.kind == SKL_FOLDER) status = each_folder(folder, "", 1, audit_if_sweep, &m, err);
    if (!status && !m.sweeps)
        return skl_fail(err, SKL_DATA, "'%s' holds no results: no plan.json, no run.json", folder);
    return status;
}
