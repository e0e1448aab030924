#include "core/train/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/grow.h"
#include "core/base/say.h"
#include "core/config/registry.h"
#include "core/train/schedule.h"

int skl_group_size(int batch, int bn_batch, int *group, struct skl_err *err)
{
    *group = bn_batch < batch ? bn_batch : batch;
    if (batch % *group == 0) return SKL_OK;
    return skl_fail(err, SKL_USAGE, "train.bn_batch (%d) must divide train.batch (%d), or be at least as large",
                    bn_batch, batch);
}

struct skl_net_options skl_net_options_for(const struct skl_experiment *exp, int size, int channels, int classes)
{
    const struct skl_train_config *c = &exp->train;
    return (struct skl_net_options){
        .size = size,
        .channels = channels,
        .classes = classes,
        .batch = c->batch,
        .group = c->bn_batch < c->batch ? c->bn_batch : c->batch,
        .conv = (enum skl_conv_algo)c->conv,
        .init = c->init,
        .fc_init = c->fc_init,
        .seed = exp->seed,
        .iterations = c->iterations,
        .weight_decay_on = c->weight_decay_on,
        .label_smoothing = c->label_smoothing,
    };
}

/* Counts the changes to the code that gave other bits: 2, gates go band by band. */
enum { ARITHMETIC = 2 };

/* "avx2; winograd4-avx2 x9; OpenBLAS ...; 8 chunks of 64 images; arithmetic 2": malloc'd. */
static char *numerics_key(const struct skl_net *net)
{
    char *device = skl_net_arithmetic(net);
    char *key = skl_format("%s; arithmetic %d", device, ARITHMETIC);
    free(device);
    return key;
}

/* Another build of a plug-in may compute other numbers. */
static char *with_plugin(char *key, const struct skl_shortcut *s)
{
    const char *sha256 = skl_registry_sha256(s);
    return *sha256 ? skl_append(key, "; plug-in %s %.16s", s->name, sha256) : key;
}

static int check_memory(const struct skl_experiment *exp, const struct skl_net_options *o, struct skl_err *err)
{
    struct skl_net_info info;
    int status = skl_net_describe(&exp->model, o, &info, err);
    if (status) return status;
    const double need = (double)info.bytes, have = info.memory ? (double)info.memory : skl_memory_share();
    const bool own = info.memory;
    skl_net_info_release(&info);
    if (need <= have) return SKL_OK;
    return skl_fail(err, SKL_USAGE,
                    "this net needs %.1f GiB, there are %.1f GiB %s: lower train.bn_batch, model.depth or model.width",
                    need / (1 << 30), have / (1 << 30), own ? "on its device" : "for this process");
}

static int open_net(struct skl_session *s, int size, bool inference, struct skl_err *err)
{
    struct skl_net_options o = skl_net_options_for(s->exp, size, s->set.train.channels, s->set.classes);
    o.inference = inference;
    o.pool = s->pool;
    int status = skl_group_size(s->exp->train.batch, s->exp->train.bn_batch, &o.group, err);
    if (!status) status = check_memory(s->exp, &o, err);
    if (!status) status = skl_net_new(&s->exp->model, &o, &s->net, err);
    if (status) return status;
    s->kernels = skl_net_kernels(s->net);
    s->numerics = with_plugin(numerics_key(s->net), s->exp->model.shortcut);
    return SKL_OK;
}

int skl_session_open(struct skl_session *s, const struct skl_experiment *exp, int threads, bool inference,
                     struct skl_err *err)
{
    *s = (struct skl_session){.exp = exp, .process = getpid(), .loaded = -1};
    int group, batch = exp->train.batch;
    int status = skl_group_size(batch, exp->train.bn_batch, &group, err); /* before reading data: it is cheap */
    if (status) return status;
    s->pool = skl_pool_new(threads > 0 ? threads : skl_cpu_count());
    status = skl_dataset_open(&exp->data, &s->set, err);
    if (!status) status = skl_loader_new(&s->set, &exp->data, exp->seed, batch, s->pool, &s->loader, err);
    if (!status) status = open_net(s, skl_loader_size(s->loader), inference, err);
    if (status) {
        skl_session_close(s);
        return status;
    }
    s->top5 = s->set.classes > 10;
    size_t side = (size_t)skl_loader_size(s->loader);
    s->images = skl_alloc_array((size_t)batch * side * side * (size_t)s->set.train.channels, sizeof *s->images);
    s->labels = skl_alloc_array((size_t)batch, sizeof *s->labels);
    s->others = skl_alloc_array((size_t)batch, sizeof *s->others);
    return SKL_OK;
}

void skl_session_close(struct skl_session *s)
{
    if (s->net) skl_net_free(s->net);
    if (s->loader) skl_loader_free(s->loader);
    skl_dataset_release(&s->set);
    if (s->pool) skl_pool_free(s->pool);
    free(s->images);
    free(s->labels);
    free(s->others);
    free(s->kernels);
    free(s->numerics);
    *s = (struct skl_session){0};
}

struct skl_identity skl_session_identity(const struct skl_session *s)
{
    struct skl_identity id = {
        .config_hash = s->exp->hash, .numerics = s->numerics, .iterations = s->exp->train.iterations};
    snprintf(id.data, sizeof id.data, "%016llx", (unsigned long long)s->set.fingerprint);
    return id;
}

static void update(struct skl_net *net, const struct skl_train_config *c, int64_t t)
{
    skl_net_update(net, c, skl_lr(c, t));
}

struct skl_step_result skl_iteration(struct skl_net *net, const struct skl_train_config *c, int64_t t,
                                     const float *images, const struct skl_targets *targets)
{
    skl_net_gradient(net, images, targets, t, NULL);
    const struct skl_step_result r = skl_net_result(net);
    if (isfinite(r.loss)) update(net, c, t);
    return r;
}

/* The mini-batch of iteration t to images and labels, unless it stands there. */
static void load(struct skl_session *s, int64_t t)
{
    if (s->loaded == t) return;
    skl_loader_train(s->loader, t, s->images, s->labels);
    s->mix = skl_loader_mix(s->loader, t, s->images, s->labels, s->others);
    s->loaded = t;
}

void skl_session_iteration(struct skl_session *s, int64_t t, int64_t end)
{
    load(s, t);
    skl_net_gradient(s->net, s->images, &(struct skl_targets){s->labels, s->others, s->mix}, t, NULL);
    skl_net_note(s->net);
    update(s->net, &s->exp->train, t);
    if (t + 1 < end) load(s, t + 1);
}

int skl_part_count(const struct skl_session *s, enum skl_part part)
{
    switch (part) {
    case SKL_PART_TRAIN:
        return s->set.train.count;
    case SKL_PART_VALIDATION:
        return s->set.validation.count;
    case SKL_PART_TEST:
        return s->set.test.count;
    }
    return 0;
}

/* A plug-in may fork in the middle of a step.  The copy came here with our folder, files and claim. */
static void end_a_copy(const struct skl_session *s)
{
    if (getpid() == s->process) return;
    skl_say("skiplab: a plug-in has forked this process: the copy ends here, the run goes on\n");
    skl_leave(SKL_BUSY);
}

int skl_session_sound(struct skl_session *s, struct skl_err *err)
{
    end_a_copy(s);
    int status = skl_loader_sound(s->loader, err);
    return status ? status : skl_net_sound(s->net, err);
}
