/* Learning rate, due dates, key-by-key differences, the header of test.csv. */
#include "tests/unit/scratch.h"
#include "core/train/rows.h"
#include "core/train/schedule.h"
#include "core/run/config_file.h"

static void learning_rate(void **state)
{
    struct skl_train_config c = {.lr = 0.1, .warmup = {0.01, 400}, .lr_drops = {{32000, 48000}, 2, 0.1}};
    assert_float_equal(skl_lr(&c, 0), 0.01, 0);
    assert_float_equal(skl_lr(&c, 399), 0.01, 0);
    assert_float_equal(skl_lr(&c, 400), 0.1, 0);
    assert_float_equal(skl_lr(&c, 31999), 0.1, 0);
    assert_float_equal(skl_lr(&c, 32000), 0.01, 1e-15);
    assert_float_equal(skl_lr(&c, 48000), 0.001, 1e-15);
    c.warmup.iterations = 40000; /* a warm-up beyond a drop hides it */
    assert_float_equal(skl_lr(&c, 39999), 0.01, 0);
    assert_float_equal(skl_lr(&c, 40000), 0.01, 1e-15);
}

static void due(void **state)
{
    assert_false(skl_due(0, 10, 25));
    assert_false(skl_due(9, 10, 25));
    assert_true(skl_due(10, 10, 25));
    assert_true(skl_due(25, 10, 25));
    assert_false(skl_due(24, 100, 25));
}

static void differences(void **state)
{
    char *text = skl_config_file_diff(
        "name: a\ntrain: {lr: 0.1, batch: 8}\nmodel: {shortcut: {type: dropout, rate: 0.5}}\nseeds: [1]\n",
        "name: b\ntrain: {lr: 0.2, batch: 8}\nmodel: {shortcut: {type: identity}}\nseeds: [2]\n");
    assert_string_equal(text, "train.lr: 0.1 there, 0.2 here; model.shortcut.type: dropout there, identity here; "
                              "model.shortcut.rate: 0.5 there, absent here; seeds: [1] there, [2] here");
    free(text);
}

/* Top-5 errors from 11 classes on, but not in a log that was begun without them. */
static void header_of_tests(void **state)
{
    static const char top1[] = "iteration,epoch,loss,error,weights", top5[] = "iteration,epoch,loss,error,top5,weights";
    static const struct {
        bool many, begun;
        const char *there, *wanted;
    } cases[] = {
        {false, false, NULL, top1}, {true, false, NULL, top5}, {true, true, top5, top5},
        {true, true, top1, top1},   {true, false, top1, top5}, {false, true, top1, top1},
    };
    const char *path = in_scratch("test.csv");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct skl_session s = {.top5 = cases[i].many};
        struct skl_evaluation e = {.loss = 1, .error = 2, .top5 = 3};
        struct skl_experiment exp = {.train.batch = 1};
        struct skl_err err = {0};
        const char *header;
        char *text = skl_format("%s\n1,2,3\n", cases[i].there ? cases[i].there : ""), row[SKL_ROW_MAX];
        put_file(path, text, strlen(text));
        assert_int_equal(skl_test_header(&s, path, cases[i].begun, &header, &err), SKL_OK);
        assert_string_equal(header, cases[i].wanted);
        s.exp = &exp;
        s.set.train.count = 1;
        skl_test_row(row, &s, 4, &e, "abc");
        assert_string_equal(row, strstr(header, "top5") ? "4,4,1,2,3,abc" : "4,4,1,2,abc");
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(learning_rate), cmocka_unit_test(due),
                                       cmocka_unit_test(differences), cmocka_unit_test(header_of_tests)};
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
