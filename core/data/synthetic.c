/* Gratings.  A class is an angle and a fineness of the stripes; position, phase, mirror image, contrast, colour and a
 * second, weaker grating of no meaning are random, and noise lies over all.  The mean image says nothing about the
 * class and a mirror image keeps it, so a net has to learn oriented filters.  Only operations that IEEE 754 rounds
 * one way, so the pixels are the same everywhere. */
#include "core/base/rng.h"
#include "core/data/sets.h"

enum { IMAGE_MAX = 256, CLASSES_MAX = 1000 };
static const double BYTES_MAX = 4e9;
static const uint64_t SEED = 2015; /* the same images for every run, like a set that is read from files */

/* About sin(pi t): period 2, a parabola for each half wave. */
static double wave(double t)
{
    t -= 2.0 * (double)(int64_t)(t / 2.0);
    if (t > 1.0) t -= 2.0;
    if (t < -1.0) t += 2.0;
    return 4.0 * t * (1.0 - (t < 0 ? -t : t));
}

struct grating {
    double fx, fy, phase, colour[3];
};

/* angle: as a fraction of pi, from the horizontal; period in pixels. */
static struct grating make_grating(double angle, double period, double contrast, uint64_t key)
{
    double mirror = skl_rng_uniform(key, 0) < 0.5 ? -1.0 : 1.0;
    struct grating g = {.fx = wave(angle) * 2.0 / period * mirror,
                        .fy = wave(angle + 0.5) * 2.0 / period,
                        .phase = 2.0 * skl_rng_uniform(key, 1)};
    for (uint64_t c = 0; c < 3; c++) g.colour[c] = contrast * (0.4 + 0.6 * skl_rng_uniform(key, 2 + c));
    return g;
}

static double shine(const struct grating *g, double x, double y) { return wave(g->fx * x + g->fy * y + g->phase); }

/* Classes are laid on a grid of finenesses (periods 5 to 12 pixels) and angles. */
static struct grating class_grating(int label, int classes, uint64_t key)
{
    int levels = 1;
    while (levels * levels * 5 < classes * 2) levels++;
    int angles = (classes + levels - 1) / levels;
    double angle = 0.5 * (label / levels + 0.5 + 0.5 * (skl_rng_uniform(key, 8) - 0.5)) / angles;
    double place = (label % levels + 0.5 + 0.5 * (skl_rng_uniform(key, 9) - 0.5)) / levels;
    return make_grating(angle, 5.0 + 7.0 * place, 70.0 + 50.0 * skl_rng_uniform(key, 10), key);
}

static void draw(int label, int classes, int size, int channels, uint64_t key, uint8_t *pixels)
{
    struct grating sign = class_grating(label, classes, key);
    uint64_t other = skl_rng_bits(key, 11), noise = skl_rng_bits(key, 12);
    struct grating disturb =
        make_grating(0.5 * skl_rng_uniform(other, 8), 5.0 + 7.0 * skl_rng_uniform(other, 9), 40.0, other);
    double cx = size * (0.3 + 0.4 * skl_rng_uniform(key, 13)), cy = size * (0.3 + 0.4 * skl_rng_uniform(key, 14));
    uint64_t bits = 0;
    for (int i = 0, n = 0; i < size * size; i++) {
        double x = i % size, y = i / size;
        double far = ((x - cx) * (x - cx) + (y - cy) * (y - cy)) / (0.5 * size * size);
        double window = far < 1.0 ? (1.0 - far) * (1.0 - far) : 0.0;
        double a = window * shine(&sign, x, y), b = shine(&disturb, x, y);
        for (int c = 0; c < channels; c++, n++, bits >>= 16) {
            if (n % 4 == 0) bits = skl_rng_bits(noise, (uint64_t)n / 4);
            double grain = (double)(bits & 255) + (double)(bits >> 8 & 255) - 255.0; /* a triangle, -255 to 255 */
            double v = 128.0 + a * sign.colour[c] + b * disturb.colour[c] + 0.25 * grain;
            pixels[i * channels + c] = (uint8_t)(v < 0.0 ? 0.0 : v > 255.0 ? 255.0 : v);
        }
    }
}

static void draw_part(const struct skl_data_config *cfg, int part, int count, struct skl_images *out)
{
    const int size = cfg->synthetic.size, channels = cfg->synthetic.channels, classes = cfg->synthetic.classes;
    const size_t pixels = (size_t)size * size * channels;
    *out = (struct skl_images){.count = count, .size = size, .channels = channels};
    out->pixels = skl_alloc_array((size_t)count, pixels);
    out->labels = skl_alloc_array((size_t)count, sizeof *out->labels);
    for (int i = 0; i < count; i++) {
        uint64_t key = skl_rng_key(SEED, SKL_RNG_SYNTHETIC, (uint64_t)part, (uint64_t)i);
        out->labels[i] = i % classes;
        draw(out->labels[i], classes, size, channels, key, out->pixels + (size_t)i * pixels);
    }
}

static int in_range(const char *key, int v, int min, int max, struct skl_err *err)
{
    if (v >= min && v <= max) return SKL_OK;
    return skl_fail(err, SKL_USAGE, "data.synthetic.%s: %d is not within %d to %d", key, v, min, max);
}

int skl_synthetic_check(const struct skl_data_config *cfg, struct skl_err *err)
{
    enum { COUNT_MAX = 1000000 };
    int status = in_range("train", cfg->synthetic.train, 1, COUNT_MAX, err);
    if (status == SKL_OK) status = in_range("test", cfg->synthetic.test, 1, COUNT_MAX, err);
    if (status == SKL_OK) status = in_range("size", cfg->synthetic.size, 4, IMAGE_MAX, err);
    if (status == SKL_OK) status = in_range("channels", cfg->synthetic.channels, 1, 3, err);
    if (status == SKL_OK) status = in_range("classes", cfg->synthetic.classes, 2, CLASSES_MAX, err);
    if (status) return status;
    if (cfg->synthetic.size % 4)
        return skl_fail(err, SKL_USAGE, "data.synthetic.size: %d is not a multiple of 4", cfg->synthetic.size);
    const double image = (double)cfg->synthetic.size * cfg->synthetic.size * cfg->synthetic.channels;
    const double bytes = image * ((double)cfg->synthetic.train + cfg->synthetic.test);
    if (bytes > BYTES_MAX)
        return skl_fail(err, SKL_USAGE,
                        "data.synthetic: %.3g GB of images; make train, test or size smaller (at most %.3g GB)",
                        bytes / 1e9, BYTES_MAX / 1e9);
    return SKL_OK;
}

int skl_synthetic_open(const struct skl_set *set, const struct skl_data_config *cfg, const char *folder, bool published,
                       struct skl_dataset *out, struct skl_err *err)
{
    draw_part(cfg, SKL_PART_TRAIN, cfg->synthetic.train, &out->train);
    draw_part(cfg, SKL_PART_TEST, cfg->synthetic.test, &out->test);
    return SKL_OK;
}
