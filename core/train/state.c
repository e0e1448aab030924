#include "core/train/state.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fs.h"

#define FORMAT "skiplab-checkpoint-1"
#define LAST "last.safetensors"
#define PREV "prev.safetensors"
#define NEXT "next.safetensors"

const char *const skl_log_name[SKL_LOGS] = {"train.csv", "test.csv", "validation.csv"};
static const char *const outcome_name[] = {
    [SKL_RUNNING] = "running", [SKL_STOPPED] = "stopped", [SKL_DIVERGED] = "diverged"};

/* ---- metadata: text, integers in decimal, the one double in hexadecimal so that no bit is lost ---- */

enum { METAS = 13 };

static void fill_meta(struct skl_st_meta *m, const struct skl_state *s, const struct skl_identity *id)
{
    int n = 0;
    m[n++] = (struct skl_st_meta){"format", skl_strdup(FORMAT)};
    m[n++] = (struct skl_st_meta){"config_hash", skl_strdup(id->config_hash)};
    m[n++] = (struct skl_st_meta){"numerics", skl_strdup(id->numerics)};
    m[n++] = (struct skl_st_meta){"data", skl_strdup(id->data)};
    m[n++] = (struct skl_st_meta){"iteration", skl_format("%" PRId64, s->iteration)};
    m[n++] = (struct skl_st_meta){"end", skl_format("%" PRId64, s->end)};
    m[n++] = (struct skl_st_meta){"tested", skl_format("%" PRId64, s->tested)};
    m[n++] = (struct skl_st_meta){"outcome", skl_strdup(outcome_name[s->outcome])};
    m[n++] = (struct skl_st_meta){"scheduled", skl_strdup(s->scheduled ? "true" : "false")};
    m[n++] = (struct skl_st_meta){"sums", skl_format("%a %" PRId64 " %" PRId64, s->loss_sum, s->errors, s->count)};
    for (int i = 0; i < SKL_LOGS; i++)
        m[n++] = (struct skl_st_meta){(char *)skl_log_name[i], skl_format("%" PRId64, s->length[i])};
    SKL_CHECK(n == METAS);
}

static int bad_meta(const char *path, const char *key, struct skl_err *err)
{
    return skl_fail(err, SKL_DATA, "%s: metadata '%s' is missing or wrong: not a checkpoint of this program", path,
                    key);
}

static bool parse_count(const char *text, int64_t *v)
{
    if (!text || text[0] < '0' || text[0] > '9') return false;
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno || *end) return false;
    *v = n;
    return true;
}

static bool parse_sums(const char *text, struct skl_state *s)
{
    int end = 0;
    if (!text || sscanf(text, "%la %" SCNd64 " %" SCNd64 "%n", &s->loss_sum, &s->errors, &s->count, &end) != 3)
        return false;
    return !text[end] && s->errors >= 0 && s->count >= 0;
}

static bool parse_outcome(const char *text, enum skl_outcome *outcome)
{
    for (int i = SKL_RUNNING; text && i <= SKL_DIVERGED; i++) {
        if (strcmp(text, outcome_name[i])) continue;
        *outcome = (enum skl_outcome)i;
        return true;
    }
    return false;
}

int skl_state_parse(const struct skl_st *file, const char *path, struct skl_state *s, struct skl_err *err)
{
    *s = (struct skl_state){0};
    const char *format = skl_st_meta(file, "format"), *scheduled = skl_st_meta(file, "scheduled");
    if (format && strcmp(format, FORMAT) && !strncmp(format, FORMAT, strlen(FORMAT) - 1))
        return skl_fail(err, SKL_DATA, "%s: written by another version of skiplab (%.40s, this one reads %s)", path,
                        format, FORMAT);
    if (!format || strcmp(format, FORMAT)) return bad_meta(path, "format", err);
    if (!parse_count(skl_st_meta(file, "iteration"), &s->iteration)) return bad_meta(path, "iteration", err);
    if (!parse_count(skl_st_meta(file, "end"), &s->end) || s->end < s->iteration) return bad_meta(path, "end", err);
    if (!parse_count(skl_st_meta(file, "tested"), &s->tested)) return bad_meta(path, "tested", err);
    if (!parse_outcome(skl_st_meta(file, "outcome"), &s->outcome)) return bad_meta(path, "outcome", err);
    if (!parse_sums(skl_st_meta(file, "sums"), s)) return bad_meta(path, "sums", err);
    if (!scheduled) return bad_meta(path, "scheduled", err);
    s->scheduled = !strcmp(scheduled, "true");
    for (int i = 0; i < SKL_LOGS; i++)
        if (!parse_count(skl_st_meta(file, skl_log_name[i]), &s->length[i]))
            return bad_meta(path, skl_log_name[i], err);
    return SKL_OK;
}

/* ---- saving ---- */

static int rename_in(const char *folder, const char *from, const char *to, struct skl_err *err)
{
    char *a = skl_path(folder, from), *b = skl_path(folder, to);
    int status = SKL_OK;
    if (rename(a, b) && errno != ENOENT)
        status = skl_fail(err, SKL_FAILED, "cannot rename '%s' to '%s': %s", a, to, strerror(errno));
    free(a);
    free(b);
    return status;
}

/* next is whole and durable before anything moves; last moves to prev before next takes its place. */
int skl_state_save(const char *folder, struct skl_snapshot *snapshot, const struct skl_state *state,
                   const struct skl_identity *identity, bool rotate, struct skl_err *err)
{
    struct skl_st_meta meta[METAS];
    fill_meta(meta, state, identity);
    skl_snapshot_take(snapshot, true);
    char *next = skl_path(folder, NEXT);
    int status = skl_st_write(next, snapshot->tensor, snapshot->count, meta, METAS, true, err);
    for (int i = 0; i < METAS; i++) free(meta[i].value);
    free(next);
    if (!status && rotate) status = rename_in(folder, LAST, PREV, err);
    if (!status) status = rename_in(folder, NEXT, LAST, err);
    if (!status) status = skl_fsync_dir(folder, err);
    return status;
}

/* ---- loading ---- */

static int check_identity(const struct skl_st *file, const char *path, const struct skl_identity *id,
                          bool allow_other_numerics, bool *other_numerics, struct skl_err *err)
{
    const char *hash = skl_st_meta(file, "config_hash"), *data = skl_st_meta(file, "data"),
               *numerics = skl_st_meta(file, "numerics");
    if (!hash || !data || !numerics) return bad_meta(path, "config_hash, data or numerics", err);
    if (strcmp(hash, id->config_hash))
        return skl_fail(err, SKL_USAGE,
                        "%s belongs to another configuration (hash %.12s, this run has %.12s): use another folder",
                        path, hash, id->config_hash);
    if (strcmp(data, id->data))
        return skl_fail(err, SKL_DATA, "%s was trained on other data: the data set's files have changed since", path);
    *other_numerics = strcmp(numerics, id->numerics) != 0;
    if (!*other_numerics || allow_other_numerics) return SKL_OK;
    return skl_fail(err, SKL_USAGE,
                    "%s was made with other numerics (%s; here: %s), the bits would differ: "
                    "--allow-other-numerics goes on all the same and marks the run",
                    path, numerics, id->numerics);
}

/* One file.  *broken: it is not whole, so an older one may be tried. */
static int load_file(const char *path, struct skl_net *net, struct skl_state *state, const struct skl_identity *id,
                     bool allow_other_numerics, struct skl_resume *resume, bool *broken, struct skl_err *err)
{
    struct skl_st file;
    *broken = true;
    int status = skl_st_read(path, true, &file, err);
    if (status) return status;
    status = skl_state_parse(&file, path, state, err);
    if (!status) {
        *broken = false;
        status = check_identity(&file, path, id, allow_other_numerics, &resume->other_numerics, err);
    }
    if (!status) status = skl_weights_load(net, &file, SKL_WEIGHTS_MOMENTUM, path, err);
    skl_st_release(&file);
    resume->found = !status;
    return status;
}

int skl_state_load_file(const char *path, struct skl_net *net, struct skl_state *state, const struct skl_identity *id,
                        struct skl_err *err)
{
    struct skl_resume resume = {0};
    bool broken;
    return load_file(path, net, state, id, false, &resume, &broken, err);
}

int skl_state_load(const char *folder, struct skl_net *net, struct skl_state *state, const struct skl_identity *id,
                   bool allow_other_numerics, struct skl_resume *resume, struct skl_err *err)
{
    char *last = skl_path(folder, LAST), *prev = skl_path(folder, PREV), *next = skl_path(folder, NEXT);
    struct skl_err why = {0};
    bool broken = false, have_last = skl_exists(last);
    int status = SKL_OK;
    *resume = (struct skl_resume){0};
    unlink(next); /* left by a crash before its turn came */
    if (have_last) status = load_file(last, net, state, id, allow_other_numerics, resume, &broken, &why);
    if ((!have_last || broken) && skl_exists(prev)) {
        snprintf(resume->warning, sizeof resume->warning, "%.900s; resuming from %s",
                 have_last ? why.text : "last.safetensors is absent", PREV);
        resume->from_prev = true;
        status = load_file(prev, net, state, id, allow_other_numerics, resume, &broken, &why);
    }
    if (status)
        skl_fail(err, status, "%s%s", why.text,
                 broken ? "; no whole checkpoint is left: move the folder away to start again" : "");
    free(last);
    free(prev);
    free(next);
    return status;
}
