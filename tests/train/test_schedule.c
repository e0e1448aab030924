/* Learning rate, due dates, key-by-key differences. */
#include "tests/unit/scratch.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(learning_rate), cmocka_unit_test(due),
                                       cmocka_unit_test(differences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
