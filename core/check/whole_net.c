/* The variant inside a net: gradients of every tensor, fusion, threads, checkpoints, cost. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/check/internal.h"
#include "core/config/registry.h"
#include "core/train/weights.h"
#include "core/variant/descriptor.h"

/* ---- every tensor against central differences ----
 * The loss comes from float32 activations: its rounding is about 1e-7 times a few, so the largest step changes it by
 * 0.02, or the tensor's elements by 5 %; the others are a quarter of it, a sixteenth, and so on: for variants whose own
 * kinks lab_smooth knows nothing of.  The net is made smooth
 * (lab_smooth), which leaves the curvature.  3 % of |g| is allowed at the best of the five: a flipped sign is 200 %, a
 * forgotten factor of 2 is 100 % or 50 %. */
enum { NET_DIRECTIONS = 3 };
#define NET_TOLERANCE 0.03

static double at(struct lab *lab, const struct skl_tensor *t, const float *base, uint64_t direction, double eps)
{
    float *moved = skl_alloc_array(t->count, sizeof *moved);
    for (size_t i = 0; i < t->count; i++) moved[i] = (float)(base[i] + eps * sign_of(direction, i));
    skl_tensor_write(lab->net, t, SKL_VALUE, moved);
    free(moved);
    return lab_loss(lab, 1);
}

struct probe {
    const float *base, *grad;
    double norm, want, got;
    uint64_t direction;
};

static double step_error(struct lab *lab, const struct skl_tensor *t, struct probe *p, double part, double *got)
{
    double largest = 0;
    for (size_t i = 0; i < t->count; i++) largest = fmax(largest, fabs((double)p->base[i]));
    const double eps = part * fmin(0.02 / p->norm, 0.05 * (0.1 + largest));
    const double high = at(lab, t, p->base, p->direction, eps), low = at(lab, t, p->base, p->direction, -eps);
    *got = (high - low) / (2 * eps);
    const double noise = 4e-7 * (1 + fabs(high)) / eps;
    if (!isfinite(*got)) return INFINITY;
    return fmax(0, fabs(*got - p->want) - noise) / fmax(p->norm, noise);
}

static double direction_error(struct lab *lab, const struct skl_tensor *t, struct probe *p)
{
    static const double parts[] = {0.25, 1, 0.0625, 0.0156, 0.0039};
    double best = INFINITY;
    p->want = 0;
    for (size_t i = 0; i < t->count; i++) p->want += p->grad[i] * sign_of(p->direction, i);
    for (int i = 0; i < 5 && best > 0.1 * NET_TOLERANCE; i++) {
        double got, error = step_error(lab, t, p, parts[i], &got);
        if (error < best) best = error, p->got = got;
    }
    return best;
}

static void net_tensor(struct check *c, struct lab *lab, const struct variation *set, const struct skl_tensor *t,
                       const float *base, const float *grad, double *worst)
{
    struct probe p = {.base = base, .grad = grad, .got = NAN};
    for (size_t i = 0; i < t->count; i++) p.norm += (double)grad[i] * grad[i];
    p.norm = fmax(sqrt(p.norm), 1e-30);
    for (p.direction = 200; p.direction < 200 + NET_DIRECTIONS && !failed(c); p.direction++) {
        double error = direction_error(lab, t, &p);
        if (!(error <= NET_TOLERANCE))
            fail(c, "%s: the backward pass says %.6g, differences say %.6g%s (%s)", t->name, p.want, p.got,
                 fabs(p.got + p.want) < 0.1 * fabs(p.want) ? ": the sign is wrong" : "", set->label);
        *worst = fmax(*worst, error);
    }
    skl_tensor_write(lab->net, t, SKL_VALUE, base);
}

/* The variant's own tensors always; the others with the defaults only: they tell of x and F. */
static bool of_interest(const struct skl_tensor *t, bool all)
{
    return t->learned && (all || strstr(t->name, ".shortcut.") || strcmp(t->name, "conv1.weight") == 0 ||
                          strcmp(t->name, "layer3.0.conv1.weight") == 0);
}

static void net_gradients(struct check *c, const struct variation *set, struct lab_options o, bool all, double *worst)
{
    struct lab lab;
    if (!lab_open(&lab, c, set, o)) return;
    lab_smooth(&lab);
    lab_loss(&lab, 1);
    float **grad = skl_alloc_array((size_t)lab.tensors, sizeof *grad);
    for (int i = 0; i < lab.tensors; i++)
        if (lab.tensor[i].learned) grad[i] = lab_read(&lab, &lab.tensor[i], SKL_GRADIENT);
    for (int i = 0; i < lab.tensors && !failed(c); i++) {
        if (!of_interest(&lab.tensor[i], all)) continue;
        float *base = lab_read(&lab, &lab.tensor[i], SKL_VALUE);
        net_tensor(c, &lab, set, &lab.tensor[i], base, grad[i], worst);
        free(base);
    }
    for (int i = 0; i < lab.tensors; i++) free(grad[i]);
    free(grad);
    lab_close(&lab);
}

void check_net_gradients(struct check *c)
{
    if (c->s->flags & SKL_SURROGATE_GRAD) {
        skip(c, "SKL_SURROGATE_GRAD: backward is on purpose not the derivative");
        return;
    }
    const struct lab_options original = {.order = SKL_ORIGINAL,
                                         .projection = SKL_PROJECTION_A,
                                         .size = 8,
                                         .batch = 4,
                                         .group = 4,
                                         .threads = 1,
                                         .conv = SKL_CONV_GEMM};
    struct lab_options preact = original;
    preact.order = SKL_FULL_PREACT, preact.projection = SKL_PROJECTION_B;
    double worst = 0;
    int settings = 0;
    net_gradients(c, &c->variation[0], original, true, &worst);
    net_gradients(c, &c->variation[0], preact, true, &worst);
    for (int i = 1; i < c->variations && !failed(c); i++) {
        if (c->variation[i].extreme) continue;
        net_gradients(c, &c->variation[i], original, false, &worst);
        settings++;
    }
    note(c, "two unit orders, %d more settings; largest error %.1e of a gradient's norm, 3 %% is allowed", settings,
         worst);
}

/* ---- way 1: fused against the plain formula; SKL_PER_PIXEL: bands against whole images ---- */

static double square(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += ((double)a[i] - (b ? b[i] : 0)) * ((double)a[i] - (b ? b[i] : 0));
    return sum;
}

static double norm(const float *a, size_t n) { return sqrt(square(a, NULL, n)); }

static double largest_gradient(struct lab *lab)
{
    double largest = 0;
    for (int i = 0; i < lab->tensors; i++) {
        if (!lab->tensor[i].learned) continue;
        float *g = lab_read(lab, &lab->tensor[i], SKL_GRADIENT);
        largest = fmax(largest, norm(g, lab->tensor[i].count));
        free(g);
    }
    return largest;
}

static void copy_values(struct lab *from, struct lab *to)
{
    for (int i = 0; i < from->tensors; i++) {
        float *v = lab_read(from, &from->tensor[i], SKL_VALUE);
        skl_tensor_write(to->net, &to->tensor[i], SKL_VALUE, v);
        free(v);
    }
}

static void compare_fused(struct check *c, const struct variation *set, struct lab_options o, double *worst)
{
    struct lab fused, plain;
    if (!lab_open(&fused, c, set, o)) return;
    o.pointwise = true;
    if (!lab_open(&plain, c, set, o)) return;
    lab_smooth(&fused);
    copy_values(&fused, &plain);
    lab_loss(&fused, 3), lab_loss(&plain, 3);
    const double largest = largest_gradient(&fused);
    for (int i = 0; i < fused.tensors; i++) {
        const struct skl_tensor *t = &fused.tensor[i];
        const enum skl_tensor_part part = t->learned ? SKL_GRADIENT : SKL_VALUE;
        float *a = lab_read(&fused, t, part), *b = lab_read(&plain, &plain.tensor[i], part);
        double error = sqrt(square(a, b, t->count)) / fmax(norm(b, t->count), t->learned ? 1e-3 * largest : 1e-30);
        if (!(error <= 1e-4))
            fail(c, "%s%s differs by %.2g from the plain formula (%s, order %d)", t->learned ? "gradient of " : "",
                 t->name, error, set->label, o.order);
        *worst = fmax(*worst, error);
        free(a), free(b);
    }
    double error = sqrt(square(fused.logits, plain.logits, (size_t)(o.batch * LAB_CLASSES)) /
                        fmax(1e-30, square(plain.logits, NULL, (size_t)(o.batch * LAB_CLASSES))));
    if (!(error <= 1e-4)) fail(c, "logits differ by %.2g from the plain formula (%s)", error, set->label);
    lab_close(&fused), lab_close(&plain);
}

/* Refused where F ends with a ReLU: it would read 0 for ever. */
static bool starts_dead(struct check *c, const struct variation *set)
{
    const struct skl_unit unit = usual_unit(c);
    const struct skl_decl d = declared(c, set, &unit);
    return d.starts && d.branch_start == 0;
}

void check_fused(struct check *c)
{
    const bool bands = c->s->flags & SKL_PER_PIXEL;
    if (!c->s->affine && !bands) {
        skip(c, "way 2");
        return;
    }
    double worst = 0;
    for (int i = 0; i < c->variations; i++)
        for (int order = SKL_ORIGINAL; order <= SKL_FULL_PREACT && !failed(c); order++)
            if (order != SKL_RELU_BEFORE_ADD || !starts_dead(c, &c->variation[i]))
                compare_fused(c, &c->variation[i],
                              (struct lab_options){.order = order,
                                                   .projection = order % 2,
                                                   .size = bands ? 32 : 8,
                                                   .batch = 8,
                                                   .group = 4,
                                                   .threads = 1},
                              &worst);
    note(c, "five unit orders; largest difference %.1e, 1e-4 is allowed", worst);
}

/* ---- the same bits ---- */

static void train(struct lab *lab, int64_t from, int64_t to)
{
    for (int64_t t = from; t < to; t++) {
        lab_loss(lab, t);
        skl_net_update(lab->net, &(struct skl_train_config){.momentum = 0.9, .weight_decay = 1e-4}, 0.05);
    }
}

static void same_bits(struct check *c, struct lab *a, struct lab *b, const char *what)
{
    for (int i = 0; i < a->tensors; i++)
        for (int part = SKL_VALUE; part <= (a->tensor[i].learned ? SKL_MOMENTUM : SKL_VALUE); part++) {
            float *x = lab_read(a, &a->tensor[i], (enum skl_tensor_part)part),
                  *y = lab_read(b, &b->tensor[i], (enum skl_tensor_part)part);
            if (memcmp(x, y, a->tensor[i].count * sizeof *x) != 0)
                fail(c, "%s is not the same %s", a->tensor[i].name, what);
            free(x), free(y);
        }
}

static const struct lab_options usual = {
    .order = SKL_ORIGINAL, .projection = SKL_PROJECTION_A, .size = 8, .batch = 12, .group = 6, .threads = 1};

static void threads_of(struct check *c, const struct variation *set)
{
    struct lab lab[3];
    char what[160];
    for (int i = 0; i < 3; i++) {
        struct lab_options o = usual;
        o.threads = i + 1;
        if (!lab_open(&lab[i], c, set, o)) return;
        train(&lab[i], 0, 3);
        skl_net_evaluate(lab[i].net, lab[i].images, lab[i].labels, o.batch, lab[i].logits);
        snprintf(what, sizeof what, "on %d threads as on one (%s)", i + 1, set->label);
        same_bits(c, &lab[0], &lab[i], what);
        if (memcmp(lab[0].logits, lab[i].logits, (size_t)(o.batch * LAB_CLASSES) * sizeof(float)) != 0)
            fail(c, "logits are not the same %s", what);
    }
    for (int i = 0; i < 3; i++) lab_close(&lab[i]);
}

void check_threads(struct check *c)
{
    for (int i = 0; i < c->variations && !failed(c); i++) threads_of(c, &c->variation[i]);
    note(c, "three steps and an evaluation");
}

/* Three steps, then three more; and the same with a file in between. */
static void resume_at(struct check *c, const struct variation *set, const char *path)
{
    struct lab straight, before, after;
    struct skl_err err = {0};
    struct skl_snapshot snapshot;
    struct skl_st file = {0};
    if (!lab_open(&straight, c, set, usual) || !lab_open(&before, c, set, usual) || !lab_open(&after, c, set, usual))
        return;
    train(&straight, 0, 6), train(&before, 0, 3);
    skl_snapshot_new(&snapshot, before.net);
    skl_snapshot_take(&snapshot, true);
    int status = skl_st_write(path, snapshot.tensor, snapshot.count, NULL, 0, true, &err);
    if (!status) status = skl_st_read(path, true, &file, &err);
    if (!status) status = skl_weights_load(after.net, &file, SKL_WEIGHTS_MOMENTUM, path, &err);
    if (status) fail(c, "%s", err.text);
    train(&after, 3, 6);
    same_bits(c, &straight, &after, "after saving, loading and three more steps");
    skl_snapshot_free(&snapshot), skl_st_release(&file);
    lab_close(&straight), lab_close(&before), lab_close(&after);
}

void check_resume(struct check *c)
{
    char *folder;
    struct skl_err err = {0};
    if (skl_scratch_make(&folder, &err)) {
        fail(c, "%s", err.text);
        return;
    }
    char *path = skl_path(folder, "weights.safetensors");
    for (int i = 0; i < c->variations && !failed(c); i++) resume_at(c, &c->variation[i], path);
    skl_folder_remove(folder);
    free(path);
    free(folder);
    note(c, "three steps, a file, three steps, against six");
}

/* ---- cost ---- */

static struct skl_net *priced(const struct skl_shortcut *s, struct skl_pool *pool, struct skl_net_info *info)
{
    struct skl_err err = {0};
    struct skl_net *net = NULL;
    struct skl_model_config m = {.depth = 20, .width = 16, .shortcut = s, .shortcut_to = INT_MAX};
    struct skl_net_options o = {
        .size = 32, .channels = 3, .classes = 10, .batch = 8, .group = 8, .seed = 1, .iterations = 100, .pool = pool};
    skl_shortcut_defaults(s, m.shortcut_opts);
    if (skl_net_describe(&m, &o, info, &err) || skl_net_new(&m, &o, &net, &err)) SKL_BUG("%s", err.text);
    return net;
}

/* The shortest of a few steps, the two nets in turn; of fewer where they are slow. */
void check_cost(struct check *c)
{
    const struct skl_shortcut *who[2] = {skl_registry_find("identity"), c->s};
    struct skl_pool *pool = skl_pool_new(1);
    struct skl_net_info info[2];
    struct skl_net *net[2];
    double best[2] = {INFINITY, INFINITY}, spent = 0;
    float *images = skl_alloc_array(8 * 32 * 32 * 3, sizeof *images);
    int32_t labels[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    for (size_t i = 0; i < 8 * 32 * 32 * 3; i++) images[i] = (float)normal(61, i);
    for (int k = 0; k < 2; k++) net[k] = priced(who[k], pool, &info[k]);
    for (int round = 0; round < 9 && (round < 2 || spent < 0.5); round++)
        for (int k = 0; k < 2; k++) {
            const double start = skl_thread_seconds();
            skl_net_gradient(net[k], images, &(struct skl_targets){.labels = labels}, round, NULL);
            const double took = skl_thread_seconds() - start;
            best[k] = fmin(best[k], took);
            spent += took;
        }
    note(c,
         "ResNet-20, width 16: %lld parameters (identity %lld), %.0f million multiply-adds (%.0f), a step takes %.2f "
         "times the identity's",
         (long long)info[1].parameters, (long long)info[0].parameters, 1e-6 * (double)info[1].multiply_adds,
         1e-6 * (double)info[0].multiply_adds, best[1] / best[0]);
    for (int k = 0; k < 2; k++) skl_net_free(net[k]), skl_net_info_release(&info[k]);
    skl_pool_free(pool);
    free(images);
}
