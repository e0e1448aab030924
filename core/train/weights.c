#include "core/train/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/say.h"

static const char *dtype_name(enum skl_dtype dtype)
{
    static const char *const name[] = {
        [SKL_F32] = "F32", [SKL_I64] = "I64", [SKL_F64] = "F64", [SKL_I32] = "I32", [SKL_U8] = "U8"};
    return name[dtype];
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcmp(s + n - m, end);
}

static void shape_text(int ndim, const int64_t *shape, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < ndim && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%lld", i ? "," : "", (long long)shape[i]);
    if (n < size) snprintf(text + n, size - n, "]");
}

const char *skl_weights_hint(const struct skl_st *file)
{
    for (int i = 0; i < file->count; i++) {
        const char *name = file->tensor[i].name;
        if (!strncmp(name, "classifier.", 11))
            return "; the last layer is called 'fc' here, not as in this file: rename it before saving";
        if (!strncmp(name, "model.", 6) || !strncmp(name, "state_dict.", 11) || !strncmp(name, "net.", 4))
            return "; the net's names begin with 'conv1', 'bn1', 'layer1': save its own state_dict()";
    }
    return "";
}

static bool same_shape(const struct skl_st_tensor *found, const struct skl_tensor *want)
{
    bool same = found->ndim == want->ndim;
    for (int i = 0; i < want->ndim; i++) same = same && found->shape[i] == want->shape[i];
    return same;
}

const struct skl_st_tensor *skl_weights_fit(const struct skl_st *file, const struct skl_tensor *t)
{
    const struct skl_st_tensor *found = skl_st_find(file, t->name);
    return found && found->dtype == SKL_F32 && same_shape(found, t) ? found : NULL;
}

/* ---- names of others ---- */
static const struct {
    const char *theirs, *ours;
    bool in_front;
} adopted[] = {
    {"module.", "", true},
    {"linear.", "fc.", true},
    {".downsample.0.", ".project.conv.", false},
    {".downsample.1.", ".project.bn.", false},
};
enum { ADOPTED = sizeof adopted / sizeof *adopted };

/* The name with every row applied, malloc'd; counts the rows that did something. */
static char *our_name(const char *name, int used[ADOPTED])
{
    char *ours = skl_strdup(name);
    for (int i = 0; i < ADOPTED; i++) {
        const char *at = strstr(ours, adopted[i].theirs);
        if (!at || (adopted[i].in_front && at != ours)) continue;
        char *next = skl_format("%.*s%s%s", (int)(at - ours), ours, adopted[i].ours, at + strlen(adopted[i].theirs));
        free(ours);
        ours = next;
        used[i]++;
    }
    return ours;
}

/* A file of weights with the names that torchvision, timm and DataParallel give them, read as ours: `module.` in front
 * is dropped, `linear.` is `fc.`, `downsample.0.` is `project.conv.`, `downsample.1.` is `project.bn.`.
 * *said: what was renamed, one line, malloc'd; NULL: nothing.  SKL_DATA: two tensors would have one name. */
static int adopt(struct skl_st *file, const char *path, char **said, struct skl_err *err)
{
    int used[ADOPTED] = {0};
    for (int i = 0; i < file->count; i++) skl_st_rename(file, i, our_name(file->tensor[i].name, used));
    *said = NULL;
    for (int i = 0; i < ADOPTED; i++) {
        if (!used[i]) continue;
        char *longer = skl_format("%s%s%s%s%s", *said ? *said : "", *said ? ", " : "", adopted[i].theirs,
                                  *adopted[i].ours ? " as " : " dropped", adopted[i].ours);
        free(*said);
        *said = longer;
    }
    const int status = *said ? skl_st_renamed(file, path, err) : SKL_OK;
    if (status) free(*said), *said = NULL;
    return status;
}

int skl_weights_read(const char *path, struct skl_st *file, struct skl_err *err)
{
    char *said = NULL;
    int status = skl_st_read(path, false, file, err);
    if (status) return status;
    status = adopt(file, path, &said, err);
    if (status) skl_st_release(file);
    if (said) skl_say("%s: names read as ours: %s\n", path, said);
    free(said);
    return status;
}

static int check_tensor(const struct skl_st *file, const char *name, const struct skl_tensor *want, const char *path,
                        struct skl_err *err)
{
    const struct skl_st_tensor *found = skl_st_find(file, name);
    if (!found)
        return skl_fail(err, SKL_DATA, "%s: tensor '%s' is missing: the file is of another model%s", path, name,
                        skl_weights_hint(file));
    if (found->dtype != SKL_F32)
        return skl_fail(err, SKL_DATA, "%s: tensor '%s' has type %s, F32 is needed", path, name,
                        dtype_name(found->dtype));
    if (same_shape(found, want)) return SKL_OK;
    int64_t shape[4] = {0};
    for (int i = 0; i < want->ndim; i++) shape[i] = want->shape[i];
    char there[128], here[128];
    shape_text(found->ndim, found->shape, there, sizeof there);
    shape_text(want->ndim, shape, here, sizeof here);
    return skl_fail(err, SKL_DATA, "%s: tensor '%s' has shape %s, the model needs %s", path, name, there, here);
}

static const char *momentum_name(const struct skl_tensor *t, char name[128])
{
    snprintf(name, 128, "momentum.%s", t->name);
    return name;
}

static int check_wanted(const struct skl_tensor *t, int count, const struct skl_st *file, enum skl_weights_mode mode,
                        const char *path, struct skl_err *err)
{
    char name[128];
    int status = SKL_OK;
    for (int i = 0; i < count && !status; i++) {
        status = check_tensor(file, t[i].name, &t[i], path, err);
        if (status || mode != SKL_WEIGHTS_MOMENTUM || !t[i].learned) continue;
        momentum_name(&t[i], name);
        status = check_tensor(file, name, &t[i], path, err);
    }
    return status;
}

static bool known_name(const struct skl_tensor *t, int count, const char *name, enum skl_weights_mode mode)
{
    if (ends_with(name, ".num_batches_tracked")) return true;
    bool momentum = !strncmp(name, "momentum.", 9);
    if (mode == SKL_WEIGHTS_ONLY && (momentum || !strcmp(name, "images") || !strcmp(name, "labels"))) return true;
    if (momentum) name += 9;
    for (int i = 0; i < count; i++)
        if (!strcmp(t[i].name, name)) return !momentum || t[i].learned;
    return false;
}

static int check_unknown(const struct skl_tensor *t, int count, const struct skl_st *file, enum skl_weights_mode mode,
                         const char *path, struct skl_err *err)
{
    for (int i = 0; i < file->count; i++)
        if (!known_name(t, count, file->tensor[i].name, mode))
            return skl_fail(err, SKL_DATA, "%s: unknown tensor '%s': the model has none of this name%s", path,
                            file->tensor[i].name, skl_weights_hint(file));
    return SKL_OK;
}

int skl_weights_load(struct skl_net *net, const struct skl_st *file, enum skl_weights_mode mode, const char *path,
                     struct skl_err *err)
{
    const struct skl_tensor *t;
    int count = skl_net_tensors(net, &t);
    int status = check_wanted(t, count, file, mode, path, err);
    if (!status) status = check_unknown(t, count, file, mode, path, err);
    if (status) return status;
    char name[128];
    for (int i = 0; i < count; i++) {
        skl_tensor_write(net, &t[i], SKL_VALUE, skl_st_find(file, t[i].name)->data);
        if (mode == SKL_WEIGHTS_MOMENTUM && t[i].learned)
            skl_tensor_write(net, &t[i], SKL_MOMENTUM, skl_st_find(file, momentum_name(&t[i], name))->data);
    }
    return SKL_OK;
}

size_t skl_weights_file_limit(struct skl_net *net)
{
    enum { HEADER = 1 << 20, ENTRY = 512 }; /* of a tensor: its name, shape and place */
    const struct skl_tensor *t;
    int count = skl_net_tensors(net, &t);
    size_t bytes = HEADER;
    for (int i = 0; i < count; i++) bytes += 2 * (t[i].count * sizeof(float) + ENTRY);
    return bytes;
}

int skl_weights_check_names(struct skl_net *net, const struct skl_st *file, const char *path, struct skl_err *err)
{
    const struct skl_tensor *t;
    int count = skl_net_tensors(net, &t);
    return check_unknown(t, count, file, SKL_WEIGHTS_ONLY, path, err);
}

static struct skl_st_tensor describe(const struct skl_tensor *t, char *name, const float *data)
{
    struct skl_st_tensor out = {
        .name = name, .dtype = SKL_F32, .ndim = t->ndim, .data = data, .bytes = t->count * sizeof(float)};
    for (int i = 0; i < t->ndim; i++) out.shape[i] = t->shape[i];
    return out;
}

void skl_snapshot_new(struct skl_snapshot *s, struct skl_net *net)
{
    const struct skl_tensor *t;
    int count = skl_net_tensors(net, &t);
    *s = (struct skl_snapshot){.net = net, .weights = count};
    size_t floats = 0;
    for (int i = 0; i < count; i++) {
        s->weight_floats += t[i].count;
        floats += t[i].count * (t[i].learned ? 2 : 1);
    }
    s->data = skl_alloc_array(floats, sizeof *s->data);
    s->tensor = skl_alloc_array((size_t)count * 2, sizeof *s->tensor);
    float *at = s->data;
    for (int i = 0; i < count; at += t[i].count, i++)
        s->tensor[s->count++] = describe(&t[i], skl_strdup(t[i].name), at);
    for (int i = 0; i < count; i++) {
        if (!t[i].learned) continue;
        s->tensor[s->count++] = describe(&t[i], skl_format("momentum.%s", t[i].name), at);
        at += t[i].count;
    }
}

void skl_snapshot_take(struct skl_snapshot *s, bool momentum)
{
    const struct skl_tensor *t;
    int count = skl_net_tensors(s->net, &t);
    float *at = s->data;
    for (int i = 0; i < count; at += t[i].count, i++) skl_tensor_read(s->net, &t[i], SKL_VALUE, at);
    for (int i = 0; momentum && i < count; i++) {
        if (!t[i].learned) continue;
        skl_tensor_read(s->net, &t[i], SKL_MOMENTUM, at);
        at += t[i].count;
    }
}

void skl_snapshot_free(struct skl_snapshot *s)
{
    for (int i = 0; i < s->count; i++) free(s->tensor[i].name);
    free(s->tensor);
    free(s->data);
    *s = (struct skl_snapshot){0};
}

void skl_snapshot_hash(struct skl_snapshot *s, char hash[17])
{
    char hex[65];
    skl_snapshot_take(s, false);
    skl_sha256_hex(s->data, s->weight_floats * sizeof(float), hex);
    memcpy(hash, hex, 16);
    hash[16] = 0;
}

void skl_chw_to_hwc(const float *src, int c, int h, int w, float *dst)
{
    size_t pixels = (size_t)h * (size_t)w;
    for (int i = 0; i < c; i++)
        for (size_t p = 0; p < pixels; p++) dst[p * (size_t)c + (size_t)i] = src[(size_t)i * pixels + p];
}
