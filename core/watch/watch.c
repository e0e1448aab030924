#include "core/watch/watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/say.h"
#include "core/watch/page.h"
#include "core/watch/screen.h"

#define LOOK_SECONDS 1.0  /* between looks at the files; more where a look takes long */
enum { LOOK_SHARE = 20 }; /* part of the time that looks may take */

static void end_word(const struct skl_watched *w)
{
    char *counts = skl_overview_counts(&w->overview);
    const int failed = skl_overview_counted(&w->overview, "failed");
    skl_say("skiplab: watch: %s has ended: %s%s\n", w->one_run ? "the run" : "the sweep", counts,
            failed ? " ('skiplab status' tells why)" : "");
    free(counts);
}

/* ---- on the terminal ---- */

static void print_once(struct skl_watched *w)
{
    struct skl_window view = {.columns = SKL_PAGE_WIDTH, .metric = SKL_TEST_ERROR};
    size_t n;
    char *page = skl_page(w, &view, &n);
    skl_print_raw(page);
    free(page);
}

static bool show(struct skl_watched *w, struct skl_window *view)
{
    size_t n;
    skl_screen_size(&view->columns, &view->rows);
    char *page = skl_page(w, view, &n);
    const bool shown = skl_screen_show(page, n);
    free(page);
    return shown;
}

/* What a key asks for; false: to end. */
static bool obey(const struct skl_watched *w, struct skl_window *view, enum skl_event event, char key)
{
    const int step = skl_page_step(w, view);
    switch (event) {
    case SKL_EVENT_ENDED:
        return false;
    case SKL_EVENT_UP:
        view->first--;
        return true;
    case SKL_EVENT_DOWN:
        view->first++;
        return true;
    case SKL_EVENT_PAGE_UP:
        view->first -= step;
        return true;
    case SKL_EVENT_PAGE_DOWN:
        view->first += step;
        return true;
    case SKL_EVENT_KEY:
        if (key == 'm') view->metric = view->metric == SKL_TRAIN_LOSS ? SKL_TEST_ERROR : SKL_TRAIN_LOSS;
        return key != 'q' && key != 'Q';
    default:
        return true;
    }
}

static int look_again(struct skl_watched *w, double *next, struct skl_err *err)
{
    const double before = skl_seconds();
    int status = skl_watched_again(w, err);
    const double now = skl_seconds();
    *next = now + fmax(LOOK_SECONDS, LOOK_SHARE * (now - before));
    return status;
}

static int show_live(struct skl_watched *w, struct skl_err *err)
{
    const char *no_colour = getenv("NO_COLOR");
    struct skl_window view = {.metric = SKL_TEST_ERROR, .colour = !(no_colour && *no_colour), .live = true};
    double next = skl_seconds() + LOOK_SECONDS;
    int status = SKL_OK;
    bool ended = skl_overview_ended(&w->overview), on = true;
    skl_screen_enter();
    while (on && !ended && !status) {
        if (!skl_screen_typed() && !show(w, &view)) break;
        char key;
        const enum skl_event event = skl_screen_wait(fmax(0, next - skl_seconds()), &key);
        on = obey(w, &view, event, key);
        if (on && skl_seconds() >= next) {
            status = look_again(w, &next, err);
            ended = skl_overview_ended(&w->overview);
        }
    }
    skl_screen_leave();
    if (!status && ended) {
        print_once(w);
        end_word(w);
    }
    return status;
}

int skl_watch(const char *folder, struct skl_err *err)
{
    struct skl_watched w;
    int status = skl_watched_open(folder, &w, err);
    if (status) return status;
    const bool live = skl_screen_possible();
    if (live)
        status = show_live(&w, err);
    else
        print_once(&w);
    skl_watched_close(&w);
    if (live && skl_screen_signal()) skl_screen_end_by_signal();
    return status;
}
