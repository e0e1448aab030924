#include "tests/kernels/harness.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int checks_failed;
static uint64_t state;

void check_failed(const char *file, int line, const char *fmt, ...)
{
    if (++checks_failed > 20) return;
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

void random_seed(uint64_t seed) { state = seed; }

uint64_t random_bits(void) /* splitmix64 */
{
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

int random_below(int n) { return (int)(random_bits() % (uint64_t)n); }

/* Sum of 12 uniform numbers of 16 bits: bounded at 6 deviations, so tolerances can be tight; four a draw of bits, since
 * drawing took a third of the test's time. */
double random_normal(void)
{
    int64_t sum = 0;
    for (int i = 0; i < 3; i++)
        for (uint64_t bits = random_bits(), k = 0; k < 4; k++, bits >>= 16) sum += (int64_t)(bits & 0xffff);
    return (double)(2 * sum - 12 * 65535) * 0x1p-17;
}

static double draw(enum data kind)
{
    double x = random_normal();
    switch (kind) {
    case DATA_OFFSET:
        return 1000 + x / 100;
    case DATA_ZEROS:
        return random_bits() & 1 ? 0 : x;
    case DATA_DENORMAL:
        return x * 1e-39;
    case DATA_WIDE:
        return ldexp(x * x * x, random_below(17) - 8);
    default:
        return x;
    }
}

void fill(float *p, size_t n, enum data kind)
{
    for (size_t i = 0; i < n; i++) p[i] = (float)draw(kind);
}

void fill_nan(float *p, size_t n)
{
    for (size_t i = 0; i < n; i++) p[i] = NAN;
}

/* ---- buffers: [bytes to remember the mapping] ... pattern ... data | forbidden page ---- */
struct mapping {
    void *start;
    size_t length, bytes;
};
enum { PATTERN = 0xA5, FRONT = 256 };

void *guarded(size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE),
                 room = (bytes + FRONT + sizeof(struct mapping) + page - 1) / page * page;
    char *start = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED || mprotect(start + room, page, PROT_NONE) != 0) {
        perror("mmap");
        exit(1);
    }
    char *data = start + room - bytes;
    memset(data - FRONT, PATTERN, FRONT);
    struct mapping m = {start, room + page, bytes};
    memcpy(start, &m, sizeof m);
    return data;
}

float *guarded_floats(size_t n) { return guarded(n * sizeof(float)); }

static struct mapping mapping_of(const char *data)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct mapping m;
    for (uintptr_t at = ((uintptr_t)data - FRONT) / page * page;; at -= page) { /* the front may straddle a page */
        memcpy(&m, (const void *)at, sizeof m);
        if (m.start == (void *)at && (uintptr_t)data + m.bytes + page == at + m.length) return m;
    }
}

void guarded_free(void *p)
{
    if (!p) return;
    const unsigned char *front = (unsigned char *)p - FRONT;
    struct mapping m = mapping_of(p);
    for (int i = 0; i < FRONT; i++)
        CHECK(front[i] == PATTERN, "wrote %d bytes before a buffer of %zu", FRONT - i, m.bytes);
    munmap(m.start, m.length);
}

double max_abs(const float *p, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs((double)p[i]));
    return most;
}

double relative_error(const float *a, const double *b, size_t n)
{
    double error = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        error += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return norm > 0 ? sqrt(error / norm) : sqrt(error);
}
