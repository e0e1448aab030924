/* cmd_audit.c - skiplab audit: every hash of a folder of results computed anew. */
#include <jansson.h>

#include "core/base/place.h"
#include "core/base/say.h"
#include "core/cli/audit_data.h"
#include "core/cli/cmd.h"
#include "core/io/json.h"
#include "core/sweep/audit.h"
#include "core/sweep/display.h"

static bool json, data;

static const struct skl_option options[] = {
    SKL_PLUGIN_OPTION,
    {"data", SKL_OPT_FLAG, NULL, "read the data sets too: are they what the runs were trained on?", &data, 0, 0},
    {"json", SKL_OPT_FLAG, NULL, "print JSON", &json, 0, 0},
    {NULL}};

static void print_fault(void *context, enum skl_fault kind, const char *path, const char *text)
{
    skl_print("%-9s  %s: %s\n", skl_fault_name[kind], path, text);
}

struct collected {
    json_t *faults, *notes;
};

static void collect_fault(void *context, enum skl_fault kind, const char *path, const char *text)
{
    json_array_append_new(((struct collected *)context)->faults,
                          json_pack("{s:s, s:o, s:o}", "kind", skl_fault_name[kind], "path", skl_json_text(path),
                                    "text", skl_json_text(text)));
}

static void print_json(const struct skl_audit *a, const struct collected *c)
{
    json_t *o = json_pack("{s:b, s:i, s:I, s:I, s:O, s:O}", "ok", a->faults == 0, "runs", a->runs, "files",
                          (json_int_t)a->files, "bytes", (json_int_t)a->bytes, "faults", c->faults, "notes", c->notes);
    skl_json_print(o);
}

static void print_note(void *context, const char *path, const char *text)
{
    skl_print("note       %s: %s\n", path, text);
}

static void collect_note(void *context, const char *path, const char *text)
{
    json_array_append_new(((struct collected *)context)->notes,
                          json_pack("{s:o, s:o}", "path", skl_json_text(path), "text", skl_json_text(text)));
}

static int run(int argc, char **argv, struct skl_err *err)
{
    struct collected c = {json_array(), json_array()};
    struct skl_audit a = {
        .tell = json ? collect_fault : print_fault, .note = json ? collect_note : print_note, .context = &c};
    char size[32];
    if (data) a.begun = skl_audit_data;
    skl_root_add(argv[0]);
    int status = skl_audit(&a, argv[0], err);
    skl_audit_data_release();
    if (!status && json)
        print_json(&a, &c);
    else if (!status && !a.faults)
        skl_print("%s: OK: %d run%s, %lld file%s, %s: complete, and every hash as recorded\n", argv[0], a.runs,
                  SKL_S(a.runs), (long long)a.files, SKL_S(a.files), skl_bytes((double)a.bytes, size));
    json_decref(c.faults);
    json_decref(c.notes);
    if (!status && a.faults)
        status = skl_fail(err, SKL_DATA, "%s: %d fault%s in %d run%s; 'skiplab sweep' finishes what is half-done",
                          argv[0], a.faults, a.faults == 1 ? "" : "s", a.runs, a.runs == 1 ? "" : "s");
    return status;
}

const struct skl_command skl_cmd_audit = {
    .name = "audit",
    .summary = "compute every hash of finished results anew",
    .usage = "RESULTS",
    .description =
        "Reads every file of a sweep (or of one run, or of all sweeps below a folder) and compares: the files with\n"
        "the sizes and SHA-256 in run.json, run.json and plan.json with their seals, the checkpoints with their own\n"
        "digest, their weights with the hash in test.csv, the settings with the plan's.  Names each run or file that\n"
        "is missing, edited, stale (of other settings), half-done or there twice under two names.  Exit 0: one line,\n"
        "all is as recorded; 3: not.  Writes nothing.  --data: the data sets' fingerprints too; of a folder of\n"
        "pictures every byte is read, and one hash of them all is printed, to be compared with somebody else's.",
    .examples = "skiplab audit results/quickstart\n"
                "skiplab audit results/quickstart --data\n"
                "skiplab audit results --json\n",
    .options = options,
    .min_args = 1,
    .max_args = 1,
    .words = {SKL_WORD_FOLDER},
    .run = run,
};
