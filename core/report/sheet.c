#include "core/report/sheet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/report/text.h"

/* Of plots/style.gp's and the templates' widths and fonts. */
static const struct skl_page_room rooms[] = {
    [SKL_PAGE_FREE] =
        {SKL_LEGEND_WIDTH, SKL_TITLE_WIDTH, 3060, 2550, 1500, 0, {SKL_LEGEND_WIDTH, 6100}, 0, 0, 24, 24, {10, 10}},
    [SKL_PAGE_COLUMN] = {2850, 2800, 2700, 1950, 1200, 1, {2650, 2650}, 2, 0, 3, 12, {8, 8}},
    [SKL_PAGE_TWO_COLUMNS] =
        {SKL_LEGEND_WIDTH, SKL_TITLE_WIDTH, 2600, 1850, 1100, 2, {6000, 6000}, 3, 0, 6, 18, {10, 8}},
    [SKL_PAGE_SLIDE] = {3900, 3800, 3060, 2550, 1500, 2, {5700, 6500}, 3, 0, 4, 6, {16, 12}},
};
/* Beside a legend, in hundredths of its font's size: axis labels grow with the letters. */
enum { BESIDE_LEGEND = 560, BESIDE_PANEL = 1070, BESIDE_UNITS = 740, LEAST_ROOM = 600 };
#define OTHER_FONT 0.9 /* a font of the user's choice may be wider than the one that text.c knows */

static double small(double points) { return points - (points > 12 ? 2 : 1); } /* as in style.gp */

static int shrunk(int room, int beside, double factor)
{
    const int left = (int)((room + beside) * factor) - beside;
    return left < LEAST_ROOM ? LEAST_ROOM : left;
}

/* Maps stand beside each other as long as they are wider than their axes' labels; as plots/map.gp has it. */
static void set_maps(struct skl_page_room *r, enum skl_page page, double letters, double font)
{
    static const double inches[] = {[SKL_PAGE_COLUMN] = 3.4, [SKL_PAGE_TWO_COLUMNS] = 6.6, [SKL_PAGE_SLIDE] = 9};
    const double s = letters / 9, room = inches[page] - 1.25 * s;
    const int most = (int)(room / (0.77 * s + 0.45)), rows = r->map_columns ? r->maps / r->map_columns : 0;
    if (r->map_columns > most) r->map_columns = most < 1 ? 1 : most;
    if (rows) r->maps = rows * r->map_columns;
    const double width = r->map_columns ? room / r->map_columns : 2.5 * fmax(s, 1);
    r->map_title = (int)(95 * font * (width - 0.25 * s) * 72 / letters);
}

struct skl_page_room skl_sheet_room(const struct skl_figure_options *o)
{
    struct skl_page_room r = rooms[o->page];
    const double points[] = {o->points > 0 ? o->points : r.letters[0], o->points > 0 ? o->points : r.letters[1]};
    const double font = *o->font ? OTHER_FONT : 1;
    r.legend = shrunk(r.legend, BESIDE_LEGEND, font * small(r.letters[0]) / small(points[0]));
    r.title = shrunk(r.title, 0, font * r.letters[0] / points[0]);
    r.panel_title = shrunk(r.panel_title, 0, font * r.letters[1] / points[1]);
    r.panel_legend = shrunk(r.panel_legend, BESIDE_PANEL, font * small(r.letters[1]) / small(points[1]));
    r.short_name = shrunk(r.short_name, BESIDE_PANEL / 2, font * small(r.letters[1]) / small(points[1]));
    for (int i = 0; i < 2; i++)
        r.units[i] = shrunk(r.units[i], BESIDE_UNITS, font * small(r.letters[1]) / small(points[1]));
    set_maps(&r, o->page, small(points[1]), font);
    return r;
}

bool skl_sheet_in_corner(const struct skl_sheet *sheet, int names)
{
    const int legend = sheet->options->legend;
    return legend != SKL_LEGEND_BELOW && legend != SKL_LEGEND_NONE && names <= SKL_CORNER_ROWS;
}

void skl_script_legend(struct skl_script *s, const struct skl_sheet *sheet, int names)
{
    const int legend = sheet->options->legend;
    const bool moved = legend != SKL_LEGEND_NONE && !skl_sheet_in_corner(sheet, names);
    fprintf(s->out, "LEGEND = '%s'\n", skl_figure_legends[moved ? SKL_LEGEND_BELOW : legend]);
}

int skl_sheet_name_room(const struct skl_sheet *sheet, int legend, int names)
{
    const int room = legend - SKL_LEGEND_ENTRY;
    return skl_sheet_in_corner(sheet, names) ? room / 2 : room;
}

void skl_script_open(struct skl_script *s, const char *stem)
{
    s->stem = stem;
    s->out = skl_text_open(&s->text);
    fprintf(s->out,
            "# 'skiplab plot' writes this file anew each time: copy it to keep changes.\n"
            "# Draw it, in this folder: gnuplot %s.gp.  A copy draws pictures of its own name.\n\nNAME = '%s'\n",
            stem, stem);
}

void skl_script_text(struct skl_script *s, const char *name, const char *text)
{
    fprintf(s->out, "%s = ", name);
    skl_gnuplot_text(s->out, text ? text : "");
    fputc('\n', s->out);
}

/* Lines are joined by gnuplot, as a single-quoted string holds no line break. */
void skl_script_item(struct skl_script *s, const char *name, int i, const char *text)
{
    fprintf(s->out, "%s[%d] = ", name, i);
    char *copy = skl_strdup(text ? text : ""), *rest = copy;
    char *first = strsep(&rest, "\n");
    skl_gnuplot_text(s->out, first);
    if (rest) {
        fputs(".\"\\n\".", s->out);
        skl_gnuplot_text(s->out, rest);
    }
    fputc('\n', s->out);
    free(copy);
}

void skl_script_arrays(struct skl_script *s, const char *size, const char *const *names)
{
    for (; *names; names++) fprintf(s->out, "array %s[%s]\n", *names, size);
}

void skl_script_metric(struct skl_script *s, const char *name, int metric)
{
    const struct skl_metric_info *m = &skl_metric_table[metric];
    fprintf(s->out, "%s = '%s%s%s'\n", name, m->label, *m->unit ? ", " : "", m->unit);
}

int skl_script_close(struct skl_script *s, struct skl_sheet *sheet, const char *template, char *caption, char *alt,
                     struct skl_err *err)
{
    const struct skl_figure_options *o = sheet->options;
    if (o->page != SKL_PAGE_FREE) fprintf(s->out, "PAGE = '%s'\n", skl_figure_widths[o->page - 1]);
    if (*o->font) fprintf(s->out, "FONT_NAME = '%s'\n", o->font); /* skl_figure_font() looked at it */
    if (o->points > 0) fprintf(s->out, "FONT_SIZE = %.9g\n", o->points);
    fprintf(s->out, "\n%s", template);
    skl_text_close(&s->text);
    char *path = skl_format("%s/%s.gp", sheet->folder, s->stem);
    int status = skl_file_write_quick(path, s->text.text, s->text.n, err);
    free(path);
    free(s->text.text);
    struct skl_figures *f = sheet->figures;
    *SKL_ADD(f->figure, f->count) = (struct skl_figure){skl_strdup(s->stem), caption, alt};
    return status;
}

int skl_sheet_key_rows(char *const *label, int count, int width)
{
    int widest = 1;
    for (int i = 0; i < count; i++) widest = skl_text_width(label[i]) > widest ? skl_text_width(label[i]) : widest;
    int columns = width / (SKL_LEGEND_ENTRY + widest);
    columns = columns < 1 ? 1 : columns > 4 ? 4 : columns;
    return (count + columns - 1) / columns;
}

int skl_sheet_data(const struct skl_sheet *sheet, const char *file, char *text, size_t n, struct skl_err *err)
{
    char *path = skl_path(sheet->folder, file);
    int status = skl_file_write_quick(path, text, n, err);
    free(path);
    free(text);
    return status;
}
