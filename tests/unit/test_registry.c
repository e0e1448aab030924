#include "tests/unit/scratch.h"
#include "core/base/fs.h"
#include "core/config/plan.h"
#include "core/config/registry.h"
#include "core/variant/descriptor.h"

static void built_in_variants(void **state)
{
    static const char *const six[] = {"identity", "constant_scaling", "exclusive_gating", "shortcut_only_gating",
                                      "conv1x1",  "dropout"};
    assert_true(skl_registry_count() >= 6);
    for (int i = 0; i < 6; i++) {
        assert_string_equal(skl_registry_get(i)->name, six[i]);
        assert_ptr_equal(skl_registry_find(six[i]), skl_registry_get(i));
    }
    assert_null(skl_registry_find("identit"));
    assert_null(skl_registry_find(""));
}

static void all_are_sound(void **state)
{
    const char *const *names = skl_registry_names();
    for (int i = 0; i < skl_registry_count(); i++) {
        const char *why = skl_shortcut_unsound(skl_registry_get(i));
        if (why) fail_msg("%s: %s", skl_registry_get(i)->name, why);
        assert_string_equal(names[i], skl_registry_get(i)->name);
        assert_ptr_equal(skl_registry_find(names[i]), skl_registry_get(i)); /* no name twice */
    }
    assert_null(names[skl_registry_count()]);
}

/* ---- a descriptor of our own, made unsound in one place each time ---- */

struct options {
    bool on;
    int count, kind;
    double rate;
};
static const char *const kinds[] = {"he", "zero", NULL};
static const struct skl_param rows[] = {
    SKL_PARAM(struct options, on, true, 0, 1, "a switch"),
    SKL_PARAM(struct options, count, 3, 1, 9, "a count"),
    SKL_PARAM_CHOICE(struct options, kind, 1, "a kind", kinds),
    SKL_PARAM(struct options, rate, 0.25, 0, 1, "a rate"),
    SKL_PARAM_END,
};
static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b) {}
static void affine_grad(const struct skl_call *k, const float *da, const float *db) {}
static void forward(const struct skl_call *k, const float *x, const float *h, const float *f, float *y) {}
static void backward(const struct skl_call *k, const float *x, const float *h, const float *f, const float *dy,
                     float *dx, float *dh, float *df)
{
}

static struct skl_param params[5];
static struct skl_shortcut sound(void)
{
    memcpy(params, rows, sizeof rows);
    return (struct skl_shortcut){SKL_SHORTCUT_HEAD(mine),
                                 .summary = "s",
                                 .formula = "f",
                                 .source = "p",
                                 .on_shortcut = "1",
                                 .on_residual = "1",
                                 .opts_size = sizeof(struct options),
                                 .params = params,
                                 .affine = affine};
}

static void defaults_fill_every_field(void **state)
{
    struct skl_shortcut s = sound();
    _Alignas(16) char opts[SKL_OPTS_MAX];
    memset(opts, 0xff, sizeof opts);
    skl_shortcut_defaults(&s, opts);
    const struct options *o = (const struct options *)opts;
    assert_true(o->on && o->count == 3 && o->kind == 1 && o->rate == 0.25);
    for (size_t i = sizeof *o; i < sizeof opts; i++)
        assert_int_equal(opts[i], 0); /* padding too: options are compared by bytes */
    assert_null(skl_shortcut_unsound(&s));
}

#define UNSOUND(change, part) \
    do { \
        struct skl_shortcut s = sound(); \
        change; \
        const char *why = skl_shortcut_unsound(&s); \
        if (!why) fail_msg("sound though: %s", #change); \
        assert_contains(why, part); \
    } while (0)

static void unsound_descriptors(void **state)
{
    UNSOUND(s.abi = 99, "another interface");
    UNSOUND(s.size = 8, "another interface");
    UNSOUND(s.name = "My-Shortcut", "a-z");
    UNSOUND(s.name = "", "a-z");
    UNSOUND(s.name = NULL, "a-z");
    UNSOUND(s.summary = "", "summary");
    UNSOUND(s.formula = NULL, "formula");
    UNSOUND(s.source = NULL, "source");
    UNSOUND(s.on_shortcut = NULL, "on_shortcut");
    UNSOUND(s.on_residual = "", "on_residual");
    UNSOUND(s.affine = NULL, "exactly one");
    UNSOUND((s.forward = forward, s.backward = backward), "exactly one");
    UNSOUND(s.forward = forward, "go together");
    UNSOUND((s.affine = NULL, s.forward = forward), "exactly one");
    UNSOUND((s.affine = NULL, s.forward = forward, s.backward = backward, s.affine_grad = affine_grad), "affine_grad");
    UNSOUND(s.opts_size = SKL_OPTS_MAX + 1, "too large");
    UNSOUND(s.opts_size = 8, "outside the options struct");
}

static void unsound_options(void **state)
{
    UNSOUND(params[1].name = "Count", "a-z");
    UNSOUND(params[1].name = "type", "called type");
    UNSOUND(params[1].name = "on", "twice");
    UNSOUND(params[1].help = "", "help");
    UNSOUND(params[3].def = 1.5, "outside its range");
    UNSOUND(params[3].def = 0.0 / 0.0, "outside its range");
    UNSOUND(params[3].max = 1.0 / 0.0, "finite");
    UNSOUND(params[2].choices = NULL, "choices");
}

static void not_a_plugin(void **state)
{
    struct skl_err err = {0};
    put_file(in_scratch("text.so"), "text", 4);
    assert_int_equal(skl_registry_load(in_scratch("text.so"), &err), SKL_USAGE);
    assert_contains(err.text, "text.so");
    assert_int_equal(skl_registry_load(in_scratch("none.so"), &err), SKL_USAGE);
    assert_int_equal(skl_registry_load("libm.so.6", &err), SKL_USAGE);
    assert_contains(err.text, "skl_shortcut_entry");
}

/* A plug-in that was copied in part, or damaged: refused by name, and this process lives.  (Where it loads all the
 * same, it is refused because its name is taken.) */
static void damaged_plugins(void **state)
{
    char *data;
    size_t n;
    struct skl_err err = {0};
    if (skl_file_read(PLUGINS "/taken.so", 1 << 24, &data, &n, &err)) fail_msg("%s", err.text);
    for (size_t part = 0; part < n; part += n / 40) {
        char *name = skl_format("cut-%zu.so", part); /* a file each: one may load, refused for its name, and stay */
        put_file(in_scratch(name), data, part);
        assert_int_equal(skl_registry_load(in_scratch(name), &err), SKL_USAGE);
        assert_contains(err.text, name);
        free(name);
    }
    for (size_t at = 0; at + 64 <= 4096; at += 64) { /* headers, symbols, relocations */
        char *hurt = malloc(n), *name = skl_format("hurt-%zu.so", at);
        memcpy(hurt, data, n);
        memset(hurt + at, at % 128 ? 0xff : 0x41, 64);
        put_file(in_scratch(name), hurt, n);
        assert_int_equal(skl_registry_load(in_scratch(name), &err), SKL_USAGE);
        free(hurt);
        free(name);
    }
    for (size_t machine = 0; machine < 2; machine++) { /* built for another CPU, or for 32 bits */
        char saved = data[machine ? 4 : 18];
        data[machine ? 4 : 18] = machine ? 1 : 40;
        put_file(in_scratch("arm.so"), data, n);
        data[machine ? 4 : 18] = saved;
        assert_int_equal(skl_registry_load(in_scratch("arm.so"), &err), SKL_USAGE);
        assert_contains(err.text, "arm.so");
    }
    free(data);
}

/* plugin.c, built three ways. */
static void plugins(void **state)
{
    struct skl_err err = {0};
    int before = skl_registry_count();
    assert_int_equal(skl_registry_load(PLUGINS "/wrong_abi.so", &err), SKL_USAGE);
    assert_contains(err.text, "999");
    assert_contains(err.text, "rebuild it");
    assert_int_equal(skl_registry_load(PLUGINS "/taken.so", &err), SKL_USAGE);
    assert_contains(err.text, "'identity' is there already");
    assert_int_equal(skl_registry_count(), before);

    const char *text = "plugins: [" PLUGINS "/plugged_in.so]\n"
                       "model: {shortcut: {type: plugged_in, strength: 0.25}}\n";
    put_file(in_scratch("t.yaml"), text, strlen(text));
    struct skl_plan plan;
    for (int i = 0; i < 2; i++) { /* loading it again is fine */
        if (skl_plan_load(in_scratch("t.yaml"), NULL, 0, &plan, &err)) fail_msg("%s", err.text);
        assert_string_equal(plan.run[0].dir, "plugged_in/seed-1");
        assert_true(*(double *)plan.run[0].exp.model.shortcut_opts == 0.25);
        char *emitted = skl_plan_emit(&plan, &plan.run[0]), *hash = skl_strdup(plan.run[0].exp.hash);
        put_file(in_scratch("t.yaml"), emitted, strlen(emitted));
        skl_plan_release(&plan);
        if (skl_plan_load(in_scratch("t.yaml"), NULL, 0, &plan, &err)) fail_msg("%s", err.text);
        assert_string_equal(plan.run[0].exp.hash, hash);
        skl_plan_release(&plan);
        free(emitted);
        free(hash);
    }
    assert_int_equal(skl_registry_count(), before + 1);
    assert_string_equal(skl_registry_names()[before], "plugged_in");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_in_variants),         cmocka_unit_test(all_are_sound),
        cmocka_unit_test(defaults_fill_every_field), cmocka_unit_test(unsound_descriptors),
        cmocka_unit_test(unsound_options),           cmocka_unit_test(not_a_plugin),
        cmocka_unit_test(damaged_plugins),           cmocka_unit_test(plugins),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
