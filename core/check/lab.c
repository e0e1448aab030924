/* A whole small net with the variant in every unit: depth 8, three units, two of which change the shape. */
#include <limits.h>
#include <math.h>
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
    return skl_net_gradient(lab->net, lab->images, lab->labels, iteration, lab->logits).loss;
}

/* Is it a batch norm that a variant declared? */
static bool on_shortcut(const struct lab *lab, const struct bn_layer *bn)
{
    return strstr(lab->tensor[bn->gamma].name, ".shortcut.") != NULL;
}

/* Every batch norm of the stem and the branches gets beta +4 in even and -4 in odd channels and gamma near 0.5, so what
 * a ReLU reads lies eight standard deviations from its kink: half of the channels pass, half are shut, and the loss is
 * smooth.  Batch norms and tensors of the variant's own are moved off their start: a factor of 0
 * would put the sum on a kink.  fc is scaled so that the
 * logits are about 1 in size, whatever the variant's factors have made of the signal. */
void lab_smooth(struct lab *lab)
{
    for (int i = 0; i < lab->net->bns; i++) {
        const struct bn_layer *bn = lab->net->bn[i];
        const bool own = on_shortcut(lab, bn);
        for (int c = 0; c < bn->c; c++) {
            const uint64_t at = (uint64_t)(i * 1000 + c);
            lab->tensor[bn->gamma].value[c] = (float)(0.5 + 0.1 * skl_rng_uniform(41, at));
            lab->tensor[bn->beta].value[c] =
                (float)(own ? 0.25 * normal(42, at) : (c % 2 ? -4 : 4) + 0.1 * normal(43, at));
        }
    }
    for (int i = 0; i < lab->net->units; i++)
        for (int k = 0; k < lab->net->unit[i].decl.owns; k++) {
            struct skl_tensor *t = &lab->tensor[lab->net->unit[i].own[k]];
            for (size_t e = 0; e < t->count; e++)
                t->value[e] += (float)(0.3 + 0.1 * skl_rng_uniform(44 + (uint64_t)(i * SKL_MAX_OWN + k), e));
        }
    lab_loss(lab, 1);
    double squares = 0;
    for (int i = 0; i < lab->o.batch * LAB_CLASSES; i++) squares += (double)lab->logits[i] * lab->logits[i];
    const double rms = sqrt(squares / (lab->o.batch * LAB_CLASSES));
    struct skl_tensor *fc = &lab->tensor[lab->net->fc_weight];
    for (size_t e = 0; e < fc->count && rms > 0; e++) fc->value[e] = (float)(fc->value[e] / rms);
}
