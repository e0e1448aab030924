#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/train/session.h"

enum { TOP = 5 };

/* What is added up over the mini-batches. */
struct sums {
    double loss;
    int64_t errors, not_in_top;
};
struct evaluating {
    struct skl_session *s;
    enum skl_part part;
    int crops, classes;
    float *logits;  /* [batch, classes] of one crop; NULL: nobody looks at them */
    double *chance; /* [batch, classes]: the crops' chances added up; NULL: one crop */
    struct sums sum;
};

/* How many classes stand before the label: larger, or as large and earlier. */
#define RANK(values, classes, label) \
    ({ \
        int before_ = 0; \
        for (int c_ = 0; c_ < (classes); c_++) \
            before_ += (values)[c_] > (values)[label] || ((values)[c_] == (values)[label] && c_ < (label)); \
        before_; \
    })

static void add_chances(struct evaluating *e, int n)
{
    for (int i = 0; i < n; i++) {
        const float *z = e->logits + (size_t)i * (size_t)e->classes;
        double *p = e->chance + (size_t)i * (size_t)e->classes, sum = 0, max = z[0];
        for (int c = 1; c < e->classes; c++) max = z[c] > max ? z[c] : max;
        for (int c = 0; c < e->classes; c++) sum += exp(z[c] - max);
        for (int c = 0; c < e->classes; c++) p[c] += exp(z[c] - max) / sum;
    }
}

static void judge_crops(struct evaluating *e, int n)
{
    for (int i = 0; i < n; i++) {
        const double *p = e->chance + (size_t)i * (size_t)e->classes;
        const int label = e->s->labels[i], rank = RANK(p, e->classes, label);
        e->sum.loss -= log(p[label] / e->crops);
        e->sum.errors += rank > 0;
        e->sum.not_in_top += rank >= TOP;
    }
}

static void judge_top(struct evaluating *e, int n)
{
    for (int i = 0; i < n; i++) {
        const float *z = e->logits + (size_t)i * (size_t)e->classes;
        e->sum.not_in_top += RANK(z, e->classes, e->s->labels[i]) >= TOP;
    }
}

static void evaluate_batch(struct evaluating *e, int first, int n)
{
    struct skl_session *s = e->s;
    s->loaded = -1;
    for (int crop = 0; crop < e->crops; crop++) {
        skl_loader_crop(s->loader, e->part, first, n, crop, s->images, s->labels);
        const struct skl_step_result r = skl_net_evaluate(s->net, s->images, s->labels, n, e->logits);
        if (e->chance) {
            add_chances(e, n);
        } else {
            e->sum.loss += r.loss;
            e->sum.errors += r.errors;
            if (e->logits) judge_top(e, n);
        }
    }
    if (!e->chance) return;
    judge_crops(e, n);
    memset(e->chance, 0, sizeof *e->chance * (size_t)n * (size_t)e->classes);
}

static double percent(int64_t errors, int count) { return count ? 100.0 * (double)errors / count : NAN; }

bool skl_evaluate(struct skl_session *s, enum skl_part part, bool (*go_on)(void *context), void *context,
                  struct skl_evaluation *out)
{
    const int count = skl_part_count(s, part), batch = s->exp->train.batch;
    const size_t scores = (size_t)batch * (size_t)s->set.classes;
    struct evaluating e = {.s = s, .part = part, .crops = skl_loader_crops(s->loader, part), .classes = s->set.classes};
    if (e.crops > 1 || s->top5) e.logits = skl_alloc_array(scores, sizeof *e.logits);
    if (e.crops > 1) e.chance = skl_alloc_array(scores, sizeof *e.chance);
    int first = 0;
    for (; first < count && (!go_on || go_on(context)); first += batch)
        evaluate_batch(&e, first, count - first < batch ? count - first : batch);
    free(e.logits);
    free(e.chance);
    if (first < count) return false;
    *out = (struct skl_evaluation){.loss = count ? e.sum.loss / count : NAN,
                                   .error = percent(e.sum.errors, count),
                                   .top5 = s->top5 ? percent(e.sum.not_in_top, count) : NAN};
    return true;
}
