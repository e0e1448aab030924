#include "core/report/doc.h"

#include <stdarg.h>
#include <stdlib.h>

#include "core/base/grow.h"
#include "core/report/text.h"

static char *clean_v(const char *fmt, va_list args)
{
    char *raw = skl_vformat(fmt, args);
    char *text = skl_text_clean(raw);
    free(raw);
    return text;
}

#define CLEAN(text, fmt) \
    do { \
        va_list args; \
        va_start(args, fmt); \
        (text) = clean_v(fmt, args); \
        va_end(args); \
    } while (0)

static struct skl_block *add(struct skl_doc *doc, enum skl_block_kind kind)
{
    struct skl_block *b = SKL_ADD(doc->block, doc->count);
    b->kind = kind;
    return b;
}

void skl_doc_title(struct skl_doc *doc, const char *fmt, ...) { CLEAN(doc->title, fmt); }

void skl_doc_heading(struct skl_doc *doc, int level, const char *fmt, ...)
{
    struct skl_block *b = add(doc, SKL_HEADING);
    b->level = level;
    CLEAN(b->text, fmt);
}

void skl_doc_text(struct skl_doc *doc, const char *lead, const char *fmt, ...)
{
    struct skl_block *b = add(doc, SKL_TEXT);
    b->lead = lead ? skl_text_clean(lead) : NULL;
    CLEAN(b->text, fmt);
}

void skl_doc_item(struct skl_doc *doc, const char *lead, const char *fmt, ...)
{
    struct skl_block *b = add(doc, SKL_ITEM);
    b->lead = lead ? skl_text_clean(lead) : NULL;
    CLEAN(b->text, fmt);
}

void skl_doc_table(struct skl_doc *doc, const char *fmt, ...)
{
    struct skl_block *b = add(doc, SKL_TABLE);
    CLEAN(b->text, fmt);
}

static struct skl_block *table(struct skl_doc *doc)
{
    SKL_CHECK(doc->count > 0 && doc->block[doc->count - 1].kind == SKL_TABLE);
    return &doc->block[doc->count - 1];
}

void skl_doc_column(struct skl_doc *doc, bool number, const char *head, const char *title)
{
    struct skl_block *b = table(doc);
    SKL_CHECK(b->cells == 0);
    *SKL_ADD(b->column, b->columns) =
        (struct skl_column){skl_text_clean(head), title ? skl_text_clean(title) : NULL, number};
}

void skl_doc_cell(struct skl_doc *doc, int flags, const char *fmt, ...)
{
    struct skl_block *b = table(doc);
    struct skl_cell *c = SKL_ADD(b->cell, b->cells);
    c->flags = flags;
    CLEAN(c->text, fmt);
}

int skl_block_rows(const struct skl_block *b)
{
    SKL_CHECK(b->columns > 0 && b->cells % b->columns == 0);
    return b->cells / b->columns;
}

void skl_doc_figure(struct skl_doc *doc, const char *folder, const char *link, const char *file, const char *alt,
                    const char *fmt, ...)
{
    struct skl_block *b = add(doc, SKL_FIGURE);
    b->folder = skl_strdup(folder);
    b->link = skl_strdup(link);
    b->file = skl_strdup(file);
    b->alt = skl_text_clean(alt);
    CLEAN(b->text, fmt);
}

static void release(struct skl_block *b)
{
    for (int i = 0; i < b->columns; i++) {
        free(b->column[i].head);
        free(b->column[i].title);
    }
    for (int i = 0; i < b->cells; i++) free(b->cell[i].text);
    free(b->column);
    free(b->cell);
    free(b->text);
    free(b->lead);
    free(b->folder);
    free(b->link);
    free(b->file);
    free(b->alt);
}

void skl_doc_release(struct skl_doc *doc)
{
    for (int i = 0; i < doc->count; i++) release(&doc->block[i]);
    free(doc->block);
    free(doc->title);
    *doc = (struct skl_doc){0};
}
