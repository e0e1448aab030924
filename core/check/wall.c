/* Buffers between pages that nobody may touch. */
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/check/internal.h"

enum { WALLS_MAX = 64 };
static const uint32_t poison = 0x7fa5a5a5; /* a signalling NaN: no arithmetic leaves one behind */
static const unsigned char margin = 0xa5;

static struct wall *standing[WALLS_MAX];
static int walls;
static struct check *watched;
const char *volatile doing;

static size_t page(void) { return (size_t)sysconf(_SC_PAGESIZE); }

void wall_new(struct check *c, struct wall *w, size_t floats, bool at_end, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(w->name, sizeof w->name, fmt, args);
    va_end(args);
    const size_t inner = (floats * sizeof(float) + page() - 1) / page() * page();
    w->floats = floats;
    w->bytes = inner + 2 * page();
    w->map = mmap(NULL, w->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (w->map == MAP_FAILED || (inner && mprotect(w->map + page(), inner, PROT_READ | PROT_WRITE))) {
        fail(c, "no memory for %s: %zu floats", w->name, floats);
        skl_leave(0);
    }
    memset(w->map + page(), margin, inner);
    w->data = (float *)(w->map + page() + (at_end ? inner - floats * sizeof(float) : 0));
    SKL_CHECK(walls < WALLS_MAX);
    standing[walls++] = w;
}

void wall_free(struct wall *w)
{
    if (!w->map) return;
    munmap(w->map, w->bytes);
    for (int i = 0; i < walls; i++)
        if (standing[i] == w) standing[i] = standing[--walls];
    memset(w, 0, sizeof *w);
}

void wall_seal(struct wall *w, bool sealed)
{
    w->sealed = sealed;
    if (w->floats && mprotect(w->map + page(), w->bytes - 2 * page(), sealed ? PROT_READ : PROT_READ | PROT_WRITE))
        SKL_BUG("mprotect failed");
}

void wall_poison(struct wall *w)
{
    for (size_t i = 0; i < w->floats; i++) memcpy(&w->data[i], &poison, sizeof poison);
}

size_t wall_poisoned(const struct wall *w)
{
    size_t count = 0;
    for (size_t i = 0; i < w->floats; i++) count += memcmp(&w->data[i], &poison, sizeof poison) == 0;
    return count;
}

bool wall_margins_clean(const struct wall *w)
{
    const char *data = (const char *)w->data, *end = data + w->floats * sizeof(float);
    for (const char *p = w->map + page(); p < w->map + w->bytes - page(); p++)
        if ((p < data || p >= end) && (unsigned char)*p != margin) return false;
    return true;
}

/* ---- from a touched page to a sentence ---- */

static struct wall *wall_at(const char *address)
{
    for (int i = 0; i < walls; i++)
        if (address >= standing[i]->map && address < standing[i]->map + standing[i]->bytes) return standing[i];
    return NULL;
}

/* Runs on a fault of the variant's own making, so formatting text is safe enough; the process ends here. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
    const struct wall *w = signal == SIGSEGV ? wall_at(info->si_addr) : NULL;
    const char *where = doing ? doing : "the check itself";
    if (!w)
        fail(watched, "%s crashed: %s", where, strsignal(signal));
    else if (w->sealed && (char *)info->si_addr >= w->map + page() &&
             (char *)info->si_addr < w->map + w->bytes - page())
        fail(watched, "%s writes to %s, which is not its to write", where, w->name);
    else
        fail(watched, "%s reaches outside %s: %lld bytes from its first element, which has %zu", where, w->name,
             (long long)((char *)info->si_addr - (char *)w->data), w->floats * sizeof(float));
    skl_leave(3);
}

/* exit() in a function of the variant; the check itself does not end this way. */
static void on_end(void) { fail(watched, "%s ends the process", doing ? doing : "the variant"); }

void wall_watch(struct check *c)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    watched = c;
    atexit(on_end);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigaction(faults[i], &action, NULL);
}
