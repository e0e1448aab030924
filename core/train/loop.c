#include "core/train/loop.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/desk.h"
#include "core/run/folder.h"
#include "core/train/rows.h"
#include "core/train/run.h"
#include "core/train/schedule.h"
#include "core/train/signals.h"

#define TAKE_EVERY 0.5    /* seconds that a device goes ahead before its results are asked for */
#define RECORD_EVERY 10.0 /* seconds between two run.json of a running run */

double skl_training_seconds(const struct skl_training *t) { return t->seconds_before + skl_seconds() - t->start; }

double skl_training_speed(const struct skl_training *t)
{
    return t->done ? (double)t->done * t->session.exp->train.batch / t->busy : NAN;
}

/* Seconds until the run is finished, the tests to come and the training set's evaluation at the end too; NaN at first.
 * Evaluations of what is not measured yet are taken for forward passes: a third of an iteration. */
static double seconds_left(const struct skl_training *t)
{
    const struct skl_train_config *c = &t->session.exp->train;
    const struct skl_state *s = &t->state;
    if (!t->done) return NAN;
    double image = t->busy / ((double)t->done * c->batch);
    double evaluated = t->evaluated ? t->evaluating / (double)t->evaluated : image / 3;
    int64_t tests = (s->end + c->test_every - 1) / c->test_every - (s->iteration + c->test_every - 1) / c->test_every,
            images = skl_part_count(&t->session, SKL_PART_TEST) + skl_part_count(&t->session, SKL_PART_VALIDATION),
            last = t->finishing ? 0 : skl_part_count(&t->session, SKL_PART_TRAIN);
    return (double)(s->end - s->iteration) * c->batch * image +
           (double)(t->to_evaluate + tests * images + last) * evaluated;
}

static int write_record(struct skl_training *t, struct skl_err *err)
{
    skl_record_integer(&t->record, "iteration", t->state.iteration);
    skl_record_real(&t->record, "seconds", skl_training_seconds(t));
    skl_record_real(&t->record, "images_per_second", skl_training_speed(t));
    skl_record_real(&t->record, "seconds_left", seconds_left(t));
    t->recorded = skl_seconds();
    return skl_record_write(&t->record, err);
}

static bool goes_on(void *training)
{
    struct skl_training *t = training;
    int batch = t->session.exp->train.batch;
    t->progress.left = seconds_left(t);
    skl_progress_beat(&t->progress);
    t->to_evaluate -= t->to_evaluate < batch ? t->to_evaluate : batch;
    if (skl_seconds() - t->recorded > RECORD_EVERY) write_record(t, NULL); /* what goes wrong shows at its end */
    return !atomic_load(&skl_signal_stop);
}

bool skl_training_evaluate(struct skl_training *t, enum skl_part part, struct skl_evaluation *out)
{
    double start = skl_seconds();
    t->to_evaluate = skl_part_count(&t->session, part);
    bool whole = skl_evaluate(&t->session, part, goes_on, t, out);
    t->to_evaluate = 0;
    if (!whole) return false;
    t->evaluated += skl_part_count(&t->session, part);
    t->evaluating += skl_seconds() - start;
    return true;
}

/* ---- rows ---- */

static int train_row(struct skl_training *t, int64_t iteration, double loss, double error, struct skl_err *err)
{
    char text[SKL_ROW_MAX];
    skl_train_row(text, &t->session, iteration, loss, error);
    return skl_csv_row(&t->log[SKL_LOG_TRAIN], err, "%s", text);
}

static int timing_row(struct skl_training *t, struct skl_err *err)
{
    double images = (double)(t->done - t->row_done) * t->session.exp->train.batch, seconds = t->busy - t->row_busy;
    t->row_done = t->done;
    t->row_busy = t->busy;
    return skl_csv_row(&t->timing, err, "%lld,%.9g,%.9g", (long long)t->state.iteration, skl_training_seconds(t),
                       images / seconds);
}

static double mean_loss(const struct skl_state *s) { return s->loss_sum / (double)s->count; }

static double mean_error(const struct skl_training *t)
{
    return 100.0 * (double)t->state.errors / ((double)t->state.count * t->session.exp->train.batch);
}

static int rows_at_log(struct skl_training *t, struct skl_err *err)
{
    struct skl_state *s = &t->state;
    int status = train_row(t, s->iteration, mean_loss(s), mean_error(t), err);
    s->loss_sum = 0;
    s->errors = s->count = 0;
    if (!status) status = timing_row(t, err);
    if (!status && skl_seconds() - t->recorded > RECORD_EVERY) status = write_record(t, err);
    return status;
}

static int evaluation_row(struct skl_training *t, enum skl_log log, const struct skl_evaluation *e, const char *hash,
                          struct skl_err *err)
{
    char text[SKL_ROW_MAX];
    skl_test_row(text, &t->session, t->state.iteration, e, hash);
    return skl_csv_row(&t->log[log], err, "%s", text);
}

/* Both evaluations come before both rows: a signal in between leaves no half-done test. */
static int test(struct skl_training *t, struct skl_err *err)
{
    struct skl_evaluation on_test, on_validation;
    char hash[17];
    bool validation = t->log[SKL_LOG_VALIDATION].path != NULL;
    skl_progress_phase(&t->progress, "testing");
    if (!skl_training_evaluate(t, SKL_PART_TEST, &on_test)) return SKL_INTERRUPTED;
    if (validation && !skl_training_evaluate(t, SKL_PART_VALIDATION, &on_validation)) return SKL_INTERRUPTED;
    skl_snapshot_hash(&t->snapshot, hash);
    int status = skl_session_sound(&t->session, err);
    if (!status) status = evaluation_row(t, SKL_LOG_TEST, &on_test, hash, err);
    if (!status && validation) status = evaluation_row(t, SKL_LOG_VALIDATION, &on_validation, hash, err);
    t->state.tested = t->state.iteration;
    t->changed = true;
    return status;
}

/* ---- checkpoints ---- */

int skl_training_check_logs(const struct skl_training *t, bool whole, struct skl_err *err)
{
    int status = skl_probing_check(&t->probing, whole, err);
    if (!status) status = skl_logs_check(t->log, whole, err);
    if (status && skl_claim_check(t->claim, err)) return SKL_BUSY; /* the one to follow has made them anew */
    return status;
}

int skl_training_save(struct skl_training *t, bool scheduled, struct skl_err *err)
{
    int status = skl_training_check_logs(t, false, err);
    if (!status) status = skl_logs_mark(t->log, &t->state, err);
    if (!status) status = skl_csv_sync(&t->timing, err);
    if (!status) status = skl_probing_sync(&t->probing, err);
    t->state.scheduled = scheduled;
    if (!status)
        status = skl_state_save(t->folder, skl_claim_desk(t->claim), &t->snapshot, &t->state, &t->identity,
                                t->last_scheduled, err);
    if (status) return status;
    t->last_scheduled = t->saved = scheduled;
    t->changed = false;
    json_t *note = skl_probing_note(&t->probing);
    if (note) json_object_set_new(t->record.json, "probes", note);
    return write_record(t, err);
}

/* ---- iterations ---- */

/* The give_up rule looks at the mean error since the last row, at one iteration only. */
static bool hopeless(const struct skl_training *t)
{
    const struct skl_experiment *exp = t->session.exp;
    return exp->give_up.iteration > 0 && t->state.iteration == exp->give_up.iteration &&
           mean_error(t) > exp->give_up.train_error_above;
}

static bool test_due(const struct skl_training *t)
{
    const struct skl_state *s = &t->state;
    return s->outcome != SKL_DIVERGED && s->tested < s->iteration && skl_part_count(&t->session, SKL_PART_TEST) > 0 &&
           skl_due(s->iteration, t->session.exp->train.test_every, s->end);
}

static bool probe_due(const struct skl_training *t)
{
    return t->state.outcome != SKL_DIVERGED && skl_probing_due(&t->probing, t->state.iteration, t->state.end);
}

/* Does the checkpoint of this iteration stay? */
static bool stays(const struct skl_training *t, int64_t iteration)
{
    const int64_t every = t->session.exp->train.keep_every;
    return every && iteration > 0 && iteration % every == 0;
}

static bool rung(const struct skl_training *t)
{
    return t->options->at_rung && skl_experiment_is_rung(t->session.exp, t->state.iteration);
}

static bool save_due(const struct skl_training *t)
{
    return !t->saved && (stays(t, t->state.iteration) || rung(t) ||
                         skl_due(t->state.iteration, t->session.exp->train.checkpoint_every, t->state.end));
}

/* Also of a checkpoint that was there already: its run may have ended before it had its second name. */
static int keep(struct skl_training *t, struct skl_err *err)
{
    char *name = skl_kept_name(t->state.iteration), *kept = skl_path(t->folder, name),
         *last = skl_path(t->folder, SKL_FILE_LAST);
    int status = skl_desk_double(skl_claim_desk(t->claim), last, kept, err);
    t->kept = true;
    free(name), free(kept), free(last);
    return status;
}

static void judge(struct skl_training *t, bool sound)
{
    struct skl_state *s = &t->state;
    if (!sound)
        s->outcome = SKL_DIVERGED;
    else if (s->iteration < s->end && hopeless(t))
        s->outcome = SKL_STOPPED;
    if (s->outcome != SKL_RUNNING) s->end = t->progress.end = s->iteration;
}

/* One result more; the last one that is taken is judged. */
static int add_result(struct skl_training *t, const struct skl_step_result *r, struct skl_err *err)
{
    struct skl_state *s = &t->state;
    s->loss_sum += r->loss;
    s->errors += r->errors;
    s->count++;
    s->iteration++;
    t->done++;
    return s->iteration > 1 ? SKL_OK : train_row(t, 0, r->loss, 100.0 * r->errors / t->session.exp->train.batch, err);
}

/* Takes what the net has noted: state.iteration is how many results are known. */
static int take(struct skl_training *t, struct skl_err *err)
{
    struct skl_step_result result[SKL_NET_STEPS];
    struct skl_state *s = &t->state;
    bool sound;
    const double start = skl_seconds();
    const int n = skl_net_noted(t->session.net, result, &sound);
    int status = skl_session_sound(&t->session, err);
    t->ahead = 0, t->took = skl_seconds(), t->busy += t->took - start;
    for (int i = 0; i < n && !status; i++) status = add_result(t, &result[i], err);
    if (status) return status;
    judge(t, sound);
    struct skl_progress_now now = {s->iteration, mean_loss(s), mean_error(t), skl_training_speed(t),
                                   t->session.exp->train.batch};
    const bool row = skl_due(s->iteration, t->session.exp->train.log_every, s->end);
    if (row) status = rows_at_log(t, err);
    t->progress.left = seconds_left(t);
    skl_progress_show(&t->progress, &now, row);
    return status;
}

static bool due_at(const struct skl_training *t, int64_t iteration)
{
    const struct skl_experiment *exp = t->session.exp;
    const int64_t end = t->state.end;
    return iteration >= end || iteration == 1 || iteration == exp->give_up.iteration ||
           skl_experiment_is_rung(exp, iteration) || skl_due(iteration, exp->train.log_every, end) ||
           skl_due(iteration, exp->train.test_every, end) || skl_due(iteration, exp->train.checkpoint_every, end) ||
           stays(t, iteration) || skl_probing_due(&t->probing, iteration, end);
}

/* Is somebody waiting for the results of the steps so far? */
static bool wanted(const struct skl_training *t)
{
    return !skl_net_goes_ahead(t->session.net) || t->ahead == SKL_NET_STEPS || atomic_load(&skl_signal_stop) ||
           skl_seconds() - t->took > TAKE_EVERY || due_at(t, t->state.iteration + t->ahead);
}

static int iterate(struct skl_training *t, struct skl_err *err)
{
    const double start = skl_seconds();
    skl_session_iteration(&t->session, t->state.iteration + t->ahead, t->state.end);
    t->ahead++;
    t->changed = true;
    t->saved = t->kept = false;
    t->busy += skl_seconds() - start;
    return wanted(t) || skl_session_sound(&t->session, NULL) ? take(t, err) : SKL_OK;
}

static int what_is_due(struct skl_training *t, struct skl_err *err)
{
    int status = SKL_OK;
    if (test_due(t)) status = test(t, err);
    if (!status && probe_due(t)) status = skl_probing_rows(&t->probing, &t->session, t->state.iteration, err);
    if (!status && save_due(t)) status = skl_training_save(t, true, err);
    if (!status && stays(t, t->state.iteration) && !t->kept) status = keep(t, err);
    return status;
}

/* With a checkpoint made.  Where it stops the checkpoint is made once more, to say so. */
static int ask_at_rung(struct skl_training *t, struct skl_err *err)
{
    enum skl_rung answer;
    char *why = NULL;
    int status = t->options->at_rung(t->options->context, t->state.iteration, &answer, &why, err);
    if (!status && answer == SKL_RUNG_STOP) {
        t->state.outcome = SKL_HALVED;
        t->state.end = t->progress.end = t->state.iteration;
        t->saved = t->kept = false;
    }
    if (!status && answer == SKL_RUNG_WAIT) {
        t->awaited = why;
        return SKL_INTERRUPTED;
    }
    free(why);
    return status;
}

int skl_training_loop(struct skl_training *t, struct skl_err *err)
{
    for (int status = SKL_OK; !status;) {
        if (!t->ahead) status = what_is_due(t, err);
        if (status) return status;
        if (t->state.iteration >= t->state.end) return SKL_OK;
        if (!t->ahead && atomic_load(&skl_signal_stop)) return SKL_INTERRUPTED;
        if (!t->ahead && rung(t)) status = ask_at_rung(t, err);
        if (!status && t->state.outcome == SKL_RUNNING) status = iterate(t, err);
        if (status) return status;
    }
    return SKL_OK;
}
