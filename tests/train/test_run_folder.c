/* What a run leaves in its folder, and what it refuses to do there. */
#include "tests/train/lab.h"
#include "core/io/csv.h"
#include "core/run/record.h"
#include "core/train/run.h"

static int setup(void **state)
{
    lab_write_config("{type: identity}");
    return 0;
}

static void train(const struct launch *l, int wanted) { lab_expect(lab_train(l), wanted, l->folder); }

static void fresh(const struct launch *l, int wanted)
{
    lab_remove(l->folder);
    train(l, wanted);
}

static struct skl_table table(const char *folder, const char *file)
{
    struct skl_err err = {0};
    struct skl_table t;
    char *path = lab_path(folder, file);
    if (skl_table_read(path, &t, &err)) fail_msg("%s", err.text);
    free(path);
    return t;
}

static struct skl_run_state state_of(const char *folder)
{
    struct skl_err err = {0};
    struct skl_run_state s;
    if (skl_run_state_read(in_scratch(folder), &s, &err)) fail_msg("%s", err.text);
    return s;
}

/* Row 0 is the first mini-batch before any update; then every log_every, and the end. */
static void rows_stand_where_they_should(void **state)
{
    struct launch l = {"run", {"--quiet"}};
    fresh(&l, 0);
    static const double at[] = {0, 4, 8, 12, 16, 18}, lr[] = {0.01, 0.05, 0.05, 0.05, 0.005, 0.005};
    struct skl_table t = table("run", "train.csv");
    assert_int_equal(t.rows, 6);
    for (int i = 0; i < t.rows; i++) {
        const double *row = &t.value[i * t.columns];
        assert_float_equal(row[0], at[i], 0);
        assert_float_equal(row[1], at[i] * 16 / 80, 1e-9);
        assert_float_equal(row[2], lr[i], 1e-9);
    }
    skl_table_release(&t);
    t = table("run", "test.csv");
    static const double tested[] = {6, 12, 18};
    assert_int_equal(t.rows, 3);
    for (int i = 0; i < t.rows; i++) assert_float_equal(t.value[i * t.columns], tested[i], 0);
    assert_int_equal(strlen(t.text[4]), 16);
    skl_table_release(&t);
}

/* The mean of the rows at log_every 1 is the row at log_every 6; the first row's loss is iteration 0's. */
static void rows_are_means(void **state)
{
    struct launch each = {"each", {"--quiet", "train.log_every=1", "train.iterations=6"}},
                  all = {"all", {"--quiet", "train.log_every=6", "train.iterations=6"}};
    fresh(&each, 0);
    fresh(&all, 0);
    struct skl_table a = table("each", "train.csv"), b = table("all", "train.csv");
    assert_int_equal(a.rows, 7);
    assert_int_equal(b.rows, 2);
    double loss = 0, error = 0;
    for (int i = 1; i <= 6; i++) loss += a.value[i * a.columns + 3] / 6, error += a.value[i * a.columns + 4] / 6;
    assert_float_equal(loss, b.value[b.columns + 3], 1e-7);
    assert_float_equal(error, b.value[b.columns + 4], 1e-6);
    assert_float_equal(a.value[3], a.value[a.columns + 3], 0);
    skl_table_release(&a);
    skl_table_release(&b);
}

static void a_finished_run_is_left_alone(void **state)
{
    struct launch l = {"run", {"--quiet"}};
    fresh(&l, 0);
    struct stat before, after;
    char *path = lab_path("run", "run.json");
    stat(path, &before);
    lab_sleep(0.02);
    train(&l, 0);
    stat(path, &after);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(before.st_ino, after.st_ino);
    free(path);
    struct skl_run_state s = state_of("run");
    assert_true(s.complete);
    assert_string_equal(s.state, "done");
    assert_true(s.train_error_final >= 0 && s.test_error_final >= 0);
}

static void an_edited_run_is_not_complete(void **state)
{
    struct launch l = {"run", {"--quiet"}};
    fresh(&l, 0);
    char *path = lab_path("run", "test.csv");
    FILE *f = fopen(path, "a");
    fputs("19,5,1,1,x\n", f);
    fclose(f);
    assert_false(state_of("run").complete);
    train(&l, 0); /* cut back to what the checkpoint recorded */
    assert_true(state_of("run").complete);
    assert_int_equal(truncate(path, 30), 0);
    train(&l, 3);
    assert_string_equal(state_of("run").state, "failed");
    free(path);
}

static void another_config_is_refused(void **state)
{
    struct launch l = {"run", {"--quiet"}}, other = {"run", {"--quiet", "train.lr=0.07", "model.width=16"}};
    fresh(&l, 0);
    train(&other, 2);
    char *text = lab_stderr("run");
    assert_contains(text, "train.lr: 0.05 there, 0.07 here");
    assert_contains(text, "model.width: 8 there, 16 here");
    free(text);
    assert_true(state_of("run").complete);
}

static void other_numerics_are_refused_unless_allowed(void **state)
{
    struct launch one = {"run", {"--quiet"}, {"SKL_CPU=ref"}}, two = {"run", {"--quiet"}, {"SKL_CPU=base"}},
                  allowed = {"run", {"--quiet", "--allow-other-numerics"}, {"SKL_CPU=base"}};
    fresh(&one, 0);
    lab_unlink("run", "run.json"); /* as if it had been killed just before the end */
    train(&two, 2);
    char *text = lab_stderr("run");
    assert_contains(text, "--allow-other-numerics");
    free(text);
    train(&allowed, 0);
    lab_run_json_says("run", "\"other_numerics\": true");
}

static void divergence_is_a_result(void **state)
{
    struct launch l = {"wild", {"--quiet", "train.lr=1000", "train.weight_decay=10", "--threads", "1"}},
                  two = {"wild2", {"--quiet", "train.lr=1000", "train.weight_decay=10", "--threads", "2"}};
    fresh(&l, 0);
    fresh(&two, 0);
    lab_same("wild", "wild2");
    struct skl_run_state s = state_of("wild");
    assert_string_equal(s.state, "diverged");
    assert_true(s.complete && s.iteration > 0 && s.iteration < 18);
    assert_contains(s.cause, "not finite");
    assert_true(s.test_error_final != s.test_error_final);
    struct skl_table t = table("wild", "train.csv");
    assert_true(t.rows >= 2);
    assert_float_equal(t.value[(t.rows - 1) * t.columns], (double)s.iteration, 0);
    skl_table_release(&t);
    train(&l, 0); /* final: nothing is done again */
}

static void hopeless_runs_are_given_up(void **state)
{
    struct launch l = {"hopeless", {"--quiet", "give_up.iteration=7", "give_up.train_error_above=1"}},
                  good = {"good", {"--quiet", "give_up.iteration=7", "give_up.train_error_above=99.9"}};
    fresh(&l, 0);
    struct skl_run_state s = state_of("hopeless");
    assert_string_equal(s.state, "done");
    assert_int_equal(s.iteration, 7);
    assert_contains(s.cause, "fail (stopped)");
    assert_true(s.complete && s.train_error_final >= 0);
    lab_unlink("hopeless", "run.json");
    train(&l, 0);
    assert_int_equal(state_of("hopeless").iteration, 7);
    fresh(&good, 0);
    assert_int_equal(state_of("good").iteration, 18);
}

static void one_process_a_folder(void **state)
{
    struct launch l = {"busy", {"--quiet", "train.iterations=1000000"}};
    lab_remove("busy");
    pid_t pid = lab_start(&l);
    for (int i = 0; i < 200 && strcmp(state_of("busy").state, "running"); i++) lab_sleep(0.02);
    struct launch second = {"busy", {"--quiet", "train.iterations=1000000"}};
    int code = lab_train(&second);
    kill(pid, SIGKILL);
    lab_wait(pid);
    lab_expect(code, 4, "busy");
    assert_string_equal(state_of("busy").state, "interrupted"); /* run.json still says running, but nobody is */
}

static void the_copied_config_gives_the_same_run(void **state)
{
    struct launch l = {"run", {"--quiet"}};
    fresh(&l, 0);
    char *from = lab_path("run", "config.yaml"), *copy = skl_format("cp '%s' '%s'", from, in_scratch("exp.yaml"));
    assert_int_equal(system(copy), 0);
    struct launch again = {"again", {"--quiet"}};
    fresh(&again, 0);
    lab_same("run", "again");
    free(from), free(copy);
    setup(NULL);
}

static void groups_must_divide_the_batch(void **state)
{
    struct launch l = {"groups", {"--quiet", "train.bn_batch=7"}};
    fresh(&l, 2);
    char *text = lab_stderr("groups");
    assert_contains(text, "bn_batch");
    assert_contains(text, "batch");
    free(text);
}

static void a_driver_can_record_a_death(void **state)
{
    struct skl_err err = {0};
    struct skl_claim *claim;
    mkdir(in_scratch("dead"), 0777);
    assert_int_equal(skl_claim_take(in_scratch("dead"), &claim, &err), 0);
    assert_string_equal(state_of("nowhere").state, "waiting");
    assert_int_equal(
        skl_run_state_fail(in_scratch("dead"), skl_claim_desk(claim), SKL_CAUSE_CRASHED,
                           "killed by signal 11", "one\ntwo", &err),
        0);
    skl_claim_release(claim);
    assert_string_equal(state_of("dead").state, "failed");
    assert_string_equal(state_of("dead").cause, "killed by signal 11");
    lab_run_json_says("dead", "\"last_lines\": \"one\\ntwo\"");
}

static void a_broken_run_json_is_named(void **state)
{
    struct skl_err err = {0};
    struct skl_run_state s;
    mkdir(in_scratch("broken"), 0777);
    put_file(in_scratch("broken/run.json"), "{\"state\": ", 10);
    assert_int_equal(skl_run_state_read(in_scratch("broken"), &s, &err), SKL_DATA);
    assert_contains(err.text, "run.json:1:");
    put_file(in_scratch("broken/run.json"), "{\"state\": \"good\"}", 17);
    assert_int_equal(skl_run_state_read(in_scratch("broken"), &s, &err), SKL_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_stand_where_they_should), cmocka_unit_test(rows_are_means),
        cmocka_unit_test(a_finished_run_is_left_alone), cmocka_unit_test(an_edited_run_is_not_complete),
        cmocka_unit_test(another_config_is_refused),    cmocka_unit_test(other_numerics_are_refused_unless_allowed),
        cmocka_unit_test(divergence_is_a_result),       cmocka_unit_test(hopeless_runs_are_given_up),
        cmocka_unit_test(one_process_a_folder),         cmocka_unit_test(the_copied_config_gives_the_same_run),
        cmocka_unit_test(groups_must_divide_the_batch), cmocka_unit_test(a_driver_can_record_a_death),
        cmocka_unit_test(a_broken_run_json_is_named),
    };
    int status = scratch_make(NULL) || setup(NULL);
    if (!status) status = cmocka_run_group_tests(tests, NULL, NULL);
    return scratch_remove(NULL) || status;
}
