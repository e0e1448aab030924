/* latex.c - a report as a LaTeX document of standard packages, whose tables can be taken out as they stand. */
#include "core/report/doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char preamble[] =
    "% Written by skiplab report.  Draw it with pdflatex, lualatex or xelatex, or take tables out of it.\n"
    "\\documentclass[a4paper,landscape]{article}\n"
    "\\usepackage[T1]{fontenc}\n\\usepackage[utf8]{inputenc}\n\\usepackage{textcomp}\n"
    "\\usepackage[margin=18mm]{geometry}\n\\usepackage{booktabs,longtable,graphicx,xcolor}\n"
    "\\setlength{\\parindent}{0pt}\\setlength{\\parskip}{4pt}\\setlength{\\tabcolsep}{3pt}\n"
    "\\setlength{\\LTcapwidth}{\\textwidth}\n"
    "\\begin{document}\n";

/* Signs of the reports' own texts that older engines lack. */
static const struct {
    const char *from, *to;
} signs[] = {
    {"−", "\\ensuremath{-}"}, {"–", "--"},  {"×", "\\ensuremath{\\times}"},  {"≤", "\\ensuremath{\\le}"},
    {"…", "\\dots{}"},        {"—", "---"}, {"·", "\\textperiodcentered{}"}, {"σ", "\\ensuremath{\\sigma}"},
};

static const char *special(char c)
{
    switch (c) {
    case '\\':
        return "\\textbackslash{}";
    case '~':
        return "\\textasciitilde{}";
    case '^':
        return "\\textasciicircum{}";
    case '<':
        return "\\textless{}";
    case '>':
        return "\\textgreater{}";
    case '|':
        return "\\textbar{}";
    case '"':
        return "\\textquotedbl{}";
    case '\'':
        return "\\textquotesingle{}";
    case '`':
        return "\\textasciigrave{}";
    case '-':
        return "-{}"; /* two of them are no dash */
    case '[':
        return "{[}"; /* after a row's end it would be its argument */
    case '*':
        return "{*}";
    default:
        return NULL;
    }
}

/* Writes one character; returns its length in bytes. */
static size_t put_char(FILE *out, const char *p)
{
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (*p == *signs[i].from && !strncmp(p, signs[i].from, strlen(signs[i].from))) {
            fputs(signs[i].to, out);
            return strlen(signs[i].from);
        }
    const char *known = special(*p);
    if (known)
        fputs(known, out);
    else if (strchr("&%$#_{}", *p))
        fprintf(out, "\\%c", *p);
    else
        fputc(*p, out);
    return 1;
}

static void put(FILE *out, const char *text)
{
    while (*text) text += put_char(out, text);
}

static void put_lead(FILE *out, const struct skl_block *b)
{
    if (!b->lead) return;
    fputs("\\textbf{", out);
    put(out, b->lead);
    fputs("} ", out);
}

static void put_row_cell(FILE *out, const struct skl_block *b, int i)
{
    const struct skl_cell *c = &b->cell[i];
    if (c->flags & SKL_CELL_STRONG) fputs("\\textbf{", out);
    if (c->flags & SKL_CELL_MUTED) fputs("\\textcolor[gray]{0.4}{", out);
    put(out, c->text);
    if (c->flags & SKL_CELL_MUTED) fputc('}', out);
    if (c->flags & SKL_CELL_STRONG) fputc('}', out);
    fputs((i + 1) % b->columns ? " & " : " \\\\\n", out);
}

static void put_heads(FILE *out, const struct skl_block *b)
{
    fputs("\\toprule\n", out);
    for (int i = 0; i < b->columns; i++) {
        put(out, b->column[i].head);
        fputs(i + 1 < b->columns ? " & " : " \\\\\n", out);
    }
    fputs("\\midrule\n", out);
}

static void put_table(FILE *out, const struct skl_block *b)
{
    if (skl_block_rows(b) == 0) return;
    const char *size = b->columns > 14 ? "\\tiny" : b->columns > 9 ? "\\scriptsize" : "\\small";
    fprintf(out, "\n{%s\n\\begin{longtable}{@{}", size);
    for (int i = 0; i < b->columns; i++) fputc(b->column[i].number ? 'r' : 'l', out);
    fputs("@{}}\n\\caption{", out);
    put(out, b->text);
    fputs("}\\\\\n", out);
    put_heads(out, b);
    fputs("\\endhead\n", out);
    for (int i = 0; i < b->cells; i++) put_row_cell(out, b, i);
    fputs("\\bottomrule\n\\end{longtable}}\n", out);
}

static void put_figure(FILE *out, const struct skl_block *b)
{
    fprintf(out, "\n\\begin{figure}[htbp]\\centering\n");
    fprintf(out, "\\includegraphics[width=\\textwidth,height=0.8\\textheight,keepaspectratio]{%s/%s}\n\\caption{",
            b->link, b->file);
    put(out, b->text);
    fputs("}\n\\end{figure}\n", out);
}

static void put_block(FILE *out, const struct skl_doc *doc, int i)
{
    const struct skl_block *b = &doc->block[i];
    switch (b->kind) {
    case SKL_HEADING:
        fprintf(out, "\n\\%s*{", b->level == 2 ? "section" : "subsection");
        put(out, b->text);
        fputs("}\n", out);
        break;
    case SKL_TEXT:
        fputc('\n', out);
        put_lead(out, b);
        put(out, b->text);
        fputc('\n', out);
        break;
    case SKL_ITEM:
        if (i == 0 || doc->block[i - 1].kind != SKL_ITEM) fputs("\n\\begin{itemize}\n", out);
        fputs("\\item ", out);
        put_lead(out, b);
        put(out, b->text);
        fputc('\n', out);
        if (i + 1 == doc->count || doc->block[i + 1].kind != SKL_ITEM) fputs("\\end{itemize}\n", out);
        break;
    case SKL_TABLE:
        put_table(out, b);
        break;
    case SKL_FIGURE:
        put_figure(out, b);
        break;
    }
}

char *skl_doc_latex(const struct skl_doc *doc)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    SKL_CHECK(out);
    fputs(preamble, out);
    fputs("\\section*{", out);
    put(out, doc->title);
    fputs("}\n", out);
    for (int i = 0; i < doc->count; i++) put_block(out, doc, i);
    fputs("\n\\end{document}\n", out);
    SKL_CHECK(fclose(out) == 0);
    return text;
}
