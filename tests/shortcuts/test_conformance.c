/* Every registered variant, and the example plug-in, against the contract.  No variant is named here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/check/check.h"
#include "core/config/registry.h"

static void keeps_the_contract(void **state)
{
    static struct skl_check_report report;
    const struct skl_shortcut *s = *state;
    skl_check_shortcut(s, NULL, NULL, &report);
    for (int i = 0; i < report.count; i++) {
        const struct skl_check_row *row = &report.row[i];
        if (row->result == SKL_CHECK_FAIL)
            print_error("%s: %s: %s\n", s->name, row->name, row->text);
        else
            print_message("%s: %-14s %s\n", s->name, row->name, row->text);
    }
    assert_int_equal(report.failed, 0);
    assert_true(report.count > 10);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[128];
    struct skl_err err = {0};
    for (int i = 1; i < argc; i++) {
        char *path = realpath(argv[i], NULL);
        if (!path || skl_registry_load(path, &err)) {
            fprintf(stderr, "%s: %s\n", argv[i], err.text);
            return 1;
        }
        free(path);
    }
    int count = skl_registry_count();
    for (int i = 0; i < count; i++) {
        const struct skl_shortcut *s = skl_registry_get(i);
        tests[i] = (struct CMUnitTest){.name = s->name, .test_func = keeps_the_contract, .initial_state = (void *)s};
    }
    return _cmocka_run_group_tests("conformance", tests, (size_t)count, NULL, NULL);
}
