/* The coefficients of way 1, y = a h + b F: what stays on the host.
 *
 * Before a group every unit's affine is asked, and what it said goes to the device in one piece, if it is new.  After
 * the group's backward pass the sums that learned coefficients need come back in one wait, and affine_grad turns them
 * into gradients of the variant's tensors. */
#include <string.h>
#include "core/nn/internal.h"

struct own_tensors {
    const float *w[SKL_MAX_OWN];
    float *dw[SKL_MAX_OWN];
};
static struct skl_call host_call(struct skl_net *net, const struct unit *u, struct own_tensors *own)
{
    struct skl_call k = make_call(net, u);
    size_t at = 0;
    for (int i = 0; i < u->decl.owns; at += net->tensor[u->own[i++]].count)
        own->w[i] = u->host_own + at, own->dw[i] = u->host_down + at;
    k.w = own->w;
    k.keep = u->host_keep;
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

static void ask(struct skl_net *net, struct unit *u)
{
    const enum coef_kind a = u->a.kind, b = u->b.kind;
    u->a.said = u->b.said = (struct skl_coef){.span = SKL_ONE, .constant = 1};
    if (u->variant->affine) {
        struct own_tensors own;
        struct skl_call k = host_call(net, u, &own);
        u->variant->affine(&k, &u->a.said, &u->b.said);
        for (int i = 0; i < 2; i++) {
            const struct coefficient *c = i ? &u->b : &u->a;
            const bool images = c->said.span == SKL_PER_IMAGE;
            spell_out(&c->said, images ? (size_t)net->n : (size_t)u->place.out.c, net->host_coef + c->at);
            if (c->said.back) memcpy(net->host_coef + c->back_at, c->said.back, (size_t)net->n * sizeof(float));
        }
    }
    u->a.kind = kind_of(&u->a.said), u->b.kind = kind_of(&u->b.said);
    if (a != u->a.kind || b != u->b.kind) u->fusion = fuse(net, u);
}

void coefficients_forward(struct skl_net *net)
{
    const size_t bytes = net->coef_floats * sizeof(float);
    if (net->own_stale) fetch_own(net);
    for (int i = 0; i < net->units; i++) ask(net, &net->unit[i]);
    if (bytes == 0 || memcmp(net->host_coef, net->host_coef_sent, bytes) == 0) return;
    memcpy(net->host_coef_sent, net->host_coef, bytes);
    net->device->ops->upload(net->device, net->host_coef, bytes, net->coef);
}

/* ---- backward ---- */
static void learn_unit(struct skl_net *net, struct unit *u, const float *d)
{
    struct own_tensors own;
    struct skl_call k = host_call(net, u, &own);
    memset(u->host_down, 0, u->own_floats * sizeof(float));
    k.dw = own.dw;
    u->variant->affine_grad(&k, u->a.kind == COEF_LEARNED ? d : NULL,
                            u->b.kind == COEF_LEARNED ? d + u->place.out.c : NULL);
    float *sum = u->host_sum;
    for (size_t e = 0; e < u->own_floats; e++) sum[e] = net->accumulate ? sum[e] + u->host_down[e] : u->host_down[e];
    for (int i = 0; i < u->decl.owns; sum += net->tensor[u->own[i++]].count)
        net->device->ops->upload(net->device, sum, net->tensor[u->own[i]].count * sizeof *sum, net->at[u->own[i]].grad);
}

void coefficients_backward(struct skl_net *net)
{
    bool wait = false;
    for (int i = 0; i < net->units; i++) {
        const struct unit *u = &net->unit[i];
        if (!learns(u)) continue;
        net->device->ops->download(net->device, u->dcoef, 2 * (size_t)u->place.out.c * sizeof(float),
                                   net->host_dcoef + 2 * (size_t)net->widest * (size_t)i);
        wait = true;
    }
    if (wait) net_finish(net);
    for (int i = 0; i < net->units; i++)
        if (net->unit[i].variant->affine_grad)
            learn_unit(net, &net->unit[i], net->host_dcoef + 2 * (size_t)net->widest * (size_t)i);
}
