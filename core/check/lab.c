/* A whole small net with the variant in every unit: depth 8, three units, two of which change the shape. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/check/internal.h"

static struct skl_model_config model_of(const struct check *c, const struct variation *set, struct lab_options o)
{
    struct skl_model_config m = {.depth = 8,
                                 .width = LAB_WIDTH,
                                 .block = SKL_BASIC,
                                 .order = o.order,
                                 .projection = o.projection,
                                 .shortcut = c->s,
                                 .shortcut_from = 0,
                                 .shortcut_to = INT_MAX};
    memcpy(m.shortcut_opts, set->opts, sizeof m.shortcut_opts);
    return m;
}

bool lab_open(struct lab *lab, struct check *c, const struct variation *set, struct lab_options o)
{
    struct skl_err err = {0};
    *lab = (struct lab){.o = o, .pool = skl_pool_new(o.threads), .image = (size_t)(o.size * o.size * LAB_CHANNELS)};
    struct skl_model_config model = model_of(c, set, o);
    struct skl_net_options options = {.size = o.size,
                                      .channels = LAB_CHANNELS,
                                      .classes = LAB_CLASSES,
                                      .batch = o.batch,
                                      .group = o.group,
                                      .conv = o.conv,
                                      .seed = 5,
                                      .iterations = 100,
                                      .pointwise = o.pointwise,
                                      .pool = lab->pool};
    if (skl_net_new(&model, &options, &lab->net, &err)) {
        fail(c, "no net can be built with it (%s): %s", set->label, err.text);
        skl_pool_free(lab->pool);
        return false;
    }
    lab->tensors = skl_net_tensors(lab->net, &lab->tensor);
    lab->images = skl_alloc_array((size_t)o.batch * lab->image, sizeof *lab->images);
    lab->labels = skl_alloc_array((size_t)o.batch, sizeof *lab->labels);
    lab->logits = skl_alloc_array((size_t)(o.batch * LAB_CLASSES), sizeof *lab->logits);
    for (size_t i = 0; i < (size_t)o.batch * lab->image; i++) lab->images[i] = (float)normal(31, i);
    for (int i = 0; i < o.batch; i++) lab->labels[i] = i * 3 % LAB_CLASSES;
    return true;
}

void lab_close(struct lab *lab)
{
    skl_net_free(lab->net);
    skl_pool_free(lab->pool);
    free(lab->images), free(lab->labels), free(lab->logits);
}

double lab_loss(struct lab *lab, int64_t iteration)
{
    skl_net_gradient(lab->net, lab->images, &(struct skl_targets){.labels = lab->labels}, iteration, lab->logits);
    return skl_net_result(lab->net).loss;
}

const struct skl_tensor *lab_find(const struct lab *lab, const char *name)
{
    for (int i = 0; i < lab->tensors; i++)
        if (strcmp(lab->tensor[i].name, name) == 0) return &lab->tensor[i];
    return NULL;
}

float *lab_read(struct lab *lab, const struct skl_tensor *t, enum skl_tensor_part part)
{
    float *to = skl_alloc_array(t->count, sizeof *to);
    skl_tensor_read(lab->net, t, part, to);
    return to;
}

/* ---- smooth ---- */
static const struct skl_tensor *find(const struct lab *lab, const char *prefix, int length, const char *end)
{
    char name[160];
    snprintf(name, sizeof name, "%.*s%s", length, prefix, end);
    return lab_find(lab, name);
}

/* Batch norm number i, whose running mean is `mean`. */
static void smooth_norm(struct lab *lab, const struct skl_tensor *mean, int i)
{
    const int length = (int)(strlen(mean->name) - strlen("running_mean"));
    const struct skl_tensor *gamma = find(lab, mean->name, length, "weight"),
                            *beta = find(lab, mean->name, length, "bias");
    const bool own = strstr(mean->name, ".shortcut."); /* a variant declared it */
    float *g = lab_read(lab, gamma, SKL_VALUE), *b = lab_read(lab, beta, SKL_VALUE);
    for (int c = 0; c < mean->shape[0]; c++) {
        const uint64_t at = (uint64_t)(i * 1000 + c);
        g[c] = (float)(0.5 + 0.1 * skl_rng_uniform(41, at));
        b[c] = (float)(own ? 0.25 * normal(42, at) : (c % 2 ? -4 : 4) + 0.1 * normal(43, at));
    }
    skl_tensor_write(lab->net, gamma, SKL_VALUE, g), skl_tensor_write(lab->net, beta, SKL_VALUE, b);
    free(g), free(b);
}

static void smooth_own(struct lab *lab, int i)
{
    const struct skl_planned_unit u = skl_net_unit(lab->net, i);
    for (int k = 0; k < u.decl->owns; k++) {
        char name[128];
        snprintf(name, sizeof name, "%s.shortcut.%s", u.name, u.decl->own[k].name);
        const struct skl_tensor *t = lab_find(lab, name);
        float *v = lab_read(lab, t, SKL_VALUE);
        for (size_t e = 0; e < t->count; e++)
            v[e] += (float)(0.3 + 0.1 * skl_rng_uniform(44 + (uint64_t)(i * SKL_MAX_OWN + k), e));
        skl_tensor_write(lab->net, t, SKL_VALUE, v);
        free(v);
    }
}

static void smooth_logits(struct lab *lab)
{
    double squares = 0;
    for (int i = 0; i < lab->o.batch * LAB_CLASSES; i++) squares += (double)lab->logits[i] * lab->logits[i];
    const double rms = sqrt(squares / (lab->o.batch * LAB_CLASSES));
    const struct skl_tensor *fc = lab_find(lab, "fc.weight");
    float *w = lab_read(lab, fc, SKL_VALUE);
    for (size_t e = 0; e < fc->count && rms > 0; e++) w[e] = (float)(w[e] / rms);
    skl_tensor_write(lab->net, fc, SKL_VALUE, w);
    free(w);
}

/* Every batch norm of the stem and the branches gets beta +4 in even and -4 in odd channels and gamma near 0.5, so what
 * a ReLU reads lies eight standard deviations from its kink: half of the channels pass, half are shut, and the loss is
 * smooth.  Batch norms and tensors of the variant's own are moved off their start: a factor of 0
 * would put the sum on a kink.  fc is scaled so that the
 * logits are about 1 in size, whatever the variant's factors have made of the signal. */
void lab_smooth(struct lab *lab)
{
    int norms = 0;
    for (int i = 0; i < lab->tensors; i++)
        if (strstr(lab->tensor[i].name, ".running_mean")) smooth_norm(lab, &lab->tensor[i], norms++);
    for (int i = 0; i < skl_net_units(lab->net); i++) smooth_own(lab, i);
    lab_loss(lab, 1);
    smooth_logits(lab);
}
