/* skiplab step, eval, verify and summary from outside: what they write and what they refuse. */
#include "tests/train/lab.h"
#include <math.h>
#include "core/io/safetensors.h"
#include "core/run/record.h"
#include "core/train/run.h"

#define CASE(name) GOLDEN_CASES "/" name

static char *said; /* the last command's stdout and stderr */

static int call(const char *words)
{
    char *command = skl_format("'%s' %s >'%s' 2>&1", SKIPLAB, words, in_scratch("said"));
    int status = system(command);
    size_t n;
    free(command);
    free(said);
    said = lab_read(in_scratch("said"), &n);
    return WEXITSTATUS(status);
}

static void expect(int code, int wanted)
{
    if (code != wanted) fail_msg("exit %d instead of %d: %s", code, wanted, said);
}

static int step(const char *more, const char *weights)
{
    char *words =
        skl_format("step '" CASE("identity.yaml") "' --weights '%s' --out '%s' %s", weights, in_scratch("out"), more);
    int code = call(words);
    free(words);
    return code;
}

static struct skl_st read_tensors(const char *path)
{
    struct skl_err err = {0};
    struct skl_st st;
    if (skl_st_read(path, false, &st, &err)) fail_msg("%s", err.text);
    return st;
}

static void write_tensors(const char *path, const struct skl_st *st)
{
    struct skl_err err = {0};
    if (skl_st_write(path, st->tensor, st->count, NULL, 0, false, &err)) fail_msg("%s", err.text);
}

static struct skl_st_tensor *find(struct skl_st *st, const char *name)
{
    for (int i = 0; i < st->count; i++)
        if (!strcmp(st->tensor[i].name, name)) return &st->tensor[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

static void writes_everything(void **state)
{
    expect(step("", CASE("identity.in.safetensors")), 0);
    struct skl_st in = read_tensors(CASE("identity.in.safetensors")), out = read_tensors(in_scratch("out"));
    for (int i = 0; i < in.count; i++) {
        char name[160];
        if (!strcmp(in.tensor[i].name, "images") || !strcmp(in.tensor[i].name, "labels")) continue;
        snprintf(name, sizeof name, "after.%s", in.tensor[i].name);
        assert_int_equal(find(&out, name)->bytes, in.tensor[i].bytes);
        snprintf(name, sizeof name, "grad.%s", in.tensor[i].name);
        if (!strstr(name, "running")) assert_int_equal(find(&out, name)->bytes, in.tensor[i].bytes);
    }
    assert_int_equal(find(&out, "loss")->shape[0], 1);
    assert_int_equal(find(&out, "logits")->shape[1], 10);
    assert_non_null(skl_st_meta(&out, "kernels"));
    assert_string_equal(skl_st_meta(&out, "mode"), "train");
    skl_st_release(&in);
    skl_st_release(&out);
}

static void eval_mode_writes_loss_and_logits(void **state)
{
    expect(step("--mode eval", CASE("identity.in.safetensors")), 0);
    struct skl_st out = read_tensors(in_scratch("out"));
    assert_int_equal(out.count, 2);
    skl_st_release(&out);
}

static void a_batch_of_its_own(void **state)
{
    expect(step("", CASE("identity.in.safetensors")), 0);
    struct skl_st one = read_tensors(in_scratch("out")), in = read_tensors(CASE("identity.in.safetensors"));
    struct skl_st batch = {.tensor = skl_alloc_array(2, sizeof *batch.tensor)},
                  rest = {.tensor = skl_alloc_array((size_t)in.count, sizeof *rest.tensor)};
    for (int i = 0; i < in.count; i++) {
        bool image = !strcmp(in.tensor[i].name, "images") || !strcmp(in.tensor[i].name, "labels");
        struct skl_st *to = image ? &batch : &rest;
        to->tensor[to->count++] = in.tensor[i];
    }
    write_tensors(in_scratch("batch"), &batch);
    write_tensors(in_scratch("rest"), &rest);
    char *more = skl_format("--batch '%s'", in_scratch("batch"));
    expect(step(more, in_scratch("rest")), 0);
    struct skl_st two = read_tensors(in_scratch("out"));
    assert_memory_equal(find(&one, "logits")->data, find(&two, "logits")->data, find(&one, "logits")->bytes);
    expect(step("", in_scratch("rest")), 3);
    assert_contains(said, "'images' is missing");
    free(more), free(batch.tensor), free(rest.tensor);
    skl_st_release(&one), skl_st_release(&two), skl_st_release(&in);
}

/* The golden input with one change. */
static int step_changed(void (*change)(struct skl_st *st))
{
    struct skl_st in = read_tensors(CASE("identity.in.safetensors")),
                  copy = {.count = in.count, .tensor = skl_alloc_array((size_t)in.count + 2, sizeof *in.tensor)};
    memcpy(copy.tensor, in.tensor, (size_t)in.count * sizeof *in.tensor);
    change(&copy);
    write_tensors(in_scratch("changed"), &copy);
    free(copy.tensor);
    skl_st_release(&in);
    return step("", in_scratch("changed"));
}

static void drop_one(struct skl_st *st) { *find(st, "layer2.0.bn1.bias") = st->tensor[--st->count]; }
static void shrink_one(struct skl_st *st)
{
    struct skl_st_tensor *t = find(st, "layer3.0.conv2.weight");
    t->shape[0] = 16, t->bytes /= 2;
}
static void add_named(struct skl_st *st, const char *name)
{
    static const float zero;
    st->tensor[st->count++] =
        (struct skl_st_tensor){.name = (char *)name, .ndim = 1, .shape = {1}, .data = &zero, .bytes = 4};
}
static void add_unknown(struct skl_st *st) { add_named(st, "layer4.0.conv1.weight"); }
static void add_ignored(struct skl_st *st)
{
    add_named(st, "bn1.num_batches_tracked");
    add_named(st, "momentum.conv1.weight");
}
static int64_t bad_labels[4] = {0, 1, 10, 2};
static void label_out_of_range(struct skl_st *st) { find(st, "labels")->data = bad_labels; }
static void labels_too_few(struct skl_st *st) { find(st, "labels")->shape[0] = 3, find(st, "labels")->bytes = 24; }

static void bad_tensors_are_named(void **state)
{
    expect(step_changed(drop_one), 3);
    assert_contains(said, "'layer2.0.bn1.bias' is missing");
    expect(step_changed(shrink_one), 3);
    assert_contains(said, "'layer3.0.conv2.weight' has shape [16,32,3,3], the model needs [32,32,3,3]");
    expect(step_changed(add_unknown), 3);
    assert_contains(said, "unknown tensor 'layer4.0.conv1.weight'");
    expect(step_changed(add_ignored), 0);
    expect(step_changed(label_out_of_range), 3);
    assert_contains(said, "label 10 of image 2");
    expect(step_changed(labels_too_few), 3);
    assert_contains(said, "'labels'");
}

static void wrong_words_are_usage(void **state)
{
    expect(call("step '" CASE("identity.yaml") "' --weights x"), 2);
    assert_contains(said, "--out");
    expect(step("--mode test", CASE("identity.in.safetensors")), 2);
    expect(step("train.bn_batch=3", CASE("identity.in.safetensors")), 2);
    assert_contains(said, "bn_batch");
    expect(step("", "/nowhere/x.safetensors"), 3);
}

/* Zeros and ones, about half of each, the same for any number of threads; the step's own loss follows from it. */
static void dropout_shows_its_masks(void **state)
{
    char *words = skl_format("step '" CASE("dropout-eval.yaml") "' --weights '" CASE(
                                 "dropout-eval.in.safetensors") "' --out '%s' --threads ",
                             in_scratch("out"));
    char *one = skl_format("%s1", words), *three = skl_format("%s3", words);
    expect(call(one), 0);
    struct skl_st a = read_tensors(in_scratch("out"));
    expect(call(three), 0);
    struct skl_st b = read_tensors(in_scratch("out"));
    static const char *const names[] = {"mask.layer1.0", "mask.layer2.0", "mask.layer3.0"};
    for (int i = 0; i < 3; i++) {
        const struct skl_st_tensor *m = find(&a, names[i]);
        size_t n = m->bytes / 4, kept = 0;
        assert_int_equal(m->ndim, 4);
        for (size_t j = 0; j < n; j++) {
            float v = ((const float *)m->data)[j];
            assert_true(v == 0 || v == 1);
            kept += v == 1;
        }
        assert_true(fabs((double)kept / (double)n - 0.5) < 4 * 0.5 / sqrt((double)n));
        assert_memory_equal(m->data, find(&b, names[i])->data, m->bytes);
    }
    skl_st_release(&a), skl_st_release(&b);
    free(words), free(one), free(three);
}

static void eval_agrees_with_the_run(void **state)
{
    lab_write_config("{type: exclusive_gating}");
    struct launch l = {"run", {"--quiet"}};
    lab_expect(lab_train(&l), 0, "run");
    struct skl_run_state s;
    assert_int_equal(skl_run_state_read(in_scratch("run"), &s, NULL), 0);
    char *words = skl_format("eval '%s' --json", in_scratch("run")),
         *loss = skl_format("\"test_loss\": %.9g", s.test_loss_final);
    expect(call(words), 0);
    assert_contains(said, loss);
    lab_unlink("run", "config.yaml");
    expect(call(words), 3);
    assert_contains(said, "config.yaml");
    expect(call("eval /nowhere"), 3);
    free(words), free(loss);
}

/* Changes one number of a checkpoint and signs it anew: only a replay can tell. */
static void tamper(const char *path, const char *name)
{
    struct skl_err err = {0};
    struct skl_st st = read_tensors(path);
    int metas = 0;
    ((float *)find(&st, name)->data)[0] += 1e-6f;
    for (int i = 0; i < st.metas; i++)
        if (strcmp(st.meta[i].key, "sha256"))
            st.meta[metas++] = st.meta[i];
        else
            free(st.meta[i].key), free(st.meta[i].value);
    st.metas = metas;
    if (skl_st_write(path, st.tensor, st.count, st.meta, metas, true, &err)) fail_msg("%s", err.text);
    skl_st_release(&st);
}

/* Flips a bit in the last row; twice: nothing has happened. */
static void edit_last_row(const char *path)
{
    size_t n;
    char *text = lab_read(path, &n);
    char *row = memrchr(text, '\n', n - 1);
    strchr(row, ',')[1] ^= 1;
    put_file(path, text, n);
    free(text);
}

static void verify_replays(void **state)
{
    lab_write_config("{type: dropout}");
    struct launch l = {"verified", {"--quiet"}};
    lab_expect(lab_train(&l), 0, "verified");
    char *words = skl_format("verify '%s'", in_scratch("verified"));
    expect(call(words), 0);
    assert_contains(said, "iterations 15 to 18: every bit is the same, 4 rows of the logs too");
    assert_contains(said, "replay  18/18  loss ");
    assert_null(strstr(said, "nan"));
    static const char *const logs[] = {"train.csv", "test.csv", "validation.csv"};
    for (int i = 0; i < 3; i++) {
        char *path = lab_path("verified", logs[i]), *row = skl_format("the row of iteration 18 in %s differs", logs[i]);
        edit_last_row(path);
        expect(call(words), 1);
        assert_contains(said, row);
        edit_last_row(path);
        free(path), free(row);
    }
    lab_unlink("verified", "prev.safetensors");
    expect(call(words), 0);
    assert_contains(said, "iterations 0 to 18: every bit is the same, 12 rows of the logs too");
    tamper(in_scratch("verified/last.safetensors"), "layer2.0.conv1.weight");
    expect(call(words), 1);
    assert_contains(said, "layer2.0.conv1.weight differs");
    expect(call("verify /nowhere"), 3);
    free(words);
}

/* Counts that the papers print or that follow from their layouts by hand, to be had without building or reading
 * anything. */
static void summary_counts(void **state)
{
    static const struct {
        const char *model;
        long long parameters, multiply_adds; /* 0: not known from elsewhere */
    } known[] = {
        {"{depth: 20}", 269722, 40551040},
        {"{depth: 32}", 464154, 14155776LL * 5 - 1916288},
        {"{depth: 44}", 658586, 14155776LL * 7 - 1916288},
        {"{depth: 56}", 853018, 14155776LL * 9 - 1916288},
        {"{depth: 110}", 1727962, 252887680},
        {"{depth: 1202}", 19421274, 14155776LL * 200 - 1916288},
        {"{depth: 110, shortcut: {type: constant_scaling, shortcut_scale: 0, residual_scale: 1}}", 1727962, 252887680},
        {"{depth: 110, order: full_preact}", 1727962, 252887680},
        {"{depth: 110, projection: B}", 1730714, 0},
        {"{depth: 20, shortcut: {type: conv1x1}}", 283962, 0},
        {"{depth: 110, shortcut: {type: conv1x1}}", 1826202, 266781312},
        {"{depth: 110, shortcut: {type: exclusive_gating}}", 1826746, 0},
        {"{depth: 110, shortcut: {type: shortcut_only_gating}}", 1826746, 0},
        {"{depth: 110, shortcut: {type: exclusive_gating}, shortcut_at: same_shape}", 1727962 + 93568,
         252887680 + 13631488},
        {"{depth: 164, block: bottleneck, projection: B, order: full_preact}", 1703258, 0},
        {"{depth: 1001, block: bottleneck, projection: B, order: full_preact}", 10327706, 0},
    };
    put_file(in_scratch("model.yaml"), "model: {depth: 8}\n", 18);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char *words = skl_format("summary '%s' --json 'model=%s'", in_scratch("model.yaml"), known[i].model);
        char *parameters = skl_format("\n  \"parameters\": %lld,", known[i].parameters);
        char *multiply_adds = skl_format("\n  \"multiply_adds\": %lld,", known[i].multiply_adds);
        expect(call(words), 0);
        assert_contains(said, parameters);
        if (known[i].multiply_adds) assert_contains(said, multiply_adds);
        free(words), free(parameters), free(multiply_adds);
    }
}

/* 1x1 convolutions on all shortcuts: a bottleneck unit costs nearly twice (64 x 64 beside 64 x 16 + 9 x 16 x 16 + 16 x
 * 64), a basic one a ninth of a convolution more. */
static void summary_shows_what_shortcuts_cost(void **state)
{
    put_file(in_scratch("model.yaml"), "model: {depth: 164, block: bottleneck, shortcut: {type: conv1x1}}\n", 66);
    char *words = skl_format("summary '%s'", in_scratch("model.yaml"));
    expect(call(words), 0);
    assert_contains(said,
                    "layer1.1-17      32 x 32 x 64         8768        8650752         4224        4194304  x 1.94\n");
    assert_contains(said, "multiply-adds  461556224 an image, 219152384 of them on shortcuts: x 1.90\n");
    free(words);
    words = skl_format("summary '%s' model.block=basic model.depth=20", in_scratch("model.yaml"));
    expect(call(words), 0);
    assert_contains(said, "  x 1.06\n");
    free(words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_everything),        cmocka_unit_test(eval_mode_writes_loss_and_logits),
        cmocka_unit_test(a_batch_of_its_own),       cmocka_unit_test(bad_tensors_are_named),
        cmocka_unit_test(wrong_words_are_usage),    cmocka_unit_test(dropout_shows_its_masks),
        cmocka_unit_test(eval_agrees_with_the_run), cmocka_unit_test(verify_replays),
        cmocka_unit_test(summary_counts),           cmocka_unit_test(summary_shows_what_shortcuts_cost),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
