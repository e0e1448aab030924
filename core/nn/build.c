/* From a model configuration to layers, shapes, tensors and memory. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/config/registry.h"
#include "core/nn/internal.h"

/* ---- layers ---- */
static bool decays(const struct skl_net *net, bool weight) { return weight || net->o.weight_decay_on == SKL_DECAY_ALL; }

static struct bn_layer *plan_bn(struct skl_net *net, int c, const char *prefix, const char *name)
{
    struct bn_layer *bn = skl_alloc(sizeof *bn);
    const int shape[] = {c};
    bn->c = c;
    bn->gamma = add_tensor(net, (struct tensor_start){SKL_KIND_GAMMA, SKL_CONST, 1}, decays(net, false), 1, shape,
                           "%s%s.weight", prefix, name);
    bn->beta = add_tensor(net, (struct tensor_start){SKL_KIND_BETA, SKL_CONST, 0}, decays(net, false), 1, shape,
                          "%s%s.bias", prefix, name);
    bn->mean_r = add_tensor(net, (struct tensor_start){SKL_KIND_MEAN, SKL_CONST, 0}, false, 1, shape,
                            "%s%s.running_mean", prefix, name);
    bn->var_r = add_tensor(net, (struct tensor_start){SKL_KIND_VAR, SKL_CONST, 1}, false, 1, shape, "%s%s.running_var",
                           prefix, name);
    net->bn = realloc(net->bn, (size_t)(net->bns + 1) * sizeof(struct bn_layer *));
    if (!net->bn) SKL_BUG("out of memory");
    return net->bn[net->bns++] = bn;
}

static struct conv_layer plan_conv(struct skl_net *net, struct skl_shape in, int k, int size, int stride,
                                   enum skl_init init, const char *prefix, const char *name)
{
    struct conv_layer l = {.shape = {in.h, in.w, in.c, k, size, stride}, .bias = -1};
    l.kernel = skl_conv_select(net->o.conv, net->o.kernels->cpu, &l.shape);
    l.weight = add_tensor(net, (struct tensor_start){SKL_KIND_CONV, init, 0}, true, 4,
                          (const int[]){k, in.c, size, size}, "%s%s.weight", prefix, name);
    return l;
}

static struct skl_shape shape_of(int h, int w, int c) { return (struct skl_shape){h, w, c}; }

/* ---- one unit ---- */
static const struct skl_shortcut *variant_at(const struct skl_net *net, const struct unit *u)
{
    const struct skl_model_config *m = &net->model;
    bool changes = u->place.in.c != u->place.out.c || u->place.in.h != u->place.out.h;
    if (u->place.index < m->shortcut_from || u->place.index > m->shortcut_to || (m->shortcut_same_shape && changes))
        return skl_registry_find("identity");
    return m->shortcut;
}

static struct bn_layer *plan_shortcut_bn(struct skl_net *net, const struct unit *u, int i, int c, const char *prefix)
{
    struct bn_layer *bn = plan_bn(net, c, prefix, u->decl.conv[i].bn_name);
    net->start[bn->beta].value = u->decl.conv[i].bn_bias;
    if (u->decl.conv[i].bn_flags & SKL_NO_DECAY) net->tensor[bn->beta].decay = false;
    return bn;
}

static int start_branch(struct skl_net *net, struct unit *u, struct skl_err *err)
{
    if (!u->decl.starts) return SKL_OK;
    if (u->end_relu && u->decl.branch_start == 0)
        return skl_fail(err, SKL_USAGE,
                        "shortcut '%s': a branch that starts at 0 and ends with a ReLU never starts; take another "
                        "model.order than relu_before_add",
                        u->variant->name);
    net->start[u->end ? u->end->gamma : u->conv[u->convs - 1].weight].factor = u->decl.branch_start;
    return SKL_OK;
}

static int plan_shortcut(struct skl_net *net, struct unit *u, struct skl_err *err)
{
    char prefix[64];
    const bool changes = u->place.in.c != u->place.out.c || u->place.in.h != u->place.out.h,
               preact = net->model.order >= SKL_RELU_ONLY_PREACT;
    u->variant = variant_at(net, u);
    u->opts = net->model.shortcut_opts;
    int status = skl_declare(u->variant, &u->place, u->opts, &u->decl, err);
    if (status) return status;
    if (changes && u->decl.source == SKL_X) {
        u->projection = net->model.projection == SKL_PROJECTION_A ? PROJECT_PAD : PROJECT_CONV;
        u->pre_before_split = u->projection == PROJECT_CONV && preact && (u->pre || u->pre_relu);
    }
    snprintf(prefix, sizeof prefix, "%s.", u->prefix);
    if (u->projection == PROJECT_CONV) {
        u->project_conv =
            plan_conv(net, u->place.in, u->place.out.c, 1, unit_stride(&u->place), SKL_HE, prefix, "project.conv");
        if (!preact) u->project_bn = plan_bn(net, u->place.out.c, prefix, "project.bn");
    }
    snprintf(prefix, sizeof prefix, "%s.shortcut.", u->prefix);
    struct skl_shape s = u->decl.source == SKL_RAW_X ? u->place.in : u->place.out;
    for (int i = 0; i < u->decl.convs; i++) {
        const struct skl_conv_spec *spec = &u->decl.conv[i].spec;
        u->shortcut_conv[i] =
            plan_conv(net, s, spec->out_channels, spec->kernel, spec->stride, spec->init, prefix, u->decl.conv[i].name);
        if (spec->bias)
            u->shortcut_conv[i].bias =
                add_tensor(net, (struct tensor_start){SKL_KIND_BIAS, SKL_CONST, spec->bias_init},
                           !(spec->bias_flags & SKL_NO_DECAY), 1, (const int[]){spec->out_channels}, "%s%s.bias",
                           prefix, u->decl.conv[i].name);
        s = conv_out(&u->shortcut_conv[i]);
        if (u->decl.conv[i].bn) u->shortcut_bn[i] = plan_shortcut_bn(net, u, i, s.c, prefix);
    }
    for (int i = 0; i < u->decl.owns; i++) {
        u->own[i] = add_tensor(net, (struct tensor_start){SKL_KIND_OWN, u->decl.own[i].init, u->decl.own[i].value},
                               !(u->decl.own[i].flags & SKL_NO_DECAY), u->decl.own[i].ndim, u->decl.own[i].shape,
                               "%s%s", prefix, u->decl.own[i].name);
        u->own_floats += net->tensor[u->own[i]].count;
    }
    return SKL_OK;
}

/* F: basic 3x3, 3x3; bottleneck 1x1, 3x3 (with the stride), 1x1 to four times the width. */
static void plan_branch(struct skl_net *net, struct unit *u, bool first)
{
    const int order = net->model.order, stride = unit_stride(&u->place);
    const bool bottleneck = net->model.block == SKL_BOTTLENECK, full = order == SKL_FULL_PREACT;
    const int inner = bottleneck ? u->place.out.c / 4 : u->place.out.c;
    char prefix[64], name[16];
    snprintf(prefix, sizeof prefix, "%s.", u->prefix);
    u->convs = bottleneck ? 3 : 2;
    u->pre_relu = order >= SKL_RELU_ONLY_PREACT && !first;
    struct skl_shape s = u->place.in;
    for (int j = 0; j < u->convs; j++) {
        const int k = j == u->convs - 1 ? u->place.out.c : inner, size = bottleneck && j != 1 ? 1 : 3;
        if (full && (j > 0 || !first)) {
            snprintf(name, sizeof name, "bn%d", j + 1);
            struct bn_layer *bn = plan_bn(net, s.c, prefix, name);
            if (j == 0)
                u->pre = bn;
            else
                u->mid[j - 1] = bn;
        }
        snprintf(name, sizeof name, "conv%d", j + 1);
        u->conv[j] = plan_conv(net, s, k, size, j == (bottleneck ? 1 : 0) ? stride : 1, SKL_HE, prefix, name);
        s = conv_out(&u->conv[j]);
        if (full) continue;
        snprintf(name, sizeof name, "bn%d", j + 1);
        struct bn_layer *bn = plan_bn(net, s.c, prefix, name);
        if (j < u->convs - 1)
            u->mid[j] = bn;
        else if (order == SKL_BN_AFTER_ADD)
            u->post = bn;
        else
            u->end = bn;
    }
    u->end_relu = order == SKL_RELU_BEFORE_ADD;
    u->post_relu = order == SKL_ORIGINAL || order == SKL_BN_AFTER_ADD;
}

static int plan_units(struct skl_net *net, int per_stage, struct skl_err *err)
{
    const int factor = net->model.block == SKL_BOTTLENECK ? 4 : 1;
    struct skl_shape s = conv_out(&net->stem);
    net->units = 3 * per_stage;
    net->unit = skl_alloc_array((size_t)net->units, sizeof *net->unit);
    net->value = skl_alloc_array((size_t)net->units + 1, sizeof *net->value);
    net->value[0].shape = s;
    for (int i = 0; i < net->units; i++) {
        struct unit *u = &net->unit[i];
        const int stage = i / per_stage, halve = stage > 0 && i % per_stage == 0 ? 2 : 1;
        u->place = (struct skl_unit){
            i, net->units, s,
            shape_of((s.h + halve - 1) / halve, (s.w + halve - 1) / halve, (net->model.width << stage) * factor)};
        snprintf(u->prefix, sizeof u->prefix, "layer%d.%d", stage + 1, i % per_stage);
        plan_branch(net, u, i == 0);
        int status = plan_shortcut(net, u, err);
        if (!status) status = start_branch(net, u, err);
        if (status) return status;
        if (u->pre) net->value[i].bn = u->pre;
        s = u->place.out;
        net->value[i + 1].shape = s;
    }
    return SKL_OK;
}

int skl_depth_units(int depth, int block, int *n, struct skl_err *err)
{
    const int layers = block == SKL_BOTTLENECK ? 9 : 6;
    if (depth < layers + 2 || (depth - 2) % layers != 0)
        return skl_fail(err, SKL_USAGE, "depth %d is not %dn+2 (%s units): try %d or %d", depth, layers,
                        block == SKL_BOTTLENECK ? "bottleneck" : "basic",
                        depth < layers + 2 ? layers + 2 : (depth - 2) / layers * layers + 2,
                        depth < layers + 2 ? 2 * layers + 2 : (depth - 2) / layers * layers + 2 + layers);
    *n = (depth - 2) / layers;
    return SKL_OK;
}

static void measure(struct skl_net *net)
{
    struct skl_shape s = {net->o.size, net->o.size, net->o.channels};
    net->activation = shape_floats(s);
    net->widest = s.c > net->o.classes ? s.c : net->o.classes;
    for (int i = 0; i <= net->units; i++) {
        s = net->value[i].shape;
        if (shape_floats(s) > net->activation) net->activation = shape_floats(s);
        if (s.c > net->widest) net->widest = s.c;
    }
    for (int i = 0; i < net->units; i++)
        for (int j = 0; j < net->unit[i].decl.convs; j++) {
            s = conv_out(&net->unit[i].shortcut_conv[j]);
            if (shape_floats(s) > net->activation) net->activation = shape_floats(s);
            if (s.c > net->widest) net->widest = s.c;
        }
}

int net_plan(struct skl_net *net, struct skl_err *err)
{
    int per_stage;
    int status = skl_depth_units(net->model.depth, net->model.block, &per_stage, err);
    if (status) return status;
    if (net->o.size < 4)
        return skl_fail(err, SKL_USAGE, "images of %dx%d are too small: 4x4 at least", net->o.size, net->o.size);
    net->stem = plan_conv(net, shape_of(net->o.size, net->o.size, net->o.channels), net->model.width, 3, 1, SKL_HE, "",
                          "conv1");
    net->stem_bn = plan_bn(net, net->model.width, "", "bn1");
    status = plan_units(net, per_stage, err);
    if (status) return status;
    const int c = net->value[net->units].shape.c;
    net->last_relu = net->model.order >= SKL_RELU_ONLY_PREACT;
    if (net->model.order == SKL_FULL_PREACT) net->value[net->units].bn = net->last_bn = plan_bn(net, c, "", "bn_last");
    net->fc_weight = add_tensor(net, (struct tensor_start){SKL_KIND_FC, SKL_HE, 0}, true, 2,
                                (const int[]){net->o.classes, c}, "fc.weight");
    net->fc_bias = add_tensor(net, (struct tensor_start){SKL_KIND_BIAS, SKL_CONST, 0}, decays(net, false), 1,
                              (const int[]){net->o.classes}, "fc.bias");
    measure(net);
    return SKL_OK;
}

/* ---- memory: the same code counts (arena.base NULL) and hands out ---- */
void *arena_take(struct skl_net *net, size_t bytes)
{
    size_t at = net->arena.used;
    net->arena.used += (bytes + 63) / 64 * 64;
    return net->arena.base ? net->arena.base + at : NULL;
}
static float *take(struct skl_net *net, size_t floats) { return arena_take(net, floats * sizeof(float)); }

static void largest(size_t *max, size_t n)
{
    if (n > *max) *max = n;
}
static void conv_needs(struct skl_net *net, const struct conv_layer *l, size_t *packed, size_t *gradient)
{
    largest(packed, l->kernel->packed_floats(&l->shape));
    largest(gradient, l->kernel->gradient_floats(&l->shape));
    largest(&net->scratch_floats, l->kernel->scratch_floats(&l->shape));
}

static void take_work(struct skl_net *net)
{
    size_t packed = 0, gradient = 0, own = 0, range = 1, variant = 0;
    net->scratch_floats = net->activation;
    conv_needs(net, &net->stem, &packed, &gradient);
    for (int i = 0; i < net->units; i++) {
        struct unit *u = &net->unit[i];
        for (int j = 0; j < u->convs; j++) conv_needs(net, &u->conv[j], &packed, &gradient);
        if (u->projection == PROJECT_CONV) conv_needs(net, &u->project_conv, &packed, &gradient);
        for (int j = 0; j < u->decl.convs; j++) conv_needs(net, &u->shortcut_conv[j], &packed, &gradient);
        largest(&own, u->own_floats);
        largest(&variant, u->decl.scratch);
        if (u->variant->flags & SKL_MIXES_IMAGES) range = (size_t)net->o.group;
    }
    net->range_floats = (range * (4 * net->activation + variant) + 15) / 16 * 16;
    net->partial_stride = (gradient + 15) / 16 * 16 + 16;
    net->conv_floats = (net->scratch_floats + 15) / 16 * 16;
    net->scratch_floats = net->range_floats + net->conv_floats + net->partial_stride;
    const int chunks = SKL_MAX_CHUNKS, workers = net->o.pool ? skl_pool_threads(net->o.pool) : 1;
    net->packed = take(net, packed);
    net->own_stride = (own + 15) / 16 * 16;
    if (!net->o.inference) {
        net->partial = take(net, net->partial_stride * (size_t)skl_chunk_count(net->o.group));
        net->own_partial = take(net, net->own_stride * (size_t)chunks);
        net->coef_sum = arena_take(net, 2 * (size_t)chunks * (size_t)net->widest * sizeof(double));
        net->bias_sum = arena_take(net, (size_t)chunks * (size_t)net->widest * sizeof(double));
        net->coef_float = take(net, 2 * (size_t)net->widest);
    }
    net->scratch = arena_take(net, (size_t)workers * sizeof(float *));
    for (int i = 0; i < workers; i++) {
        float *p = take(net, net->scratch_floats);
        if (net->scratch) net->scratch[i] = p;
    }
    const size_t c = (size_t)net->widest;
    for (int i = 0; i < chunks; i++) {
        struct skl_sums *s = &net->sums[i];
        s->pivot = take(net, c);
        s->sum = arena_take(net, c * sizeof(double)), s->dot = arena_take(net, c * sizeof(double)),
        s->dot2 = arena_take(net, c * sizeof(double));
    }
    net->zeros = take(net, c), net->ones = take(net, c);
}

static void take_bn(struct skl_net *net, struct bn_layer *bn)
{
    const size_t c = (size_t)bn->c;
    bn->mean = take(net, c), bn->scale = take(net, c), bn->shift = take(net, c);
    bn->rstd = arena_take(net, c * sizeof(double));
    bn->c1 = take(net, c), bn->c2 = take(net, c), bn->c3 = take(net, c);
}

static void take_unit(struct skl_net *net, struct unit *u, size_t n)
{
    const size_t out = n * shape_floats(u->place.out), c = (size_t)u->place.out.c;
    struct unit_buffers *b = &u->train;
    if (!net->o.inference) {
        for (int j = 0; j < u->convs; j++) b->y[j] = take(net, n * shape_floats(conv_out(&u->conv[j])));
        if (u->pre_before_split) b->a = take(net, n * shape_floats(u->place.in));
        if (u->project_bn) b->py = take(net, out);
        if (u->projection != PROJECT_NONE) b->p = take(net, out);
        for (int j = 0; j < u->decl.convs; j++) b->ys[j] = take(net, n * shape_floats(conv_out(&u->shortcut_conv[j])));
        if (u->post) b->s = take(net, out);
        b->z = take(net, out);
        u->mask = u->variant->affine ? arena_take(net, (out + 7) / 8 + 8) : NULL;
    }
    u->keep = u->decl.keep ? take(net, (n > SKL_EVAL_SLICE ? n : SKL_EVAL_SLICE) * u->decl.keep) : NULL;
    u->a_vec = take(net, c), u->b_vec = take(net, c);
    u->m_scale = take(net, c), u->m_shift = take(net, c), u->m_add = take(net, c);
}

/* Evaluation keeps nothing for later: all units share one set, and outputs alternate between two. */
static void take_evaluation(struct skl_net *net)
{
    const size_t n = net->o.batch < SKL_EVAL_SLICE ? (size_t)net->o.batch : SKL_EVAL_SLICE, size = n * net->activation;
    struct unit_buffers b = {.z = NULL};
    for (int j = 0; j < SKL_MAX_CONVS; j++) b.y[j] = take(net, size);
    int convs = 0;
    bool post = false, project = false;
    for (int i = 0; i < net->units; i++) {
        if (net->unit[i].decl.convs > convs) convs = net->unit[i].decl.convs;
        post = post || net->unit[i].post, project = project || net->unit[i].projection != PROJECT_NONE;
    }
    for (int j = 0; j < convs; j++) b.ys[j] = take(net, size);
    if (project) b.py = take(net, size), b.p = take(net, size), b.a = take(net, size);
    if (post) b.s = take(net, size);
    /* An output may still be pending on y[last] or s of its unit while the next unit writes its own: two of those too. */
    float *y[2] = {b.y[SKL_MAX_CONVS - 1], take(net, size)},
          *ys[2] = {b.ys[convs ? convs - 1 : 0], convs ? take(net, size) : NULL};
    float *s[2] = {b.s, post ? take(net, size) : NULL}, *z[2] = {take(net, size), take(net, size)},
          *p[2] = {b.p, project ? take(net, size) : NULL};
    for (int i = 0; i < net->units; i++) {
        struct unit *u = &net->unit[i];
        u->eval = b;
        u->eval.y[u->convs - 1] = y[i % 2];
        if (u->decl.convs) u->eval.ys[u->decl.convs - 1] = ys[i % 2];
        u->eval.s = s[i % 2], u->eval.p = p[i % 2], u->eval.z = z[i % 2];
    }
    net->stem_ye = take(net, size);
    net->stem_ze = z[1];
}

static void take_all(struct skl_net *net)
{
    const size_t n = (size_t)net->o.group;
    tensors_allocate(net);
    for (int i = 0; i < net->bns; i++) take_bn(net, net->bn[i]);
    for (int i = 0; i < net->units; i++) take_unit(net, &net->unit[i], n);
    if (!net->o.inference) {
        net->stem_y = take(net, n * shape_floats(conv_out(&net->stem)));
        net->stem_z = take(net, n * shape_floats(conv_out(&net->stem)));
        net->g = take(net, n * net->activation), net->r = take(net, n * net->activation);
        for (int i = 0; i < 3; i++) net->t[i] = take(net, n * net->activation);
    }
    take_evaluation(net);
    take_work(net);
    const size_t images = n > SKL_EVAL_SLICE ? n : SKL_EVAL_SLICE, c = (size_t)net->widest;
    net->pooled = take(net, images * c), net->dpooled = take(net, images * c);
    net->logits = take(net, images * (size_t)net->o.classes), net->dlogits = take(net, images * (size_t)net->o.classes);
}

size_t net_bytes(struct skl_net *net)
{
    net->arena.base = NULL, net->arena.used = 0;
    take_all(net);
    return net->arena.used;
}

void net_allocate(struct skl_net *net)
{
    net->arena.size = net_bytes(net);
    net->arena.base = skl_map(net->arena.size);
    net->arena.used = 0;
    take_all(net);
    for (int c = 0; c < net->widest; c++) net->ones[c] = 1;
}
