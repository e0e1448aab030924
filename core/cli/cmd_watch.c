/* cmd_watch.c - skiplab watch: a sweep while it runs, on the terminal or as a page that reloads itself. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/parallel.h"
#include "core/base/place.h"
#include "core/cli/cmd.h"
#include "core/cli/commit.h"
#include "core/watch/watch.h"

enum { EVERY_SECONDS = 60, LEAST_SECONDS = 1, MOST_SECONDS = 86400 };

static bool html;
static int every;

static int run(int argc, char **argv, struct skl_err *err)
{
    char folder[4096];
    size_t n = strlen(argv[0]);
    while (n > 1 && argv[0][n - 1] == '/') n--; /* the folder's name is shown */
    if (n >= sizeof folder) return skl_fail(err, SKL_USAGE, "watch: the folder's name is longer than a path can be");
    snprintf(folder, sizeof folder, "%.*s", (int)n, argv[0]);
    if (every && !html)
        return skl_fail(err, SKL_USAGE, "watch: --every goes with --html: the page on the terminal follows at once");
    struct skl_report_options o = {
        .level = NAN, .figures = true, .jobs = skl_cpu_count(), .version = SKL_VERSION, .commit = SKL_COMMIT};
    skl_root_add(folder);
    int status = html ? skl_watch_html(folder, every ? every : EVERY_SECONDS, &o, err) : skl_watch(folder, err);
    return status ? skl_context(err, "watch") : SKL_OK;
}

static const struct skl_option watch_options[] = {
    {"html", SKL_OPT_FLAG, NULL, "write the report (skiplab report) again and again; report.html reloads itself", &html,
     0, 0},
    {"every", SKL_OPT_INT, "SECONDS", "with --html: write no more often than that; default 60", &every, LEAST_SECONDS,
     MOST_SECONDS},
    {0},
};

const struct skl_command skl_cmd_watch = {
    .name = "watch",
    .summary = "a sweep while it runs: curves, table, time left",
    .usage = "RESULTS/NAME | RUN",
    .description =
        "A page on the terminal, drawn anew as the logs grow: how many runs are done and how long the rest will\n"
        "take, the curves of test error (the key m: training loss), and a line a setting: the sign that its curve\n"
        "is drawn with, how much is done, its test error so far, the state of its runs. Arrows, space and b move\n"
        "through many settings; q ends. It ends by itself when all runs are done or failed. It reads files only, so\n"
        "it may be started and ended at any time, on another machine too. Where the output is no terminal, the page\n"
        "is printed once. RUN is the folder of one run.\n"
        "With --html it writes the files of 'skiplab report' instead while the sweep runs, report.html so that a\n"
        "browser loads it again by itself; the last time, when the sweep or the command ends, without that.\n",
    .examples = "skiplab watch results/quickstart\n"
                "skiplab watch results/quickstart/conv1x1/seed-1\n"
                "skiplab watch results/quickstart --html\n"
                "skiplab watch results/quickstart --html --every 10\n",
    .options = watch_options,
    .min_args = 1,
    .max_args = 1,
    .words = {SKL_WORD_FOLDER},
    .run = run,
};
