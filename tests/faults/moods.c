/* moods.c - preloaded into the program: a constructor that leaves the arithmetic in another state, as one does that was
 * compiled with -ffast-math.  MOOD: up (rounding), flush (denormal numbers count as 0), short (x87 in 53 bits), trap (a
 * division by zero ends the process). */
#include <fenv.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

static void flush(void)
{
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | 0x8040);
#elif defined(__aarch64__)
    unsigned long state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    __asm__ volatile("msr fpcr, %0" : : "r"(state | 1ul << 24));
#endif
}

static void shorten(void)
{
#if defined(__x86_64__)
    unsigned short state = 0x27f;
    __asm__ volatile("fldcw %0" : : "m"(state));
#endif
}

__attribute__((constructor)) static void change(void)
{
    const char *mood = getenv("MOOD");
    if (!mood) return;
    if (!strcmp(mood, "up")) fesetround(FE_UPWARD);
    if (!strcmp(mood, "flush")) flush();
    if (!strcmp(mood, "short")) shorten();
    if (!strcmp(mood, "trap")) feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW);
}
