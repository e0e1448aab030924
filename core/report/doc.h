/* doc.h - a report as a list of headings, paragraphs, tables and figures, written as HTML, Markdown or LaTeX.
 * Every text given here is plain text: it is made printable on its way in (skl_text_clean) and escaped on its way out,
 * so that whatever a variant is called stays text in all three. */
#ifndef SKL_DOC_H
#define SKL_DOC_H
#include <stdbool.h>
#include "core/base/err.h"

enum skl_block_kind { SKL_HEADING, SKL_TEXT, SKL_ITEM, SKL_TABLE, SKL_FIGURE };
enum { SKL_CELL_STRONG = 1, SKL_CELL_MUTED = 2 };
struct skl_column {
    char *head, *title; /* title: what it means, NULL: nothing to say */
    bool number;        /* to the right, in figures of one width */
};
struct skl_cell {
    char *text;
    int flags;
};
struct skl_block {
    enum skl_block_kind kind;
    int level;  /* of a heading, from 2 */
    char *text; /* heading, paragraph, item, caption */
    char *lead; /* begins a paragraph or item, strong; NULL: none */
    struct skl_column *column;
    int columns;
    struct skl_cell *cell; /* [rows, columns]; the first of each row heads it */
    int cells;
    char *folder, *file, *alt; /* a figure is folder/file.svg; a reader of the Markdown finds it at link/file.svg */
    char *link;
};
struct skl_doc {
    char *title;
    int reload; /* of the HTML: seconds after which a browser loads it again; 0: never */
    struct skl_block *block;
    int count;
};

#define SKL_FORMAT(fmt, args) __attribute__((format(printf, fmt, args)))
void skl_doc_title(struct skl_doc *doc, const char *fmt, ...) SKL_FORMAT(2, 3);
void skl_doc_heading(struct skl_doc *doc, int level, const char *fmt, ...) SKL_FORMAT(3, 4);
void skl_doc_text(struct skl_doc *doc, const char *lead, const char *fmt, ...) SKL_FORMAT(3, 4);
void skl_doc_item(struct skl_doc *doc, const char *lead, const char *fmt, ...) SKL_FORMAT(3, 4);
/* A table: then its columns, then its cells row by row. */
void skl_doc_table(struct skl_doc *doc, const char *fmt, ...) SKL_FORMAT(2, 3);
void skl_doc_column(struct skl_doc *doc, bool number, const char *head, const char *title);
void skl_doc_cell(struct skl_doc *doc, int flags, const char *fmt, ...) SKL_FORMAT(3, 4);
void skl_doc_figure(struct skl_doc *doc, const char *folder, const char *link, const char *file, const char *alt,
                    const char *fmt, ...) SKL_FORMAT(6, 7);
void skl_doc_release(struct skl_doc *doc);
int skl_block_rows(const struct skl_block *table);

/* malloc'd.  The HTML is one page that needs no network and no script; a figure that cannot be read is left out. */
char *skl_doc_html(const struct skl_doc *doc);
char *skl_doc_markdown(const struct skl_doc *doc);
char *skl_doc_latex(const struct skl_doc *doc); /* a whole document; tables and figures */
#endif
