#include "core/train/verify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/sha256.h"
#include "core/config/plan.h"
#include "core/io/csv.h"
#include "core/run/claim.h"
#include "core/run/folder.h"
#include "core/train/begin.h"
#include "core/train/progress.h"
#include "core/train/rows.h"
#include "core/train/schedule.h"
#include "core/train/session.h"
#include "core/train/state.h"

struct replay {
    struct skl_session session;
    struct skl_snapshot snapshot;
    struct skl_state state, newer; /* of the replay now, and where it ends */
    struct skl_st last;
    char *last_path, *prev_path;
    struct skl_lines log[SKL_LOGS];
    const char *folder;
    struct skl_replayed *found;
    bool quiet;
};

static int start(struct replay *r, struct skl_err *err)
{
    struct skl_identity id = skl_session_identity(&r->session);
    /* The newer one is loaded first, to see that it belongs here; its weights are overwritten at once. */
    int status = skl_state_load_file(r->last_path, r->session.net, &r->newer, &id, err);
    r->state = (struct skl_state){0};
    bool older = false;
    if (!status) status = skl_is_there(r->prev_path, &older, err);
    if (older) status = skl_state_load_file(r->prev_path, r->session.net, &r->state, &id, err);
    /* Killed between last's second name and the new last: one checkpoint under two names. */
    if (!status && r->state.iteration == r->newer.iteration) r->state = (struct skl_state){0};
    return status;
}

static int open_logs(struct replay *r, struct skl_err *err)
{
    int status = SKL_OK;
    for (int i = 0; i < SKL_LOGS && !status; i++) {
        int64_t length = r->newer.length[i];
        if (!length) continue;
        char *path = skl_path(r->folder, skl_log_name[i]);
        struct skl_seen seen;
        status = skl_look(path, &seen, err);
        if (!status && seen.size < length)
            status = skl_fail(err, SKL_DATA, "%s: %lld bytes, the checkpoint records %lld", path, (long long)seen.size,
                              (long long)length);
        const char *header;
        if (!status && i == SKL_LOG_TEST) status = skl_test_header(&r->session, path, true, &header, err);
        if (!status) status = skl_lines_open(&r->log[i], path, err);
        free(path);
    }
    return status;
}

static void differs(struct replay *r, const char *what, int64_t iteration)
{
    if (!r->found->same) return;
    r->found->same = false;
    if (iteration < 0)
        snprintf(r->found->differs, sizeof r->found->differs, "%s", what);
    else
        snprintf(r->found->differs, sizeof r->found->differs, "the row of iteration %lld in %s", (long long)iteration,
                 what);
}

/* Does the log go on with `row`, rows of earlier iterations aside?  It ends where the newer checkpoint says. */
static bool finds(struct replay *r, enum skl_log log, const char *row)
{
    struct skl_lines *l = &r->log[log];
    while (skl_lines_next(l) && l->end <= r->newer.length[log]) {
        long long at;
        if (!strcmp(l->text, row)) return true;
        if (sscanf(l->text, "%lld,", &at) == 1 && at >= r->state.iteration) return false;
    }
    return false;
}

static void compare_row(struct replay *r, enum skl_log log, const char *row)
{
    if (!finds(r, log, row)) differs(r, skl_log_name[log], r->state.iteration);
    r->found->rows++;
}

static void train_row(struct replay *r, double loss, int64_t errors, int64_t count)
{
    char row[SKL_ROW_MAX];
    double images = (double)count * r->session.exp->train.batch;
    skl_train_row(row, &r->session, r->state.iteration, loss / (double)count, 100.0 * (double)errors / images);
    compare_row(r, SKL_LOG_TRAIN, row);
}

static void test_row(struct replay *r, enum skl_log log, enum skl_part part)
{
    struct skl_evaluation e;
    char row[SKL_ROW_MAX], hash[17];
    if (!r->newer.length[log]) return;
    skl_evaluate(&r->session, part, NULL, NULL, &e);
    skl_snapshot_hash(&r->snapshot, hash);
    skl_test_row(row, &r->session, r->state.iteration, &e, hash);
    compare_row(r, log, row);
}

static struct skl_step_result step(struct skl_session *s, int64_t iteration, int64_t end)
{
    struct skl_step_result result[SKL_NET_STEPS];
    bool sound;
    skl_session_iteration(s, iteration, end);
    return skl_net_noted(s->net, result, &sound) ? result[0] : (struct skl_step_result){NAN, 0};
}

static struct skl_step_result iterate(struct replay *r)
{
    struct skl_session *s = &r->session;
    const struct skl_train_config *c = &s->exp->train;
    struct skl_state *now = &r->state;
    const struct skl_step_result result = step(s, now->iteration, r->newer.iteration);
    if (now->iteration == 0) train_row(r, result.loss, result.errors, 1);
    now->loss_sum += result.loss;
    now->errors += result.errors;
    now->count++;
    now->iteration++;
    if (skl_due(now->iteration, c->log_every, r->newer.end)) {
        train_row(r, now->loss_sum, now->errors, now->count);
        now->loss_sum = 0;
        now->errors = now->count = 0;
    }
    if (now->iteration > r->newer.tested || !skl_due(now->iteration, c->test_every, r->newer.end)) return result;
    test_row(r, SKL_LOG_TEST, SKL_PART_TEST);
    test_row(r, SKL_LOG_VALIDATION, SKL_PART_VALIDATION);
    return result;
}

static void train(struct replay *r)
{
    struct skl_progress progress;
    struct skl_state *now = &r->state;
    double start = skl_seconds();
    int64_t from = now->iteration;
    int batch = r->session.exp->train.batch;
    skl_progress_start(&progress, "replay", r->newer.iteration, r->quiet);
    while (now->iteration < r->newer.iteration && !skl_session_sound(&r->session, NULL)) {
        struct skl_step_result result = iterate(r);
        struct skl_progress_now shown = {now->iteration, result.loss, 100.0 * (double)result.errors / batch,
                                         (double)(now->iteration - from) * batch / (skl_seconds() - start), batch};
        skl_progress_show(&progress, &shown, true);
    }
    skl_progress_phase(&progress, "comparing");
}

/* The checkpoint remembers the logs' bytes, other rows than those of the replay too. */
static void compare_logs(struct replay *r)
{
    for (int i = 0; i < SKL_LOGS; i++) {
        char hex[65];
        if (!r->newer.length[i] || !*r->newer.digest[i]) continue;
        struct skl_sha256 *sum = skl_sha256_new();
        FILE *file = r->log[i].file;
        bool same = file && !skl_sha256_add_file(sum, fileno(file), skl_log_name[i], 0, r->newer.length[i], NULL, NULL);
        skl_sha256_sum(sum, hex);
        if (!same || strcmp(hex, r->newer.digest[i])) differs(r, skl_log_name[i], -1);
        free(sum);
    }
}

static void compare(struct replay *r)
{
    compare_logs(r);
    struct skl_snapshot *mine = &r->snapshot;
    skl_snapshot_take(mine, true);
    for (int i = 0; i < mine->count; i++) {
        const struct skl_st_tensor *m = &mine->tensor[i], *theirs = skl_st_find(&r->last, m->name);
        if (!theirs || theirs->bytes != m->bytes || memcmp(theirs->data, m->data, m->bytes)) differs(r, m->name, -1);
    }
    skl_snapshot_hash(mine, r->found->weights);
}

/* With no older checkpoint the net must stand at its initial weights: a fresh session. */
static int replay(struct replay *r, const struct skl_experiment *exp, int threads, struct skl_err *err)
{
    int status = skl_session_open(&r->session, exp, threads, false, err);
    if (!status) status = skl_st_read_within(r->last_path, true, skl_weights_file_limit(r->session.net), &r->last, err);
    if (!status) status = start(r, err);
    if (!status && r->state.iteration == 0) {
        skl_session_close(&r->session);
        status = skl_session_open(&r->session, exp, threads, false, err);
        struct skl_beginning b;
        if (!status) status = skl_begin(&r->session, &b, err);
    }
    if (!status) status = open_logs(r, err);
    if (status) return status;
    skl_snapshot_new(&r->snapshot, r->session.net);
    *r->found = (struct skl_replayed){.same = true, .from = r->state.iteration, .to = r->newer.iteration};
    if (r->found->from >= r->found->to)
        return skl_fail(err, SKL_DATA, "%s is not older than %s", r->prev_path, r->last_path);
    train(r);
    compare(r);
    return skl_session_sound(&r->session, err);
}

static void release(struct replay *r)
{
    skl_snapshot_free(&r->snapshot);
    skl_session_close(&r->session);
    skl_st_release(&r->last);
    for (int i = 0; i < SKL_LOGS; i++) skl_lines_close(&r->log[i]);
    free(r->last_path);
    free(r->prev_path);
}

int skl_verify(const char *folder, int threads, bool quiet, struct skl_replayed *found, struct skl_err *err)
{
    struct replay r = {.last_path = skl_path(folder, SKL_FILE_LAST),
                       .prev_path = skl_path(folder, SKL_FILE_PREV),
                       .folder = folder,
                       .found = found,
                       .quiet = quiet};
    char *config = skl_path(folder, SKL_FILE_CONFIG);
    struct skl_plan plan;
    bool there = false;
    *found = (struct skl_replayed){0};
    enum skl_holder holder;
    int status = skl_claim_look(folder, &holder, NULL, err);
    if (!status) status = skl_is_there(config, &there, err);
    if (!status && holder == SKL_HOLDER_LIVE)
        status = skl_fail(err, SKL_BUSY, "'%s' is being trained: wait for it or stop it", folder);
    else if (!status && !there)
        status = skl_fail(err, SKL_DATA, "'%s' is no run's folder: it has no config.yaml", folder);
    if (!status) status = skl_plan_load_recorded(config, false, &plan, err);
    if (!status) {
        status = replay(&r, &plan.run[0].exp, threads, err);
        skl_plan_release(&plan);
    }
    release(&r);
    free(config);
    return status;
}
