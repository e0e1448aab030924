/* Average pooling, the fully connected layer, softmax cross-entropy. */
#include <math.h>
#include "core/base/rng.h"
#include "core/device/cpu/internal.h"
#include "core/device/cpu/kernels/reference.h"

struct pool_job {
    struct skl_kernel_operand x;
    struct skl_shape shape;
    float *pooled;
};
static void pool_chunk(struct cpu *cpu, void *arg, int chunk, int first, int n, float *scratch)
{
    const struct pool_job *j = arg;
    const int pixels = j->shape.h * j->shape.w, c = j->shape.c;
    for (int i = first; i < first + n; i++) {
        cpu->kernels->load_rows(&j->x, (size_t)i * (size_t)pixels, pixels, c, scratch);
        cpu->kernels->pool(pixels, c, scratch, j->pooled + (size_t)i * (size_t)c);
    }
}

/* The logits of one image, some classes side by side: each one's sum goes over the channels in order. */
enum { FC_CLASSES = 8 };
static void logits_of(void *arg, int i, int worker)
{
    const struct skl_head *head = arg;
    const int c = head->shape.c, classes = head->classes;
    const float *b = at(head->bias), *pooled = at(head->pooled) + i * c;
    float *logits = at(head->logits) + i * classes;
    for (int from = 0; from < classes; from += FC_CLASSES) {
        const int count = classes - from < FC_CLASSES ? classes - from : FC_CLASSES;
        const float *w = at(head->weight) + from * c;
        double sum[FC_CLASSES];
        for (int k = 0; k < count; k++) sum[k] = b[from + k];
        for (int j = 0; j < c; j++)
            for (int k = 0; k < count; k++) sum[k] += (double)w[k * c + j] * pooled[j];
        for (int k = 0; k < count; k++) logits[from + k] = (float)sum[k];
    }
}

void cpu_head_forward(struct skl_device *d, const struct skl_head *head, const struct skl_operand *x, int n)
{
    struct skl_head job = *head;
    for_chunks(cpu_of(d), n, pool_chunk, &(struct pool_job){operand_of(x), head->shape, at(head->pooled)});
    skl_parallel(cpu_of(d)->pool, n, logits_of, &job);
}

/* The share of class k in image i.  With neither smoothing nor mixing it is 0 or 1 exactly. */
static double target(const struct skl_head *head, int i, int k)
{
    const int32_t *labels = (const void *)at(head->labels), *others = (const void *)at(head->others);
    double share = k == labels[i];
    if (head->mix > 0) share = (1 - (double)head->mix) * share + (double)head->mix * (k == others[i]);
    return (double)head->smoothing / head->classes + (1 - (double)head->smoothing) * share;
}

void cpu_head_loss(struct skl_device *d, const struct skl_head *head, int n, int batch)
{
    const int classes = head->classes;
    const int32_t *labels = (const void *)at(head->labels);
    struct skl_score *score = (void *)at(head->score);
    for (int i = 0; i < n; i++) {
        const float *z = at(head->logits) + i * classes;
        float *dz = at(head->dlogits) + i * classes;
        int best = 0;
        double sum = 0, wanted = 0;
        for (int k = 1; k < classes; k++)
            if (z[k] > z[best]) best = k;
        for (int k = 0; k < classes; k++) sum += skl_exp64((double)z[k] - z[best]);
        for (int k = 0; k < classes; k++) {
            const double share = target(head, i, k);
            dz[k] = (float)((skl_exp64((double)z[k] - z[best]) / sum - share) / batch);
            if (share > 0) wanted += share * z[k];
        }
        score->loss += z[best] - wanted + (sum > 0 ? skl_log(sum) : sum);
        score->errors += !(best == labels[i] && z[best] == z[best]);
    }
}

void cpu_note(struct skl_device *d, struct skl_place score, struct skl_place stop, struct skl_place to)
{
    struct skl_note *note = (struct skl_note *)(void *)at(to);
    int32_t *flag = (int32_t *)(void *)at(stop);
    cpu_read_score(d, score, &note->score);
    note->stopped = *flag;
    if (!isfinite(note->score.loss)) *flag = 1;
}

void cpu_read_score(struct skl_device *d, struct skl_place score, struct skl_score *to)
{
    *to = *(const struct skl_score *)(const void *)at(score);
}

struct spread_job {
    struct skl_kernel_result dx;
    struct chunk_sums *sums;
    struct skl_shape shape;
    const float *dpooled;
};
static void spread_chunk(struct cpu *cpu, void *arg, int chunk, int first, int n, float *scratch)
{
    const struct spread_job *j = arg;
    const size_t pixels = (size_t)j->shape.h * (size_t)j->shape.w, c = (size_t)j->shape.c;
    for (int i = first; i < first + n; i++) {
        for (size_t p = 0; p < pixels; p++)
            for (size_t k = 0; k < c; k++) scratch[p * c + k] = j->dpooled[(size_t)i * c + k] / (float)pixels;
        cpu->kernels->store_rows(&j->dx, (size_t)i * pixels, (int)pixels, j->shape.c, scratch, sums_of(j->sums, chunk));
    }
}

struct fc_job {
    const struct skl_head *head;
    int n;
    bool accumulate;
};
/* dweight and dbias of one class. */
static void fc_class(void *arg, int k, int worker)
{
    const struct fc_job *job = arg;
    const struct skl_head *head = job->head;
    const int c = head->shape.c, classes = head->classes;
    const float *dlogits = at(head->dlogits), *pooled = at(head->pooled);
    double db = 0;
    for (int i = 0; i < job->n; i++) db += dlogits[i * classes + k];
    add_gradient(at(head->dbias) + k, db, job->accumulate);
    for (int j = 0; j < c; j++) {
        double dw = 0;
        for (int i = 0; i < job->n; i++) dw += (double)dlogits[i * classes + k] * pooled[i * c + j];
        add_gradient(at(head->dweight) + k * c + j, dw, job->accumulate);
    }
}

/* dpooled of one image, some channels at a time: row by row of the weights. */
enum { FC_CHANNELS = 64 };
static void fc_image(void *arg, int i, int worker)
{
    const struct fc_job *job = arg;
    const struct skl_head *head = job->head;
    const int c = head->shape.c, classes = head->classes;
    const float *w = at(head->weight), *dlogits = at(head->dlogits) + i * classes;
    float *dpooled = at(head->dpooled) + i * c;
    for (int from = 0; from < c; from += FC_CHANNELS) {
        const int channels = c - from < FC_CHANNELS ? c - from : FC_CHANNELS;
        double sum[FC_CHANNELS] = {0};
        for (int k = 0; k < classes; k++)
            for (int j = 0; j < channels; j++) sum[j] += (double)dlogits[k] * w[k * c + from + j];
        for (int j = 0; j < channels; j++) dpooled[from + j] = (float)sum[j];
    }
}

void cpu_head_backward(struct skl_device *d, const struct skl_head *head, const struct skl_result *dx, int n,
                       bool accumulate)
{
    const int c = head->shape.c;
    struct fc_job fc = {head, n, accumulate};
    skl_parallel(cpu_of(d)->pool, head->classes, fc_class, &fc);
    skl_parallel(cpu_of(d)->pool, n, fc_image, &fc);
    struct spread_job job = {result_of(dx), sums_begin(dx->sums, c, n), head->shape, at(head->dpooled)};
    for_chunks(cpu_of(d), n, spread_chunk, &job);
}
