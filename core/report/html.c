/* html.c - a report as one page: no network, no script; figures as data.  Readable on paper, on a narrow screen, in the
 * dark, and by ear. */
#include "core/report/doc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/base/bounds.h"

enum { NARROW = 8 }; /* columns that a page shows as a rule */

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"skiplab report\">\n";

static const char style[] =
    "<style>\n"
    ":root{--ink:#1a1d21;--soft:#585f69;--line:#d3d7dd;--head:#f1f3f5;--page:#fff;--mark:#a3271b;--link:#0b5394;--"
    "shade:#0006}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--soft:#a3aab4;--line:#3c4249;--head:#22262b;"
    "--page:#15181b;--mark:#ff9a8d;--link:#8ab8ee;--shade:#000c}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:100rem;padding:1.5rem 1.25rem 4rem;background:var(--page);color:var(--ink);"
    "font:1rem/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\n"
    "h1{font-size:1.7rem;line-height:1.25;margin:0 0 1rem}\n"
    "h2{font-size:1.3rem;margin:2.5rem 0 .75rem;padding-top:.75rem;border-top:1px solid var(--line)}\n"
    "h3{font-size:1.05rem;margin:1.75rem 0 .5rem}\n"
    "p,ul{max-width:50rem;margin:.5rem 0}\n"
    "ul{padding-left:1.25rem}\nli{margin:.25rem 0}\n"
    "p,li,td,th,h1,h2,h3,figcaption{overflow-wrap:anywhere}\n"
    /* A shade at the edge beyond which there is more; what lies at the table's own end covers it. */
    ".wide{overflow-x:auto;margin:.5rem 0 1rem;"
    "background:linear-gradient(to left,var(--page) 40%,transparent) right/3rem 100% no-repeat local,"
    "linear-gradient(to left,var(--shade),transparent) right/1.25rem 100% no-repeat scroll}\n"
    ".more{display:none}@media screen and (max-width:100rem){.more{display:inline}}\n"
    ".wide:focus-visible,a:focus-visible{outline:2px solid var(--link);outline-offset:2px}\n"
    "table{border-collapse:separate;border-spacing:0;font-size:.875rem;line-height:1.35}\n"
    ".caption{color:var(--soft);font-size:.9rem;margin-top:1rem}\n"
    "th,td{padding:.35rem .5rem;text-align:left;vertical-align:baseline;border-top:1px solid var(--line);"
    "overflow-wrap:normal}\n"
    "thead th{vertical-align:bottom;background:var(--head);border-top:0;border-bottom:2px solid var(--soft)}\n"
    "tbody tr:first-child :is(th,td){border-top:0}tbody tr:last-child :is(th,td){border-bottom:1px solid var(--line)}\n"
    "tbody th{font-weight:600;min-width:8rem;position:sticky;left:0;background:var(--page)}\n"
    "th.n,td.n{text-align:right;font-variant-numeric:tabular-nums}\n"
    "td.n{white-space:nowrap}\n"
    "td.t{min-width:5rem}\n"
    "td.soft{color:var(--soft)}\n"
    "td.strong{color:var(--mark);font-weight:600}\n"
    "figure{margin:1.5rem 0}\n"
    "figure img{display:block;height:auto;max-width:max(100%,40rem);background:#fff;border:1px solid var(--line);"
    "padding:.5rem}\n"
    "figcaption{color:var(--soft);font-size:.9rem;margin-top:.5rem;max-width:50rem}\n"
    "@media print{:root{--ink:#000;--soft:#444;--line:#bbb;--head:#eee;--page:#fff;--mark:#7a1a10}"
    "body{max-width:none;padding:0;font-size:10pt}.wide{overflow:visible}table{font-size:7.5pt}"
    "th,td{padding:.15rem .3rem}tbody th,td.t{min-width:0;position:static}thead{display:table-header-group}"
    "tr,figure{break-inside:avoid}h2,h3{break-after:avoid}}\n"
    "@page{size:A4 landscape;margin:14mm}\n"
    "</style>\n";

static void put(FILE *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        switch (*p) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc(*p, out);
        }
    }
}

/* A key may be broken after an underscore, else it makes its column wide. */
static void put_breakable(FILE *out, const char *text)
{
    char part[2] = "";
    for (const char *p = text; *p; p++) {
        part[0] = *p;
        put(out, part);
        if (*p == '_') fputs("<wbr>", out);
    }
}

/* A case's name is broken beside its commas, not around an equals sign. */
static void put_case(FILE *out, const char *text)
{
    for (const char *sign; (sign = strstr(text, " = ")); text = sign + 3) {
        char *before = skl_format("%.*s", (int)(sign - text), text);
        put(out, before);
        fputs("&nbsp;=&nbsp;", out);
        free(before);
    }
    put(out, text);
}

static void put_base64(FILE *out, const unsigned char *data, size_t n)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)data[i] << 16;
        if (i + 1 < n) v |= (uint32_t)data[i + 1] << 8;
        if (i + 2 < n) v |= data[i + 2];
        fputc(digit[v >> 18], out);
        fputc(digit[v >> 12 & 63], out);
        fputc(i + 1 < n ? digit[v >> 6 & 63] : '=', out);
        fputc(i + 2 < n ? digit[v & 63] : '=', out);
    }
}

static void put_lead(FILE *out, const struct skl_block *b)
{
    if (!b->lead) return;
    fputs("<strong>", out);
    put(out, b->lead);
    fputs("</strong> ", out);
}

static void put_head_row(FILE *out, const struct skl_block *b)
{
    fputs("<thead>\n<tr>", out);
    for (int i = 0; i < b->columns; i++) {
        fprintf(out, "<th scope=\"col\"%s", b->column[i].number ? " class=\"n\"" : "");
        if (b->column[i].title) {
            fputs(" title=\"", out);
            put(out, b->column[i].title);
            fputc('"', out);
        }
        fputc('>', out);
        put_breakable(out, b->column[i].head);
        fputs("</th>", out);
    }
    fputs("</tr>\n</thead>\n", out);
}

static void put_cell(FILE *out, const struct skl_block *b, int i)
{
    const struct skl_cell *c = &b->cell[i];
    bool number = b->column[i % b->columns].number;
    const char *look = c->flags & SKL_CELL_STRONG ? "strong" : c->flags & SKL_CELL_MUTED ? "soft" : "";
    if (i % b->columns == 0) {
        fputs("<tr><th scope=\"row\">", out);
    } else if (number || *look) {
        fprintf(out, "<td class=\"%s%s%s\">", number ? "n" : "", number && *look ? " " : "", look);
    } else {
        fprintf(out, "<td%s>", strchr(c->text, ' ') ? " class=\"t\"" : "");
    }
    if (i % b->columns == 0)
        put_case(out, c->text);
    else
        put(out, c->text);
    fputs(i % b->columns == 0 ? "</th>" : "</td>", out);
    if (i % b->columns == b->columns - 1) fputs("</tr>\n", out);
}

/* A region that scrolls must be reachable by keyboard; its caption stays where it is. */
static void put_table(FILE *out, const struct skl_block *b, int number)
{
    if (skl_block_rows(b) == 0) return;
    fprintf(out, "<p class=\"caption\" id=\"t%d\">", number);
    put(out, b->text);
    if (b->columns > NARROW) fputs("<span class=\"more\"> The table scrolls: more columns to the right.</span>", out);
    fprintf(out,
            "</p>\n<div class=\"wide\" role=\"region\" aria-labelledby=\"t%d\" tabindex=\"0\">\n"
            "<table aria-labelledby=\"t%d\">\n",
            number, number);
    put_head_row(out, b);
    fputs("<tbody>\n", out);
    for (int i = 0; i < b->cells; i++) put_cell(out, b, i);
    fputs("</tbody>\n</table>\n</div>\n", out);
}

/* The size that the picture asks for, in CSS pixels: its view box.  Without it a browser would fill the line. */
static void put_size(FILE *out, const char *svg)
{
    double w, h;
    const char *box = strstr(svg, "viewBox=\"0 0 ");
    if (box && sscanf(box + 13, "%lf %lf\"", &w, &h) == 2 && w > 0 && h > 0 && w < 1e5 && h < 1e5)
        fprintf(out, " width=\"%.0f\" height=\"%.0f\"", w, h);
}

/* As an image, not as elements of the page: nothing in it can act here, and ids cannot meet. */
static void put_figure(FILE *out, const struct skl_block *b)
{
    char *path = skl_format("%s/%s.svg", b->folder, b->file), *data;
    size_t n;
    if (skl_file_read(path, SKL_LIMIT_FIGURE, &data, &n, NULL) == SKL_OK) {
        fputs("<figure>\n<div class=\"wide\"><img alt=\"", out);
        put(out, b->alt);
        fputc('"', out);
        put_size(out, data);
        fputs(" src=\"data:image/svg+xml;base64,", out);
        put_base64(out, (const unsigned char *)data, n);
        fputs("\"></div>\n<figcaption>", out);
        put(out, b->text);
        fputs("</figcaption>\n</figure>\n", out);
        free(data);
    }
    free(path);
}

static void put_block(FILE *out, const struct skl_doc *doc, int i)
{
    const struct skl_block *b = &doc->block[i];
    switch (b->kind) {
    case SKL_HEADING:
        fprintf(out, "<h%d>", b->level);
        put(out, b->text);
        fprintf(out, "</h%d>\n", b->level);
        break;
    case SKL_TEXT:
        fputs("<p>", out);
        put_lead(out, b);
        put(out, b->text);
        fputs("</p>\n", out);
        break;
    case SKL_ITEM:
        if (i == 0 || doc->block[i - 1].kind != SKL_ITEM) fputs("<ul>\n", out);
        fputs("<li>", out);
        put_lead(out, b);
        put(out, b->text);
        fputs("</li>\n", out);
        if (i + 1 == doc->count || doc->block[i + 1].kind != SKL_ITEM) fputs("</ul>\n", out);
        break;
    case SKL_TABLE:
        put_table(out, b, i);
        break;
    case SKL_FIGURE:
        put_figure(out, b);
        break;
    }
}

char *skl_doc_html(const struct skl_doc *doc)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    fputs(head, out);
    if (doc->reload) fprintf(out, "<meta http-equiv=\"refresh\" content=\"%d\">\n", doc->reload);
    fputs("<title>", out);
    put(out, doc->title);
    fputs("</title>\n", out);
    fputs(style, out);
    fputs("</head>\n<body>\n<main>\n<h1>", out);
    put(out, doc->title);
    fputs("</h1>\n", out);
    for (int i = 0; i < doc->count; i++) put_block(out, doc, i);
    fputs("</main>\n</body>\n</html>\n", out);
    return skl_text_close(&t);
}
