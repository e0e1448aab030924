/* Every cut and flipped bit of a checkpoint is noticed, and the loader goes back to the older one and says so. */
#include <inttypes.h>
#include "core/base/parallel.h"
#include "core/base/rng.h"
#include "core/config/plan.h"
#include "core/train/session.h"
#include "core/train/state.h"
#include "tests/train/lab.h"

enum { CUT_BELOW = 64 << 10, HEAD = 4 << 10, RANDOM_CUTS = 1000, RANDOM_FLIPS = 10000, SAMPLES = 60 };

static char *file; /* last.safetensors of a run, as it was written */
static size_t bytes;
static struct skl_net *net;
static struct skl_pool *pool;
static struct skl_identity identity;
static struct skl_st whole; /* holds the identity's texts */

static void write_run(const char *folder, const char *seed)
{
    struct launch l = {folder, {"model.width=5", seed}};
    lab_expect(lab_train(&l), SKL_OK, folder);
}

/* Two runs, and a net that the first one's checkpoints fit. */
static int make(void **state)
{
    if (scratch_make(state)) return -1;
    lab_write_config("{type: exclusive_gating}");
    write_run("run", "seeds=[1]");
    write_run("other", "seeds=[2]");
    char *path = lab_path("run", "last.safetensors"), *config = lab_path("run", "config.yaml");
    file = lab_read(path, &bytes);
    struct skl_plan plan;
    struct skl_err err = {0};
    if (skl_st_read(path, true, &whole, &err) || skl_plan_load(config, NULL, 0, &plan, &err)) fail_msg("%s", err.text);
    identity = (struct skl_identity){.config_hash = skl_st_meta(&whole, "config_hash"),
                                     .numerics = skl_st_meta(&whole, "numerics"),
                                     .iterations = plan.run[0].exp.train.iterations};
    snprintf(identity.data, sizeof identity.data, "%s", skl_st_meta(&whole, "data"));
    struct skl_net_options o = skl_net_options_for(&plan.run[0].exp, 8, 3, 10);
    o.pool = pool = skl_pool_new(1);
    if (skl_net_new(&plan.run[0].exp.model, &o, &net, &err)) fail_msg("%s", err.text);
    skl_plan_release(&plan);
    free(path), free(config);
    return 0;
}

static int clean(void **state)
{
    skl_net_free(net);
    skl_pool_free(pool);
    skl_st_release(&whole);
    free(file);
    return scratch_remove(state);
}

/* ---- every single damage, in memory ---- */

static void must_be_refused(const char *data, size_t n, const char *what, size_t where)
{
    struct skl_st st;
    struct skl_err err = {0};
    char *copy = malloc(n ? n : 1); /* exactly n bytes, so that a sanitizer sees a read beyond them */
    assert_non_null(copy);
    memcpy(copy, data, n);
    int status = skl_st_parse("last", copy, n, true, &st, &err);
    if (status != SKL_DATA || strncmp(err.text, "last: ", 6))
        fail_msg("%s at %zu: status %d, %s", what, where, status, err.text);
}

static void the_file_itself_is_good(void **state)
{
    struct skl_st st;
    struct skl_err err;
    char *copy = malloc(bytes);
    memcpy(copy, file, bytes);
    assert_int_equal(skl_st_parse("last", copy, bytes, true, &st, &err), SKL_OK);
    skl_st_release(&st);
    assert_true(bytes > CUT_BELOW); /* so that all of the cuts below are cuts */
}

static void every_cut_is_noticed(void **state)
{
    for (size_t n = 0; n <= CUT_BELOW; n++) must_be_refused(file, n, "cut", n);
    for (uint64_t i = 0; i < RANDOM_CUTS; i++) {
        size_t n = CUT_BELOW + skl_rng_bits(1, i) % (bytes - CUT_BELOW);
        must_be_refused(file, n, "cut", n);
    }
}

static void flip(size_t bit) { file[bit / 8] ^= (char)(1 << bit % 8); }

static void every_flipped_bit_is_noticed(void **state)
{
    for (size_t bit = 0; bit < 8 * HEAD + RANDOM_FLIPS; bit++) {
        size_t at = bit < 8 * HEAD ? bit : 8 * HEAD + skl_rng_bits(2, bit) % (8 * (bytes - HEAD));
        flip(at);
        must_be_refused(file, bytes, "flipped bit", at);
        flip(at);
    }
}

static void swap_blocks(char *a, char *b, size_t n)
{
    char *t = malloc(n);
    memcpy(t, a, n);
    memcpy(a, b, n);
    memcpy(b, t, n);
    free(t);
}

/* What a file system may do to blocks: lose, repeat, exchange or append them. */
static void lost_and_exchanged_blocks_are_noticed(void **state)
{
    for (size_t block = 512; block <= 4096; block *= 8) {
        char *copy = malloc(bytes + block);
        for (size_t at = 0; at + 2 * block <= bytes; at += block) {
            memcpy(copy, file, bytes);
            memset(copy + at, 0, block);
            if (memcmp(copy, file, bytes)) must_be_refused(copy, bytes, "zeroed block", at);
            memcpy(copy, file, bytes);
            memcpy(copy + at + block, copy + at, block);
            if (memcmp(copy, file, bytes)) must_be_refused(copy, bytes, "doubled block", at);
            memcpy(copy, file, bytes);
            swap_blocks(copy + at, copy + at + block, block);
            if (memcmp(copy, file, bytes)) must_be_refused(copy, bytes, "exchanged block", at);
        }
        memcpy(copy, file, bytes);
        memset(copy + bytes, 0, block);
        must_be_refused(copy, bytes + block, "zeros at the end", bytes);
        free(copy);
    }
}

/* ---- the loader on a folder ---- */

static int resume(struct skl_state *s, struct skl_resume *r, struct skl_err *err)
{
    *err = (struct skl_err){0};
    return skl_state_load(in_scratch("hurt"), net, s, &identity, false, r, err);
}

static void put_checkpoint(const char *name, const char *data, size_t n)
{
    char *path = lab_path("hurt", name);
    put_file(path, data, n);
    free(path);
}

static void copy_checkpoint(const char *from, const char *as)
{
    size_t n;
    char *path = lab_path(from, "last.safetensors"), *data = lab_read(path, &n);
    put_checkpoint(as, data, n);
    free(path), free(data);
}

/* The older one is taken, with this reason. */
static void expect_prev(int64_t iteration, const char *reason)
{
    struct skl_state s;
    struct skl_resume r;
    struct skl_err err;
    if (resume(&s, &r, &err)) fail_msg("%s", err.text);
    assert_true(r.found && r.from_prev && s.iteration == iteration);
    assert_contains(r.warning, "last.safetensors");
    assert_contains(r.warning, reason);
    assert_contains(r.warning, "resuming from prev.safetensors");
}

static int64_t prev_iteration(void)
{
    struct skl_st st;
    struct skl_err err = {0};
    char *path = lab_path("hurt", "prev.safetensors");
    if (skl_st_read(path, true, &st, &err)) fail_msg("%s", err.text);
    int64_t n = strtoll(skl_st_meta(&st, "iteration"), NULL, 10);
    skl_st_release(&st);
    free(path);
    return n;
}

static void the_older_checkpoint_takes_over(void **state)
{
    struct skl_state s;
    struct skl_resume r;
    struct skl_err err;
    lab_copy("run", "hurt");
    int64_t older = prev_iteration();
    assert_int_equal(resume(&s, &r, &err), SKL_OK);
    assert_true(r.found && !r.from_prev && !*r.warning && s.iteration > older);
    for (uint64_t i = 0; i < SAMPLES; i++) {
        put_checkpoint("last.safetensors", file, skl_rng_bits(3, i) % bytes);
        expect_prev(older, "last.safetensors: ");
        size_t bit = skl_rng_bits(4, i) % (8 * bytes);
        flip(bit);
        put_checkpoint("last.safetensors", file, bytes);
        flip(bit);
        expect_prev(older, "last.safetensors: ");
    }
    put_checkpoint("last.safetensors", "", 0);
    expect_prev(older, "only 0 bytes");
    put_checkpoint("last.safetensors", file, bytes - 1);
    expect_prev(older, "bytes");
    lab_unlink("hurt", "last.safetensors");
    expect_prev(older, "absent");
    put_checkpoint("last.safetensors", file, bytes / 2);
    put_checkpoint("prev.safetensors", file, bytes / 3);
    assert_int_equal(resume(&s, &r, &err), SKL_DATA);
    assert_contains(err.text, "no whole checkpoint is left");
}

/* A whole file that is not this run's is no damage: nothing older is taken in its place. */
static void whole_files_of_others_are_refused(void **state)
{
    struct skl_state s;
    struct skl_resume r;
    struct skl_err err;
    lab_copy("run", "hurt");
    copy_checkpoint("other", "last.safetensors");
    assert_int_equal(resume(&s, &r, &err), SKL_USAGE);
    assert_contains(err.text, "belongs to another configuration");
    lab_copy("run", "hurt");
    identity.data[0] ^= 1;
    assert_int_equal(resume(&s, &r, &err), SKL_DATA);
    assert_contains(err.text, "other data");
    identity.data[0] ^= 1;
}

/* The same tensors under other metadata, signed anew. */
static void write_with(const char *key, const char *value)
{
    struct skl_st_meta meta[32];
    struct skl_err err = {0};
    int n = 0;
    char *path = lab_path("hurt", "last.safetensors");
    for (int i = 0; i < whole.metas; i++) {
        if (!strcmp(whole.meta[i].key, "sha256")) continue;
        meta[n] = whole.meta[i];
        if (!strcmp(meta[n].key, key)) meta[n].value = (char *)(uintptr_t)value;
        n++;
    }
    if (skl_st_write(path, whole.tensor, whole.count, meta, n, true, &err)) fail_msg("%s", err.text);
    free(path);
}

static void other_versions_are_named(void **state)
{
    lab_copy("run", "hurt");
    int64_t older = prev_iteration();
    write_with("format", "skiplab-checkpoint-2");
    expect_prev(older,
                "written by another version of skiplab (skiplab-checkpoint-2, this one reads skiplab-checkpoint-1)");
    write_with("format", "pt");
    expect_prev(older, "'format'");
    static const char *const wrong[][2] = {{"iteration", "-1"}, {"iteration", "1e3"}, {"end", "9223372036854775808"},
                                           {"tested", ""},      {"outcome", "won"},   {"sums", "0x1p0 1"},
                                           {"sums", "1 -1 1"},  {"train.csv", "12x"}, {"end", "0"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_with(wrong[i][0], wrong[i][1]);
        expect_prev(older, wrong[i][0]);
    }
}

/* The digest is right and the metadata say what no run of this experiment can: each is passed over for the older
 * one. */
static void forged_metadata_are_refused(void **state)
{
    static const char *const far = "9223372036854775000";
    lab_copy("run", "hurt");
    int64_t older = prev_iteration();
    static const char *const wrong[][2] = {{"end", "9223372036854775807"},
                                           {"end", "100000"},
                                           {"tested", "100000"},
                                           {"sums", "0x1p0 0 100000"},
                                           {"sums", "0x1p0 9223372036854775807 1"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_with(wrong[i][0], wrong[i][1]);
        expect_prev(older, "does not fit an experiment of");
    }
    struct skl_st_meta *iteration = NULL;
    for (int i = 0; i < whole.metas; i++)
        if (!strcmp(whole.meta[i].key, "iteration")) iteration = &whole.meta[i];
    assert_non_null(iteration);
    char *right = iteration->value;
    iteration->value = (char *)(uintptr_t)far;
    write_with("end", far);
    expect_prev(older, "does not fit an experiment of");
    iteration->value = right;
    char *path = lab_path("hurt", "last.safetensors"); /* larger than anything of this net: by its size */
    assert_int_equal(truncate(path, (off_t)4 << 30), 0);
    expect_prev(older, "larger than");
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_itself_is_good),         cmocka_unit_test(every_cut_is_noticed),
        cmocka_unit_test(every_flipped_bit_is_noticed),    cmocka_unit_test(lost_and_exchanged_blocks_are_noticed),
        cmocka_unit_test(the_older_checkpoint_takes_over), cmocka_unit_test(whole_files_of_others_are_refused),
        cmocka_unit_test(other_versions_are_named),        cmocka_unit_test(forged_metadata_are_refused),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
