/* What is fused with what: all rules, in one place.  They follow from the plan and from the kinds of a unit's two
 * coefficients, which options settle but for dropout's (a mask in training, a number in evaluation) and stochastic
 * depth's (0 or 1); so they are asked again where a kind has changed.  A device that fuses less or more inside an
 * operation is free to: nobody here asks. */
#include "core/nn/internal.h"

enum coef_kind kind_of(const struct skl_coef *k)
{
    if (k->span == SKL_MASK) return COEF_MASK;
    if (k->span == SKL_PER_IMAGE) return COEF_IMAGES;
    if (k->v) return COEF_LEARNED;
    return k->constant == 0 ? COEF_ZERO : k->constant == 1 ? COEF_ONE : COEF_NUMBER;
}

/* Can y = a h + b f be computed inside the neighbours' operands and results? */
static bool fits_neighbours(const struct skl_net *net, const struct unit *u)
{
    const enum coef_kind a = u->a.kind, b = u->b.kind;
    if (!u->variant->affine || net->o.pointwise) return false;
    if (a == COEF_IMAGES || b == COEF_IMAGES) return false; /* vectors are per channel */
    /* dropped elements are those of x as it stands, eight a byte */
    if (a == COEF_MASK && (has_layers(u) || u->place.out.c % 8 != 0)) return false;
    /* F's ReLU stands between its batch norm and the sum: b and sums for a and h would need it written */
    if (u->end_relu && (b != COEF_ONE || a == COEF_LEARNED || has_layers(u))) return false;
    return true;
}

/* Does h stand as it is in some tensor? */
static bool h_stands(const struct unit *u)
{
    const int top = u->decl.convs - 1;
    return top < 0 || (!u->shortcut_bn[top] && u->shortcut_conv[top].bias < 0);
}

static enum merge_way way_of(const struct skl_net *net, const struct unit *u)
{
    if (!fits_neighbours(net, u)) return MERGE_PASS;
    if (u->end_relu) return MERGE_AFTER_RELU;
    if (!u->end && !u->post_relu && u->b.kind == COEF_ONE && h_stands(u)) return MERGE_IN_BRANCH;
    return MERGE_IN_OPERAND;
}

struct fusion fuse(const struct skl_net *net, const struct unit *u)
{
    const bool layers = has_layers(u);
    const struct bn_layer *next = net->signal[u->place.index + 1].bn;
    struct fusion f = {.way = way_of(net, u)};
    f.adds = u->a.kind != COEF_ZERO;
    /* a batch norm that follows wants statistics of y, so a pass makes them */
    f.waits = f.way == MERGE_IN_OPERAND && !u->post && !next;
    f.tail = f.way == MERGE_PASS && u->decl.convs == 1 && !u->shortcut_bn[0] && !(u->variant->flags & SKL_MIXES_IMAGES);
    const bool fused = f.way != MERGE_PASS;
    f.both = fused && (layers || learns(u));
    f.sums = f.both || (fused && u->end && !u->end_relu);
    return f;
}

void sums_for_merge(struct skl_net *net, const struct unit *u, struct skl_result *dy)
{
    if (!u->fusion.sums) return;
    const int top = u->decl.convs - 1;
    const struct skl_place h = shortcut_raw(u, unit_x(u, &net->signal[u->place.index]));
    const bool F_stands = u->fusion.way != MERGE_IN_BRANCH; /* else its sum is not wanted: b is 1 */
    dy->sums = net->sums;
    dy->partner = F_stands ? u->at->y[u->convs - 1] : h;
    if (u->end && F_stands) dy->pivot = u->end->n.mean;
    if (!u->fusion.both) return;
    dy->partner2 = h;
    if (top >= 0 && u->shortcut_bn[top]) dy->pivot2 = u->shortcut_bn[top]->n.mean;
}

struct skl_result signal_sink(struct skl_net *net, int l)
{
    struct skl_result sink = {.y = {NULL, 0}};
    if (net->watch) return sink; /* the probe wants the gradient as it is; it applies the sink afterwards */
    if (l == 0 && net->plan.stem.pool) return sink; /* batch norm and ReLU are beneath the pooling */
    if (l == 0) {
        sink = summed(net, sink.y, net->stem_bn, net->stem_y);
        sink.mask = net->stem_z;
        return sink;
    }
    const struct unit *u = &net->unit[l - 1];
    if (u->post)
        sink = summed(net, sink.y, u->post, u->at->s);
    else
        sums_for_merge(net, u, &sink);
    if (u->post_relu) sink.mask = u->at->z;
    return sink;
}
