/* Where everything stands: the same code counts (arena.memory NULL) and hands out places. */
#include <stdlib.h>
#include <string.h>
#include "core/device/choose/choose.h"
#include "core/device/choose/devices.h"
#include "core/nn/internal.h"

static struct skl_place take(struct skl_net *net, size_t floats) { return arena_take(net, floats * sizeof(float)); }

/* Of a training pass; of any. */
static size_t training_images(const struct skl_net *net) { return (size_t)net->side * (size_t)net->o.group; }
static size_t most_images(const struct skl_net *net)
{
    const size_t n = training_images(net), slice = (size_t)net->slice;
    return n > slice ? n : slice;
}
/* Vectors a channel that every group has. */
static struct skl_place take_vectors(struct skl_net *net, size_t c) { return take(net, (size_t)net->side * c); }

static void take_bn(struct skl_net *net, struct bn_layer *bn)
{
    const size_t c = (size_t)bn->n.c;
    struct skl_norm *n = &bn->n;
    n->gamma = net->at[bn->gamma].value, n->beta = net->at[bn->beta].value;
    n->dgamma = net->at[bn->gamma].grad, n->dbeta = net->at[bn->beta].grad;
    n->running_mean = net->at[bn->mean_r].value, n->running_var = net->at[bn->var_r].value;
    n->mean = take_vectors(net, c), n->scale = take_vectors(net, c), n->shift = take_vectors(net, c);
    n->spread = arena_take(net, (size_t)net->side * net->device->ops->norm_bytes(net->device, bn->n.c));
    n->c1 = take_vectors(net, c), n->c2 = take_vectors(net, c), n->c3 = take_vectors(net, c);
    n->stop = net->stop;
}

/* ---- units ---- */
static void take_training(struct skl_net *net, struct unit *u, size_t n)
{
    const size_t out = n * skl_shape_floats(u->place.out);
    struct unit_buffers *b = &u->train;
    for (int j = 0; j < u->convs; j++) b->y[j] = take(net, n * skl_shape_floats(conv_out(&u->conv[j])));
    if (u->pre_before_split) b->a = take(net, n * skl_shape_floats(u->place.in));
    if (u->project_bn) b->py = take(net, out);
    if (u->projection != PROJECT_NONE) b->p = take(net, out);
    for (int j = 0; j < u->decl.convs; j++) b->ys[j] = take(net, n * skl_shape_floats(conv_out(&u->shortcut_conv[j])));
    if (u->post) b->s = take(net, out);
    b->z = take(net, out);
    if (u->variant->affine) u->bits = arena_take(net, (out + 7) / 8 + 8);
}

/* Floats of one coefficient spelled out for all groups; numbers an image stand in the variant's keep. */
static size_t coefficient_floats(const struct skl_net *net, const struct unit *u)
{
    const size_t n = most_images(net), c = (size_t)net->side * (size_t)u->place.out.c;
    return ((u->decl.keep && n > c ? n : c) + 15) / 16 * 16;
}

static void take_unit(struct skl_net *net, struct unit *u)
{
    const size_t c = (size_t)u->place.out.c;
    if (!u->variant->affine) {
        if (u->decl.keep) u->keep = take(net, most_images(net) * u->decl.keep);
        return;
    }
    for (int i = 0; i < 2; i++) {
        struct coefficient *k = i ? &u->b : &u->a;
        k->at = net->coef_floats;
        net->coef_floats += coefficient_floats(net, u);
        k->back_at = net->coef_floats;
        if (u->variant->flags & SKL_SURROGATE_GRAD) net->coef_floats += coefficient_floats(net, u);
    }
    u->m_scale = take_vectors(net, c), u->m_shift = take_vectors(net, c), u->m_add = take_vectors(net, c);
    if (!net->o.inference && u->variant->affine_grad) u->dcoef = take_vectors(net, 2 * c);
}

static void take_units(struct skl_net *net)
{
    net->coef_floats = 0;
    for (int i = 0; i < net->units; i++) take_unit(net, &net->unit[i]);
    net->coef = take(net, net->coef_floats);
    for (int i = 0; i < net->units; i++)
        for (int k = 0; k < 2; k++) {
            struct coefficient *c = k ? &net->unit[i].b : &net->unit[i].a;
            c->v = skl_further(net->coef, c->at), c->back = skl_further(net->coef, c->back_at);
        }
}

/* ---- evaluation keeps nothing for later: all units share one set, and outputs alternate between two ---- */
struct shared {
    struct unit_buffers set;
    struct skl_place y[2], ys[2], s[2], z[2], p[2];
};

/* An output may still be pending on y[last] or s of its unit while the next unit writes its own: two of those. */
static void take_pair(struct skl_net *net, struct skl_place pair[2], struct skl_place first, bool wanted, size_t size)
{
    pair[0] = first;
    if (wanted) pair[1] = take(net, size);
}

static void take_shared(struct skl_net *net, struct shared *s, size_t size)
{
    int convs = 0;
    bool post = false, project = false;
    *s = (struct shared){.set = {.z = {NULL, 0}}};
    for (int j = 0; j < SKL_MAX_CONVS; j++) s->set.y[j] = take(net, size);
    for (int i = 0; i < net->units; i++) {
        if (net->unit[i].decl.convs > convs) convs = net->unit[i].decl.convs;
        post = post || net->unit[i].post, project = project || net->unit[i].projection != PROJECT_NONE;
    }
    for (int j = 0; j < convs; j++) s->set.ys[j] = take(net, size);
    if (project) s->set.py = take(net, size), s->set.p = take(net, size), s->set.a = take(net, size);
    if (post) s->set.s = take(net, size);
    take_pair(net, s->y, s->set.y[SKL_MAX_CONVS - 1], true, size);
    take_pair(net, s->ys, s->set.ys[convs ? convs - 1 : 0], convs, size);
    take_pair(net, s->s, s->set.s, post, size);
    take_pair(net, s->p, s->set.p, project, size);
    take_pair(net, s->z, take(net, size), true, size);
}

static void take_evaluation(struct skl_net *net)
{
    const int n = net->o.batch < net->slice ? net->o.batch : net->slice;
    const size_t size = (size_t)n * net->activation;
    struct shared s;
    take_shared(net, &s, size);
    for (int i = 0; i < net->units; i++) {
        struct unit *u = &net->unit[i];
        u->eval = s.set;
        u->eval.y[u->convs - 1] = s.y[i % 2];
        if (has_layers(u)) u->eval.ys[u->decl.convs - 1] = s.ys[i % 2];
        u->eval.s = s.s[i % 2], u->eval.p = s.p[i % 2], u->eval.z = s.z[i % 2];
    }
    net->stem_ye = take(net, size);
    net->stem_ze = s.z[1];
}

/* ---- gradients, head, the rest ---- */
static void take_gradients(struct skl_net *net, size_t n)
{
    const size_t size = n * net->activation;
    bool spare = false;
    for (int i = 0; i < net->units; i++) spare = spare || net->unit[i].end_relu || net->unit[i].decl.convs > 1;
    net->d.y = take(net, size), net->d.along = take(net, size);
    net->d.h = net->d.inner[0] = take(net, size);
    net->d.p = net->d.inner[1] = take(net, size);
    if (spare) net->d.spare = take(net, size);
}

static void take_head(struct skl_net *net, size_t n)
{
    const size_t c = (size_t)net->widest, classes = (size_t)net->o.classes;
    net->head = (struct skl_head){.shape = net->signal[net->units].shape,
                                  .classes = net->o.classes,
                                  .weight = net->at[net->fc_weight].value,
                                  .bias = net->at[net->fc_bias].value,
                                  .dweight = net->at[net->fc_weight].grad,
                                  .dbias = net->at[net->fc_bias].grad};
    net->head.pooled = take(net, n * c), net->head.dpooled = take(net, n * c);
    net->head.logits = take(net, n * classes), net->head.dlogits = take(net, n * classes);
    net->head.labels = arena_take(net, n * sizeof(int32_t));
    net->head.others = arena_take(net, n * sizeof(int32_t));
    net->head.score = arena_take(net, SKL_PLACE_ALIGN);
    net->notes = arena_take(net, SKL_NET_STEPS * sizeof(struct skl_note));
}

static void take_trained(struct skl_net *net, size_t n)
{
    for (int i = 0; i < net->units; i++) take_training(net, &net->unit[i], n);
    net->stem_y = take(net, n * skl_shape_floats(conv_out(&net->stem)));
    net->stem_z = take(net, n * skl_shape_floats(net->signal[0].shape));
    if (net->plan.stem.pool) net->chosen = arena_take(net, n * skl_shape_floats(net->signal[0].shape));
    take_gradients(net, n);
}

/* Nothing of a training pass is wanted when an evaluation begins, nor the other way round: they share their memory. */
static void take_passes(struct skl_net *net, size_t n)
{
    const size_t begin = net->arena.used;
    if (!net->o.inference) take_trained(net, n);
    const size_t end = net->arena.used;
    net->arena.used = begin;
    take_evaluation(net);
    if (net->arena.used < end) net->arena.used = end;
}

static void take_all(struct skl_net *net)
{
    const size_t calls = most_images(net);
    tensors_take(net);
    net->stop = arena_take(net, SKL_PLACE_ALIGN);
    for (int i = 0; i < net->bns; i++) take_bn(net, net->bn[i]);
    take_units(net);
    take_passes(net, training_images(net));
    take_head(net, calls);
    net->images = take(net, calls * (size_t)net->o.size * (size_t)net->o.size * (size_t)net->o.channels);
    net->sums = arena_take(net, (size_t)net->side * net->device->ops->sums_bytes(net->device, net->widest));
    net->zeros = take_vectors(net, (size_t)net->widest), net->ones = take(net, (size_t)net->widest);
}

/* ---- what the device will need besides ---- */
static int list_convs(const struct skl_net *net, const struct skl_conv_plan **list)
{
    int count = 0;
    list[count++] = &net->stem.plan;
    for (int i = 0; i < net->units; i++) {
        const struct unit *u = &net->unit[i];
        for (int j = 0; j < u->convs; j++) list[count++] = &u->conv[j].plan;
        for (int j = 0; j < u->decl.convs; j++) list[count++] = &u->shortcut_conv[j].plan;
        if (u->projection == PROJECT_CONV) list[count++] = &u->project_conv.plan;
    }
    return count;
}

static struct skl_needs needs_of(const struct skl_net *net, const struct skl_conv_plan **list)
{
    struct skl_needs needs = {.images = (int)most_images(net),
                              .group = net->o.group,
                              .groups = net->side,
                              .inference = net->o.inference,
                              .activation = net->activation,
                              .channels = net->widest,
                              .conv = list};
    needs.convs = list_convs(net, list);
    for (int i = 0; i < net->units; i++) {
        const struct unit *u = &net->unit[i];
        if (u->own_floats > needs.own) needs.own = u->own_floats;
        if (u->decl.scratch > needs.scratch) needs.scratch = u->decl.scratch;
        needs.whole_groups = needs.whole_groups || (u->variant->flags & SKL_MIXES_IMAGES);
    }
    return needs;
}

static const struct skl_conv_plan **conv_list(const struct skl_net *net)
{
    const size_t most = 1 + (size_t)net->units * (SKL_MAX_CONVS + SKL_MAX_SHORTCUT_CONVS + 1);
    return skl_alloc_array(most, sizeof(struct skl_conv_plan *));
}

/* A device that is no CPU has to show that it can compute these layers. */
int net_trust(struct skl_net *net, struct skl_err *err)
{
    if (net->device->bits & SKL_RUNS_C) return SKL_OK;
    const struct skl_conv_plan **list = conv_list(net);
    const int n = list_convs(net, list);
    struct skl_conv_shape *shape = skl_alloc_array((size_t)n, sizeof *shape);
    struct skl_selftest what = {.conv = shape, .images = 5, .classes = net->o.classes, .rest = true};
    for (int i = 0; i < n; i++) {
        int same = 0;
        while (same < what.convs && memcmp(&shape[same], &list[i]->shape, sizeof *shape)) same++;
        if (same == what.convs) shape[what.convs++] = list[i]->shape;
    }
    if (net->units) what.variant = net->unit[0].variant;
    const int status =
        skl_device_trust(net->o.device ? net->o.device : skl_device_used(), net->o.pool, &what, false, err);
    free(list), free(shape);
    return status;
}

/* ---- host ---- */
static void host_reserve(struct skl_net *net)
{
    net->host_coef = skl_alloc_array(net->coef_floats + 1, sizeof(float));
    net->host_coef_sent = skl_alloc_array(net->coef_floats + 1, sizeof(float));
    net->host_dcoef = skl_alloc_array(2 * (size_t)net->side * (size_t)net->widest * (size_t)net->units, sizeof(float));
    const size_t n = most_images(net);
    for (int i = 0; i < net->units; i++) {
        struct unit *u = &net->unit[i];
        if (!u->variant->affine) continue;
        if (u->decl.keep) u->host_keep = skl_alloc_array(n * u->decl.keep, sizeof(float));
        if (u->own_floats) u->host_own = skl_alloc_array(3 * u->own_floats, sizeof(float));
        if (u->own_floats) u->host_down = u->host_own + u->own_floats, u->host_sum = u->host_down + u->own_floats;
    }
    net->own_stale = true;
}

void host_free(struct skl_net *net)
{
    free(net->host_coef), free(net->host_coef_sent), free(net->host_dcoef);
    for (int i = 0; i < net->units && net->unit; i++) free(net->unit[i].host_keep), free(net->unit[i].host_own);
}

/* ---- both ---- */
size_t net_bytes(struct skl_net *net)
{
    const struct skl_conv_plan **list = conv_list(net);
    const struct skl_needs needs = needs_of(net, list);
    net->arena.memory = NULL, net->arena.used = 0;
    take_all(net);
    const size_t bytes = net->arena.used + net->device->ops->work_bytes(net->device, &needs);
    free(list);
    return bytes;
}

/* As many groups as divide the mini-batch's and fit its device's memory. */
void net_fit(struct skl_net *net)
{
    const int groups = net->o.inference ? 1 : net->o.batch / net->o.group;
    net->side = net->device->bits & SKL_SIDE_BY_SIDE ? groups : 1;
    while (net->side > 1 && (groups % net->side != 0 || net_bytes(net) > net->device->memory)) net->side--;
}

static void fill(struct skl_net *net)
{
    float *ones = skl_alloc_array((size_t)net->widest, sizeof *ones);
    for (int c = 0; c < net->widest; c++) ones[c] = 1;
    net->device->ops->upload(net->device, ones, (size_t)net->widest * sizeof *ones, net->ones);
    net->device->ops->clear(net->device, net->zeros, (size_t)net->side * (size_t)net->widest * sizeof *ones);
    net->device->ops->clear(net->device, net->stop, SKL_PLACE_ALIGN);
    free(ones);
}

int net_reserve(struct skl_net *net, struct skl_err *err)
{
    const struct skl_conv_plan **list = conv_list(net);
    const struct skl_needs needs = needs_of(net, list);
    int status = net->device->ops->ready(net->device, &needs, err);
    free(list);
    net->arena.memory = NULL, net->arena.used = 0;
    take_all(net);
    if (!status) status = net->device->ops->reserve(net->device, net->arena.used, &net->memory, err);
    if (status) return status;
    net->arena.memory = net->memory, net->arena.used = 0;
    take_all(net);
    host_reserve(net);
    fill(net);
    return SKL_OK;
}
