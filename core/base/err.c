#include "core/base/err.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define HUGE_FROM ((size_t)4 << 20) /* smaller blocks gain nothing from huge pages */
#define NEAREST_MAX 64              /* longer words get no suggestion */

static void (*first)(void);

void skl_die_first(void (*fn)(void)) { first = fn; }

void skl_bug(const char *file, int line, const char *fmt, ...)
{
    if (first) first();
    fflush(stdout);
    fprintf(stderr, "skiplab: bug at %s:%d: ", file, line);
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputs(" (please report this)\n", stderr);
    abort();
}

void skl_leave(int status)
{
    for (;;) syscall(SYS_exit_group, status);
}

void skl_die(const char *fmt, ...)
{
    if (first) first();
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (char *p = text; *p; p++) /* no skl_say(): there may be no memory left */
        if ((unsigned char)*p < ' ' || *p == 127) *p = '?';
    fflush(stdout);
    fprintf(stderr, "skiplab: %s\n", text);
    skl_leave(SKL_FAILED);
}

void skl_out_of_memory(size_t bytes)
{
    skl_die("out of memory (wanted %zu bytes): use a smaller batch or model, or fewer jobs", bytes);
}

void *skl_alloc(size_t bytes)
{
    size_t align = bytes >= HUGE_FROM ? HUGE_PAGE : 64;
    if (bytes > SIZE_MAX - HUGE_PAGE) skl_out_of_memory(bytes);
    size_t rounded = bytes ? (bytes + 63) / 64 * 64 : 64;
    void *p = NULL;
    if (posix_memalign(&p, align, rounded)) skl_out_of_memory(bytes);
    if (align == HUGE_PAGE) madvise(p, rounded / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE); /* a wish: may fail */
    return memset(p, 0, rounded);
}

void *skl_alloc_array(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) skl_out_of_memory(SIZE_MAX);
    return skl_alloc(bytes);
}

void *skl_map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) skl_out_of_memory(bytes);
    madvise(p, bytes, MADV_HUGEPAGE); /* a wish: may fail */
    return p;
}

void skl_unmap(void *p, size_t bytes)
{
    if (p) munmap(p, bytes);
}

char *skl_strdup(const char *s)
{
    char *copy = strdup(s);
    if (!copy) skl_out_of_memory(strlen(s) + 1);
    return copy;
}

char *skl_vformat(const char *fmt, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, fmt, args) < 0) skl_out_of_memory(0);
    return text;
}

char *skl_format(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = skl_vformat(fmt, args);
    va_end(args);
    return text;
}

static int min3(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edit distance in which exchanging two neighbours counts as one (optimal string alignment), ASCII case ignored. */
static int edit_distance(const char *a, const char *b)
{
    int d[NEAREST_MAX + 1][NEAREST_MAX + 1];
    int n = (int)strlen(a), m = (int)strlen(b);
    for (int i = 0; i <= n; i++) d[i][0] = i;
    for (int j = 0; j <= m; j++) d[0][j] = j;
    for (int i = 1; i <= n; i++) {
        for (int j = 1; j <= m; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (x != y));
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) && y == tolower((unsigned char)a[i - 2]) &&
                d[i - 2][j - 2] + 1 < d[i][j])
                d[i][j] = d[i - 2][j - 2] + 1;
        }
    }
    return d[n][m];
}

const char *skl_nearest(const char *word, const char *const *names)
{
    size_t length = strlen(word);
    if (length == 0 || length > NEAREST_MAX) return NULL;
    const char *best = NULL, *prefixed = NULL;
    int best_distance = 3;
    for (; *names; names++) {
        size_t name_length = strlen(*names);
        if (name_length > NEAREST_MAX) continue;
        if (!prefixed && length >= 2 && strncasecmp(word, *names, length) == 0) prefixed = *names;
        int distance = edit_distance(word, *names);
        size_t shorter = length < name_length ? length : name_length; /* 'lr' is no misspelt 'at' */
        if (distance < best_distance && (size_t)distance < shorter) {
            best = *names;
            best_distance = distance;
        }
    }
    return best ? best : prefixed;
}
