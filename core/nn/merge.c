/* How the shortcut h and the branch f meet, way 1: y = a h + b f inside the neighbours' loads and stores.  What cannot be
 * fused so, and way 2, is in pointwise.c. */
#include <limits.h>
#include <string.h>
#include "core/base/rng.h"
#include "core/nn/internal.h"

uint64_t unit_key(const struct skl_net *net, const struct unit *u)
{
    return skl_rng_key(net->o.seed, SKL_RNG_SHORTCUT, (uint64_t)net->iteration, (uint64_t)u->place.index);
}

struct skl_call make_call(struct skl_net *net, struct unit *u, int first, int n, float *own_gradients,
                          struct own_tensors *own)
{
    for (int i = 0; i < u->decl.owns; i++) {
        own->w[i] = tensor_value(net, u->own[i]);
        own->dw[i] = own_gradients;
        if (own_gradients) own_gradients += net->tensor[u->own[i]].count;
    }
    return (struct skl_call){.unit = &u->place,
                             .opts = u->opts,
                             .iteration = net->iteration,
                             .iterations = net->o.iterations,
                             .training = net->training && !net->clean,
                             .batch = net->o.batch,
                             .first = net->first + first,
                             .n = n,
                             .p = u->decl.p,
                             .rng_key = unit_key(net, u),
                             .w = own->w,
                             .dw = own->dw,
                             .keep = u->keep ? u->keep + (size_t)first * u->decl.keep : NULL};
}

/* ---- way 1 ---- */
static bool is_one(const struct skl_coef *k) { return !k->v && k->span == SKL_ONE && k->k == 1.0f; }
static bool is_zero(const struct skl_coef *k) { return !k->v && k->span == SKL_ONE && k->k == 0.0f; }
bool coef_learned(const struct skl_coef *k) { return k->v && k->span != SKL_PER_IMAGE; }

static bool can_fuse(const struct skl_net *net, const struct unit *u)
{
    const struct skl_coef *a = &u->a_coef, *b = &u->b_coef;
    if (net->o.pointwise || a->span == SKL_PER_IMAGE || b->span == SKL_PER_IMAGE) return false;
    if (a->span == SKL_MASK && (has_layers(u) || u->place.out.c % 8 != 0)) return false; /* kernels.h: keep */
    if (u->end_relu && (!is_one(b) || coef_learned(a) || has_layers(u))) return false;
    return true;
}

static void spell_out(const struct skl_coef *k, int c, float *vec)
{
    for (int i = 0; i < c; i++) vec[i] = !k->v ? k->k : k->span == SKL_PER_CHANNEL ? k->v[i] : k->v[0];
}

struct mask_job {
    struct unit *u;
    size_t image;
    uint64_t key;
    double drop;
};
static void mask_chunk(struct skl_net *net, void *arg, int chunk, int first, int n, float *scratch)
{
    (void)chunk, (void)scratch;
    const struct mask_job *j = arg;
    net->o.kernels->keep_bits(j->key, j->drop, (uint64_t)(net->first + first) * j->image, (size_t)n * j->image,
                              j->u->mask + (size_t)first * j->image / 8);
}

void merge_coefficients(struct skl_net *net, struct unit *u)
{
    const struct skl_coef one = {.span = SKL_ONE, .k = 1};
    u->a_coef = u->b_coef = one;
    u->fused = false;
    if (!u->variant->affine) return;
    struct own_tensors own;
    struct skl_call k = make_call(net, u, 0, net->n, NULL, &own);
    u->variant->affine(&k, &u->a_coef, &u->b_coef);
    spell_out(&u->a_coef, u->place.out.c, u->a_vec);
    spell_out(&u->b_coef, u->place.out.c, u->b_vec);
    u->fused = can_fuse(net, u);
    if (!u->fused || u->a_coef.span != SKL_MASK) return;
    struct mask_job job = {u, shape_floats(u->place.out), k.rng_key, u->a_coef.drop};
    for_chunks(net, mask_chunk, &job);
}

struct skl_load branch_view(const struct unit *u) { return bn_view(u->end, u->b->y[u->convs - 1], u->end_relu); }

/* x after the first i layers on the shortcut path. */
struct skl_load shortcut_input(struct skl_net *net, const struct unit *u, int i, const float *x)
{
    if (i == 0) return (struct skl_load){.x = x};
    struct skl_load l = bn_view(u->shortcut_bn[i - 1], u->b->ys[i - 1], false);
    if (!l.scale && u->shortcut_conv[i - 1].bias >= 0)
        l.scale = net->ones, l.shift = tensor_value(net, u->shortcut_conv[i - 1].bias);
    return l;
}

struct skl_load shortcut_view(struct skl_net *net, const struct unit *u, const float *x)
{
    return shortcut_input(net, u, u->decl.convs, x);
}

/* y = b BN(y_last) + a h as one load: the factors go into the vectors.  Only where fused; without end_relu. */
struct skl_load merged_load(struct skl_net *net, struct unit *u, const float *x)
{
    const struct skl_load h = shortcut_view(net, u, x), f = branch_view(u);
    for (int c = 0; c < u->place.out.c; c++) {
        float b = u->b_vec[c], a = u->a_vec[c];
        u->m_scale[c] = f.scale ? b * f.scale[c] : b;
        u->m_shift[c] = (f.scale ? b * f.shift[c] : 0) + (h.scale ? a * h.shift[c] : 0);
        u->m_add[c] = h.scale ? a * h.scale[c] : a;
    }
    struct skl_load y = {.x = f.x};
    if (f.scale || h.scale || !is_one(&u->b_coef)) y.scale = u->m_scale, y.shift = u->m_shift;
    if (is_zero(&u->a_coef)) return y; /* the plain net reads no shortcut; h's shift is 0 times something */
    y.add = h.x;
    y.add_scale = is_one(&u->a_coef) && !h.scale ? NULL : u->m_add;
    y.keep = u->a_coef.span == SKL_MASK ? u->mask : NULL;
    return y;
}

/* da = sum g h and db = sum g f, from the chunks' sums: f = gamma x^ + beta, so sum g f follows from the two sums that
 * the batch norm's derivative needs anyway. */
static double partner_sum(struct skl_net *net, const struct bn_layer *bn, int which, int c)
{
    double dot = chunk_total(net, which, c);
    if (!bn) return dot;
    return tensor_value(net, bn->gamma)[c] * bn->rstd[c] * dot +
           (double)tensor_value(net, bn->beta)[c] * chunk_total(net, 0, c);
}

void coefficient_gradient(struct skl_net *net, struct unit *u, const double *da, const double *db)
{
    const int c = u->place.out.c;
    float *a = net->coef_float, *b = a + c;
    double sa = 0, sb = 0;
    for (int i = 0; i < c; i++) sa += da[i], sb += db[i], a[i] = (float)da[i], b[i] = (float)db[i];
    if (u->a_coef.span == SKL_ONE) a[0] = (float)sa;
    if (u->b_coef.span == SKL_ONE) b[0] = (float)sb;
    float *gradients = net->own_partial;
    memset(gradients, 0, u->own_floats * sizeof *gradients);
    struct own_tensors own;
    struct skl_call k = make_call(net, u, 0, net->n, gradients, &own);
    u->variant->affine_grad(&k, coef_learned(&u->a_coef) ? a : NULL, coef_learned(&u->b_coef) ? b : NULL);
    for (int i = 0; i < u->decl.owns; i++)
        for (size_t e = 0; e < net->tensor[u->own[i]].count; e++) add_gradient(net, u->own[i], e, own.dw[i][e]);
}

void merge_sums_to_gradients(struct skl_net *net, struct unit *u)
{
    if (!u->variant->affine_grad) return;
    double *da = net->coef_sum, *db = da + u->place.out.c;
    int last = u->decl.convs - 1;
    for (int c = 0; c < u->place.out.c; c++) {
        db[c] = partner_sum(net, u->end, 1, c);
        da[c] = partner_sum(net, last >= 0 ? u->shortcut_bn[last] : NULL, 2, c);
    }
    coefficient_gradient(net, u, da, db);
}
