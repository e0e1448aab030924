/* A device is tested before it is used first; what passed is kept in the user's cache folder, a file a device, driver
 * and kernels, a line an operation or shape. */
#include <stdlib.h>
#include <string.h>
#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/device/choose/beside.h"
#include "core/device/choose/choose.h"
#include "core/device/choose/devices.h"

enum { LIMIT = 1 << 20 };

/* ---- the file ---- */
/* malloc'd; NULL: the user has no cache folder, nothing is remembered. */
static char *cache_folder(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && cache[0] == '/') return skl_format("%s/skiplab", cache);
    if (home && home[0] == '/') return skl_format("%s/.cache/skiplab", home);
    return NULL;
}

static char *record_path(const struct skl_device_info *device)
{
    char kernels[65], hex[65], *folder = cache_folder(), *path = NULL;
    skl_opencl_digest(kernels);
    char *text = skl_format("%s\n%s\n%s\n", device->name, device->driver, kernels);
    skl_sha256_hex(text, strlen(text), hex);
    if (folder) path = skl_format("%s/selftest-%.32s", folder, hex);
    free(text), free(folder);
    return path;
}

/* "" where there is none. */
static char *read_record(const struct skl_device_info *device)
{
    char *path = record_path(device), *text = NULL;
    size_t n;
    if (!path || skl_file_read_if_there(path, LIMIT, &text, &n, NULL)) text = NULL;
    free(path);
    return text ? text : skl_strdup("");
}

/* Where it cannot be kept, it is tested again next time. */
static void write_record(const struct skl_device_info *device, const char *text)
{
    char *path = record_path(device), *folder = cache_folder();
    if (path && skl_mkdirs(folder, NULL) == SKL_OK) skl_file_write_quick(path, text, strlen(text), NULL);
    free(path), free(folder);
}

/* ---- its lines ---- */
#define REST "rest and groups\n"
static char *conv_line(const struct skl_conv_shape *s)
{
    return skl_format("conv %d %d %d %d %d %d\n", s->h, s->w, s->c, s->k, s->size, s->stride);
}
static char *formula_line(const struct skl_shortcut *v)
{
    char *text = skl_format("%s\n%s\n", v->forward_code->text, v->backward_code->text), hex[65];
    skl_sha256_hex(text, strlen(text), hex);
    free(text);
    return skl_format("formula %.32s\n", hex);
}
static bool has_formula(const struct skl_shortcut *v) { return v && v->forward_code && v->backward_code; }

static bool stands(const char *text, char *line)
{
    const char *at = strstr(text, line);
    while (at && at > text && at[-1] != '\n') at = strstr(at + 1, line);
    free(line);
    return at != NULL;
}

/* What of it is not known; conv: room for what->convs shapes. */
static struct skl_selftest unknown(const char *text, const struct skl_selftest *what, struct skl_conv_shape *conv)
{
    struct skl_selftest left = *what;
    left.conv = conv, left.convs = 0;
    for (int i = 0; i < what->convs; i++)
        if (!stands(text, conv_line(&what->conv[i]))) conv[left.convs++] = what->conv[i];
    left.rest = what->rest && !stands(text, skl_strdup(REST));
    if (!has_formula(what->variant) || stands(text, formula_line(what->variant))) left.variant = NULL;
    return left;
}
static bool nothing(const struct skl_selftest *t) { return t->convs == 0 && !t->rest && !t->variant; }

static char *with(char *text, char *line) /* which is freed */
{
    text = skl_append(text, "%s", line);
    free(line);
    return text;
}
static char *with_all(char *text, const struct skl_selftest *t)
{
    for (int i = 0; i < t->convs; i++) text = with(text, conv_line(&t->conv[i]));
    if (t->rest) text = with(text, skl_strdup(REST));
    return t->variant ? with(text, formula_line(t->variant)) : text;
}

bool skl_device_trusted(const struct skl_device_info *device, const struct skl_selftest *what)
{
    struct skl_conv_shape *conv = skl_alloc_array((size_t)what->convs + 1, sizeof *conv);
    char *text = read_record(device);
    const struct skl_selftest left = unknown(text, what, conv);
    free(text), free(conv);
    return nothing(&left);
}

/* What it makes of one group was just found right.  Several at once are other programs of its compiler: the tests want
 * their bytes equal, but a device is not refused for a last bit. */
static int try_groups(const char *name, struct skl_pool *pool, const struct skl_selftest *what, struct skl_err *err)
{
    struct skl_device *suspect;
    const int images = what->images < 3 ? what->images : 3;
    int status = skl_device_open(name, pool, &suspect, err);
    if (status) return status;
    if (suspect->bits & SKL_SIDE_BY_SIDE)
        status =
            skl_beside_test(suspect, &(struct skl_selftest){.images = images, .variant = what->variant}, 1e-4, err);
    suspect->ops->close(suspect);
    return status;
}

static int try_now(const char *name, struct skl_pool *pool, const struct skl_selftest *what, struct skl_err *err)
{
    struct skl_device *suspect, *cpu;
    int status = skl_device_open(name, pool, &suspect, err);
    if (status) return status;
    status = skl_device_open("cpu", pool, &cpu, err);
    if (!status) {
        status = skl_selftest(suspect, cpu, what, err);
        cpu->ops->close(cpu);
    }
    suspect->ops->close(suspect);
    return status || !what->rest ? status : try_groups(name, pool, what, err);
}

int skl_device_trust(const char *name, struct skl_pool *pool, const struct skl_selftest *what, bool anew,
                     struct skl_err *err)
{
    struct skl_device_info list[SKL_MAX_DEVICES];
    const int n = skl_device_list(list), number = strncmp(name, "opencl:", 7) ? -1 : (int)strtol(name + 7, NULL, 10);
    if (number < 0 || number >= n) return SKL_OK; /* the CPU; or opening it will say what is wrong */
    struct skl_conv_shape *conv = skl_alloc_array((size_t)what->convs + 1, sizeof *conv);
    char *text = anew ? skl_strdup("") : read_record(&list[number]);
    const struct skl_selftest left = unknown(text, what, conv);
    const int status = nothing(&left) ? SKL_OK : try_now(name, pool, &left, err);
    if (!status && !nothing(&left)) {
        text = with_all(text, &left);
        write_record(&list[number], text);
    }
    free(text), free(conv);
    return status;
}
