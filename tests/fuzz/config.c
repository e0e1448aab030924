/* An experiment file.  What is accepted must come out of skl_plan_emit() and go in again as the same run. */
#include "core/config/plan.h"
#include "tests/fuzz/fuzz.h"

static void check_round_trip(const struct skl_plan *plan, const struct skl_plan_run *run)
{
    struct skl_plan again;
    struct skl_err err = {0};
    char *text = skl_plan_emit(plan, run);
    if (skl_plan_load(fuzz_file("again.yaml", text, strlen(text)), NULL, 0, &again, &err)) {
        fprintf(stderr, "%s\n%s", err.text, text);
        FUZZ_CHECK(!"our own file is refused");
    }
    FUZZ_CHECK(again.count == 1 && !strcmp(again.run[0].exp.hash, run->exp.hash) &&
               !strcmp(again.run[0].dir, run->dir));
    skl_plan_release(&again);
    free(text);
}

static void check_run(const struct skl_plan_run *run)
{
    FUZZ_CHECK(skl_name_valid(run->exp.name) && skl_name_valid(run->exp.variant));
    FUZZ_CHECK(*run->dir && *run->dir != '/' && !strstr(run->dir, ".."));
    for (const char *p = run->dir; *p; p++) FUZZ_CHECK((unsigned char)*p > ' ' && (unsigned char)*p < 0x7f);
}

void fuzz_one(const uint8_t *data, size_t n)
{
    struct skl_plan plan;
    struct skl_err err = {0};
    int status = skl_plan_load(fuzz_file("x.yaml", data, n), NULL, 0, &plan, &err);
    if (status) {
        fuzz_check_error(status, &err);
        return;
    }
    FUZZ_CHECK(plan.count > 0 && plan.count <= SKL_PLAN_MAX_RUNS);
    for (int i = 0; i < plan.count; i++) check_run(&plan.run[i]);
    check_round_trip(&plan, &plan.run[0]);
    check_round_trip(&plan, &plan.run[plan.count - 1]);
    skl_plan_release(&plan);
}
