#include "core/report/sheet.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/report/text.h"

const char *const skl_page_words[] = {"free", "3.4in", "6.6in", "slide", NULL};

/* Of plots/style.gp's and the templates' widths and fonts. */
const struct skl_page_room skl_page_room[] = {
    [SKL_PAGE_FREE] = {SKL_LEGEND_WIDTH, SKL_TITLE_WIDTH, 3060, 2550, 1500, 0},
    [SKL_PAGE_COLUMN] = {2850, 2800, 2700, 1950, 1200, 1},
    [SKL_PAGE_TWO_COLUMNS] = {SKL_LEGEND_WIDTH, SKL_TITLE_WIDTH, 2600, 1850, 1100, 2},
    [SKL_PAGE_SLIDE] = {3900, 3800, 3060, 2550, 1500, 2},
};

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
    fprintf(s->out, "PAGE = '%s'\n\n%s", skl_page_words[sheet->options->page], template);
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
    int columns = width / (SKL_LEGEND_ENTRY + widest * 6 / 5); /* gnuplot takes text for wider than it is */
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
