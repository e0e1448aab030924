/* Words after the experiment file, one a line: "train.lr=0.1". */
#include "core/config/plan.h"
#include "tests/fuzz/fuzz.h"

enum { MOST = 8 };
static const char base[] = "name: t\nmodel: {depth: 8, width: 4}\n"
                           "data: {dataset: synthetic, synthetic: {train: 64, test: 32, size: 16}}\n"
                           "train: {iterations: 3, batch: 16}\n"
                           "variants:\n"
                           "- name: a\n"
                           "  grid: {train.lr: [0.1, 0.2], model.shortcut.rate: [0.5]}\n"
                           "  set: {model.shortcut: {type: dropout}}\n";

static int refused(const char *path, char **word, int words)
{
    struct skl_plan plan;
    struct skl_err err = {0};
    int status = skl_plan_load(path, word, words, &plan, &err);
    if (status)
        fuzz_check_error(status, &err);
    else
        skl_plan_release(&plan);
    return status;
}

void fuzz_one(const uint8_t *data, size_t n)
{
    static const char *path;
    if (!path) {
        path = fuzz_file("x.yaml", base, sizeof base - 1);
        FUZZ_CHECK(refused(path, NULL, 0) == SKL_OK);
    }
    char *text = fuzz_text(data, n), *word[MOST], *save = NULL;
    int words = 0;
    for (char *w = strtok_r(text, "\n", &save); w && words < MOST; w = strtok_r(NULL, "\n", &save)) word[words++] = w;
    refused(path, word, words);
    free(text);
}
