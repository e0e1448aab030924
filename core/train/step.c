#include "core/train/step.h"

#include <stdlib.h>
#include <string.h>

#include "core/device/device.h"
#include "core/train/session.h"
#include "core/train/weights.h"

enum { MAX_SIDE = 4096, MAX_IMAGES = 1 << 20 };

/* ---- input ---- */

static int missing(const char *path, const char *name, struct skl_err *err)
{
    return skl_fail(err, SKL_DATA, "%s: tensor '%s' is missing", path, name);
}

static int read_label(const struct skl_st_tensor *t, size_t i, int64_t *label)
{
    if (t->dtype == SKL_I64) memcpy(label, (const char *)t->data + i * sizeof *label, sizeof *label);
    if (t->dtype == SKL_I32) {
        int32_t small;
        memcpy(&small, (const char *)t->data + i * sizeof small, sizeof small);
        *label = small;
    }
    return t->dtype == SKL_I64 || t->dtype == SKL_I32;
}

static int read_labels(const struct skl_st_tensor *t, const char *path, int classes, size_t first, struct skl_batch *b,
                       struct skl_err *err)
{
    for (int i = 0; i < b->count; i++) {
        int64_t label;
        if (!read_label(t, first + (size_t)i, &label))
            return skl_fail(err, SKL_DATA, "%s: tensor 'labels' must be I64 or I32", path);
        if (label < 0 || label >= classes)
            return skl_fail(err, SKL_DATA, "%s: tensor 'labels': label %lld of image %d is not one of %d classes", path,
                            (long long)label, i, classes);
        b->labels[i] = (int32_t)label;
    }
    return SKL_OK;
}

/* shape: N, C, H, W without the stack's axis. */
static int check_shapes(const struct skl_st_tensor *images, const struct skl_st_tensor *labels, const char *path,
                        int index, struct skl_err *err)
{
    int stack = images->ndim == 5;
    const int64_t *n = images->shape + stack;
    if (images->dtype != SKL_F32 || (images->ndim != 4 && !stack))
        return skl_fail(err, SKL_DATA, "%s: tensor 'images' must be F32 [N,C,H,W]", path);
    if (n[0] < 1 || n[0] > MAX_IMAGES || n[1] < 1 || n[1] > MAX_SIDE || n[2] < 1 || n[2] > MAX_SIDE || n[2] != n[3])
        return skl_fail(err, SKL_DATA, "%s: tensor 'images': N, C, H, W must be at least 1 and H = W", path);
    if (labels->ndim != 1 + stack || labels->shape[stack] != n[0] || (stack && labels->shape[0] != images->shape[0]))
        return skl_fail(err, SKL_DATA, "%s: tensor 'labels' must have one label an image", path);
    if (index < 0 || (stack ? index >= images->shape[0] : index > 0))
        return skl_fail(err, SKL_DATA, "%s: tensor 'images' has no mini-batch number %d", path, index);
    return SKL_OK;
}

int skl_batch_read(const struct skl_st *file, const char *path, int classes, int index, struct skl_batch *b,
                   struct skl_err *err)
{
    *b = (struct skl_batch){0};
    const struct skl_st_tensor *images = skl_st_find(file, "images"), *labels = skl_st_find(file, "labels");
    if (!images || !labels) return missing(path, images ? "labels" : "images", err);
    int status = check_shapes(images, labels, path, index, err);
    if (status) return status;
    const int64_t *n = images->shape + (images->ndim == 5);
    b->count = (int)n[0];
    b->channels = (int)n[1];
    b->size = (int)n[2];
    size_t image = (size_t)n[1] * (size_t)n[2] * (size_t)n[3], first = (size_t)index * (size_t)b->count;
    b->images = skl_alloc_array((size_t)b->count * image, sizeof *b->images);
    b->labels = skl_alloc_array((size_t)b->count, sizeof *b->labels);
    const float *src = (const float *)images->data + first * image;
    for (int i = 0; i < b->count; i++)
        skl_chw_to_hwc(src + (size_t)i * image, b->channels, b->size, b->size, b->images + (size_t)i * image);
    status = read_labels(labels, path, classes, first, b, err);
    if (status) skl_batch_release(b);
    return status;
}

void skl_batch_release(struct skl_batch *b)
{
    free(b->images);
    free(b->labels);
    *b = (struct skl_batch){0};
}

int skl_step_classes(const struct skl_st *weights, const char *path, int *classes, struct skl_err *err)
{
    const struct skl_st_tensor *fc = skl_st_find(weights, "fc.weight");
    if (!fc) return skl_fail(err, SKL_DATA, "%s: tensor 'fc.weight' is missing%s", path, skl_weights_hint(weights));
    if (fc->ndim != 2 || fc->shape[0] < 2 || fc->shape[0] > INT16_MAX)
        return skl_fail(err, SKL_DATA, "%s: tensor 'fc.weight' must be [classes, features] with at least 2 classes",
                        path);
    *classes = (int)fc->shape[0];
    return SKL_OK;
}

static struct skl_net_options step_options(const struct skl_experiment *exp, const struct skl_batch *b, int classes,
                                           int group)
{
    struct skl_net_options o = skl_net_options_for(exp, b->size, b->channels, classes);
    o.batch = b->count;
    o.group = group;
    return o;
}

int skl_step_net(const struct skl_experiment *exp, const struct skl_st *weights, const char *path,
                 const struct skl_batch *b, bool inference, struct skl_pool *pool, struct skl_net **net,
                 struct skl_err *err)
{
    int group = 1, classes = 0;
    *net = NULL;
    int status = skl_step_classes(weights, path, &classes, err);
    if (!status && b->count % (group = exp->train.bn_batch < b->count ? exp->train.bn_batch : b->count))
        status = skl_fail(err, SKL_USAGE,
                          "train.bn_batch (%d) must divide the number of images (%d), or be at least as large",
                          exp->train.bn_batch, b->count);
    if (status) return status;
    struct skl_net_options o = step_options(exp, b, classes, group);
    o.inference = inference;
    o.pool = pool;
    status = skl_net_new(&exp->model, &o, net, err);
    if (!status) status = skl_weights_load(*net, weights, SKL_WEIGHTS_ONLY, path, err);
    if (status && *net) {
        skl_net_free(*net);
        *net = NULL;
    }
    return status;
}

/* ---- output ---- */

static float *add_output(struct skl_outputs *out, char *name, int ndim, const int *shape)
{
    if (out->count == out->room) {
        int room = out->room ? 2 * out->room : 64;
        struct skl_st_tensor *larger = skl_alloc_array((size_t)room, sizeof *larger);
        if (out->count) memcpy(larger, out->tensor, (size_t)out->count * sizeof *larger);
        free(out->tensor);
        out->tensor = larger;
        out->room = room;
    }
    struct skl_st_tensor *t = &out->tensor[out->count++];
    size_t count = 1;
    *t = (struct skl_st_tensor){.name = name, .dtype = SKL_F32, .ndim = ndim};
    for (int i = 0; i < ndim; i++) count *= (size_t)(t->shape[i] = shape[i]);
    float *data = skl_alloc_array(count, sizeof *data);
    t->data = data;
    t->bytes = count * sizeof *data;
    return data;
}

static void add_meta(struct skl_outputs *out, const char *key, char *value)
{
    SKL_CHECK(out->metas < (int)(sizeof out->meta / sizeof *out->meta));
    out->meta[out->metas++] = (struct skl_st_meta){(char *)key, value};
}

const struct skl_st_tensor *skl_outputs_find(const struct skl_outputs *out, const char *name)
{
    for (int i = 0; i < out->count; i++)
        if (!strcmp(out->tensor[i].name, name)) return &out->tensor[i];
    return NULL;
}

void skl_outputs_release(struct skl_outputs *out)
{
    for (int i = 0; i < out->count; i++) {
        free(out->tensor[i].name);
        free((void *)out->tensor[i].data);
    }
    for (int i = 0; i < out->metas; i++) free(out->meta[i].value);
    free(out->tensor);
    *out = (struct skl_outputs){0};
}

static void add_gradients(struct skl_outputs *out, struct skl_net *net)
{
    const struct skl_tensor *t;
    int count = skl_net_tensors(net, &t);
    for (int i = 0; i < count; i++)
        if (t[i].learned)
            skl_tensor_read(net, &t[i], SKL_GRADIENT,
                            add_output(out, skl_format("grad.%s", t[i].name), t[i].ndim, t[i].shape));
}

void skl_outputs_after(struct skl_outputs *out, struct skl_net *net)
{
    const struct skl_tensor *t;
    int count = skl_net_tensors(net, &t);
    for (int i = 0; i < count; i++)
        skl_tensor_read(net, &t[i], SKL_VALUE,
                        add_output(out, skl_format("after.%s", t[i].name), t[i].ndim, t[i].shape));
}

/* Only a full-size buffer can be asked for a mask, and few variants have one: ask for the shape by trying. */
static void add_masks(struct skl_outputs *out, struct skl_net *net, const struct skl_net_info *info, int images)
{
    for (int u = 0; u < info->units; u++) {
        const struct skl_unit_info *unit = &info->unit[u];
        int shape[4];
        float *mask =
            skl_alloc_array((size_t)images * (size_t)unit->h * (size_t)unit->w * (size_t)unit->c, sizeof *mask);
        if (skl_net_mask(net, u, mask, shape)) {
            float *to = add_output(out, skl_format("mask.%s", unit->name), 4, shape);
            memcpy(to, mask, out->tensor[out->count - 1].bytes);
        }
        free(mask);
    }
}

static void train_step(const struct skl_experiment *exp, struct skl_net *net, const struct skl_net_info *info,
                       const struct skl_batch *b, float *logits, struct skl_outputs *out)
{
    const struct skl_train_config *c = &exp->train;
    skl_net_gradient(net, b->images, &(struct skl_targets){.labels = b->labels}, 0, logits);
    ((float *)out->tensor[0].data)[0] = (float)skl_net_result(net).loss;
    add_gradients(out, net);
    add_masks(out, net, info, b->count);
    skl_net_update(net, c, c->lr);
    skl_outputs_after(out, net);
}

static int run_step(const struct skl_experiment *exp, struct skl_net *net, const struct skl_batch *b, int classes,
                    bool eval, struct skl_outputs *out, struct skl_err *err)
{
    struct skl_net_info info;
    struct skl_net_options o = step_options(exp, b, classes, b->count);
    int status = skl_net_describe(&exp->model, &o, &info, err);
    if (status) return status;
    add_output(out, skl_strdup("loss"), 1, (int[]){1});
    float *logits = add_output(out, skl_strdup("logits"), 2, (int[]){b->count, classes});
    if (eval)
        ((float *)out->tensor[0].data)[0] =
            (float)(skl_net_evaluate(net, b->images, b->labels, b->count, logits).loss / b->count);
    else
        train_step(exp, net, &info, b, logits, out);
    add_meta(out, "mode", skl_strdup(eval ? "eval" : "train"));
    add_meta(out, "kernels", skl_net_kernels(net));
    add_meta(out, "cpu_level", skl_strdup(skl_net_device(net)->level));
    add_meta(out, "gemm", skl_strdup(skl_net_device(net)->library));
    skl_net_info_release(&info);
    return skl_net_sound(net, err);
}

int skl_step(const struct skl_experiment *exp, const struct skl_st *weights, const char *weights_path,
             const struct skl_st *batch, const char *batch_path, bool eval, struct skl_pool *pool,
             struct skl_outputs *out, struct skl_err *err)
{
    struct skl_batch b = {0};
    struct skl_net *net = NULL;
    int classes = 0;
    *out = (struct skl_outputs){0};
    int status = skl_step_classes(weights, weights_path, &classes, err);
    if (!status) status = skl_batch_read(batch, batch_path, classes, 0, &b, err);
    if (!status) status = skl_step_net(exp, weights, weights_path, &b, eval, pool, &net, err);
    if (!status) status = skl_weights_check_names(net, batch, batch_path, err);
    if (!status) status = run_step(exp, net, &b, classes, eval, out, err);
    if (net) skl_net_free(net);
    skl_batch_release(&b);
    return status;
}
