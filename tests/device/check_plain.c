/* Memory, map, padding, dropout's bits, the update. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/rng.h"
#include "tests/device/lab.h"

void check_memory(struct lab *lab)
{
    lab_reset(lab);
    struct tensor a = put(lab, 1000, DATA_WIDE), b = out(lab, 1000);
    lab_upload(lab);
    lab->ops->upload(lab->d, a.before, 999 * sizeof(float), b.place);
    lab->ops->clear(lab->d, skl_further(b.place, 16), 7 * sizeof(float));
    lab_download(lab, "memory");
    for (size_t i = 0; i < 999; i++)
        CHECK(b.after[i] == (i >= 16 && i < 23 ? 0 : a.before[i]), "upload and clear: element %zu", i);
    CHECK(isnan(b.after[999]), "upload wrote too much");
}

/* ---- map ---- */
static void map_once(struct lab *lab, int x_asks, int y_asks, int n, struct skl_shape s, enum data kind)
{
    const size_t floats = (size_t)(n * s.h * s.w * s.c);
    double *want = malloc(floats * sizeof *want), *tolerance = malloc(floats * sizeof *tolerance);
    lab_reset(lab);
    struct operand x = make_operand(lab, x_asks, floats, s.c, kind);
    struct result y = make_result(lab, y_asks, floats, s.c, kind);
    for (size_t i = 0; i < floats; i++) {
        want[i] = operand_value(&x, i, &tolerance[i]);
        tolerance[i] *= 3e-7;
    }
    lab_upload(lab);
    lab->ops->map(lab->d, &x.o, &y.r, n, s);
    lab_download(lab, "map");
    expect_out(&x, "map's out");
    expect_result(lab, &y, want, tolerance, floats, "map");
    free(want), free(tolerance);
}

void check_map(struct lab *lab)
{
    static const int operands[] = {0,
                                   SCALED,
                                   SCALED | RELU,
                                   RELU,
                                   SCALED | ADDED | ADD_SCALED,
                                   ADDED,
                                   ADDED | RELU | WRITTEN,
                                   SCALED | ADDED | ADD_SCALED | KEPT | RELU | WRITTEN};
    static const int results[] = {0,
                                  STATISTICS,
                                  ADDED,
                                  MASKED | SCALED | SUMS,
                                  MASKED | SUMS,
                                  ADDED | ADD_SCALED | KEPT | MASKED | SUMS2,
                                  ADDED | ADD_SCALED | MASKED | SCALED | SUMS};
    static const struct skl_shape shapes[] = {{1, 1, 1}, {3, 5, 3}, {4, 4, 8}, {7, 2, 24}, {2, 3, 17}};
    static const int images[] = {1, 3, 9, 17};
    int turn = 0;
    for (size_t i = 0; i < sizeof operands / sizeof *operands; i++)
        for (size_t k = 0; k < sizeof results / sizeof *results; k++)
            for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++, turn++) {
                const bool bits = (operands[i] | results[k]) & KEPT;
                if (!bits || shapes[s].c % 8 == 0)
                    map_once(lab, operands[i], results[k], images[turn % 4], shapes[s], (enum data)(turn % DATA_KINDS));
            }
}

/* ---- padding ---- */
static void pad_once(struct lab *lab, int n, struct skl_shape in, struct skl_shape to, int stride)
{
    const size_t large = (size_t)(n * in.h * in.w * in.c), small = (size_t)(n * to.h * to.w * to.c);
    for (int backward = 0; backward < 2; backward++) {
        lab_reset(lab);
        struct tensor a = put(lab, backward ? small : large, DATA_NORMAL), b = out(lab, backward ? large : small);
        double *want = calloc(b.n, sizeof *want);
        for (int i = 0; i < n * to.h * to.w; i++)
            for (int c = 0; c < in.c; c++) {
                const int image = i / (to.h * to.w), y = i / to.w % to.h * stride, x = i % to.w * stride;
                const size_t at_in = (size_t)(((image * in.h + y) * in.w + x) * in.c + c),
                             at_to = (size_t)(i * to.c + c);
                want[backward ? at_in : at_to] = a.before[backward ? at_to : at_in];
            }
        lab_upload(lab);
        lab->ops->pad(lab->d, a.place, b.place, n, in, to, backward);
        lab_download(lab, "pad");
        for (size_t i = 0; i < b.n; i++) CHECK(b.after[i] == want[i], "pad: element %zu, backward %d", i, backward);
        free(want);
    }
}

void check_pad(struct lab *lab)
{
    pad_once(lab, 3, (struct skl_shape){8, 8, 4}, (struct skl_shape){4, 4, 8}, 2);
    pad_once(lab, 9, (struct skl_shape){5, 3, 3}, (struct skl_shape){3, 2, 7}, 2);
    pad_once(lab, 1, (struct skl_shape){3, 3, 1}, (struct skl_shape){3, 3, 4}, 1);
    pad_once(lab, 17, (struct skl_shape){1, 1, 2}, (struct skl_shape){1, 1, 5}, 1);
}

/* ---- max pooling ---- */
/* The first largest of the nine that lie inside; v: of one image, by element. */
static int chosen_pixel(const double *v, struct skl_shape in, int y, int x, int ch)
{
    int best = -1;
    double most = 0;
    for (int k = 0; k < 9; k++) {
        const int iy = 2 * y - 1 + k / 3, ix = 2 * x - 1 + k % 3;
        if (iy < 0 || iy >= in.h || ix < 0 || ix >= in.w) continue;
        const double value = v[(size_t)((iy * in.w + ix) * in.c + ch)];
        if (best < 0 || value > most) best = k, most = value;
    }
    return best;
}

static void max_pool_once(struct lab *lab, int x_asks, int dx_asks, int n, struct skl_shape in)
{
    const struct skl_shape to = skl_max_pooled(in);
    const size_t large = (size_t)(n * in.h * in.w * in.c), small = (size_t)(n * to.h * to.w * to.c);
    double *v = malloc(large * sizeof *v), *sum = calloc(large, sizeof *sum), *size = calloc(large, sizeof *size);
    int *want = malloc(small * sizeof *want);
    lab_reset(lab);
    struct operand x = make_operand(lab, x_asks, large, in.c, DATA_ZEROS);
    struct tensor y = out(lab, small), chosen = out_bytes(lab, small), dy = put(lab, small, DATA_NORMAL);
    struct result dx = make_result(lab, dx_asks, large, in.c, DATA_NORMAL);
    for (size_t i = 0; i < large; i++) v[i] = (double)(float)operand_value(&x, i, &size[i]), size[i] = 0;
    const struct skl_max_pool job = {in, x.o, y.place, chosen.place, dy.place, dx.r};
    lab_upload(lab);
    lab->ops->max_pool_forward(lab->d, &job, n);
    lab->ops->max_pool_backward(lab->d, &job, n);
    lab_download(lab, "max_pool");
    for (size_t i = 0; i < small; i++) {
        const int ch = (int)(i % (size_t)to.c), pixel = (int)i / to.c, image = pixel / (to.h * to.w);
        const double *from = v + (size_t)image * (size_t)(in.h * in.w * in.c);
        const int oy = pixel / to.w % to.h, ox = pixel % to.w, k = ((const uint8_t *)(void *)chosen.after)[i];
        want[i] = chosen_pixel(from, in, oy, ox, ch);
        const int iy = 2 * oy - 1 + want[i] / 3, ix = 2 * ox - 1 + want[i] % 3;
        const double most = from[(iy * in.w + ix) * in.c + ch];
        close_to(y.after[i], most, 1e-6 * fabs(most) + 1e-6, "max_pool", i);
        if (!(x_asks & SCALED)) CHECK(k == want[i], "max_pool: element %zu chose %d, not %d", i, k, want[i]);
        const size_t at = (size_t)((image * in.h + 2 * oy - 1 + k / 3) * in.w + 2 * ox - 1 + k % 3);
        if (k > 8 || at * (size_t)in.c >= large) continue;
        sum[at * (size_t)in.c + (size_t)ch] += dy.before[i];
        size[at * (size_t)in.c + (size_t)ch] += 3e-7 * fabs((double)dy.before[i]);
    }
    expect_result(lab, &dx, sum, size, large, "max_pool");
    free(v), free(sum), free(size), free(want);
}

void check_max_pool(struct lab *lab)
{
    static const struct skl_shape shapes[] = {{1, 1, 3}, {2, 2, 8}, {5, 7, 16}, {8, 6, 33}, {9, 9, 64}};
    for (int s = 0; s < 5; s++)
        for (int n = 1; n < 20; n += 8) {
            max_pool_once(lab, RELU, MASKED | SUMS, n, shapes[s]);
            max_pool_once(lab, SCALED | RELU, MASKED | SCALED | SUMS, n, shapes[s]);
            max_pool_once(lab, 0, 0, n, shapes[s]);
        }
}

/* ---- dropout ---- */
void check_keep_bits(struct lab *lab)
{
    static const double drops[] = {0, 0.5, 0.99};
    for (int k = 0; k < 3; k++)
        for (int n = 1; n < 20; n += 8) {
            const size_t image = 8 * (size_t)(3 + k), bytes = (size_t)n * image / 8;
            lab_reset(lab);
            struct tensor bits = out_bytes(lab, bytes);
            lab_upload(lab);
            lab->ops->keep_bits(lab->d, 0x123456789abcdef0u, drops[k], 5, n, image, bits.place);
            lab_download(lab, "keep_bits");
            for (size_t i = 0; i < 8 * bytes; i++) {
                const uint64_t e = 5 * image + i;
                const bool want = skl_philox(0x123456789abcdef0u, 0, e / 4).v[e % 4] >= drops[k] * 4294967296.0;
                const unsigned char byte = ((const unsigned char *)bits.after)[i / 8];
                CHECK((byte >> (i % 8) & 1) == want, "keep_bits: element %zu", i);
            }
        }
}

/* ---- update ---- */
void check_sgd(struct lab *lab)
{
    static const size_t counts[] = {1, 17, 1000};
    for (int form = 0; form < 4; form++) {
        const bool caffe = form & 1, nesterov = form & 2;
        const struct skl_sgd sgd = {0.1f, 0.9f, 0.01f, caffe, nesterov};
        struct tensor w[3], g[3], v[3];
        struct skl_learned list[3];
        lab_reset(lab);
        for (int i = 0; i < 3; i++) {
            w[i] = put(lab, counts[i], DATA_NORMAL), g[i] = put(lab, counts[i], DATA_WIDE),
            v[i] = put(lab, counts[i], DATA_NORMAL);
            writable(lab, &w[i]), writable(lab, &v[i]);
            list[i] = (struct skl_learned){w[i].place, g[i].place, v[i].place, counts[i], i != 1};
        }
        lab_upload(lab);
        lab->ops->sgd(lab->d, list, 3, &sgd);
        lab_download(lab, "sgd");
        for (int i = 0; i < 3; i++)
            for (size_t e = 0; e < counts[i]; e++) {
                const double d = g[i].before[e] + (i != 1 ? 0.01f : 0) * w[i].before[e];
                const double size = fabs(d) + fabs((double)v[i].before[e]) + fabs((double)w[i].before[e]);
                const double took = caffe ? 0.1f * d : d, m = 0.9f * (double)v[i].before[e] + took,
                             step = nesterov ? 0.9f * m + took : m;
                close_to(v[i].after[e], m, 1e-6 * size, "sgd's momentum", e);
                close_to(w[i].after[e], w[i].before[e] - (caffe ? step : 0.1f * step), 1e-6 * size, "sgd", e);
            }
    }
}

/* One bad number anywhere; large ones are none; a flag that stands stays. */
void check_find_infinite(struct lab *lab)
{
    static const size_t counts[] = {1, 63, 1000, 70001};
    static const float bad[] = {NAN, INFINITY, -INFINITY, 3.4e38f};
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 12; k++) {
            const size_t n = counts[i], where[] = {0, n / 2, n - 1};
            lab_reset(lab);
            struct tensor t = put(lab, n, DATA_WIDE), flag = out(lab, 1);
            int32_t was = k == 7, is;
            t.before[where[k / 4]] = bad[k % 4];
            memcpy(flag.before, &was, sizeof was);
            lab_upload(lab);
            lab->ops->find_infinite(lab->d, t.place, n, flag.place);
            lab_download(lab, "find_infinite");
            memcpy(&is, flag.after, sizeof is);
            CHECK(is == (k % 4 < 3 || was), "find_infinite: %g at %zu of %zu gives %d", (double)bad[k % 4],
                  where[k / 4], n, (int)is);
        }
}
