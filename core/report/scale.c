#include "core/report/scale.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/err.h"

enum { X_INTERVALS = 7, Y_INTERVALS = 6, MAX_DECADE_TICS = 7 };

/* Powers from a table, as pow() may be off in the last bit and 0.001 shall print as 0.001. */
static double power_of_ten(int k)
{
    char text[16];
    double value = 0;
    snprintf(text, sizeof text, "1e%d", k);
    sscanf(text, "%lf", &value);
    return value;
}

double skl_nice_step(double span, int intervals)
{
    SKL_CHECK(span > 0 && isfinite(span) && intervals > 0);
    int k = (int)floor(log10(span / intervals)) - 1;
    for (;; k++) {
        static const double digits[] = {1, 2, 5};
        for (int i = 0; i < 3; i++) {
            double step = digits[i] * power_of_ten(k);
            if (span / step <= intervals * (1 + 1e-12)) return step;
        }
    }
}

/* gnuplot does not read '1e-05' in a string as a number, but '1.0e-05'. */
static void add_tic(struct skl_scale *a, double at)
{
    char text[32];
    snprintf(text, sizeof text, "%.12g", at);
    const char *e = strchr(text, 'e');
    int mantissa = e ? (int)(e - text) : (int)strlen(text);
    const char *point = e && !strchr(text, '.') ? ".0" : "";
    size_t used = strlen(a->tics);
    snprintf(a->tics + used, sizeof a->tics - used, "%s%.*s%s%s", used ? " " : "", mantissa, text, point, e ? e : "");
}

static void add_linear_tics(struct skl_scale *a)
{
    long first = (long)ceil(a->min / a->step - 1e-9), last = (long)floor(a->max / a->step + 1e-9);
    for (long i = first; i <= last; i++) add_tic(a, (double)i * a->step);
}

static struct skl_scale count_scale(const char *what, double min, double max)
{
    static const char *const exponents[] = {"³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹", "¹⁰", "¹¹", "¹²", "¹³", "¹⁴", "¹⁵"};
    struct skl_scale a = {.min = min, .max = max > min ? max : min + 1, .unit = 1};
    snprintf(a.label, sizeof a.label, "%s", what);
    a.step = skl_nice_step(a.max - a.min, X_INTERVALS);
    if (a.step < 1) a.step = 1;
    int k = (int)floor(log10(a.max / 2));
    if (k >= 3 && k <= 15) {
        a.unit = power_of_ten(k);
        snprintf(a.label, sizeof a.label, "%s (×10%s)", what, exponents[k - 3]);
    }
    add_linear_tics(&a);
    return a;
}

struct skl_scale skl_scale_iterations(double min, double max) { return count_scale("Iterations", min, max); }
struct skl_scale skl_scale_images(double min, double max) { return count_scale("Images seen", min, max); }

struct skl_scale skl_scale_linear(double top)
{
    struct skl_scale a = {.max = top > 0 && isfinite(top) ? top : 1, .unit = 1};
    a.step = skl_nice_step(a.max, Y_INTERVALS);
    a.max = ceil(a.max / a.step - 1e-9) * a.step;
    add_linear_tics(&a);
    return a;
}

/* The nearest of 1, 2, 5 times a power of ten on the wanted side of v. */
static double snap(double v, bool up)
{
    static const double digits[] = {1, 2, 5};
    int k = (int)floor(log10(v));
    double best = up ? INFINITY : 0;
    for (int j = k - 1; j <= k + 1; j++)
        for (int i = 0; i < 3; i++) {
            double at = digits[i] * power_of_ten(j);
            if (up ? at >= v * (1 - 1e-12) && at < best : at <= v * (1 + 1e-12) && at > best) best = at;
        }
    return best;
}

struct skl_scale skl_scale_log(double low, double high)
{
    SKL_CHECK(low > 0 && high >= low && isfinite(high));
    struct skl_scale a = {.min = snap(low, false), .max = snap(high, true), .log = true, .unit = 1};
    if (a.min == a.max) a.max = snap(a.max * 1.5, true);
    int first = (int)floor(log10(a.min)), last = (int)ceil(log10(a.max));
    bool fine = a.max / a.min < 100 * (1 - 1e-12);
    int every = 1 + (last - first) / (MAX_DECADE_TICS + 1);
    for (int k = first; k <= last; k += every) {
        static const double digits[] = {1, 2, 5};
        for (int i = 0; i < (fine ? 3 : 1); i++) {
            double at = digits[i] * power_of_ten(k);
            if (at >= a.min * (1 - 1e-12) && at <= a.max * (1 + 1e-12)) add_tic(&a, at);
        }
    }
    return a;
}
