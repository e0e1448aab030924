/* columns.h - what is known of a setting and of a run: each fact once, with its names in CSV and in JSON, its head in a
 * page's table, and where it comes from.  The formats walk these tables; a new column is a new row of them. */
#ifndef SKL_COLUMNS_H
#define SKL_COLUMNS_H
#include "core/report/doc.h"
#include "core/report/report.h"

enum { SKL_HEX_SHOWN = 12 }; /* digits of a hash in a page */

struct skl_subject { /* what a line of a table is about */
    const struct skl_study *study;
    const struct skl_report_row *row;
    const struct skl_report_run *run; /* NULL: about the setting */
};

enum skl_value_kind {
    SKL_IS_NOTHING,
    SKL_IS_TEXT,   /* char *; NULL: "" */
    SKL_IS_CHARS,  /* char[] */
    SKL_IS_SCALAR, /* char * that may be a number: then it is one in JSON */
    SKL_IS_REAL,   /* not finite: no cell, null; a page shows infinity */
    SKL_IS_INT,
    SKL_IS_WHOLE,   /* int64_t */
    SKL_IS_NATURAL, /* uint64_t */
    SKL_IS_KNOWN,   /* int64_t; 0: not known */
    SKL_IS_FLAG
};
struct skl_value {
    enum skl_value_kind kind;
    double real;
    int64_t whole; /* also a natural's bits, and a flag */
    char *text;    /* malloc'd; NULL: no text */
};

enum skl_value_origin {
    SKL_FROM_STUDY,
    SKL_FROM_ROW,
    SKL_FROM_SETTING,
    SKL_FROM_RUN,
    SKL_FROM_RESULT,
    SKL_FROM_RECORD
};
struct skl_report_column {
    const char *key;          /* unique in its table */
    const char *csv, *json;   /* its names there, "a.b": b of the object a; NULL: not there */
    const char *head, *title; /* in pages; title: what it means, may be NULL */
    enum skl_value_kind kind;
    enum skl_value_origin from;                          /* the struct, */
    size_t offset;                                       /* and the place in it */
    struct skl_value (*of)(const struct skl_subject *s); /* or how it is made */
    /* In pages: */
    int decimals, flags;                                    /* of a real number; SKL_CELL_... */
    char *(*show)(const struct skl_subject *s, int *flags); /* not as the value would be; malloc'd */
    char *(*head_of)(const struct skl_study *s);            /* a head that says a number; malloc'd */
    bool (*shown)(const struct skl_study *s);               /* NULL: always */
    bool is_keys; /* stands for a column a setting that varies; in JSON an object of its own */
};
extern const struct skl_report_column skl_setting_columns[], skl_run_columns[]; /* key NULL ends them */

struct skl_value skl_column_value(const struct skl_report_column *column, const struct skl_subject *subject);
void skl_value_release(struct skl_value *value);

/* The columns of these keys (NULL-terminated) in the table that was begun last (doc.h), then a line of it. */
void skl_page_heads(struct skl_doc *doc, const struct skl_report_column *table, const char *const *keys,
                    const struct skl_study *study);
void skl_page_cells(struct skl_doc *doc, const struct skl_report_column *table, const char *const *keys,
                    const struct skl_subject *subject);
bool skl_study_has_paper(const struct skl_study *study);   /* some row has a value of the paper's */
bool skl_study_has_verdict(const struct skl_study *study); /* some row followed the paper's protocol */
/* With a true minus sign; "" for NaN; malloc'd. */
char *skl_number_text(int decimals, double v);
/* Why a run counts as fail or not at all; NULL: it finished, and counts. */
const char *skl_run_outcome(const struct skl_report_run *run);
#endif
