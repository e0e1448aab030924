/* cmd_check.c - skiplab check: the conformance test on one shortcut variant. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/say.h"
#include "core/base/trial.h"
#include "core/check/check.h"
#include "core/cli/cmd.h"
#include "core/config/registry.h"
#include "core/device/choose/choose.h"
#include "core/device/choose/devices.h"
#include "core/io/json.h"

static bool as_json;

static bool is_file(const char *word)
{
    size_t n = strlen(word);
    return strchr(word, '/') || (n > 3 && strcmp(word + n - 3, ".so") == 0);
}

/* Relative to the working folder, as after --plugin. */
static int load(const char *path, const struct skl_shortcut **found, struct skl_err *err)
{
    char *absolute = realpath(path, NULL);
    int status = absolute ? skl_registry_load_one(absolute, found, err)
                          : skl_fail(err, SKL_USAGE, "check: plug-in '%s': %s", path, strerror(errno));
    free(absolute);
    return status;
}

static int find(const char *word, const struct skl_shortcut **found, struct skl_err *err)
{
    if (is_file(word)) return load(word, found, err);
    *found = skl_registry_find(word);
    if (*found) return SKL_OK;
    const char *near = skl_nearest(word, skl_registry_names());
    if (near) return skl_fail(err, SKL_USAGE, "check: unknown variant '%s' (did you mean '%s'?)", word, near);
    return skl_fail(err, SKL_USAGE, "check: unknown variant '%s' ('skiplab shortcuts' lists them)", word);
}

/* ---- the verdict ---- */

static const char *const verdicts[] = {[SKL_CHECK_PASS] = "pass", [SKL_CHECK_FAIL] = "FAIL", [SKL_CHECK_SKIP] = "skip"};

static const char *color(enum skl_check_result v)
{
    static const char *const colors[] = {
        [SKL_CHECK_PASS] = "\033[32m", [SKL_CHECK_FAIL] = "\033[31m", [SKL_CHECK_SKIP] = "\033[2m"};
    const char *no = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && !(no && *no) ? colors[v] : "";
}

static void print_row(const struct skl_check_row *row, void *arg)
{
    const char *on = color(row->result);
    skl_print_raw(on);
    skl_print_raw(verdicts[row->result]);
    skl_print_raw(*on ? "\033[0m" : "");
    skl_print("  %-14s %s\n", row->name, row->what);
    if (*row->text) skl_print("      %-14s %s\n", "", row->text);
    skl_print_flush();
}

static json_t *row_json(const struct skl_check_row *row)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:f}", "name", row->name, "what", row->what, "verdict",
                          verdicts[row->result], "text", row->text, "seconds", row->seconds);
    SKL_CHECK(o);
    return o;
}

static void print_json(const struct skl_shortcut *s, const struct skl_check_report *report)
{
    json_t *rows = json_array();
    for (int i = 0; i < report->count; i++) json_array_append_new(rows, row_json(&report->row[i]));
    json_t *o = json_pack("{s:s, s:b, s:i, s:o}", "name", s->name, "passed", report->failed == 0, "failed",
                          report->failed, "checks", rows);
    skl_json_print(o);
}

/* ---- which device ---- */
enum { DRIVER_SECONDS = 300 };
struct decision {
    const struct skl_shortcut *s;
    int status;
    char device[24];
    struct skl_err err;
};
static void decide(void *arg)
{
    struct decision *d = arg;
    d->status = skl_device_start(d->s, NULL, false, true, &d->err);
    if (!d->status) d->status = skl_device_fits(skl_device_used(), d->s, &d->err);
    snprintf(d->device, sizeof d->device, "%s", skl_device_used());
}
/* In a child, as each check runs in one: a driver that is loaded does not work any more behind a fork. */
static int choose_device(const struct skl_shortcut *s, struct skl_err *err)
{
    struct decision *shared = skl_shared(sizeof *shared), d;
    char words[160];
    if (!shared) skl_die("no shared memory: %s", strerror(errno));
    shared->s = s, shared->status = SKL_FAILED;
    const struct skl_trial trial = skl_trial(decide, shared, DRIVER_SECONDS);
    d = *shared;
    skl_shared_free(shared, sizeof *shared);
    skl_device_use(d.device);
    if (!trial.returned) skl_trial_words(&trial, DRIVER_SECONDS, words, sizeof words);
    if (!trial.returned) return skl_fail(err, SKL_FAILED, "check: asking for the device %s", words);
    return d.status ? skl_fail(err, d.status, "%s", d.err.text) : SKL_OK;
}

/* Some checks write files: where none can be made that is no fault of the variant. */
static int look_for_scratch(struct skl_err *err)
{
    char *folder;
    int status = skl_scratch_make(&folder, err);
    if (status) return skl_context(err, "check");
    skl_folder_remove(folder);
    free(folder);
    return SKL_OK;
}

static int run(int argc, char **argv, struct skl_err *err)
{
    const struct skl_shortcut *s;
    int status = find(argv[0], &s, err);
    if (!status) status = choose_device(s, err);
    if (!status) status = look_for_scratch(err);
    if (status) return status;
    struct skl_check_report report;
    if (!as_json) skl_print("%s: %s\n\n", s->name, s->formula);
    skl_check_shortcut(s, as_json ? NULL : print_row, NULL, &report);
    if (as_json)
        print_json(s, &report);
    else if (!report.failed)
        skl_print("\n%s keeps the contract of core/variant/shortcut.h.\n", s->name);
    if (!report.failed) return SKL_OK;
    return skl_fail(err, SKL_FAILED, "check: %s fails %d of %d checks", s->name, report.failed, report.count);
}

static const struct skl_option check_options[] = {
    SKL_DEVICE_OPTION,
    {"json", SKL_OPT_FLAG, NULL,
     "for programs: {name, passed, failed, checks: [{name, what, verdict, text, seconds}, ...]}", &as_json, 0, 0},
    {0},
};

const struct skl_command skl_cmd_check = {
    .name = "check",
    .summary = "the conformance test on one shortcut variant, built in or a plug-in",
    .usage = "NAME|PLUGIN.so",
    .description = "Does the variant keep the contract of core/variant/shortcut.h?  Options, gradients with sign, what "
                   "it writes, the\n"
                   "same bits for any threads and any split of the mini-batch, saving and resuming, odd shapes, cost.\n"
                   "Exit 0: it does.  Exit 1: at least one check failed; each line says what and where.",
    .examples = "skiplab check identity\n"
                "skiplab check learned_scale --json\n",
    .options = check_options,
    .min_args = 1,
    .max_args = 1,
    .words = {SKL_WORD_SHORTCUT | SKL_WORD_PLUGIN},
    .run = run,
};
