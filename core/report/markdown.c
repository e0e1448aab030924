/* markdown.c - a report as Markdown with tables (GitHub's form). */
#include "core/base/grow.h"
#include "core/report/doc.h"

#include <stdio.h>
#include <string.h>

/* Whatever could begin a construct is escaped; '<' and '&' as entities, since some readers take a backslash before
 * them as it stands. */
static void put(FILE *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        bool first = p == text;
        if (*p == '<')
            fputs("&lt;", out);
        else if (*p == '>')
            fputs("&gt;", out);
        else if (*p == '&')
            fputs("&amp;", out);
        else if (strchr("\\`*_[]|~$!", *p) || (first && strchr("#+-", *p)))
            fprintf(out, "\\%c", *p);
        else
            fputc(*p, out);
    }
}

static void put_lead(FILE *out, const struct skl_block *b)
{
    if (!b->lead) return;
    fputs("**", out);
    put(out, b->lead);
    fputs("** ", out);
}

static void put_cell(FILE *out, const struct skl_cell *c)
{
    const char *mark = c->flags & SKL_CELL_STRONG && *c->text ? "**" : "";
    fprintf(out, " %s", mark);
    put(out, c->text);
    fprintf(out, "%s |", mark);
}

static void put_table(FILE *out, const struct skl_block *b)
{
    if (skl_block_rows(b) == 0) return;
    put(out, b->text);
    fputs("\n\n|", out);
    for (int i = 0; i < b->columns; i++) {
        fputc(' ', out);
        put(out, b->column[i].head);
        fputs(" |", out);
    }
    fputs("\n|", out);
    for (int i = 0; i < b->columns; i++) fputs(b->column[i].number ? "---:|" : "---|", out);
    for (int i = 0; i < b->cells; i++) {
        if (i % b->columns == 0) fputs("\n|", out);
        put_cell(out, &b->cell[i]);
    }
    fputs("\n\n", out);
}

static void put_block(FILE *out, const struct skl_doc *doc, int i)
{
    const struct skl_block *b = &doc->block[i];
    bool list_goes_on = b->kind == SKL_ITEM && i + 1 < doc->count && doc->block[i + 1].kind == SKL_ITEM;
    switch (b->kind) {
    case SKL_HEADING:
        fprintf(out, "%.*s ", b->level, "######");
        put(out, b->text);
        fputs("\n\n", out);
        break;
    case SKL_TEXT:
    case SKL_ITEM:
        if (b->kind == SKL_ITEM) fputs("- ", out);
        put_lead(out, b);
        put(out, b->text);
        fputs(list_goes_on ? "\n" : "\n\n", out);
        break;
    case SKL_TABLE:
        put_table(out, b);
        break;
    case SKL_FIGURE:
        fputs("![", out);
        put(out, b->alt);
        fprintf(out, "](%s/%s.svg)\n\n", b->link, b->file);
        put(out, b->text);
        fputs("\n\n", out);
        break;
    }
}

char *skl_doc_markdown(const struct skl_doc *doc)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    fputs("# ", out);
    put(out, doc->title);
    fputs("\n\n", out);
    for (int i = 0; i < doc->count; i++) put_block(out, doc, i);
    return skl_text_close(&t);
}
