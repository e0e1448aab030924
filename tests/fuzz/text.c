/* A label of the user's through everything that writes it: gnuplot's scripts, the report's three forms.
 * Whatever it says, the number of things with a meaning stays what it is for a harmless label. */
#include <ctype.h>
#include <stdbool.h>
#include "core/config/figure.h"
#include "core/report/doc.h"
#include "core/report/text.h"
#include "tests/fuzz/fuzz.h"

/* ---- gnuplot: single-quoted strings on one line, joined by "'" ---- */

static void check_gnuplot(const char *label)
{
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    FUZZ_CHECK(out);
    skl_gnuplot_text(out, label);
    fclose(out);
    FUZZ_CHECK(strlen(text) == n);
    for (const char *p = text;; p += 5) {
        FUZZ_CHECK(*p == '\'');
        for (p++; *p != '\''; p++) FUZZ_CHECK((unsigned char)*p >= ' ' && *p != 0x7f);
        if (*++p == 0) break;
        FUZZ_CHECK(!strncmp(p, ".\"'\".", 5));
    }
    free(text);
}

/* Their texts have no line ends. */
static void check_widths(const char *label)
{
    char *text = skl_text_clean(label);
    for (int width = 200; width < 4000; width *= 3) {
        char *fit = skl_text_fit(text, width), *wrap = skl_text_wrap(text, width), *second = strchr(wrap, '\n');
        FUZZ_CHECK(skl_text_width(fit) <= width);
        if (second) *second++ = 0;
        FUZZ_CHECK(skl_text_width(wrap) <= width && (!second || skl_text_width(second) <= width));
        free(fit);
        free(wrap);
    }
    free(text);
}

/* What is taken as a font stands in scripts, in commands within their strings, and in pictures, as it is. */
static void check_font(const char *label)
{
    char name[SKL_FONT_NAME_MAX];
    double points;
    if (!skl_figure_font(label, name, &points)) return;
    FUZZ_CHECK(points == 0 || (points >= 5 && points <= 24));
    for (const char *p = name; *p; p++) FUZZ_CHECK((unsigned char)*p >= ' ' && !strchr("'\"`\\<>&$%@{}|,:;()", *p));
}

/* ---- reports ---- */

static void make(struct skl_doc *doc, const char *label)
{
    skl_doc_title(doc, "%s", label);
    skl_doc_heading(doc, 2, "%s", label);
    skl_doc_text(doc, label, "%s", label);
    skl_doc_text(doc, NULL, "%s", label);
    skl_doc_item(doc, NULL, "%s", label);
    skl_doc_table(doc, "%s", label);
    skl_doc_column(doc, false, label, label);
    skl_doc_column(doc, true, label, NULL);
    for (int i = 0; i < 4; i++) skl_doc_cell(doc, i % 4, "%s", label);
    skl_doc_figure(doc, fuzz_folder(), "figures", "f", label, "%s", label);
}

enum { COUNTS = 12 };
struct counts {
    int n[COUNTS];
};

FUZZ_UNTRACED static bool begins(const char *p, const char *const *words, size_t *length)
{
    for (; *words; words++)
        if (*p == **words && !strncmp(p, *words, *length = strlen(*words))) return true;
    return false;
}

/* 0 tags, 1 attributes. */
FUZZ_UNTRACED static void count_html(const char *p, struct counts *c)
{
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;", NULL};
    static const char *const tags[] = {"!DOCTYPE ", "html",  "head",        "meta ", "title", "style", "body",
                                       "main",      "h1>",   "h2>",         "p",     "ul>",   "li>",   "strong>",
                                       "div",       "table", "thead",       "tbody", "tr>",   "th",    "td",
                                       "figure>",   "img ",  "figcaption>", NULL};
    while (*p) {
        size_t n;
        if (*p == '&') FUZZ_CHECK(begins(p, entities, &n));
        FUZZ_CHECK(*p != '>');
        if (*p++ != '<') continue;
        p += *p == '/';
        if (!strncmp(p, "wbr>", 4)) { /* between the parts of a long word */
            p += 4;
            continue;
        }
        FUZZ_CHECK(begins(p, tags, &n));
        c->n[0]++;
        for (bool quoted = false; quoted || *p != '>'; p++) {
            FUZZ_CHECK(*p && *p != '<' && *p != '>');
            if (*p == '"') quoted = !quoted;
            c->n[1] += *p == '=' && !quoted;
        }
        p++;
    }
}

/* The signs that begin something, unless a backslash stands before them. */
FUZZ_UNTRACED static void count_markdown(const char *p, struct counts *c)
{
    static const char signs[] = "\n|*[]`<>~$!";
    for (; *p; p++) {
        if (*p == '\\') {
            FUZZ_CHECK(p[1] && ispunct((unsigned char)p[1]));
            p++;
            continue;
        }
        const char *sign = strchr(signs, *p);
        if (sign) c->n[sign - signs]++;
    }
}

/* 0 line ends, then the characters with a meaning; backslashes begin a known command or escape a character. */
FUZZ_UNTRACED static void count_latex(const char *p, struct counts *c)
{
    static const char signs[] = "\n%$#&^_~";
    static const char *const commands[] = {"textbackslash{}",
                                           "textasciitilde{}",
                                           "textasciicircum{}",
                                           "textless{}",
                                           "textgreater{}",
                                           "textbar{}",
                                           "textquotedbl{}",
                                           "textquotesingle{}",
                                           "textasciigrave{}",
                                           "ensuremath{-}",
                                           "ensuremath{\\",
                                           "times}",
                                           "le}",
                                           "sigma}",
                                           "dots{}",
                                           "textperiodcentered{}",
                                           NULL};
    int depth = 0;
    for (; *p; p++) {
        size_t n;
        depth += (*p == '{') - (*p == '}');
        FUZZ_CHECK(depth >= 0);
        const char *sign = strchr(signs, *p);
        if (sign) c->n[sign - signs]++;
        if (*p != '\\') continue;
        if (strchr("&%$#_{}", p[1]))
            p++;
        else if (!begins(p + 1, commands, &n))
            c->n[COUNTS - 1]++; /* a command of the report's own */
    }
    FUZZ_CHECK(depth == 0);
}

FUZZ_UNTRACED static void count_all(const char *label, struct counts count[3])
{
    struct skl_doc doc = {0};
    make(&doc, label);
    char *html = skl_doc_html(&doc), *markdown = skl_doc_markdown(&doc), *latex = skl_doc_latex(&doc);
    count_html(html, &count[0]);
    count_markdown(markdown, &count[1]);
    count_latex(strstr(latex, "\\begin{document}"), &count[2]);
    free(html);
    free(markdown);
    free(latex);
    skl_doc_release(&doc);
}

void fuzz_one(const uint8_t *data, size_t n)
{
    if (n == 0 || data[0] == 0) return; /* an empty cell is not written in bold */
    static const char *const forms[] = {"HTML", "Markdown", "LaTeX"};
    static struct counts harmless[3];
    if (!harmless[0].n[0]) {
        fuzz_file("f.svg", "<svg/>", 6);
        count_all("label", harmless);
        FUZZ_CHECK(harmless[0].n[0] && harmless[1].n[0] && harmless[2].n[0]);
    }
    char *label = fuzz_text(data, n);
    struct counts count[3] = {0};
    check_font(label);
    check_gnuplot(label);
    check_widths(label);
    count_all(label, count);
    for (int i = 0; i < 3 * COUNTS; i++) {
        int form = i / COUNTS, k = i % COUNTS;
        if (count[form].n[k] == harmless[form].n[k]) continue;
        fprintf(stderr, "%s, sign %d: %d instead of %d\n", forms[form], k, count[form].n[k], harmless[form].n[k]);
        FUZZ_CHECK(!"a label that is more than text");
    }
    free(label);
}
