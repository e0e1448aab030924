/* scratch.h - a folder for one test program, and what tests of files need again and again. */
#ifndef SKL_TEST_SCRATCH_H
#define SKL_TEST_SCRATCH_H
#include <dirent.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/sanitized.h"

static char scratch[256];

/* Group set-up and tear-down for cmocka_run_group_tests(). */
static inline int scratch_make(void **state)
{
    const char *base = getenv("TMPDIR");
    snprintf(scratch, sizeof scratch, "%s/skiplab-test-XXXXXX", base && *base ? base : "/tmp");
    return mkdtemp(scratch) ? 0 : -1;
}

static inline int scratch_remove(void **state)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", scratch);
    return system(command);
}

/* "SCRATCH/name"; valid until the fourth call after this one. */
static inline const char *in_scratch(const char *name)
{
    static char path[4][512];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", scratch, name);
    return p;
}

static inline void put_file(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline int count_entries(const char *folder)
{
    int count = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

static inline void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("'%s' is not in: %s", part, text);
}

/* Numbers with a decimal comma, from a locale compiled in the scratch folder; false: not on this machine. */
static inline bool set_comma_locale(void)
{
    static const char source[] = "LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \"\"\ngrouping -1\nEND LC_NUMERIC\n";
    char command[1200];
    put_file(in_scratch("comma.src"), source, sizeof source - 1);
    snprintf(command, sizeof command, "localedef -c -i '%s' -f ANSI_X3.4-1968 '%s' >/dev/null 2>&1; true",
             in_scratch("comma.src"), in_scratch("xx_XX"));
    setenv("LOCPATH", scratch, 1);
    return system(command) == 0 && setlocale(LC_NUMERIC, "xx_XX");
}

/* The signal that ends `code` in a child, or 1000 + its exit status. */
static inline int child_end(void (*code)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(99);
        code();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 1000 + WEXITSTATUS(status);
}

/* Something took so many seconds, and a number is promised for it.  Machines that run tests are slow at times and
 * shared: three times the promise fails.  A sanitized program is slow without end, and what it takes says nothing. */
static inline void took(const char *what, double seconds, double promised)
{
    print_message("%s: %.3f s of %g\n", what, seconds, promised);
    if (!SANITIZED && seconds > 3 * promised) fail_msg("%s: %g s instead of %g", what, seconds, promised);
}

/* Runs `code` in a child, which must take less than so much memory and CPU time, and end with status 0. */
static inline void in_little(int (*code)(void), int megabytes, double seconds)
{
    struct rusage used;
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) _exit(code());
    assert_int_equal(wait4(pid, &status, 0, &used), pid);
    assert_int_equal(status, 0);
    double spent = (double)used.ru_utime.tv_sec + 1e-6 * (double)used.ru_utime.tv_usec;
    if (!SANITIZED && used.ru_maxrss > megabytes * 1024L) fail_msg("%ld KB of memory", used.ru_maxrss);
    took("refused", spent, seconds);
}
#endif
