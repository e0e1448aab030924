/* latex.c - a report as a LaTeX document of standard packages, whose tables can be taken out as they stand. */
#include "core/report/doc.h"

#include <stdio.h>
#include <string.h>

#include "core/base/grow.h"
#include "core/base/say.h"

static const char preamble[] =
    "% Written by skiplab report.  Draw it with pdflatex, lualatex or xelatex, or take tables out of it.\n"
    "\\documentclass[a4paper,landscape]{article}\n"
    "\\ifdefined\\pdftexversion\n\\usepackage[T1]{fontenc}\n\\usepackage[utf8]{inputenc}\n\\usepackage{textcomp}\n"
    "\\newcommand{\\sign}[2]{[U+#1]} % a character that pdflatex has no font for\n"
    "\\else\n\\newcommand{\\sign}[2]{#2}\n\\fi\n"
    "\\usepackage[margin=18mm]{geometry}\n\\usepackage{longtable,graphicx,color}\n"
    "\\IfFileExists{booktabs.sty}{\\usepackage{booktabs}}"
    "{\\let\\toprule\\hline\\let\\midrule\\hline\\let\\bottomrule\\hline}\n"
    "\\setlength{\\parindent}{0pt}\\setlength{\\parskip}{4pt}\\setlength{\\tabcolsep}{3pt}\n"
    "\\setlength{\\LTcapwidth}{\\textwidth}\n"
    "\\begin{document}\n";

/* Signs that pdflatex has no letter for. */
static const struct {
    const char *from, *to;
} signs[] = {
    {"α", "\\ensuremath{\\alpha}"},
    {"β", "\\ensuremath{\\beta}"},
    {"γ", "\\ensuremath{\\gamma}"},
    {"δ", "\\ensuremath{\\delta}"},
    {"ε", "\\ensuremath{\\varepsilon}"},
    {"ζ", "\\ensuremath{\\zeta}"},
    {"η", "\\ensuremath{\\eta}"},
    {"θ", "\\ensuremath{\\theta}"},
    {"ι", "\\ensuremath{\\iota}"},
    {"κ", "\\ensuremath{\\kappa}"},
    {"λ", "\\ensuremath{\\lambda}"},
    {"μ", "\\ensuremath{\\mu}"},
    {"ν", "\\ensuremath{\\nu}"},
    {"ξ", "\\ensuremath{\\xi}"},
    {"π", "\\ensuremath{\\pi}"},
    {"ρ", "\\ensuremath{\\rho}"},
    {"σ", "\\ensuremath{\\sigma}"},
    {"τ", "\\ensuremath{\\tau}"},
    {"υ", "\\ensuremath{\\upsilon}"},
    {"φ", "\\ensuremath{\\varphi}"},
    {"χ", "\\ensuremath{\\chi}"},
    {"ψ", "\\ensuremath{\\psi}"},
    {"ω", "\\ensuremath{\\omega}"},
    {"Γ", "\\ensuremath{\\Gamma}"},
    {"Δ", "\\ensuremath{\\Delta}"},
    {"Θ", "\\ensuremath{\\Theta}"},
    {"Λ", "\\ensuremath{\\Lambda}"},
    {"Ξ", "\\ensuremath{\\Xi}"},
    {"Π", "\\ensuremath{\\Pi}"},
    {"Σ", "\\ensuremath{\\Sigma}"},
    {"Φ", "\\ensuremath{\\Phi}"},
    {"Ψ", "\\ensuremath{\\Psi}"},
    {"Ω", "\\ensuremath{\\Omega}"},
    {"−", "\\ensuremath{-}"},
    {"×", "\\ensuremath{\\times}"},
    {"≤", "\\ensuremath{\\le}"},
    {"≥", "\\ensuremath{\\ge}"},
    {"≠", "\\ensuremath{\\ne}"},
    {"≈", "\\ensuremath{\\approx}"},
    {"∞", "\\ensuremath{\\infty}"},
    {"→", "\\ensuremath{\\to}"},
    {"∘", "\\ensuremath{\\circ}"},
    {"√", "\\ensuremath{\\surd}"},
    {"–", "--"},
    {"—", "---"},
    {"…", "\\dots{}"},
    {"·", "\\textperiodcentered{}"},
    {"₀", "\\ensuremath{_0}"},
    {"₁", "\\ensuremath{_1}"},
    {"₂", "\\ensuremath{_2}"},
    {"₃", "\\ensuremath{_3}"},
    {"₄", "\\ensuremath{_4}"},
    {"₅", "\\ensuremath{_5}"},
    {"₆", "\\ensuremath{_6}"},
    {"₇", "\\ensuremath{_7}"},
    {"₈", "\\ensuremath{_8}"},
    {"₉", "\\ensuremath{_9}"},
    {"⁰", "\\ensuremath{^0}"},
    {"¹", "\\ensuremath{^1}"},
    {"²", "\\ensuremath{^2}"},
    {"³", "\\ensuremath{^3}"},
    {"⁴", "\\ensuremath{^4}"},
    {"⁵", "\\ensuremath{^5}"},
    {"⁶", "\\ensuremath{^6}"},
    {"⁷", "\\ensuremath{^7}"},
    {"⁸", "\\ensuremath{^8}"},
    {"⁹", "\\ensuremath{^9}"},
    {"⁻", "\\ensuremath{^-}"},
};

/* What pdflatex's T1 fonts hold beyond ASCII; all else of Unicode, such as Chinese, needs lualatex or xelatex. */
static const struct {
    unsigned first, last;
} letters[] = {{0xa0, 0x125},  {0x128, 0x137}, {0x139, 0x13e},   {0x141, 0x148},   {0x14a, 0x165},
               {0x168, 0x17e}, {0x218, 0x21b}, {0x2018, 0x201a}, {0x201c, 0x201e}, {0x20ac, 0x20ac}};

static bool has_letter(unsigned code)
{
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (code >= letters[i].first && code <= letters[i].last) return true;
    return code < 0x80;
}

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

static size_t put_letter(FILE *out, const char *p)
{
    unsigned code = 0;
    int n = skl_utf8_length(p, &code);
    if (n == 0 || has_letter(code)) {
        fwrite(p, 1, n ? (size_t)n : 1, out);
    } else {
        fprintf(out, "\\sign{%04X}{%.*s}", code, n, p);
    }
    return n ? (size_t)n : 1;
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
        return put_letter(out, p);
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
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    fputs(preamble, out);
    fputs("\\section*{", out);
    put(out, doc->title);
    fputs("}\n", out);
    for (int i = 0; i < doc->count; i++) put_block(out, doc, i);
    fputs("\n\\end{document}\n", out);
    return skl_text_close(&t);
}
