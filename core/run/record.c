#include "core/run/record.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/bounds.h"
#include "core/base/fs.h"
#include "core/base/sha256.h"
#include "core/run/claim.h"
#include "core/run/folder.h"

/* *json: an object, or NULL where the file is absent or (*damaged, SKL_DATA) holds none. */
static int read_object(const char *path, json_t **json, enum skl_seal *seal, bool *damaged, struct skl_err *err)
{
    char *text;
    size_t n;
    *json = NULL;
    *damaged = false;
    int status = skl_file_read_if_there(path, SKL_LIMIT_RECORD, &text, &n, err);
    if (!text) return status;
    status = skl_json_parse(path, text, n, SKL_LIMIT_RECORD_VALUES, json, err);
    if (!status) *seal = skl_json_seal_of(*json, text, n);
    *damaged = status != SKL_OK;
    free(text);
    return status;
}

int skl_record_open(struct skl_record *r, const char *folder, int desk, struct skl_err *err)
{
    bool damaged;
    r->desk = desk;
    r->path = skl_path(folder, SKL_FILE_RECORD);
    enum skl_seal seal;
    int status = read_object(r->path, &r->json, &seal, &damaged, err);
    if (!r->json) r->json = json_object();
    SKL_CHECK(r->json);
    return damaged ? SKL_OK : status;
}

static void set(struct skl_record *r, const char *key, json_t *value)
{
    SKL_CHECK(value && !json_object_set_new(r->json, key, value));
}

void skl_record_text(struct skl_record *r, const char *key, const char *value)
{
    json_t *text = value ? json_string(value) : json_null();
    set(r, key, text ? text : json_string("(not UTF-8)"));
}

void skl_record_integer(struct skl_record *r, const char *key, int64_t value) { set(r, key, json_integer(value)); }
void skl_record_flag(struct skl_record *r, const char *key, bool value) { set(r, key, json_boolean(value)); }
void skl_record_real(struct skl_record *r, const char *key, double value) { set(r, key, skl_json_real(value)); }

void skl_record_time(struct skl_record *r, const char *key)
{
    char text[32];
    time_t now = time(NULL);
    struct tm tm;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    skl_record_text(r, key, text);
}

double skl_record_get_real(const struct skl_record *r, const char *key, double otherwise)
{
    const json_t *v = json_object_get(r->json, key);
    return json_is_number(v) ? json_number_value(v) : otherwise;
}

bool skl_record_get_flag(const struct skl_record *r, const char *key)
{
    return json_is_true(json_object_get(r->json, key));
}

static int add_file(json_t *files, const char *folder, const char *name, struct skl_err *err)
{
    char *path = skl_path(folder, name), hex[65];
    bool there;
    int64_t n;
    int status = skl_is_there(path, &there, err);
    if (!status && there) status = skl_file_sha256(path, -1, hex, &n, err);
    if (!status && there)
        json_object_set_new(files, name, json_pack("{s:I, s:s}", "bytes", (json_int_t)n, "sha256", hex));
    free(path);
    return status;
}

int skl_record_files(struct skl_record *r, const char *folder, struct skl_err *err)
{
    json_t *files = json_object();
    char **kept;
    int count, status = skl_kept_list(folder, &kept, &count, err);
    for (int i = 0; skl_result_files[i] && !status; i++) status = add_file(files, folder, skl_result_files[i], err);
    for (int i = 0; i < count && !status; i++) status = add_file(files, folder, kept[i], err);
    skl_list_free(kept, count);
    set(r, "files", files);
    return status;
}

int skl_record_write(const struct skl_record *r, struct skl_err *err)
{
    char *text = skl_json_seal(r->json);
    int status = skl_file_write_at(r->desk, r->path, text, strlen(text), err);
    free(text);
    return status;
}

void skl_record_close(struct skl_record *r)
{
    json_decref(r->json);
    free(r->path);
    *r = (struct skl_record){0};
}

/* ---- reading: what others need to know of a run ---- */

static void copy_text(const json_t *json, const char *key, char *to, size_t size)
{
    const char *text = json_string_value(json_object_get(json, key));
    snprintf(to, size, "%s", text ? text : "");
}

static double real_or_nan(const json_t *json, const char *key)
{
    const json_t *v = json_object_get(json, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static int64_t integer_or_0(const json_t *json, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(json, key));
}

/* Are all recorded files there with their recorded sizes? */
static int match_sizes(const json_t *json, const char *folder, bool *match, struct skl_err *err)
{
    json_t *files = json_object_get(json, "files");
    const char *name;
    json_t *entry;
    int status = SKL_OK;
    *match = json_object_size(files) > 0;
    json_object_foreach(files, name, entry)
    {
        char *path = skl_path(folder, name);
        struct skl_seen seen = {0};
        *match = *match && !strchr(name, '/');
        if (*match && !status) status = skl_look(path, &seen, err);
        *match = *match && seen.kind == SKL_FILE && seen.size == json_integer_value(json_object_get(entry, "bytes"));
        free(path);
    }
    return status;
}

static bool known_state(const char *state)
{
    static const char *const known[] = {"running", "done", "diverged", "stopped", "failed", "interrupted", "paused"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(state, known[i])) return true;
    return false;
}

bool skl_state_is_end(const char *state)
{
    return !strcmp(state, "done") || !strcmp(state, "diverged") || !strcmp(state, "stopped");
}

const char *const skl_cause_words[] = {
    [SKL_CAUSE_NONE] = "",           [SKL_CAUSE_GAVE_UP] = "gave-up", [SKL_CAUSE_DIVERGED] = "diverged",
    [SKL_CAUSE_SIGNAL] = "signal",   [SKL_CAUSE_STORAGE] = "storage", [SKL_CAUSE_KILLED] = "killed",
    [SKL_CAUSE_CRASHED] = "crashed", [SKL_CAUSE_HUNG] = "hung",       [SKL_CAUSE_REFUSED] = "refused",
    [SKL_CAUSE_ERROR] = "error",     [SKL_CAUSE_HALVED] = "halved",   [SKL_CAUSE_RUNG] = "rung",
};

enum skl_cause skl_cause_of_word(const char *word)
{
    for (int i = SKL_CAUSE_NONE; word && i < SKL_CAUSE_ERROR; i++)
        if (!strcmp(word, skl_cause_words[i])) return (enum skl_cause)i;
    return SKL_CAUSE_ERROR;
}

enum skl_cause skl_cause_of_error(const struct skl_err *err)
{
    return err && (err->error == ENOSPC || err->error == EDQUOT) ? SKL_CAUSE_STORAGE : SKL_CAUSE_ERROR;
}

enum skl_cause skl_cause_of_signal(int sig)
{
    return sig == SIGKILL || sig == SIGTERM || sig == SIGHUP || sig == SIGINT ? SKL_CAUSE_KILLED : SKL_CAUSE_CRASHED;
}

/* Runs of versions that wrote no code have the text alone. */
static enum skl_cause cause_of_text(const char *text)
{
    int sig;
    if (!strncmp(text, "fail (stopped)", 14)) return SKL_CAUSE_GAVE_UP;
    if (sscanf(text, "killed by signal %d", &sig) == 1) return skl_cause_of_signal(sig);
    if (strstr(text, strerror(ENOSPC)) || strstr(text, strerror(EDQUOT))) return SKL_CAUSE_STORAGE;
    return *text ? SKL_CAUSE_ERROR : SKL_CAUSE_NONE;
}

static enum skl_cause cause_of(const json_t *json)
{
    const char *code = json_string_value(json_object_get(json, "cause_code"));
    const char *text = json_string_value(json_object_get(json, "cause"));
    return code ? skl_cause_of_word(code) : cause_of_text(text ? text : "");
}

/* What runs had before the keys plugin and plugin_sha256: "...; plug-in NAME 0123456789abcdef" in the numerics key. */
static void plugin_of_numerics(struct skl_run_state *s, const char *numerics)
{
    static const char word[] = "; plug-in ";
    const char *at = numerics ? strstr(numerics, word) : NULL;
    if (at) sscanf(at + sizeof word - 1, "%63s %64[0-9a-f]", s->plugin, s->plugin_sha256);
}

bool skl_same_build(const char *a, const char *b)
{
    const size_t n = strlen(a) < strlen(b) ? strlen(a) : strlen(b);
    return !strncmp(a, b, n);
}

static int fill(struct skl_run_state *s, const json_t *json, const char *folder, struct skl_err *err)
{
    int status = SKL_OK;
    copy_text(json, "plugin", s->plugin, sizeof s->plugin);
    copy_text(json, "plugin_sha256", s->plugin_sha256, sizeof s->plugin_sha256);
    if (!*s->plugin) plugin_of_numerics(s, json_string_value(json_object_get(json, "numerics")));
    copy_text(json, "state", s->state, sizeof s->state);
    copy_text(json, "cause", s->cause, sizeof s->cause);
    s->code = cause_of(json);
    copy_text(json, "config_hash", s->config_hash, sizeof s->config_hash);
    copy_text(json, "data", s->data, sizeof s->data);
    copy_text(json, "numerics", s->numerics, sizeof s->numerics);
    s->iteration = integer_or_0(json, "iteration");
    s->iterations = integer_or_0(json, "iterations");
    s->images_per_second = real_or_nan(json, "images_per_second");
    s->seconds = real_or_nan(json, "seconds");
    s->seconds_left = real_or_nan(json, "seconds_left");
    s->train_loss_final = real_or_nan(json, "train_loss_final");
    s->train_error_final = real_or_nan(json, "train_error_final");
    s->test_loss_final = real_or_nan(json, "test_loss_final");
    s->test_error_final = real_or_nan(json, "test_error_final");
    if (skl_state_is_end(s->state)) return match_sizes(json, folder, &s->complete, err);
    if (strcmp(s->state, "running")) return SKL_OK;
    enum skl_holder holder;
    status = skl_claim_look(folder, &holder, NULL, err);
    if (!status && holder != SKL_HOLDER_LIVE) {
        snprintf(s->state, sizeof s->state, "interrupted");
        snprintf(s->cause, sizeof s->cause, "its process is gone");
    }
    return status;
}

int skl_run_state_read(const char *folder, struct skl_run_state *state, struct skl_err *err)
{
    *state = (struct skl_run_state){.images_per_second = NAN,
                                    .seconds = NAN,
                                    .seconds_left = NAN,
                                    .train_loss_final = NAN,
                                    .train_error_final = NAN,
                                    .test_loss_final = NAN,
                                    .test_error_final = NAN};
    snprintf(state->state, sizeof state->state, "waiting");
    char *path = skl_path(folder, SKL_FILE_RECORD);
    json_t *json;
    int status = read_object(path, &json, &state->seal, &state->damaged, err);
    if (json) status = fill(state, json, folder, err);
    if (json && !known_state(state->state)) {
        status = skl_fail(err, SKL_DATA, "%s: unknown state '%s'", path, state->state);
        state->damaged = true;
    }
    if (status) {
        state->complete = false;
        snprintf(state->state, sizeof state->state, "failed");
        snprintf(state->cause, sizeof state->cause, "run.json is unreadable");
    }
    json_decref(json);
    free(path);
    return status;
}

int skl_run_state_fail(const char *folder, int desk, enum skl_cause code, const char *cause, const char *last_lines,
                       struct skl_err *err)
{
    struct skl_record r;
    int status = skl_record_open(&r, folder, desk, err);
    skl_record_text(&r, "state", "failed");
    skl_record_text(&r, "cause", cause);
    skl_record_text(&r, "cause_code", skl_cause_words[code]);
    json_object_del(r.json, "last_lines");
    if (last_lines && *last_lines) skl_record_text(&r, "last_lines", last_lines);
    skl_record_time(&r, "ended");
    if (!status) status = skl_record_write(&r, err);
    skl_record_close(&r);
    return status;
}

/* ---- all of it ---- */

static char *own_text(const json_t *root, const char *key)
{
    const char *t = json_string_value(json_object_get(root, key));
    return skl_strdup(t ? t : "");
}

static struct skl_run_record record_of(const json_t *j, bool edited)
{
    return (struct skl_run_record){
        .test_error = real_or_nan(j, "test_error_final"),
        .test_top5 = real_or_nan(j, "test_top5_final"),
        .test_loss = real_or_nan(j, "test_loss_final"),
        .train_error = real_or_nan(j, "train_error_final"),
        .train_loss = real_or_nan(j, "train_loss_final"),
        .validation_error = real_or_nan(j, "validation_error_final"),
        .validation_loss = real_or_nan(j, "validation_loss_final"),
        .seconds = real_or_nan(j, "seconds"),
        .images_per_second = real_or_nan(j, "images_per_second"),
        .code = cause_of(j),
        .iteration = integer_or_0(j, "iteration"),
        .iterations = integer_or_0(j, "iterations"),
        .parameters = integer_or_0(j, "parameters"),
        .multiply_adds = integer_or_0(j, "multiply_adds"),
        .classes = integer_or_0(j, "classes"),
        .resumes = integer_or_0(j, "resumes"),
        .threads = integer_or_0(j, "threads"),
        .other_numerics = json_is_true(json_object_get(j, "other_numerics")),
        .there = j != NULL,
        .edited = edited,
        .state = own_text(j, "state"),
        .cause = own_text(j, "cause"),
        .version = own_text(j, "version"),
        .commit = own_text(j, "commit"),
        .host = own_text(j, "host"),
        .cpu_level = own_text(j, "cpu_level"),
        .kernels = own_text(j, "kernels"),
        .gemm = own_text(j, "gemm"),
        .numerics = own_text(j, "numerics"),
        .config_hash = own_text(j, "config_hash"),
        .data = own_text(j, "data"),
        .started = own_text(j, "started"),
        .ended = own_text(j, "ended"),
        .on_shortcut = own_text(j, "on_shortcut"),
        .on_residual = own_text(j, "on_residual"),
        .plugin = own_text(j, "plugin"),
        .plugin_sha256 = own_text(j, "plugin_sha256"),
        .init_from = own_text(j, "init_from"),
        .init_from_sha256 = own_text(j, "init_from_sha256"),
        .checkpoint = own_text(json_object_get(json_object_get(j, "files"), SKL_FILE_LAST), "sha256"),
    };
}

int skl_run_record_read(const char *folder, struct skl_run_record *r, struct skl_err *err)
{
    char *path = skl_path(folder, SKL_FILE_RECORD);
    json_t *j;
    bool damaged;
    enum skl_seal seal = SKL_UNSEALED;
    int status = read_object(path, &j, &seal, &damaged, err);
    *r = record_of(j, seal == SKL_SEAL_BROKEN);
    json_decref(j);
    free(path);
    return status;
}

void skl_run_record_release(struct skl_run_record *r)
{
    char *const texts[] = {r->state,      r->cause,   r->version,       r->commit,      r->host,
                           r->cpu_level,  r->kernels, r->gemm,          r->numerics,    r->config_hash,
                           r->data,       r->started, r->ended,         r->on_shortcut, r->on_residual,
                           r->checkpoint, r->plugin,  r->plugin_sha256, r->init_from,   r->init_from_sha256};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(texts[i]);
    *r = (struct skl_run_record){0};
}
