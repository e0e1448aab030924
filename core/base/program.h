/* program.h - finding other programs. */
#ifndef SKL_PROGRAM_H
#define SKL_PROGRAM_H

/* The path of a program, by the absolute entries of PATH alone: "." and an empty entry would find what lies in a folder
 * of results.  malloc'd; NULL: there is none.  Whoever starts another program starts it by this path. */
char *skl_program(const char *name);
/* What a program that we start should have as PATH: the absolute entries; malloc'd. */
char *skl_program_path(void);
#endif
