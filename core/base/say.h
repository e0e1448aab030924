/* say.h - what goes to a terminal.
 * Names, causes and paths come out of files that others made: an escape sequence in them would command the terminal, a
 * line feed would forge a line.  So whatever is printed goes through these functions (tests/rules knows no other way to
 * stdout or stderr), and in them every %s (not the format) is made visible: control characters (C0, DEL, C1), those
 * that turn the direction of writing or cannot be seen, and bytes that are no UTF-8 become \n, \t, \x1b, \u202e.
 * A width counts characters.  skl_fail() formats in the same way. */
#ifndef SKL_SAY_H
#define SKL_SAY_H
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

void skl_print(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* to standard output */
void skl_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));   /* to standard error, at once */
void skl_vprint_to(FILE *out, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
#define SKL_S(n) ((n) == 1 ? "" : "s") /* "%d run%s" */
/* Bytes as they are, to standard output: data for programs (JSON, CSV) and our own texts of several lines. */
void skl_print_raw(const char *text);
void skl_print_flush(void);

char *skl_visible(const char *text);                                                            /* malloc'd */
char *skl_vformat_visible(const char *fmt, va_list args) __attribute__((format(printf, 1, 0))); /* malloc'd */

/* Length in bytes of the character at s; 0 where none is well-formed.  *code: its number. */
int skl_utf8_length(const char *s, unsigned *code);
const char *skl_utf8_next(const char *s); /* past it, or past one byte of what is no character */
/* No control character, no mark or override of the direction of writing, none of those that cannot be seen. */
bool skl_printable(unsigned code);
#endif
