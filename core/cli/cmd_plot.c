/* cmd_plot.c - skiplab plot: a sweep's figures, drawn by gnuplot. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/parallel.h"
#include "core/base/place.h"
#include "core/base/say.h"
#include "core/cli/cmd.h"
#include "core/config/figure_words.h"
#include "core/io/json.h"
#include "core/report/figures.h"
#include "core/report/fonts.h"
#include "core/report/together.h"

enum { TEXT_COLUMNS = 100, TEXT_ROWS = 36, MAX_SMOOTH = 10001 };

static const char usual_metric[] = "test_error";
static const char *metric, *only, *xlim, *ylim, *width, *legend, *font, *align, *out;
static int smooth = SKL_SMOOTH_AUTO;
static bool terminal, as_json;

static const char *const *widths(void) { return skl_figure_widths; }
static const char *const *legends(void) { return skl_figure_legends; }

static const char *const *alignments(void)
{
    static const char *const words[] = {"iteration", "images", NULL};
    return words;
}

/* The word of an option instead of the file's. */
static int put_word(struct skl_figure_words *words, const char *name, const char *text, struct skl_err *err)
{
    if (!text || skl_figure_set(words, name, text)) return SKL_OK;
    char *path = skl_format("figure.%s", name), *range = skl_key_range(skl_key_find(path));
    skl_fail(err, SKL_USAGE, "plot: --%s '%s': must be %s", name, text, range);
    free(path);
    free(range);
    return SKL_USAGE;
}

static void drop(char **word)
{
    free(*word);
    *word = NULL;
}

/* What the (first) experiment's file says, and over it what stands on the command line.  Values belong to their metric,
 * and a file's xlim is in iterations. */
static int take_words(const char *folder, struct skl_figure_options *o, struct skl_err *err)
{
    const struct {
        const char *name, *text;
    } given[] = {{"metric", metric}, {"width", width}, {"legend", legend},
                 {"font", font},     {"xlim", xlim},   {"ylim", ylim}};
    struct skl_figure_words words = {0};
    int status = SKL_OK;
    skl_results_figure(folder, &words);
    if (metric && words.ylim && strcmp(metric, words.metric ? words.metric : usual_metric)) drop(&words.ylim);
    if (o->images) drop(&words.xlim);
    for (size_t i = 0; i < sizeof given / sizeof *given && !status; i++)
        status = put_word(&words, given[i].name, given[i].text, err);
    skl_figure_options_take(o, &words);
    skl_figure_release(&words);
    return status;
}

static void set_size(struct skl_figure_options *o)
{
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40 && size.ws_row >= 16;
    o->columns = known ? size.ws_col - 1 : TEXT_COLUMNS;
    o->rows = known ? size.ws_row - 2 : TEXT_ROWS;
}

static void print_json(const char *folder, const struct skl_figures *figures)
{
    json_t *list = json_array();
    for (int i = 0; i < figures->count; i++) {
        json_t *item = json_object();
        static const char *const endings[] = {"svg", "pdf", "png", "gp"};
        json_object_set_new(item, "name", json_string(figures->figure[i].stem));
        for (int k = 0; k < 4; k++) {
            char *path = skl_format("%s/%s.%s", folder, figures->figure[i].stem, endings[k]);
            json_object_set_new(item, endings[k], skl_json_text(path));
            free(path);
        }
        json_array_append_new(list, item);
    }
    json_t *root = json_pack("{s:i, s:o, s:o}", "schema_version", 1, "folder", skl_json_text(folder), "figures", list);
    skl_json_print(root);
}

/* Part of the curves, or of their length, or for another place, is drawn beside the whole figures and never over
 * them. */
static char *folder_for(const struct skl_results *results, const struct skl_figure_options *o)
{
    if (out) return skl_strdup(out);
    const bool part = only || xlim || ylim || width || legend || font || o->images;
    return skl_path(results->folder, part ? "figures-part" : "figures");
}

static int left_out(struct skl_err *err)
{
    return skl_fail(err, SKL_DATA, "plot: drawn, but without what could not be read (see above)");
}

static int draw(const struct skl_results *results, const char *folder, const struct skl_figure_options *o,
                struct skl_err *err)
{
    struct skl_figures figures;
    int status = skl_figures_draw(results, folder, o, &figures, err);
    if (status == SKL_FAILED && figures.count)
        skl_context(err, "plot: scripts and data are in %s", folder);
    else if (status)
        skl_context(err, "plot");
    if (figures.wanted > figures.drawn)
        skl_say("skiplab: plot: curves of %d of %d settings are drawn; --only GLOB chooses others\n", figures.drawn,
                figures.wanted);
    if (!status && as_json) print_json(folder, &figures);
    for (int i = 0; i < figures.count && !status && !as_json && !o->terminal; i++)
        skl_print("%s/%s.{svg,pdf,png,gp}\n", folder, figures.figure[i].stem);
    if (!status && figures.warning) {
        skl_say("skiplab: plot: %s (left out)\n", figures.warning);
        status = left_out(err);
    }
    skl_figures_release(&figures);
    return status;
}

/* gnuplot reads its scripts from files: what the terminal shows leaves none behind. */
static int draw_on_terminal(const struct skl_results *results, const struct skl_figure_options *o, struct skl_err *err)
{
    char *folder;
    int status = skl_scratch_make(&folder, err);
    if (status) return skl_context(err, "plot");
    status = draw(results, folder, o, err);
    skl_folder_remove(folder);
    free(folder);
    return status;
}

static int draw_into_folder(const struct skl_results *results, const struct skl_figure_options *o, struct skl_err *err)
{
    char *folder = folder_for(results, o);
    int status = draw(results, folder, o, err);
    free(folder);
    return status;
}

/* As many sweeps as there are folders; *read: how many were. */
static int read_all(int count, char **folders, unsigned metrics, struct skl_results *sweep, int *read,
                    struct skl_err *err)
{
    int status = SKL_OK;
    for (*read = 0; *read < count && !status; *read += !status) {
        struct skl_results *r = &sweep[*read];
        status = skl_results_read(folders[*read], metrics, r, err);
        for (int i = 0; i < r->warnings && !status; i++) skl_say("skiplab: plot: %s (left out)\n", r->warning[i]);
    }
    return status;
}

static int draw_one(struct skl_results *results, const struct skl_figure_options *o, struct skl_err *err)
{
    int status = o->images ? skl_results_by_images(results, err) : SKL_OK;
    if (status) return skl_context(err, "plot");
    return o->terminal ? draw_on_terminal(results, o, err) : draw_into_folder(results, o, err);
}

static int draw_together(struct skl_results *sweep, int count, const struct skl_figure_options *o, struct skl_err *err)
{
    struct skl_results all;
    int status = skl_results_join(sweep, count, o->metric, &all, err);
    if (status) return skl_context(err, "plot");
    status = draw_one(&all, o, err);
    skl_results_release(&all);
    return status;
}

static int run(int argc, char **argv, struct skl_err *err)
{
    struct skl_figure_options o = {
        .only = only, .smooth = smooth, .jobs = skl_cpu_count(), .terminal = terminal, .together = argc > 1};
    o.metric = skl_metric_find(usual_metric);
    o.images = align && !strcmp(align, "images");
    if (argc > 1 && !out && !terminal)
        return skl_fail(err, SKL_USAGE, "plot: figures over %d sweeps belong to none of them: say where with --out DIR",
                        argc);
    for (int i = 0; i < argc; i++) skl_root_add(argv[i]);
    if (out) skl_root_add(out);
    int read, warnings = 0, status = take_words(argv[0], &o, err);
    if (status) return status;
    if (*o.font && !terminal && !skl_font_installed(o.font))
        skl_say("skiplab: plot: no font '%s' is installed here: another one is drawn in its place\n", o.font);
    set_size(&o);
    struct skl_results *sweep = skl_alloc_array((size_t)argc, sizeof *sweep);
    status = read_all(argc, argv, skl_figures_metrics(&o), sweep, &read, err);
    if (status)
        skl_context(err, "plot");
    else
        status = argc > 1 ? draw_together(sweep, argc, &o, err) : draw_one(&sweep[0], &o, err);
    for (int i = 0; i < read; i++) {
        warnings += sweep[i].warnings;
        skl_results_release(&sweep[i]);
    }
    free(sweep);
    return status || !warnings ? status : left_out(err);
}

static const struct skl_option plot_options[] = {
    {"metric", SKL_OPT_CHOICE, "NAME",
     "drawn against the training loss: test_error (default), test_loss, validation_error, validation_loss, "
     "train_error; train_loss draws that alone",
     &metric, 0, 0, .words = skl_metric_names},
    {"only", SKL_OPT_PATTERN, "GLOB", "variants whose name or VARIANT/k=v matches; the baseline is always drawn", &only,
     0, 0},
    {"align", SKL_OPT_CHOICE, "WHAT",
     "what curves are over: iteration (default), or images seen: iterations times batch", &align, 0, 0,
     .words = alignments},
    {"xlim", SKL_OPT_STRING, "A:B", "iterations (images, as --align says) to show; either may be left out", &xlim, 0,
     0},
    {"ylim", SKL_OPT_STRING, "A:B", "values of the metric to show, on a linear axis; A may be left out", &ylim, 0, 0},
    {"width", SKL_OPT_CHOICE, "SIZE",
     "for a column of 3.4in (letters of 8 points), for 6.6in, or for a slide (16 points)", &width, 0, 0,
     .words = widths},
    {"legend", SKL_OPT_CHOICE, "PLACE",
     "below (default; above a panel), none, or a corner of the picture: top-left, top-right, bottom-left, "
     "bottom-right; "
     "more than 8 names stand below it",
     &legend, 0, 0, .words = legends},
    {"font", SKL_OPT_STRING, "NAME,POINTS", "letters, such as 'Times New Roman,9', Courier or ,9; 5 to 24 points",
     &font, 0, 0},
    {"smooth", SKL_OPT_INT, "N",
     "draw training curves as running median over N rows of the log; 1: as logged; "
     "default: a hundredth of the rows, at most 9",
     &smooth, 1, MAX_SMOOTH},
    {"out", SKL_OPT_FOLDER, "DIR",
     "write there; default: RESULTS/NAME/figures, or RESULTS/NAME/figures-part with --only, --xlim, --ylim, --width, "
     "--legend, --font or --align images; of several sweeps none",
     &out, 0, 0},
    {"terminal", SKL_OPT_FLAG, NULL, "draw here, as text: all but panels and map; writes no file", &terminal, 0, 0},
    {"json", SKL_OPT_FLAG, NULL, "for programs: {folder, figures: [{name, svg, pdf, png, gp}, ...]}", &as_json, 0, 0},
    {0},
};

const struct skl_command skl_cmd_plot = {
    .name = "plot",
    .summary = "draw a sweep's figures with gnuplot: SVG, PDF, PNG",
    .usage = "RESULTS/NAME [RESULTS/NAME ...]",
    .description =
        "Writes into RESULTS/NAME/figures:\n"
        "  panels         every variant against the baseline, a panel each: training loss dashed on the left,\n"
        "                 logarithmic axis, test error solid on the right one\n"
        "  panel-VARIANT  the same panels one by one\n"
        "  training-loss, test-error   all variants in one picture\n"
        "  by-KEY         the final test error against a setting that is a number: gate_bias, depth\n"
        "  probe-direct, probe-map, probe-gradient, probe-sum, responses   where runs were probed\n"
        "each as SVG, PDF and PNG, with the gnuplot script (NAME.gp) and its data (data/*.csv) beside them; edit a\n"
        "copy of a script and draw it with 'gnuplot COPY.gp' in that folder: it draws COPY.svg. Lines are medians\n"
        "over the seeds, bands reach from the least to the greatest seed, crosses mark runs that diverged or failed.\n"
        "Runs that are not finished are drawn as far as they are, so this works on a running sweep too. What the\n"
        "experiment's file says under figure: holds where no option says otherwise.\n"
        "Several sweeps: their training losses and test errors in one picture each, called 'SWEEP: VARIANT'.\n",
    .examples = "skiplab plot results/quickstart\n"
                "skiplab plot results/quickstart --only '*gating*' --xlim 200: --out gating\n"
                "skiplab plot results/quickstart --width 3.4in --ylim 10:40 --out column\n"
                "skiplab plot results/quickstart results/table1-mini --align images --out both\n"
                "skiplab plot results/quickstart --terminal\n",
    .options = plot_options,
    .min_args = 1,
    .max_args = -1,
    .words = {SKL_WORD_FOLDER, SKL_WORD_FOLDER},
    .run = run,
};
