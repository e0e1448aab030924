/* The coefficients of way 1, y = a h + b F: what stays on the host.
 *
 * Before the groups that go side by side every unit's affine is asked, group by group, and what it said goes to the
 * device in one piece, if it is new.  After their backward pass the sums that learned coefficients need come back in
 * one wait, and affine_grad turns them into gradients of the variant's tensors. */
#include <string.h>
#include "core/nn/internal.h"

struct own_tensors {
    const float *w[SKL_MAX_OWN];
    float *dw[SKL_MAX_OWN];
};
static struct skl_call host_call(struct skl_net *net, const struct unit *u, int group, struct own_tensors *own)
{
    struct skl_call k = make_call(net, u);
    k.first += group * net->n;
    size_t at = 0;
    for (int i = 0; i < u->decl.owns; at += net->tensor[u->own[i++]].count)
        own->w[i] = u->host_own + at, own->dw[i] = u->host_down + at;
    k.w = own->w;
    k.keep = u->host_keep ? u->host_keep + (size_t)(group * net->n) * u->decl.keep : NULL;
    return k;
}

/* ---- forward ---- */
static void fetch_own(struct skl_net *net)
{
    for (int i = 0; i < net->units; i++) {
        const struct unit *u = &net->unit[i];
        float *to = u->host_own;
        for (int k = 0; to && k < u->decl.owns; to += net->tensor[u->own[k++]].count)
            net->device->ops->download(net->device, value_of(net, u->own[k]), net->tensor[u->own[k]].count * sizeof *to,
                                       to);
    }
    net_finish(net);
    net->own_stale = false;
}

static void spell_out(const struct skl_coef *k, size_t n, float *to)
{
    const bool one = k->span == SKL_ONE || k->span == SKL_MASK;
    for (size_t i = 0; i < n; i++) to[i] = !k->v ? k->constant : k->v[one ? 0 : i];
}

/* Into the group's part of what goes to the device. */
static void spell_group(struct skl_net *net, const struct unit *u, const struct coefficient *c, int group)
{
    const size_t images = (size_t)net->n, n = c->said.span == SKL_PER_IMAGE ? images : (size_t)u->place.out.c;
    spell_out(&c->said, n, net->host_coef + c->at + (size_t)group * n);
    if (c->said.back)
        memcpy(net->host_coef + c->back_at + (size_t)group * images, c->said.back, images * sizeof(float));
}

static bool alike(const struct skl_coef *x, const struct skl_coef *y)
{
    return kind_of(x) == kind_of(y) && x->span == y->span && x->drop == y->drop && !x->back == !y->back;
}

/* Returns whether all groups are merged in one way. */
static bool ask(struct skl_net *net, struct unit *u)
{
    const enum coef_kind a = u->a.kind, b = u->b.kind;
    bool same = true;
    for (int g = 0; g < net->groups; g++) {
        const struct skl_coef before[2] = {u->a.said, u->b.said};
        u->a.said = u->b.said = (struct skl_coef){.span = SKL_ONE, .constant = 1};
        if (u->variant->affine) {
            struct own_tensors own;
            struct skl_call k = host_call(net, u, g, &own);
            u->variant->affine(&k, &u->a.said, &u->b.said);
            spell_group(net, u, &u->a, g), spell_group(net, u, &u->b, g);
        }
        same = same && (g == 0 || (alike(&before[0], &u->a.said) && alike(&before[1], &u->b.said)));
    }
    u->a.kind = kind_of(&u->a.said), u->b.kind = kind_of(&u->b.said);
    if (a != u->a.kind || b != u->b.kind) u->fusion = fuse(net, u);
    return same;
}

bool coefficients_ask(struct skl_net *net)
{
    bool same = true;
    if (net->own_stale) fetch_own(net);
    for (int i = 0; i < net->units; i++) same = ask(net, &net->unit[i]) && same;
    return same;
}

void coefficients_forward(struct skl_net *net)
{
    const size_t bytes = net->coef_floats * sizeof(float);
    if (bytes == 0 || memcmp(net->host_coef, net->host_coef_sent, bytes) == 0) return;
    memcpy(net->host_coef_sent, net->host_coef, bytes);
    net->device->ops->upload(net->device, net->host_coef, bytes, net->coef);
}

/* ---- backward ---- */
static float *dcoef_of(const struct skl_net *net, int unit)
{
    return net->host_dcoef + 2 * (size_t)net->side * (size_t)net->widest * (size_t)unit;
}

static void learn_group(struct skl_net *net, struct unit *u, int group, const float *d)
{
    struct own_tensors own;
    struct skl_call k = host_call(net, u, group, &own);
    memset(u->host_down, 0, u->own_floats * sizeof(float));
    k.dw = own.dw;
    u->variant->affine_grad(&k, u->a.kind == COEF_LEARNED ? d : NULL,
                            u->b.kind == COEF_LEARNED ? d + u->place.out.c : NULL);
    float *sum = u->host_sum;
    for (size_t e = 0; e < u->own_floats; e++)
        sum[e] = net->accumulate || group > 0 ? sum[e] + u->host_down[e] : u->host_down[e];
}

static void learn_unit(struct skl_net *net, struct unit *u, const float *d)
{
    for (int g = 0; g < net->groups; g++) learn_group(net, u, g, d + 2 * g * u->place.out.c);
    const float *sum = u->host_sum;
    for (int i = 0; i < u->decl.owns; sum += net->tensor[u->own[i++]].count)
        net->device->ops->upload(net->device, sum, net->tensor[u->own[i]].count * sizeof *sum, net->at[u->own[i]].grad);
}

void coefficients_backward(struct skl_net *net)
{
    bool wait = false;
    for (int i = 0; i < net->units; i++) {
        const struct unit *u = &net->unit[i];
        if (!learns(u)) continue;
        net->device->ops->download(net->device, u->dcoef,
                                   2 * (size_t)net->groups * (size_t)u->place.out.c * sizeof(float), dcoef_of(net, i));
        wait = true;
    }
    if (wait) net_finish(net);
    for (int i = 0; i < net->units; i++)
        if (net->unit[i].variant->affine_grad) learn_unit(net, &net->unit[i], dcoef_of(net, i));
}
