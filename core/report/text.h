/* text.h - users' text in figures and reports: safe in gnuplot's scripts, and no wider than its place.
 * gnuplot starts shells from back-ticks in double-quoted strings, from data files called '<...' and from outputs called
 * '|...'.  So users' text goes into scripts through skl_gnuplot_text() alone, and files have names made here. */
#ifndef SKL_TEXT_H
#define SKL_TEXT_H
#include <stdio.h>

/* Writes text as an expression: single-quoted strings, joined by "'" where the text has a quote.  Control characters,
 * characters that turn the direction of writing, those that no font has (fonts.h) and bytes that are not UTF-8 become
 * '?'. */
void skl_gnuplot_text(FILE *out, const char *text);

/* The text with those same characters as '?': one line of well-formed, printable UTF-8 for reports; malloc'd.
 * NULL gives "". */
char *skl_text_clean(const char *text);

/* Width in hundredths of the font's size, as for a wide sans-serif; characters beyond ASCII count as 100. */
int skl_text_width(const char *text);
/* The text, or one at most `width` wide that has lost its middle to "…"; malloc'd. */
char *skl_text_fit(const char *text, int width);
/* The same in one line or two, parted by '\n' after a space or comma where one stands in reach; malloc'd. */
char *skl_text_wrap(const char *text, int width);
#endif
