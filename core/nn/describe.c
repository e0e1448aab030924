/* What a net costs, from its plan alone, and the kernels it uses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/grow.h"
#include "core/nn/internal.h"

static int64_t conv_macs(const struct conv_layer *l)
{
    const struct skl_conv_shape *s = &l->plan.shape;
    const struct skl_shape out = conv_out(l);
    return (int64_t)out.h * out.w * s->c * s->k * s->size * s->size;
}

static int64_t branch_macs(const struct unit *u)
{
    int64_t macs = 0;
    for (int j = 0; j < u->convs; j++) macs += conv_macs(&u->conv[j]);
    return macs;
}

static int64_t shortcut_macs(const struct unit *u)
{
    int64_t macs = 0;
    for (int j = 0; j < u->decl.convs; j++) macs += conv_macs(&u->shortcut_conv[j]);
    if (u->projection == PROJECT_CONV) macs += conv_macs(&u->project_conv);
    return macs;
}

static int64_t parameters(const struct skl_net *net, const char *prefix)
{
    int64_t count = 0;
    for (int i = 0; i < net->tensors; i++)
        if (!is_statistic(net->start[i].kind) && strncmp(net->tensor[i].name, prefix, strlen(prefix)) == 0)
            count += (int64_t)net->tensor[i].count;
    return count;
}

static int64_t on_shortcut(const struct skl_net *net, const struct unit *u)
{
    char own[48], project[48];
    snprintf(own, sizeof own, "%s.shortcut.", u->prefix);
    snprintf(project, sizeof project, "%s.project.", u->prefix);
    return parameters(net, own) + parameters(net, project);
}

void describe_net(struct skl_net *net, struct skl_net_info *info)
{
    *info = (struct skl_net_info){.units = net->units, .unit = skl_alloc_array((size_t)net->units, sizeof *info->unit)};
    info->parameters = parameters(net, "");
    info->multiply_adds = conv_macs(&net->stem) + (int64_t)net->tensor[net->fc_weight].count;
    for (int i = 0; i < net->units; i++) {
        struct unit *u = &net->unit[i];
        struct skl_unit_info *row = &info->unit[i];
        char prefix[40];
        snprintf(prefix, sizeof prefix, "%s.", u->prefix);
        snprintf(row->name, sizeof row->name, "%s", u->prefix);
        row->h = u->place.out.h, row->w = u->place.out.w, row->c = u->place.out.c;
        row->parameters = parameters(net, prefix);
        row->shortcut_parameters = on_shortcut(net, u);
        row->shortcut_multiply_adds = shortcut_macs(u);
        row->multiply_adds = branch_macs(u) + row->shortcut_multiply_adds;
        info->multiply_adds += row->multiply_adds;
    }
}

int skl_net_units(const struct skl_net *net) { return net->units; }

struct skl_planned_unit skl_net_unit(const struct skl_net *net, int i)
{
    const struct unit *u = &net->unit[i];
    return (struct skl_planned_unit){&u->place, &u->decl, u->prefix};
}

void skl_net_info_release(struct skl_net_info *info)
{
    free(info->unit);
    info->unit = NULL;
}

static void count_kernel(const char *name, const char *names[], int counts[], int *n)
{
    int i = 0;
    while (i < *n && strcmp(names[i], name) != 0) i++;
    if (i == *n) names[(*n)++] = name, counts[i] = 0;
    counts[i]++;
}

char *skl_net_kernels(const struct skl_net *net)
{
    const char *names[16];
    int counts[16], n = 0;
    count_kernel(net->stem.plan.kernel, names, counts, &n);
    for (int i = 0; i < net->units; i++) {
        const struct unit *u = &net->unit[i];
        for (int j = 0; j < u->convs; j++) count_kernel(u->conv[j].plan.kernel, names, counts, &n);
        for (int j = 0; j < u->decl.convs; j++) count_kernel(u->shortcut_conv[j].plan.kernel, names, counts, &n);
        if (u->projection == PROJECT_CONV) count_kernel(u->project_conv.plan.kernel, names, counts, &n);
    }
    char *text = skl_strdup("");
    for (int i = 0; i < n; i++) text = skl_append(text, "%s%s x%d", i ? ", " : "", names[i], counts[i]);
    return text;
}
