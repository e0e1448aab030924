#include "core/run/checkpoint.h"
#include "core/run/folder.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "skiplab-checkpoint-1"

const char *const skl_log_name[SKL_LOGS] = {SKL_FILE_TRAIN, SKL_FILE_TEST, SKL_FILE_VALIDATION};
static const char *const digest_key[SKL_LOGS] = {"train.csv sha256", "test.csv sha256", "validation.csv sha256"};
static const char *const outcome_name[] = {
    [SKL_RUNNING] = "running", [SKL_STOPPED] = "stopped", [SKL_DIVERGED] = "diverged", [SKL_HALVED] = "halved"};

/* ---- metadata: text, integers in decimal, the one double in hexadecimal so that no bit is lost ---- */

void skl_state_fill_meta(struct skl_st_meta *m, const struct skl_state *s, const struct skl_identity *id)
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
    for (int i = 0; i < SKL_LOGS; i++) {
        m[n++] = (struct skl_st_meta){(char *)skl_log_name[i], skl_format("%" PRId64, s->length[i])};
        m[n++] = (struct skl_st_meta){(char *)digest_key[i], skl_strdup(s->digest[i])};
    }
    SKL_CHECK(n == SKL_STATE_METAS);
}

int skl_state_bad_meta(const char *path, const char *key, struct skl_err *err)
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
    for (int i = SKL_RUNNING; text && i < SKL_OUTCOMES; i++) {
        if (strcmp(text, outcome_name[i])) continue;
        *outcome = (enum skl_outcome)i;
        return true;
    }
    return false;
}

/* Absent: a checkpoint of a version that did not write it. */
static bool parse_digest(const char *text, char digest[65])
{
    size_t n = text ? strlen(text) : 0;
    if (n && (n != 64 || text[strspn(text, "0123456789abcdef")])) return false;
    snprintf(digest, 65, "%s", text ? text : "");
    return true;
}

int skl_state_parse(const struct skl_st *file, const char *path, struct skl_state *s, struct skl_err *err)
{
    *s = (struct skl_state){0};
    const char *format = skl_st_meta(file, "format"), *scheduled = skl_st_meta(file, "scheduled");
    if (format && strcmp(format, FORMAT) && !strncmp(format, FORMAT, strlen(FORMAT) - 1))
        return skl_fail(err, SKL_DATA, "%s: written by another version of skiplab (%.40s, this one reads %s)", path,
                        format, FORMAT);
    if (!format || strcmp(format, FORMAT)) return skl_state_bad_meta(path, "format", err);
    if (!parse_count(skl_st_meta(file, "iteration"), &s->iteration)) return skl_state_bad_meta(path, "iteration", err);
    if (!parse_count(skl_st_meta(file, "end"), &s->end) || s->end < s->iteration)
        return skl_state_bad_meta(path, "end", err);
    if (!parse_count(skl_st_meta(file, "tested"), &s->tested)) return skl_state_bad_meta(path, "tested", err);
    if (!parse_outcome(skl_st_meta(file, "outcome"), &s->outcome)) return skl_state_bad_meta(path, "outcome", err);
    if (!parse_sums(skl_st_meta(file, "sums"), s)) return skl_state_bad_meta(path, "sums", err);
    if (!scheduled) return skl_state_bad_meta(path, "scheduled", err);
    s->scheduled = !strcmp(scheduled, "true");
    for (int i = 0; i < SKL_LOGS; i++) {
        if (!parse_count(skl_st_meta(file, skl_log_name[i]), &s->length[i]))
            return skl_state_bad_meta(path, skl_log_name[i], err);
        if (!parse_digest(skl_st_meta(file, digest_key[i]), s->digest[i]))
            return skl_state_bad_meta(path, digest_key[i], err);
    }
    return SKL_OK;
}

int skl_state_check(const struct skl_state *s, int64_t iterations, const char *path, struct skl_err *err)
{
    const bool ended = s->outcome != SKL_RUNNING;
    const char *key = NULL;
    if (s->iteration > iterations) key = "iteration";
    if (s->end < s->iteration || s->end > iterations || (ended ? s->end != s->iteration : s->end != iterations))
        key = "end";
    if (s->tested > s->iteration) key = "tested";
    if (s->count > s->iteration || s->errors / INT_MAX > s->count) key = "sums";
    if (!key) return SKL_OK;
    return skl_fail(err, SKL_DATA, "%s: metadata '%s' does not fit an experiment of %" PRId64 " iterations", path, key,
                    iterations);
}
