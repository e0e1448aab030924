/* Is the conformance test worth anything?  Variants that are right but unusual must pass it; each of those that are
 * wrong in one place must fail the check that is about that place, with a text that tells what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/check/check.h"
#include "core/config/registry.h"
#include "tests/shortcuts/made_up.h"

static struct skl_check_report report;

static void right(void **state)
{
    const struct skl_shortcut *s = *state;
    struct skl_err err = {0};
    if (skl_registry_add(s, s->name, "", &err)) fail_msg("%s", err.text); /* so that experiment files know it */
    skl_check_shortcut(s, NULL, NULL, &report);
    for (int i = 0; i < report.count; i++)
        if (report.row[i].result == SKL_CHECK_FAIL)
            print_error("%s: %s: %s\n", s->name, report.row[i].name, report.row[i].text);
    assert_int_equal(report.failed, 0);
}

static void wrong(void **state)
{
    const struct wrong_variant *w = *state;
    skl_check_shortcut(&w->s, NULL, NULL, &report);
    for (int i = 0; i < report.count; i++) {
        const struct skl_check_row *row = &report.row[i];
        if (strcmp(row->name, w->check) != 0) continue;
        if (row->result != SKL_CHECK_FAIL) fail_msg("%s passes '%s': %s", w->s.name, row->name, row->text);
        if (!strstr(row->text, w->says))
            fail_msg("%s fails '%s', but does not say '%s': %s", w->s.name, row->name, w->says, row->text);
        print_message("%s: %s\n", row->name, row->text);
        return;
    }
    fail_msg("there is no check '%s'", w->check);
}

int main(void)
{
    static struct CMUnitTest tests[128];
    int count = 0;
    for (int i = 0; right_variants[i]; i++)
        tests[count++] = (struct CMUnitTest){
            .name = right_variants[i]->name, .test_func = right, .initial_state = (void *)right_variants[i]};
    for (int i = 0; i < wrong_count; i++)
        tests[count++] = (struct CMUnitTest){
            .name = wrong_variants[i].s.name, .test_func = wrong, .initial_state = (void *)&wrong_variants[i]};
    return _cmocka_run_group_tests("the test itself", tests, (size_t)count, NULL, NULL);
}
