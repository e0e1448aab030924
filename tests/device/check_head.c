/* The head, forward, loss and backward in one go. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "tests/device/lab.h"

struct head_lab {
    struct operand x;
    struct tensor w, b, dw, db, pooled, dpooled, logits, dlogits, labels, others, score;
    struct result dx;
    struct skl_head head;
};

/* What the images are compared with. */
struct aim {
    float mix, smoothing;
};

static void open_head(struct lab *lab, struct head_lab *h, int n, struct skl_shape s, int classes, enum data kind,
                      struct aim aim)
{
    const size_t floats = (size_t)(n * s.h * s.w * s.c), c = (size_t)s.c, k = (size_t)classes;
    lab_reset(lab);
    h->x = make_operand(lab, SCALED | RELU, floats, s.c, kind);
    h->w = put(lab, k * c, DATA_NORMAL), h->b = put(lab, k, DATA_NORMAL);
    h->dw = put(lab, k * c, DATA_NORMAL), h->db = put(lab, k, DATA_NORMAL);
    writable(lab, &h->dw), writable(lab, &h->db);
    h->pooled = out(lab, (size_t)n * c), h->dpooled = out(lab, (size_t)n * c);
    h->logits = out(lab, (size_t)n * k), h->dlogits = out(lab, (size_t)n * k);
    h->labels = put(lab, (size_t)n, DATA_NORMAL), h->score = out_bytes(lab, SKL_PLACE_ALIGN);
    h->others = put(lab, (size_t)n, DATA_NORMAL);
    for (int i = 0; i < n; i++) {
        ((int32_t *)(void *)h->labels.before)[i] = i * 3 % classes;
        ((int32_t *)(void *)h->others.before)[i] = i * i % classes; /* now and then the same */
    }
    h->dx = make_result(lab, MASKED | SUMS, floats, s.c, DATA_NORMAL);
    h->head = (struct skl_head){s,
                                classes,
                                h->w.place,
                                h->b.place,
                                h->dw.place,
                                h->db.place,
                                h->pooled.place,
                                h->dpooled.place,
                                h->logits.place,
                                h->dlogits.place,
                                h->labels.place,
                                h->score.place,
                                h->others.place,
                                aim.mix,
                                aim.smoothing};
}

static void expect_loss(struct lab *lab, const struct head_lab *h, int n, int classes)
{
    struct skl_score score;
    double loss = 0;
    int errors = 0;
    lab->ops->read_score(lab->d, h->score.place, &score);
    lab->ops->finish(lab->d, NULL);
    for (int i = 0; i < n; i++) {
        const float *z = h->logits.after + i * classes;
        const int label = i * 3 % classes;
        double sum = 0;
        int best = 0;
        for (int k = 0; k < classes; k++) sum += exp((double)z[k] - z[label]), best = z[k] > z[best] ? k : best;
        errors += best != label;
        for (int k = 0; k < classes; k++) {
            const double mix = h->head.mix, smoothing = h->head.smoothing,
                         share = (1 - smoothing) * ((1 - mix) * (k == label) + mix * (k == i * i % classes)) +
                                 smoothing / classes;
            loss += share * (log(sum) + z[label] - z[k]);
            close_to(h->dlogits.after[i * classes + k], (exp((double)z[k] - z[label]) / sum - share) / 20, 1e-7,
                     "dlogits", (size_t)(i * classes + k));
        }
    }
    close_to(score.loss, 2 * loss, 1e-5 * (2 * fabs(loss) + n), "the loss, summed twice", 0);
    CHECK(score.errors == 2 * errors, "%lld errors, not %d", (long long)score.errors, 2 * errors);
}

static void expect_gradients(struct lab *lab, const struct head_lab *h, int n, struct skl_shape s, int classes)
{
    const int c = s.c, pixels = s.h * s.w;
    for (int k = 0; k < classes; k++) {
        double db = h->db.before[k], size = 1;
        for (int i = 0; i < n; i++) db += h->dlogits.after[i * classes + k];
        close_to(h->db.after[k], db, 1e-6 * (fabs(db) + 1), "fc's bias", (size_t)k);
        for (int j = 0; j < c; j++) {
            double dw = h->dw.before[k * c + j];
            for (int i = 0; i < n; i++) {
                const double term = (double)h->dlogits.after[i * classes + k] * h->pooled.after[i * c + j];
                dw += term, size += fabs(term);
            }
            close_to(h->dw.after[k * c + j], dw, 1e-5 * size, "fc's weight", (size_t)(k * c + j));
        }
    }
    const size_t floats = (size_t)(n * pixels * c);
    double *dx = calloc(floats, sizeof *dx), *tolerance = calloc(floats, sizeof *tolerance);
    for (size_t e = 0; e < floats; e++) {
        const int i = (int)(e / (size_t)(pixels * c)), j = (int)(e % (size_t)c);
        for (int k = 0; k < classes; k++) {
            const double term = (double)h->dlogits.after[i * classes + k] * h->w.before[k * c + j] / pixels;
            dx[e] += term, tolerance[e] += 1e-6 * fabs(term);
        }
    }
    expect_result(lab, &h->dx, dx, tolerance, floats, "head_backward");
    free(dx), free(tolerance);
}

static void head_once(struct lab *lab, int n, struct skl_shape s, int classes, enum data kind, struct aim aim)
{
    struct head_lab h;
    const int c = s.c, pixels = s.h * s.w;
    open_head(lab, &h, n, s, classes, kind, aim);
    lab_upload(lab);
    lab->ops->clear(lab->d, h.score.place, SKL_PLACE_ALIGN);
    lab->ops->head_forward(lab->d, &h.head, &h.x.o, n);
    for (int i = 0; i < 2; i++) lab->ops->head_loss(lab->d, &h.head, n, 20);
    lab->ops->head_backward(lab->d, &h.head, &h.dx.r, n, true);
    lab_download(lab, "head");
    for (int i = 0; i < n; i++)
        for (int j = 0; j < c; j++) {
            double mean = 0, size = 0, all = 0;
            for (int p = 0; p < pixels; p++)
                mean += operand_value(&h.x, (size_t)((i * pixels + p) * c + j), &size) / pixels, all += size;
            close_to(h.pooled.after[i * c + j], mean, 1e-6 * all, "pooled", (size_t)(i * c + j));
        }
    for (int e = 0; e < n * classes; e++) {
        double z = h.b.before[e % classes], size = 1;
        for (int j = 0; j < c; j++) {
            const double term = (double)h.w.before[e % classes * c + j] * h.pooled.after[e / classes * c + j];
            z += term, size += fabs(term);
        }
        close_to(h.logits.after[e], z, 1e-6 * size, "logits", (size_t)e);
    }
    expect_loss(lab, &h, n, classes);
    if (!checks_failed) expect_gradients(lab, &h, n, s, classes);
}

void check_head(struct lab *lab)
{
    static const struct aim aims[] = {{0, 0}, {0, 0.1f}, {0.3f, 0}, {0.5f, 0.2f}};
    for (size_t i = 0; i < sizeof aims / sizeof *aims; i++) {
        head_once(lab, 1, (struct skl_shape){1, 1, 1}, 2, DATA_NORMAL, aims[i]);
        head_once(lab, 9, (struct skl_shape){4, 4, 16}, 10, DATA_NORMAL, aims[i]);
        head_once(lab, 3, (struct skl_shape){5, 3, 7}, 3, DATA_ZEROS, aims[i]);
        head_once(lab, 17, (struct skl_shape){2, 2, 20}, 11, DATA_NORMAL, aims[i]);
    }
}

/* A loss that is not finite stops what is told of it: weights, momenta and running statistics stay to the bit. */
static void expect_stopped(struct lab *lab, double loss, int32_t was)
{
    const struct skl_shape s = {3, 2, 5};
    const bool stops = was || !isfinite(loss);
    lab_reset(lab);
    struct tensor score = out(lab, 16), stop = out(lab, 1), note = out(lab, 6), bias = put(lab, 5, DATA_NORMAL);
    struct tensor w = put(lab, 300, DATA_NORMAL), g = put(lab, 300, DATA_NORMAL), v = put(lab, 300, DATA_NORMAL);
    struct operand x = make_operand(lab, 0, 90, s.c, DATA_NORMAL);
    struct result y = make_result(lab, STATISTICS, 90, s.c, DATA_NORMAL);
    struct norm norm = make_norm(lab, s.c);
    const struct skl_score before = {loss, 77};
    struct skl_note after;
    writable(lab, &w), writable(lab, &v);
    memcpy(score.before, &before, sizeof before), memcpy(stop.before, &was, sizeof was);
    norm.n.stop = stop.place;
    lab_upload(lab);
    lab->ops->note(lab->d, score.place, stop.place, note.place);
    lab->ops->sgd(lab->d, &(struct skl_learned){w.place, g.place, v.place, 300, true}, 1,
                  &(struct skl_sgd){0.1f, 0.9f, 0.01f, .stop = stop.place});
    lab->ops->map(lab->d, &x.o, &y.r, 3, s);
    lab->ops->bn_forward(lab->d, &norm.n, y.sums.place, bias.place, 0.75);
    lab_download(lab, "note");
    memcpy(&after, note.after, sizeof after);
    CHECK(!memcmp(&after.score, &before, sizeof before) && after.stopped == was, "note of %g: %g %lld %lld", loss,
          after.score.loss, (long long)after.score.errors, (long long)after.stopped);
    memcpy(&was, stop.after, sizeof was);
    CHECK((was != 0) == stops, "note: a loss of %g gives a stop of %d", loss, (int)was);
    CHECK(stops == !memcmp(w.before, w.after, 300 * sizeof(float)), "sgd and a stop: weights");
    CHECK(stops == !memcmp(v.before, v.after, 300 * sizeof(float)), "sgd and a stop: momenta");
    CHECK(stops == !memcmp(norm.running_mean.before, norm.running_mean.after, 5 * sizeof(float)), "running means");
    CHECK(stops == !memcmp(norm.running_var.before, norm.running_var.after, 5 * sizeof(float)), "running variances");
    CHECK(isfinite(norm.scale.after[4]) && norm.scale.after[4] > 0, "a stop keeps bn_forward from its scale");
}

void check_note(struct lab *lab)
{
    static const double losses[] = {0, 2.3, -1e300, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        for (int was = 0; was < 2; was++) expect_stopped(lab, losses[i], was);
}
