#include "core/train/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/desk.h"
#include "core/base/say.h"
#include "core/config/registry.h"
#include "core/device/device.h"
#include "core/run/folder.h"
#include "core/run/logs.h"
#include "core/run/config_file.h"
#include "core/train/begin.h"
#include "core/train/loop.h"
#include "core/train/rows.h"
#include "core/train/signals.h"

#define TRAIN_HEADER "iteration,epoch,lr,loss,error"
#define TIMING_HEADER "iteration,seconds,images_per_second"

/* ---- the folder ---- */

/* run.json goes first: from then on nobody takes the rest for a finished run. */
static int wipe(const char *folder, int desk, struct skl_err *err)
{
    static const char *const also[] = {SKL_FILE_RECORD, SKL_FILE_TIMING};
    int status = SKL_OK, own = sizeof also / sizeof *also;
    for (int i = 0; !status && (i < own || skl_result_files[i - own]); i++) {
        char *path = skl_path(folder, i < own ? also[i] : skl_result_files[i - own]);
        status = skl_desk_remove(desk, path, err);
        free(path);
    }
    char **kept = NULL;
    int count = 0;
    if (!status) status = skl_kept_list(folder, &kept, &count, err);
    for (int i = 0; i < count && !status; i++) {
        char *path = skl_path(folder, kept[i]);
        status = skl_desk_remove(desk, path, err);
        free(path);
    }
    skl_list_free(kept, count);
    return status;
}

static bool is_complete(const struct skl_run_state *there, const char *hash)
{
    return there->complete && !strcmp(there->config_hash, hash);
}

/* Before config.yaml is written, which names the plug-in's build. */
static int check_build(const struct skl_run_state *there, const struct skl_plan_run *run, const char *folder,
                       bool allow_other, struct skl_err *err)
{
    const struct skl_shortcut *s = run->exp.model.shortcut;
    const char *here = skl_registry_sha256(s);
    if (allow_other || !*here || !*there->plugin_sha256 || skl_same_build(there->plugin_sha256, here)) return SKL_OK;
    return skl_fail(err, SKL_USAGE,
                    "%s was begun with another build of the plug-in '%s' (SHA-256 %s; here: %s): give that one, or "
                    "--redo; --allow-other-numerics goes on all the same and marks the run",
                    folder, s->name, there->plugin_sha256, here);
}

static int open_log(struct skl_training *t, enum skl_log log, const char *header, struct skl_err *err)
{
    return skl_log_open(&t->log[log], t->folder, skl_claim_desk(t->claim), log, header, &t->state, err);
}

static int open_tests(struct skl_training *t, struct skl_err *err)
{
    char *path = skl_path(t->folder, SKL_FILE_TEST);
    const char *header;
    int status = skl_test_header(&t->session, path, t->state.length[SKL_LOG_TEST] > 0, &header, err);
    free(path);
    if (!status) status = open_log(t, SKL_LOG_TEST, header, err);
    if (!status && skl_part_count(&t->session, SKL_PART_VALIDATION) > 0)
        status = open_log(t, SKL_LOG_VALIDATION, header, err);
    return status;
}

static int open_logs(struct skl_training *t, struct skl_err *err)
{
    char *path = skl_path(t->folder, SKL_FILE_TIMING);
    int status = open_log(t, SKL_LOG_TRAIN, TRAIN_HEADER, err);
    if (!status) status = open_tests(t, err);
    int64_t length;
    int desk = skl_claim_desk(t->claim);
    if (!status) status = skl_timing_until(path, t->state.iteration, &length, &t->seconds_before, err);
    if (!status) status = skl_csv_open(&t->timing, desk, path, TIMING_HEADER, length, err);
    const json_t *note = t->state.iteration ? json_object_get(t->record.json, "probes") : NULL;
    if (!status) status = skl_probing_compare(t->folder, note, t->state.iteration, err);
    if (!status) status = skl_probing_open(&t->probing, &t->session, t->folder, desk, t->state.iteration, err);
    free(path);
    return status;
}

/* ---- start ---- */

/* Weights of another run, where init_from says so. */
static int begin(struct skl_training *t, const struct skl_run_options *options, struct skl_err *err)
{
    struct skl_beginning b;
    int status = skl_begin(&t->session, &b, err);
    if (status || !b.count) return status;
    if (options->admit_data) status = options->admit_data(options->context, b.path, b.sha256, err);
    if (status) return status;
    skl_record_text(&t->record, "init_from", b.path);
    skl_record_text(&t->record, "init_from_sha256", b.sha256);
    skl_progress_say(&t->progress, false, "%d of %d tensors from %s%s%s", b.taken, b.count, b.path,
                     *b.kept ? "; initial: " : "", b.kept);
    return SKL_OK;
}

/* What the newest checkpoint is of: this run, or the shorter one that it goes on from. */
static struct skl_identity found_identity(const struct skl_training *t)
{
    struct skl_identity id = t->identity;
    char *last = skl_path(t->folder, SKL_FILE_LAST);
    struct skl_st st;
    bool adopted = false;
    if (t->shorter.iterations && !skl_st_look(last, false, &st, NULL)) {
        const char *hash = skl_st_meta(&st, "config_hash");
        adopted = hash && !strcmp(hash, id.config_hash);
        skl_st_release(&st);
    }
    if (t->shorter.iterations && !adopted) id.config_hash = t->shorter.hash, id.iterations = t->shorter.iterations;
    free(last);
    return id;
}

/* The shorter run becomes this one.  The checkpoint goes first: killed in between, the folder still says that it is the
 * shorter one's, and --extend finds a checkpoint of this one. */
static int adopt(struct skl_training *t, bool found, struct skl_err *err)
{
    const int desk = skl_claim_desk(t->claim);
    char *prev = skl_path(t->folder, SKL_FILE_PREV);
    int status = SKL_OK;
    if (t->state.outcome == SKL_RUNNING) t->state.end = t->run->exp.train.iterations;
    if (found) status = skl_state_save(t->folder, desk, &t->snapshot, &t->state, &t->identity, false, err);
    if (!status) status = skl_desk_remove(desk, prev, err); /* the shorter run's: nobody could go on from it */
    if (!status) status = skl_config_file_write(t->plan, t->run, t->folder, desk, err);
    free(prev);
    return status;
}

static int resume(struct skl_training *t, const struct skl_run_options *options, struct skl_err *err)
{
    struct skl_resume from;
    t->state = (struct skl_state){.end = t->session.exp->train.iterations};
    const struct skl_identity id = found_identity(t);
    int status = skl_state_load(t->folder, t->session.net, &t->state, &id, options->allow_other_numerics, &from, err);
    if (!status && t->shorter.iterations) status = adopt(t, from.found, err);
    if (status) return status;
    if (from.warning[0]) skl_progress_say(&t->progress, true, "%s", from.warning);
    bool mixed = from.other_numerics || skl_record_get_flag(&t->record, "other_numerics");
    skl_record_flag(&t->record, "other_numerics", from.found && mixed);
    if (!from.found) return begin(t, options, err);
    t->kept = from.from_prev; /* the newest one, then, is another that is damaged */
    t->saved = t->state.scheduled;
    t->last_scheduled = t->state.scheduled && (!from.from_prev || t->shorter.iterations);
    t->progress.end = t->state.end;
    skl_record_integer(&t->record, "resumes", (int64_t)skl_record_get_real(&t->record, "resumes", 0) + 1);
    skl_progress_say(&t->progress, false, "resumed at iteration %lld", (long long)t->state.iteration);
    return SKL_OK;
}

/* What the net is and costs: reports open no plug-ins and build no nets. */
static void record_net(struct skl_record *r, const struct skl_session *s)
{
    const struct skl_shortcut *shortcut = s->exp->model.shortcut;
    const char *sha256 = skl_registry_sha256(shortcut);
    struct skl_net_options o =
        skl_net_options_for(s->exp, skl_loader_size(s->loader), s->set.train.channels, s->set.classes);
    struct skl_net_info info;
    skl_record_text(r, "on_shortcut", shortcut->on_shortcut);
    skl_record_text(r, "on_residual", shortcut->on_residual);
    skl_record_text(r, "plugin", *sha256 ? shortcut->name : NULL);
    skl_record_text(r, "plugin_sha256", *sha256 ? sha256 : NULL);
    skl_record_integer(r, "classes", s->set.classes);
    if (skl_net_describe(&s->exp->model, &o, &info, NULL)) return;
    skl_record_integer(r, "parameters", info.parameters);
    skl_record_integer(r, "multiply_adds", info.multiply_adds);
    skl_net_info_release(&info);
}

static int record_start(struct skl_training *t, const struct skl_run_options *options, struct skl_err *err)
{
    static const char *const final_figures[] = {"train_loss_final", "train_error_final",     "test_loss_final",
                                                "test_error_final", "validation_loss_final", "validation_error_final"};
    struct skl_record *r = &t->record;
    const struct skl_experiment *exp = t->session.exp;
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    if (!t->state.iteration || !json_object_get(r->json, "started")) skl_record_time(r, "started");
    if (!json_object_get(r->json, "resumes")) skl_record_integer(r, "resumes", 0);
    skl_record_text(r, "state", "running");
    skl_record_text(r, "cause", "");
    skl_record_text(r, "cause_code", "");
    skl_record_text(r, "ended", NULL);
    skl_record_text(r, "version", options->version ? options->version : "unknown");
    skl_record_text(r, "commit", options->commit ? options->commit : "unknown");
    skl_record_text(r, "host", host);
    skl_record_integer(r, "pid", getpid());
    skl_record_integer(r, "threads", skl_pool_threads(t->session.pool));
    skl_record_text(r, "cpu_level", skl_net_device(t->session.net)->level); /* a GPU: its name */
    skl_record_text(r, "kernels", t->session.kernels);
    skl_record_text(r, "gemm", skl_net_device(t->session.net)->library);
    skl_record_text(r, "numerics", t->session.numerics);
    skl_record_text(r, "config_hash", exp->hash);
    skl_record_text(r, "data", t->identity.data);
    record_net(r, &t->session);
    skl_record_integer(r, "iteration", t->state.iteration);
    skl_record_integer(r, "iterations", exp->train.iterations);
    for (size_t i = 0; i < sizeof final_figures / sizeof *final_figures; i++) skl_record_real(r, final_figures[i], NAN);
    json_object_del(r->json, "test_top5_final"); /* there are none with few classes */
    json_object_del(r->json, "validation_top5_final");
    json_object_del(r->json, "files");
    json_object_del(r->json, "last_lines");
    t->recorded = skl_seconds();
    return skl_record_write(r, err);
}

static int prepare(struct skl_training *t, const struct skl_run_options *options, struct skl_err *err)
{
    int status = skl_session_open(&t->session, t->session.exp, options->threads, false, err);
    if (status) return status;
    skl_snapshot_new(&t->snapshot, t->session.net);
    t->identity = skl_session_identity(&t->session);
    if (options->admit_data) status = options->admit_data(options->context, t->session.set.name, t->identity.data, err);
    if (!status) status = resume(t, options, err);
    if (!status) status = open_logs(t, err);
    if (!status) status = record_start(t, options, err);
    t->start = skl_seconds();
    return status;
}

/* ---- end ---- */

/* The figures of the last row, if that is of the last iteration. */
static void record_last_row(struct skl_training *t, enum skl_log log, const char *loss_key, const char *error_key,
                            const char *top5_key)
{
    struct skl_table table;
    if (!t->log[log].path || skl_table_read(t->log[log].path, &table, NULL)) return;
    int loss = skl_table_column(&table, "loss"), error = skl_table_column(&table, "error"),
        top5 = skl_table_column(&table, "top5");
    const double *row = table.rows ? &table.value[(table.rows - 1) * table.columns] : NULL;
    if (row && loss >= 0 && error >= 0 && (int64_t)row[0] == t->state.end) {
        skl_record_real(&t->record, loss_key, row[loss]);
        skl_record_real(&t->record, error_key, row[error]);
        if (top5 >= 0) skl_record_real(&t->record, top5_key, row[top5]);
    }
    skl_table_release(&table);
}

/* Its place follows from the logs, so it is the same whenever it is asked for. */
static char *why_halved(const struct skl_training *t)
{
    char *why = NULL;
    enum skl_rung answer;
    t->options->at_rung(t->options->context, t->state.iteration, &answer, &why, NULL);
    char *text = skl_format("stopped by halving at iteration %lld: %s", (long long)t->state.iteration,
                            why ? why : "others were better");
    free(why);
    return text;
}

static char *cause_of(const struct skl_training *t)
{
    const struct skl_experiment *exp = t->session.exp;
    const struct skl_shortcut *shortcut = exp->model.shortcut;
    const char *plugin = *skl_registry_sha256(shortcut) ? shortcut->name : NULL;
    if (t->state.outcome == SKL_DIVERGED)
        return skl_format("loss or weights not finite in iteration %lld%s%s%s", (long long)t->state.iteration - 1,
                          plugin ? "; its shortcut '" : "", plugin ? plugin : "", plugin ? "' is a plug-in" : "");
    if (t->state.outcome == SKL_RUNNING) return skl_strdup("");
    if (t->state.outcome == SKL_HALVED) return why_halved(t);
    return skl_format("fail (stopped): train error above %.9g %% at iteration %lld", exp->give_up.train_error_above,
                      (long long)t->state.iteration);
}

static enum skl_cause code_of(enum skl_outcome outcome)
{
    static const enum skl_cause codes[] = {[SKL_RUNNING] = SKL_CAUSE_NONE,
                                           [SKL_STOPPED] = SKL_CAUSE_GAVE_UP,
                                           [SKL_DIVERGED] = SKL_CAUSE_DIVERGED,
                                           [SKL_HALVED] = SKL_CAUSE_HALVED};
    return codes[outcome];
}

static void say_done(struct skl_training *t, const char *cause)
{
    long long n = t->state.iteration;
    if (t->state.outcome == SKL_DIVERGED)
        skl_progress_say(&t->progress, false, "diverged: %s", cause);
    else if (t->state.outcome == SKL_HALVED)
        skl_progress_say(&t->progress, false, "%s", cause);
    else
        skl_progress_say(&t->progress, false, "done after %lld iterations: train error %.2f %%, test error %.2f %%%s%s",
                         n, skl_record_get_real(&t->record, "train_error_final", NAN),
                         skl_record_get_real(&t->record, "test_error_final", NAN), *cause ? ", " : "", cause);
}

static int finish(struct skl_training *t, struct skl_err *err)
{
    struct skl_evaluation e = {NAN, NAN};
    const bool diverged = t->state.outcome == SKL_DIVERGED, halved = t->state.outcome == SKL_HALVED;
    skl_progress_phase(&t->progress, "evaluating the training set");
    t->finishing = true;
    if (!diverged && !halved && !skl_training_evaluate(t, SKL_PART_TRAIN, &e)) return SKL_INTERRUPTED;
    const int sound = skl_session_sound(&t->session, err);
    if (sound) return sound;
    char *cause = cause_of(t);
    struct skl_record *r = &t->record;
    skl_record_text(r, "state", diverged ? "diverged" : halved ? "stopped" : "done");
    skl_record_text(r, "cause", cause);
    skl_record_text(r, "cause_code", skl_cause_words[code_of(t->state.outcome)]);
    skl_record_real(r, "train_loss_final", e.loss);
    skl_record_real(r, "train_error_final", e.error);
    if (!halved) record_last_row(t, SKL_LOG_TEST, "test_loss_final", "test_error_final", "test_top5_final");
    if (!halved)
        record_last_row(t, SKL_LOG_VALIDATION, "validation_loss_final", "validation_error_final",
                        "validation_top5_final");
    skl_record_integer(r, "iteration", t->state.iteration);
    skl_record_real(r, "seconds", skl_training_seconds(t));
    if (t->done) skl_record_real(r, "images_per_second", skl_training_speed(t));
    skl_record_real(r, "seconds_left", NAN);
    json_object_del(r->json, "probes"); /* they stand among the files */
    skl_record_time(r, "ended");
    int status = skl_record_files(r, t->folder, err);
    if (!status) status = skl_training_check_logs(t, true, err);
    if (!status) status = skl_record_write(r, err);
    if (!status) say_done(t, cause);
    free(cause);
    return status;
}

static int interrupted(struct skl_training *t, struct skl_err *err)
{
    const int number = atomic_load(&skl_signal_stop);
    int status = t->changed ? skl_training_save(t, false, err) : SKL_OK;
    if (status) return status;
    char *cause =
        t->awaited ? skl_format("waits for %s", t->awaited) : skl_format("signal %d (%s)", number, strsignal(number));
    skl_record_text(&t->record, "state", t->awaited ? "paused" : "interrupted");
    skl_record_text(&t->record, "cause", cause);
    skl_record_text(&t->record, "cause_code", skl_cause_words[t->awaited ? SKL_CAUSE_RUNG : SKL_CAUSE_SIGNAL]);
    skl_record_time(&t->record, "ended");
    status = skl_record_write(&t->record, err);
    if (!status) {
        skl_progress_say(&t->progress, false, "%s", t->awaited ? "paused" : "stopped");
        status = skl_fail(err, SKL_INTERRUPTED, "%s: %s at iteration %lld: the same command goes on from there",
                          t->folder, cause, (long long)t->state.iteration);
    }
    free(cause);
    return status;
}

static void release(struct skl_training *t)
{
    free(t->awaited);
    skl_logs_close(t->log);
    if (t->timing.path) skl_csv_close(&t->timing);
    skl_probing_close(&t->probing);
    skl_snapshot_free(&t->snapshot);
    skl_session_close(&t->session);
    skl_record_close(&t->record);
}

static int train(const struct skl_plan *plan, const struct skl_plan_run *run, const char *folder,
                 const struct skl_claim *claim, const struct skl_run_options *options,
                 const struct skl_shorter *shorter, struct skl_err *err)
{
    struct skl_training t = {.options = options,
                             .folder = folder,
                             .claim = claim,
                             .plan = plan,
                             .run = run,
                             .shorter = *shorter,
                             .session.exp = &run->exp};
    int status = shorter->iterations ? SKL_OK : skl_config_file_write(plan, run, folder, skl_claim_desk(claim), err);
    if (status) return status;
    skl_progress_start(&t.progress, run->dir, run->exp.train.iterations, options->quiet);
    status = skl_record_open(&t.record, folder, skl_claim_desk(claim), err);
    if (!status) status = prepare(&t, options, err);
    if (!status) status = skl_training_loop(&t, err);
    if (!status) status = finish(&t, err);
    if (status == SKL_INTERRUPTED) status = interrupted(&t, err);
    release(&t);
    return status;
}

/* What processes left that died while they wrote; older versions wrote in the run's folder itself. */
static void clean(const char *folder)
{
    skl_leftovers_remove(folder, true);
    char *next = skl_path(folder, "next.safetensors"), *lock = skl_path(folder, "lock");
    skl_remove(next, NULL);
    skl_remove(lock, NULL);
    free(next);
    free(lock);
}

int skl_run(const struct skl_plan *plan, const struct skl_plan_run *run, const char *folder,
            const struct skl_claim *claim, const struct skl_run_options *options, struct skl_err *err)
{
    struct skl_run_state there = {0};
    int desk = skl_claim_desk(claim);
    skl_signals_catch();
    clean(folder);
    int status = options->redo ? wipe(folder, desk, err) : SKL_OK;
    struct skl_shorter shorter = {0};
    if (!status)
        status = options->extend ? skl_longer_look(plan, run, folder, &shorter, err)
                                 : skl_config_file_check(plan, run, folder, err);
    if (!status) status = skl_run_state_read(folder, &there, err);
    if (there.damaged) status = SKL_OK; /* it is written anew */
    if (!status) status = check_build(&there, run, folder, options->allow_other_numerics, err);
    if (!status && is_complete(&there, run->exp.hash)) {
        if (!options->quiet) skl_say("%s: already done\n", run->dir);
    } else if (!status) {
        status = train(plan, run, folder, claim, options, &shorter, err);
        if (status == SKL_FAILED || status == SKL_DATA)
            skl_run_state_fail(folder, desk, skl_cause_of_error(err), err ? err->text : "", NULL, NULL);
    }
    skl_signals_restore();
    return status;
}
