/* rewrite.c - the report of a sweep, written anew while it runs. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/say.h"
#include "core/base/surroundings.h"
#include "core/watch/follow.h"
#include "core/watch/watch.h"

enum { WRITE_SHARE = 10, LOOK_SECONDS = 1 }; /* part of the time that writing may take; between looks for the end */

/* What tells one state of the sweep from another: FNV-1a over what is known of its runs. */
static uint64_t state_of(const struct skl_overview *o)
{
    uint64_t sum = 14695981039346656037u;
    for (int i = 0; i < o->count; i++) {
        const struct skl_overview_run *r = &o->run[i];
        const uint64_t part[] = {(uint64_t)r->word[0] << 8 | (uint64_t)r->word[1], (uint64_t)r->iteration,
                                 (uint64_t)r->last.iteration, (uint64_t)r->record.modified};
        for (size_t k = 0; k < sizeof part / sizeof *part; k++) sum = (sum ^ part[k]) * 1099511628211u;
    }
    return sum;
}

/* reload: seconds, 0: the page stays as it is.  first: warnings are told once. */
static int write_report(const char *folder, int reload, bool first, struct skl_report_options *o, struct skl_err *err)
{
    struct skl_report report;
    char *name = skl_strdup(folder), *names[] = {name}, *where = NULL;
    o->reload = reload;
    int status = skl_report_read(names, 1, o, &report, err);
    if (!status) {
        status = skl_report_write(&report, &where, err);
        for (int i = 0; first && i < report.warnings; i++) skl_say("skiplab: watch: %s\n", report.warning[i]);
        skl_report_release(&report);
    }
    free(where);
    free(name);
    return status;
}

/* ---- signals: they wait while a report is written ---- */

static int wait_for_signal(const sigset_t *taken, double seconds)
{
    struct timespec time = {.tv_sec = (time_t)seconds, .tv_nsec = (long)(1e9 * fmod(seconds, 1))};
    const int sig = sigtimedwait(taken, NULL, &time);
    return sig > 0 ? sig : 0;
}

/* While the sweep goes on; *sig: the signal that came, 0: it has ended. */
static int follow(const char *folder, double every, struct skl_overview *o, const sigset_t *taken, int *sig,
                  struct skl_report_options *options, struct skl_err *err)
{
    uint64_t written = 0;
    int status = SKL_OK;
    for (double next = 0; !status && !*sig && !skl_overview_ended(o);) {
        const double before = skl_seconds();
        const uint64_t now = state_of(o);
        if (before >= next && now != written) {
            status = write_report(folder, (int)every, !written, options, err);
            if (!status && !written)
                skl_say("%s/report.html: written anew every %.0f s while the sweep goes on (Ctrl-C ends it)\n", folder,
                        every);
            written = now;
            next = before + fmax(every, WRITE_SHARE * (skl_seconds() - before));
        }
        if (!status) *sig = wait_for_signal(taken, LOOK_SECONDS);
        if (!status && !*sig) skl_overview_again(o);
    }
    return status;
}

int skl_watch_html(const char *folder, double every, struct skl_report_options *options, struct skl_err *err)
{
    struct skl_overview o;
    sigset_t taken;
    if (!skl_watch_is_sweep(folder))
        return skl_fail(err, SKL_DATA, "%s is no sweep (no plan.json): --html writes a sweep's report", folder);
    int sig = 0, status = skl_overview_open(folder, &o, err);
    if (status) return status;
    skl_ending_signals(&taken);
    sigprocmask(SIG_BLOCK, &taken, NULL);
    status = follow(folder, every, &o, &taken, &sig, options, err);
    if (sig) sigprocmask(SIG_UNBLOCK, &taken, NULL); /* a second one ends it at once */
    if (!status) status = write_report(folder, 0, false, options, err);
    if (!status && !sig) {
        char *counts = skl_overview_counts(&o);
        skl_say("%s/report.html: the sweep has ended: %s\n", folder, counts);
        free(counts);
    }
    skl_overview_close(&o);
    if (!sig) sigprocmask(SIG_UNBLOCK, &taken, NULL);
    if (sig) raise(sig);
    return status;
}
