/* The same bytes as a run's run.json and as a sweep's plan.json, through everything that reads these two. */
#include <sys/stat.h>
#include "core/base/fs.h"
#include "core/report/collect.h"
#include "core/report/facts.h"
#include "core/sweep/plan_file.h"
#include "core/run/record.h"
#include "tests/fuzz/fuzz.h"

static char *run_folder(void)
{
    static char *folder;
    if (folder) return folder;
    struct skl_err err;
    folder = skl_path(fuzz_folder(), "v/seed-1");
    FUZZ_CHECK(skl_mkdirs(folder, &err) == SKL_OK);
    return folder;
}

static void read_run(const char *folder)
{
    struct skl_run_state state;
    struct skl_err err = {0};
    int status = skl_run_state_read(folder, &state, &err);
    if (status) fuzz_check_error(status, &err);
    FUZZ_CHECK(memchr(state.state, 0, sizeof state.state) && memchr(state.cause, 0, sizeof state.cause));
    FUZZ_CHECK(!status || !strcmp(state.state, "failed"));
    struct skl_run_record record;
    skl_run_record_read(folder, &record, NULL);
    skl_run_record_release(&record);
    struct skl_record r;
    skl_record_open(&r, folder, -1, NULL);
    skl_record_text(&r, "state", "failed");
    skl_record_get_real(&r, "seconds", 0);
    skl_record_get_flag(&r, "other_numerics");
    skl_record_close(&r);
}

static void read_plan(const char *folder)
{
    struct skl_run_list list;
    struct skl_err err = {0};
    int status = skl_run_list_read(folder, &list, &err);
    if (status) {
        fuzz_check_error(status, &err);
        return;
    }
    for (int i = 0; i < list.count; i++) {
        const struct skl_listed_run *r = &list.run[i];
        FUZZ_CHECK(r->setting && r->variant && r->batch > 0 && *r->dir && *r->dir != '/');
        char *path = skl_format("/%s/", r->dir);
        FUZZ_CHECK(!strstr(path, "/../"));
        free(path);
    }
    skl_run_list_release(&list);
}

void fuzz_one(const uint8_t *data, size_t n)
{
    char *folder = run_folder();
    fuzz_file("v/seed-1/run.json", data, n);
    fuzz_file("plan.json", data, n);
    read_run(folder);
    read_plan(fuzz_folder());
    struct skl_results results;
    struct skl_err err = {0};
    FUZZ_CHECK(skl_results_read(fuzz_folder(), 0, &results, &err) == SKL_OK); /* the folder itself is a run */
    FUZZ_CHECK(results.runs > 0 && results.baseline >= 0 && results.baseline < results.settings);
    skl_results_release(&results);
}
