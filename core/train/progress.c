#include "core/base/clock.h"
#include "core/base/say.h"
#include "core/run/reported.h"
#include "core/train/progress.h"

#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define LIVE_EVERY 0.2
#define PLAIN_EVERY 2.0

/* The sweep's memory, and nothing else that happens to have this number: only such files have seals. */
static int report_file(void)
{
    const char *text = getenv(SKL_REPORT_VARIABLE);
    char *end;
    long fd = text && *text ? strtol(text, &end, 10) : -1;
    return fd > STDERR_FILENO && fd < 1024 && !*end && fcntl((int)fd, F_GET_SEALS) >= 0 ? (int)fd : -1;
}

bool skl_progress_watched(void) { return report_file() >= 0; }

static void report(struct skl_progress *p, double time)
{
    char text[SKL_REPORT_LINE + 1];
    const struct skl_progress_now *now = &p->now;
    if (p->report < 0 || time - p->reported < LIVE_EVERY) return;
    p->reported = time;
    int n = snprintf(text, sizeof text, "%lld %.9g %.9g %.9g %ld %.4g", (long long)now->iteration, now->loss,
                     now->error, now->images_per_second, ++p->beat, p->left);
    memset(text + n, ' ', (size_t)(SKL_REPORT_LINE - n));
    if (pwrite(p->report, text, SKL_REPORT_LINE, 0) < 0) p->report = -1; /* nobody looks any more */
}

void skl_progress_cause(const char *word)
{
    char text[SKL_REPORT_WORD + 1];
    int fd = report_file();
    snprintf(text, sizeof text, "%-*s", SKL_REPORT_WORD, word);
    if (fd >= 0 && pwrite(fd, text, sizeof text - 1, SKL_REPORT_LINE) < 0) return; /* nobody looks any more */
}

void skl_progress_beat(struct skl_progress *p) { report(p, skl_seconds()); }

void skl_progress_start(struct skl_progress *p, const char *name, int64_t end, bool quiet)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    bool live = isatty(STDERR_FILENO) && term && strcmp(term, "dumb");
    *p = (struct skl_progress){.name = name,
                               .end = end,
                               .quiet = quiet,
                               .live = live,
                               .shown = -1e9,
                               .reported = -1e9,
                               .report = report_file(),
                               .left = NAN,
                               .now = {.iteration = -1}};
    p->colour = live && !(no_colour && *no_colour);
}

static void duration(double seconds, char *text, size_t size)
{
    if (!isfinite(seconds) || seconds > 1e7)
        snprintf(text, size, "?");
    else if (seconds < 60)
        snprintf(text, size, "%.0fs", seconds);
    else if (seconds < 3600)
        snprintf(text, size, "%dm%02ds", (int)seconds / 60, (int)seconds % 60);
    else
        snprintf(text, size, "%dh%02dm", (int)seconds / 3600, (int)seconds / 60 % 60);
}

/* The line is cut at the terminal's width: one that wraps cannot be rewritten. */
static void print_live(struct skl_progress *p, const char *text)
{
    struct winsize w;
    int columns = !ioctl(STDERR_FILENO, TIOCGWINSZ, &w) && w.ws_col > 1 ? w.ws_col - 1 : 79;
    char *visible = skl_visible(text);
    skl_say(p->colour ? "\r\033[36m%.*s\033[0m\033[K" : "\r%.*s\033[K", columns, visible);
    free(visible);
    p->open = true;
}

void skl_progress_show(struct skl_progress *p, const struct skl_progress_now *now, bool row)
{
    double time = skl_seconds();
    bool end = now->iteration == p->end;
    p->now = *now;
    report(p, time);
    if (p->quiet || (!p->live && !row)) return;
    if (!end && time - p->shown < (p->live ? LIVE_EVERY : PLAIN_EVERY)) return;
    p->shown = time;
    char left[16], text[256];
    double iterations = (double)(p->end - now->iteration) * now->batch / now->images_per_second;
    duration(isnan(p->left) ? iterations : p->left, left, sizeof left);
    snprintf(text, sizeof text, "%s  %lld/%lld  loss %.4f  error %.2f %%  %.0f images/s  %s left", p->name,
             (long long)now->iteration, (long long)p->end, now->loss, now->error, now->images_per_second, left);
    if (p->live)
        print_live(p, text);
    else
        skl_say("%s\n", text);
}

void skl_progress_phase(struct skl_progress *p, const char *what)
{
    if (p->quiet || !p->live) return;
    char text[256];
    snprintf(text, sizeof text, "%s  %s ...", p->name, what);
    print_live(p, text);
    p->shown = skl_seconds();
}

void skl_progress_say(struct skl_progress *p, bool important, const char *fmt, ...)
{
    if (p->quiet && !important) return;
    if (p->open) skl_say("\r\033[K");
    p->open = false;
    va_list args;
    va_start(args, fmt);
    char *text = skl_vformat_visible(fmt, args);
    va_end(args);
    skl_say("%s: %s\n", p->name, text);
    free(text);
}
