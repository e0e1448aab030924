#include "core/run/audit.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/sha256.h"
#include "core/config/plan.h"
#include "core/io/csv.h"
#include "core/run/checkpoint.h"
#include "core/run/folder.h"
#include "core/run/record.h"

const char *const skl_fault_name[] = {
    [SKL_MISSING] = "missing", [SKL_EDITED] = "edited", [SKL_STALE] = "stale", [SKL_HALF_DONE] = "half-done"};

struct visit {
    struct skl_audit *audit;
    const char *folder;
    struct skl_run_state run;
    json_t *files; /* run.json's list of result files; NULL: none yet */
};

void skl_audit_tell(struct skl_audit *a, enum skl_fault kind, const char *path, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    a->faults++;
    if (a->tell) a->tell(a->context, kind, path, text);
}

void skl_audit_note(const struct skl_audit *a, const char *path, const char *fmt, ...)
{
    char text[1536];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (a->note) a->note(a->context, path, text);
}

/* ---- checkpoints ---- */

/* The start of the SHA-256 over parameters and statistics, which stand together before all momentum. */
static int weights_hash(const struct skl_st *st, const char *path, char hash[17], struct skl_err *err)
{
    int64_t first = INT64_MAX, momentum = INT64_MAX, end = 0;
    for (int i = 0; i < st->count; i++) {
        const struct skl_st_tensor *t = &st->tensor[i];
        if (t->at < first) first = t->at;
        if (t->at + (int64_t)t->bytes > end) end = t->at + (int64_t)t->bytes;
        if (!strncmp(t->name, "momentum.", 9) && t->at < momentum) momentum = t->at;
    }
    char hex[65];
    int fd, status = skl_open(path, O_RDONLY, &fd, err);
    if (status) return status;
    struct skl_sha256 *sum = skl_sha256_new();
    status = skl_sha256_add_file(sum, fd, path, first, momentum < end ? momentum : end, NULL, err);
    skl_sha256_sum(sum, hex);
    memcpy(hash, hex, 16);
    hash[16] = 0;
    free(sum);
    close(fd);
    return status;
}

/* Where test.csv ends with a row of the checkpoint's iteration, that row carries the hash of its weights. */
static void check_weights(struct visit *v, const char *path, const struct skl_st *st, const struct skl_state *state)
{
    char *csv = skl_path(v->folder, SKL_FILE_TEST), hash[17];
    struct skl_table t;
    struct skl_err err = {0};
    if (st->count && !skl_table_read_last(csv, &t, NULL)) {
        int column = skl_table_column(&t, "weights");
        const char *last = t.rows && column >= 0 && t.value[0] == (double)state->iteration ? t.text[column] : NULL;
        if (last && weights_hash(st, path, hash, &err))
            skl_audit_tell(v->audit, SKL_EDITED, path, "%s", err.text);
        else if (last && strcmp(last, hash))
            skl_audit_tell(v->audit, SKL_EDITED, path, "its weights are %s, test.csv says %s at iteration %" PRId64,
                           hash, last, state->iteration);
        skl_table_release(&t);
    }
    free(csv);
}

/* The final figures in run.json are those of the last row. */
static void check_figures(struct visit *v, const char *csv, const char *column, double recorded)
{
    char *path = skl_path(v->folder, csv);
    struct skl_table t;
    if (!isnan(recorded) && !skl_table_read_last(path, &t, NULL)) {
        int i = skl_table_column(&t, column);
        double last = t.rows && i >= 0 ? t.value[i] : NAN;
        if (!(fabs(last - recorded) <= 1e-8 * fabs(last)))
            skl_audit_tell(v->audit, SKL_EDITED, path, "its last %s is %.9g, run.json says %.9g", column, last,
                           recorded);
        skl_table_release(&t);
    }
    free(path);
}

/* The newest checkpoint knows the logs' bytes up to its own moment. */
static void check_digest(struct visit *v, const char *path, const struct skl_state *state, int log)
{
    char hex[65];
    struct skl_err err = {0};
    if (!*state->digest[log] || !state->length[log]) return;
    if (skl_file_sha256(path, state->length[log], hex, NULL, &err))
        skl_audit_tell(v->audit, SKL_EDITED, path, "%s", err.text);
    else if (strcmp(hex, state->digest[log]))
        skl_audit_tell(v->audit, SKL_EDITED, path,
                       "its first %" PRId64 " bytes are not those that the checkpoint records", state->length[log]);
}

/* The newest checkpoint knows how long the logs were; a finished run's have not grown since. */
static void check_lengths(struct visit *v, const struct skl_state *state)
{
    for (int i = 0; i < SKL_LOGS; i++) {
        char *path = skl_path(v->folder, skl_log_name[i]);
        struct skl_seen seen;
        struct skl_err err = {0};
        if (skl_look(path, &seen, &err)) {
            skl_audit_tell(v->audit, SKL_EDITED, path, "%s", err.text);
        } else if (seen.kind != SKL_FILE) {
            if (state->length[i] && !v->run.complete)
                skl_audit_tell(v->audit, SKL_MISSING, path, "the checkpoint records %" PRId64 " bytes",
                               state->length[i]);
        } else if (seen.size < state->length[i] || (v->run.complete && seen.size != state->length[i])) {
            skl_audit_tell(v->audit, SKL_EDITED, path, "%" PRId64 " bytes, the checkpoint records %" PRId64, seen.size,
                           state->length[i]);
        } else {
            check_digest(v, path, state, i);
        }
        free(path);
    }
}

static void check_checkpoint(struct visit *v, const char *path, bool newest)
{
    struct skl_st st;
    struct skl_state state;
    struct skl_err err = {0};
    if (skl_st_look(path, true, &st, &err)) {
        skl_audit_tell(v->audit, SKL_EDITED, path, "%s", err.text);
        return;
    }
    const char *hash = skl_st_meta(&st, "config_hash");
    if (skl_state_parse(&st, path, &state, &err)) {
        skl_audit_tell(v->audit, SKL_EDITED, path, "%s", err.text);
    } else if (!hash || strcmp(hash, v->run.config_hash)) {
        skl_audit_tell(v->audit, SKL_STALE, path, "trained with settings %.12s, the run's are %.12s", hash ? hash : "?",
                       v->run.config_hash);
    } else if (skl_state_check(&state, v->run.iterations, path, &err)) {
        skl_audit_tell(v->audit, SKL_EDITED, path, "%s", err.text);
    } else if (newest) {
        if (v->run.complete && state.iteration != v->run.iteration)
            skl_audit_tell(v->audit, SKL_EDITED, path, "it is of iteration %" PRId64 ", run.json says %" PRId64,
                           state.iteration, v->run.iteration);
        check_lengths(v, &state);
        check_weights(v, path, &st, &state);
    }
    skl_st_release(&st);
}

/* ---- recorded files ---- */

/* Not read where its size says enough. */
static void check_recorded(struct visit *v, const char *path, const json_t *entry, int64_t size)
{
    json_int_t bytes = json_integer_value(json_object_get(entry, "bytes"));
    const char *recorded = json_string_value(json_object_get(entry, "sha256"));
    char hex[65];
    struct skl_err err = {0};
    if (size != bytes)
        skl_audit_tell(v->audit, SKL_EDITED, path, "%" PRId64 " bytes, run.json records %lld", size, (long long)bytes);
    else if (skl_file_sha256(path, -1, hex, NULL, &err))
        skl_audit_tell(v->audit, SKL_EDITED, path, "%s", err.text);
    else if (!recorded || strcmp(recorded, hex))
        skl_audit_tell(v->audit, SKL_EDITED, path, "its SHA-256 is %.16s..., run.json records %.16s...", hex,
                       recorded ? recorded : "none");
}

static void check_file(struct visit *v, const char *name)
{
    static const char last[] = SKL_FILE_LAST, prev[] = SKL_FILE_PREV;
    const json_t *entry = json_object_get(v->files, name);
    char *path = skl_path(v->folder, name);
    struct skl_seen seen;
    struct skl_err err = {0};
    if (skl_look(path, &seen, &err)) {
        skl_audit_tell(v->audit, SKL_EDITED, path, "%s", err.text);
    } else if (seen.kind == SKL_ABSENT) {
        if (entry) skl_audit_tell(v->audit, SKL_MISSING, path, "run.json records it");
    } else if (seen.kind != SKL_FILE) {
        skl_audit_tell(v->audit, SKL_EDITED, path, "it is no regular file");
    } else {
        v->audit->files++;
        v->audit->bytes += seen.size;
        if (entry)
            check_recorded(v, path, entry, seen.size);
        else if (v->files)
            skl_audit_tell(v->audit, SKL_EDITED, path, "run.json does not record it");
        bool newest = !strcmp(name, last);
        if (newest || !strcmp(name, prev) || skl_is_kept(name)) check_checkpoint(v, path, newest);
    }
    free(path);
}

/* Those that are there, and those that run.json has. */
static void check_kept(struct visit *v)
{
    char **names;
    int count;
    const char *recorded;
    const json_t *entry;
    struct skl_err err = {0};
    if (skl_kept_list(v->folder, &names, &count, &err)) skl_audit_tell(v->audit, SKL_EDITED, v->folder, "%s", err.text);
    for (int i = 0; i < count; i++) check_file(v, names[i]);
    json_object_foreach((json_t *)v->files, recorded, entry)
    {
        bool seen = !skl_is_kept(recorded);
        for (int i = 0; i < count; i++) seen = seen || !strcmp(names[i], recorded);
        if (!seen) check_file(v, recorded);
    }
    skl_list_free(names, count);
}

/* What every finished run has, whatever run.json's list says. */
static void check_list(struct visit *v)
{
    static const char *const always[] = {SKL_FILE_CONFIG, SKL_FILE_TRAIN, SKL_FILE_LAST};
    char *path = skl_path(v->folder, SKL_FILE_RECORD);
    for (size_t i = 0; v->files && i < sizeof always / sizeof *always; i++)
        if (!json_object_get(v->files, always[i]))
            skl_audit_tell(v->audit, SKL_EDITED, path, "its list of files lacks %s", always[i]);
    if (!v->files) skl_audit_tell(v->audit, SKL_EDITED, path, "it has no list of files, but says %s", v->run.state);
    free(path);
}

/* ---- settings and leftovers ---- */

static void check_settings(struct visit *v, const char *planned)
{
    char *path = skl_path(v->folder, SKL_FILE_CONFIG);
    struct skl_plan plan;
    struct skl_err err = {0};
    if (planned && strcmp(planned, v->run.config_hash))
        skl_audit_tell(v->audit, SKL_STALE, v->folder, "trained with settings %.12s, the plan has %.12s",
                       v->run.config_hash, planned);
    bool there;
    if (skl_is_there(path, &there, &err)) {
        skl_audit_tell(v->audit, SKL_EDITED, path, "%s", err.text);
    } else if (!there) {
        if (!v->files) skl_audit_tell(v->audit, SKL_MISSING, path, "nobody can tell this run's settings without it");
    } else if (skl_plan_load_recorded(path, true, &plan, &err) == SKL_USAGE) {
        if (!v->audit->lacking++) snprintf(v->audit->lacking_why, sizeof v->audit->lacking_why, "%s", err.text);
    } else if (err.status) {
        skl_audit_tell(v->audit, SKL_EDITED, path, "%s", err.text);
    } else {
        if (plan.count != 1 || strcmp(plan.run[0].exp.hash, v->run.config_hash))
            skl_audit_tell(v->audit, SKL_EDITED, path, "its settings are %.12s, the run was trained with %.12s",
                           plan.run[0].exp.hash, v->run.config_hash);
        skl_plan_release(&plan);
    }
    free(path);
}

/* No fault of the run's: its next owner removes them. */
static void note_leftovers(struct visit *v)
{
    char **names;
    int count;
    struct skl_err err = {0};
    if (skl_list(v->folder, &names, &count, &err)) skl_audit_tell(v->audit, SKL_EDITED, v->folder, "%s", err.text);
    for (int i = 0; i < count; i++) {
        if (!skl_is_leftover(names[i]) && strcmp(names[i], "next.safetensors")) continue;
        char *path = skl_path(v->folder, names[i]);
        skl_audit_note(v->audit, path, "left by a process that died while it wrote; it may be deleted");
        free(path);
    }
    skl_list_free(names, count);
}

static void check_seal(struct visit *v)
{
    char *path = skl_path(v->folder, SKL_FILE_RECORD);
    if (v->run.seal == SKL_SEAL_BROKEN)
        skl_audit_tell(v->audit, SKL_EDITED, path, "its seal is broken: it was edited since it was written");
    v->audit->unsealed += v->run.seal == SKL_UNSEALED;
    free(path);
}

static void check_run(struct visit *v, const char *planned)
{
    const struct skl_run_state *s = &v->run;
    bool ended = skl_state_is_end(s->state), running = !strcmp(s->state, "running");
    check_seal(v);
    if (ended)
        check_list(v);
    else
        skl_audit_tell(v->audit, SKL_HALF_DONE, v->folder, "%s at iteration %" PRId64 " of %" PRId64 "%s%s", s->state,
                       s->iteration, s->iterations, s->cause[0] ? ": " : "", s->cause);
    if (running) return; /* its files are changing under our eyes */
    if (s->config_hash[0]) check_settings(v, planned);
    if (v->audit->begun && *s->data) v->audit->begun(v->audit->context, v->audit, v->folder, s->data);
    for (int i = 0; skl_result_files[i]; i++) check_file(v, skl_result_files[i]);
    check_kept(v);
    check_figures(v, SKL_FILE_TEST, "loss", s->test_loss_final);
    check_figures(v, SKL_FILE_TEST, "error", s->test_error_final);
    note_leftovers(v);
}

void skl_audit_run(struct skl_audit *a, const char *folder, const char *hash)
{
    struct visit v = {.audit = a, .folder = folder};
    struct skl_err err = {0};
    char *path = skl_path(folder, SKL_FILE_RECORD);
    a->runs++;
    bool there;
    if (skl_is_there(path, &there, &err)) {
        skl_audit_tell(a, SKL_EDITED, folder, "%s", err.text);
    } else if (!there) {
        skl_audit_tell(a, SKL_MISSING, folder, "not started: it has no run.json");
    } else if (skl_run_state_read(folder, &v.run, &err)) {
        skl_audit_tell(a, SKL_EDITED, path, "%s", err.text);
    } else {
        struct skl_record record;
        int status = skl_record_open(&record, folder, -1, &err);
        v.files = json_object_get(record.json, "files");
        if (!json_is_object(v.files)) v.files = NULL;
        if (status)
            skl_audit_tell(a, SKL_EDITED, path, "%s", err.text);
        else
            check_run(&v, hash);
        skl_record_close(&record);
    }
    free(path);
}
