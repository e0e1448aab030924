/* audit.c - which runs a folder of results ought to hold, and which it does. */
#include "core/sweep/audit.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/fs.h"
#include "core/sweep/plan_file.h"
#include "core/train/run.h"

enum { MAX_DEPTH = 8 };

static bool has(const char *folder, const char *name)
{
    char *path = skl_path(folder, name);
    bool there = skl_exists(path);
    free(path);
    return there;
}

static bool is_listed(const struct skl_run_list *list, const char *dir)
{
    for (int i = 0; i < list->count; i++)
        if (!strcmp(list->run[i].dir, dir)) return true;
    return false;
}

/* Calls visit for each folder below `folder`, links not followed; dir: its path below the folder. */
static void each_folder(const char *folder, const char *dir, int depth,
                        void (*visit)(void *context, const char *path, const char *dir), void *context)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        char *path = skl_path(folder, e->d_name), *inner = skl_path(dir, e->d_name);
        struct stat st;
        if (!lstat(path, &st) && S_ISDIR(st.st_mode)) {
            visit(context, path, inner);
            if (depth > 1) each_folder(path, inner, depth - 1, visit, context);
        }
        free(path);
        free(inner);
    }
    if (d) closedir(d);
}

/* ---- one sweep ---- */

struct sweep {
    struct skl_audit *audit;
    struct skl_run_list list;
};

static void check_unlisted(void *context, const char *path, const char *dir)
{
    struct sweep *s = context;
    if (has(path, "run.json") && !is_listed(&s->list, dir))
        skl_audit_tell(s->audit, SKL_STALE, path, "a run that plan.json does not list");
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
    char *path = skl_path(folder, "plan.json");
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

static int audit_sweep(struct skl_audit *a, const char *folder, struct skl_err *err)
{
    struct sweep s = {.audit = a};
    int status = skl_run_list_read(folder, &s.list, err);
    if (status) return status;
    check_plan_seal(a, folder, s.list.seal);
    for (int i = 0; i < s.list.count; i++) {
        char *path = skl_path(folder, s.list.run[i].dir);
        skl_audit_run(a, path, s.list.run[i].hash);
        check_build(&s, path);
        free(path);
    }
    each_folder(folder, "", MAX_DEPTH, check_unlisted, &s);
    tell_notes(a, folder);
    skl_run_list_release(&s.list);
    return SKL_OK;
}

/* ---- many ---- */

struct many {
    struct skl_audit *audit;
    int status, sweeps;
    struct skl_err *err;
};

static void audit_if_sweep(void *context, const char *path, const char *dir)
{
    struct many *m = context;
    if (m->status || !has(path, "plan.json")) return;
    m->sweeps++;
    m->status = audit_sweep(m->audit, path, m->err);
}

int skl_audit(struct skl_audit *a, const char *folder, struct skl_err *err)
{
    if (has(folder, "plan.json")) return audit_sweep(a, folder, err);
    if (has(folder, "run.json")) {
        skl_audit_run(a, folder, NULL);
        tell_notes(a, folder);
        return SKL_OK;
    }
    struct many m = {.audit = a, .err = err};
    each_folder(folder, "", 1, audit_if_sweep, &m);
    if (!m.status && !m.sweeps)
        return skl_fail(err, SKL_DATA, "'%s' holds no results: no plan.json, no run.json", folder);
    return m.status;
}
