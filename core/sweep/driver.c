/* driver.c - starts, watches and counts the runs of a sweep. */
#include "core/sweep/driver.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/parallel.h"
#include "core/base/say.h"
#include "core/base/surroundings.h"
#include "core/config/registry.h"
#include "core/run/claim.h"
#include "core/run/folder.h"
#include "core/sweep/halving.h"
#include "core/sweep/jobs.h"

#define POLL_SECONDS 0.4
#define ELSEWHERE_SECONDS 2.0 /* between looks at runs that other processes train, and at what paused ones wait for */

/* Writes "failed", why, and its last words into the run.json of a process that could not do it itself. */
static void record_failure(const struct skl_job *j)
{
    struct skl_claim *claim;
    struct skl_err err = {0};
    struct skl_run_state now;
    if (skl_claim_take(j->folder, &claim, NULL)) return; /* somebody else goes on with it already */
    bool finished = !skl_run_state_read(j->folder, &now, NULL) && now.complete; /* or has gone on, to the end */
    if (!finished && skl_run_state_fail(j->folder, skl_claim_desk(claim), j->code, j->cause, j->tail, &err))
        skl_say("skiplab: %s\n", err.text);
    skl_claim_release(claim);
}

/* ---- starting ---- */

/* Runs at a time share the GPUs out: the least number that no other has. */
static void share_devices(const struct skl_driver *d, struct skl_job *j)
{
    bool taken = true;
    char text[16];
    for (j->turn = -1; taken;) {
        taken = false;
        j->turn++;
        for (int i = 0; i < d->count; i++)
            taken = taken || (d->job[i].status == SKL_JOB_RUNNING && &d->job[i] != j && d->job[i].turn == j->turn);
    }
    snprintf(text, sizeof text, "%d", j->turn);
    setenv("SKIPLAB_DEVICE_TURN", text, 1);
}

static int start_process(struct skl_driver *d, struct skl_job *j, struct skl_err *err)
{
    int status = skl_mkdirs(j->folder, err);
    if (status) return status;
    char *plan = skl_format("%s/%s/plan.json", d->options->results, d->plan->name),
         *log = skl_path(j->folder, SKL_FILE_MESSAGES), threads[16], hash[65];
    memcpy(hash, j->run->exp.hash, sizeof hash);
    snprintf(threads, sizeof threads, "%d", d->threads);
    const char *plugin = skl_registry_path(j->run->exp.model.shortcut);
    char *argv[20] = {"skiplab", "train", plan, "--run-dir", j->folder, "--threads", threads, "--hash", hash};
    int n = 9;
    if (plugin) argv[n++] = "--plugin", argv[n++] = (char *)(uintptr_t)plugin;
    if (j->redo) argv[n++] = "--redo";
    if (d->options->extend) argv[n++] = "--extend";
    if (d->options->allow_other_numerics) argv[n++] = "--allow-other-numerics";
    if (d->options->device) argv[n++] = "--device", argv[n++] = (char *)(uintptr_t)d->options->device;
    share_devices(d, j);
    status = skl_child_start(&j->child, argv, log, &d->before, err);
    free(plan);
    free(log);
    return status;
}

static void fail(struct skl_driver *d, struct skl_job *j, enum skl_cause code, const char *cause)
{
    j->status = SKL_JOB_FAILED;
    j->code = code;
    snprintf(j->cause, sizeof j->cause, "%s", cause);
    skl_display_line(&d->display, SKL_RED, "failed", "%s: %s", j->run->dir, j->cause);
    if (d->options->fail_fast) d->stopping = true;
}

static void start(struct skl_driver *d, struct skl_job *j)
{
    struct skl_err err = {0};
    if (start_process(d, j, &err)) {
        fail(d, j, skl_cause_of_error(&err), err.text);
        return;
    }
    d->running++;
    j->status = SKL_JOB_RUNNING;
    j->started = j->said = skl_seconds();
    j->silent = 0;
    j->hung = false;
    j->report[0] = 0;
    j->iteration = j->first;
    j->images_per_second = 0;
    j->left = NAN;
    j->row = (struct skl_row){.iteration = -1};
    if (!d->display.live)
        skl_display_line(&d->display, SKL_PLAIN, j->first > 0 ? "resumed" : "started", "%s", j->run->dir);
}

/* A waiting run, as it is now: another driver may have finished, failed or claimed it. */
static void start_if_free(struct skl_driver *d, struct skl_job *j)
{
    struct skl_run_state s;
    if (!j->redo && !skl_job_read(j, &s, NULL)) {
        enum skl_job_status now = skl_job_recorded(j, &s);
        if (s.complete && now != SKL_JOB_WAITING) {
            j->status = now;
            return;
        }
        j->first = s.iteration;
    }
    j->looked = skl_seconds();
    if (skl_claim_holder(j->folder, NULL) == SKL_HOLDER_LIVE)
        j->status = SKL_JOB_ELSEWHERE;
    else
        start(d, j);
}

static void start_what_fits(struct skl_driver *d)
{
    for (int i = 0; i < d->count && d->running < d->options->jobs && !d->stopping; i++)
        if (d->job[i].status == SKL_JOB_WAITING) start_if_free(d, &d->job[i]);
}

/* ---- ending ---- */

static void say_finished(struct skl_driver *d, const struct skl_job *j, const struct skl_run_state *s)
{
    char took[32], figures[96] = "";
    if (isfinite(s->test_error_final)) snprintf(figures, sizeof figures, "  test error %.2f %%", s->test_error_final);
    skl_duration(skl_seconds() - j->started, took);
    if (j->status == SKL_JOB_STOPPED)
        skl_display_line(&d->display, SKL_YELLOW, "stopped", "%s  %s", j->run->dir, s->cause);
    else if (j->status == SKL_JOB_DIVERGED)
        skl_display_line(&d->display, SKL_YELLOW, "diverged", "%s  at iteration %lld, %s", j->run->dir,
                         (long long)s->iteration, took);
    else
        skl_display_line(&d->display, SKL_GREEN, "done", "%s%s  %s", j->run->dir, figures, took);
}

/* A plug-in is the first to suspect. */
static void name_plugin(const struct skl_job *j, char *cause, size_t size)
{
    const struct skl_shortcut *s = j->run->exp.model.shortcut;
    size_t n = strlen(cause);
    if (*skl_registry_sha256(s)) snprintf(cause + n, size - n, "; its shortcut '%s' is a plug-in", s->name);
}

static enum skl_cause cause_code(const struct skl_job *j, int wait_status)
{
    char word[16];
    if (j->hung) return SKL_CAUSE_HUNG;
    if (WIFSIGNALED(wait_status)) return skl_cause_of_signal(WTERMSIG(wait_status));
    skl_child_cause_word(&j->child, word);
    if (*word) return skl_cause_of_word(word);
    return WEXITSTATUS(wait_status) == SKL_USAGE ? SKL_CAUSE_REFUSED : SKL_CAUSE_ERROR;
}

static void ended(struct skl_driver *d, struct skl_job *j, int wait_status)
{
    struct skl_run_state s;
    bool readable = skl_job_read(j, &s, NULL) == SKL_OK;
    int code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
    d->running--;
    d->ranked = 0;
    enum skl_job_status now = readable ? skl_job_recorded(j, &s) : SKL_JOB_WAITING;
    if (code == SKL_OK && readable && s.complete) {
        j->status = now;
        j->iteration = j->run->exp.train.iterations;
        j->redo = false;
        say_finished(d, j, &s);
    } else if (code == SKL_BUSY) {
        j->status = SKL_JOB_ELSEWHERE;
        j->looked = skl_seconds();
    } else if (code == SKL_INTERRUPTED && now == SKL_JOB_PAUSED) {
        j->status = now;
        j->redo = false;
        j->iteration = s.iteration;
        skl_display_line(&d->display, SKL_DIM, "paused", "%s  at iteration %lld, %s", j->run->dir,
                         (long long)s.iteration, s.cause);
    } else if (code == SKL_INTERRUPTED ||
               (d->stopping && WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGTERM)) {
        j->status = SKL_JOB_INTERRUPTED; /* by our own TERM, perhaps before the run could catch it */
        if (!d->stopping) d->interrupted = true;
        skl_display_line(&d->display, SKL_YELLOW, "interrupted", "%s", j->run->dir);
    } else {
        char cause[sizeof j->cause], took[32];
        enum skl_cause why = cause_code(j, wait_status);
        free(j->tail);
        j->tail = skl_child_tail(&j->child, 5);
        bool said = skl_child_cause(&j->child, wait_status, cause, sizeof cause) && code != SKL_OK;
        if (code == SKL_OK) snprintf(cause, sizeof cause, "ended without finishing the run");
        if (j->hung)
            snprintf(cause, sizeof cause, "killed: no sign of life for %s; does it hang?",
                     skl_duration(d->options->hang_seconds, took));
        if (!said) name_plugin(j, cause, sizeof cause);
        if (now == SKL_JOB_FAILED && s.cause[0] && code > 0) {
            snprintf(cause, sizeof cause, "%s", s.cause);
            why = s.code;
        }
        fail(d, j, why, cause);
        if (code != SKL_USAGE || (readable && (!*s.config_hash || !strcmp(s.config_hash, j->run->exp.hash))))
            record_failure(j); /* never into another run's folder */
    }
    skl_child_release(&j->child);
}

static void reap(struct skl_driver *d)
{
    int wait_status;
    for (pid_t pid; (pid = waitpid(-1, &wait_status, WNOHANG)) > 0;)
        for (int i = 0; i < d->count; i++)
            if (d->job[i].status == SKL_JOB_RUNNING && d->job[i].child.pid == pid) ended(d, &d->job[i], wait_status);
}

static void signal_all(struct skl_driver *d, int sig)
{
    for (int i = 0; i < d->count; i++)
        if (d->job[i].status == SKL_JOB_RUNNING) kill(d->job[i].child.pid, sig);
}

static void look_elsewhere(struct skl_driver *d, struct skl_job *j)
{
    struct skl_run_state s;
    j->looked = skl_seconds();
    if (skl_job_read(j, &s, NULL)) return;
    enum skl_job_status now = skl_job_recorded(j, &s);
    bool held = skl_claim_holder(j->folder, NULL) == SKL_HOLDER_LIVE;
    if (!held) d->ranked = 0;
    if (s.complete && now != SKL_JOB_WAITING) {
        j->status = now;
        skl_display_line(&d->display, SKL_GREEN, s.state, "%s  by another process", j->run->dir);
    } else if (now == SKL_JOB_FAILED && !held) {
        fail(d, j, s.code, s.cause);
    } else if (!held) {
        j->iteration = s.iteration;
        j->status = now == SKL_JOB_PAUSED ? now : SKL_JOB_WAITING;
    }
}

static void look_at_others(struct skl_driver *d)
{
    for (int i = 0; i < d->count; i++)
        if (d->job[i].status == SKL_JOB_ELSEWHERE && skl_seconds() - d->job[i].looked > ELSEWHERE_SECONDS)
            look_elsewhere(d, &d->job[i]);
}

/* Paused runs of which the sweep has a word now wait for a place to run. */
static void look_at_paused(struct skl_driver *d)
{
    struct skl_halving *halving;
    const double now = skl_seconds();
    if (!skl_jobs_counted(d, SKL_JOB_PAUSED) || (d->ranked > 0 && now - d->ranked < ELSEWHERE_SECONDS)) return;
    d->ranked = now;
    char *folder = skl_path(d->options->results, d->plan->name);
    const int status = skl_halving_read(folder, &d->plan->run[0].exp, &halving, NULL);
    for (int i = 0; i < d->count && !status; i++) {
        struct skl_job *j = &d->job[i];
        if (j->status == SKL_JOB_PAUSED &&
            skl_halving_ask(halving, j->run->setting, j->iteration, NULL) != SKL_RUNG_WAIT)
            j->status = SKL_JOB_WAITING;
    }
    skl_halving_release(halving);
    free(folder);
}

/* A run that neither ends an iteration nor evaluates a mini-batch would stand there for ever.  Only time in which we
 * look counts: a sweep that was stopped (Ctrl-Z) and goes on finds its runs as it left them. */
static void end_hung(struct skl_driver *d)
{
    double now = skl_seconds(), limit = d->options->hang_seconds, step = fmin(now - d->watched, 2 * POLL_SECONDS);
    d->watched = now;
    for (int i = 0; i < d->count && limit > 0; i++) {
        struct skl_job *j = &d->job[i];
        if (j->status != SKL_JOB_RUNNING || j->hung || (j->silent += step) < limit) continue;
        j->hung = true;
        kill(j->child.pid, SIGKILL);
    }
}

/* ---- the loop ---- */

static void take_signal(struct skl_driver *d, int sig)
{
    if (d->interrupted && d->stopping) {
        signal_all(d, SIGKILL);
        skl_display_end(&d->display);
        skl_leave(128 + sig);
    }
    d->stopping = d->interrupted = true;
    skl_display_line(&d->display, SKL_YELLOW, "stopping", "the runs write their checkpoints (again: at once, without)");
    signal_all(d, SIGTERM);
}

/* Until a child ends, a signal comes or it is time to look again. */
static void wait_for_news(struct skl_driver *d)
{
    struct timespec poll = {.tv_nsec = (long)(POLL_SECONDS * 1e9)};
    siginfo_t info;
    int sig = sigtimedwait(&d->waited, &info, &poll);
    if (sig > 0 && sig != SIGCHLD) take_signal(d, sig);
    bool stopping = d->stopping;
    reap(d);
    if (d->stopping && !stopping) signal_all(d, SIGTERM); /* --fail-fast */
}

static bool unfinished(const struct skl_driver *d)
{
    return d->running > 0 ||
           (!d->stopping && skl_jobs_counted(d, SKL_JOB_WAITING) + skl_jobs_counted(d, SKL_JOB_ELSEWHERE) > 0);
}

static void run_all(struct skl_driver *d)
{
    d->started = d->watched = skl_seconds();
    for (;;) {
        look_at_paused(d);
        start_what_fits(d);
        if (!unfinished(d)) break;
        wait_for_news(d);
        look_at_others(d);
        skl_jobs_watch(d);
        end_hung(d);
    }
    skl_display_end(&d->display);
}

static void take_signals(struct skl_driver *d)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU, SIGALRM};
    sigemptyset(&d->waited);
    sigaddset(&d->waited, SIGCHLD);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (!skl_signal_ignored(signals[i])) sigaddset(&d->waited, signals[i]);
    sigprocmask(SIG_BLOCK, &d->waited, &d->before);
}

static int outcome(const struct skl_driver *d, struct skl_err *err)
{
    int failed = skl_jobs_counted(d, SKL_JOB_FAILED), finished = skl_jobs_finished(d),
        paused = skl_jobs_counted(d, SKL_JOB_PAUSED);
    if (d->interrupted && finished + failed < d->count)
        return skl_fail(err, SKL_INTERRUPTED, "interrupted; the same command again goes on where this stopped");
    if (paused && !failed)
        return skl_fail(err, SKL_INTERRUPTED,
                        "%d run%s at a rung of give_up.halving for runs that --only leaves out: the same command "
                        "without it goes on",
                        paused, paused == 1 ? " waits" : "s wait");
    if (failed)
        return skl_fail(
            err, SKL_FAILED,
            "%d of %d run%s failed (stderr.log in their folders tells more); --retry failed tries them again", failed,
            d->count, SKL_S(d->count));
    return SKL_OK;
}

int skl_sweep(const struct skl_plan *plan, const struct skl_sweep_options *options, struct skl_err *err)
{
    struct skl_driver d;
    int status = skl_jobs_prepare(&d, plan, options, err);
    int cores = skl_cpu_count();
    d.threads = options->threads ? options->threads : cores / options->jobs > 1 ? cores / options->jobs : 1;
    if (!status) {
        skl_display_start(&d.display, stderr);
        take_signals(&d);
        run_all(&d);
        skl_jobs_summary(&d);
        status = outcome(&d, err);
    }
    skl_jobs_release(&d);
    return status;
}
