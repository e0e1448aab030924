#include "core/train/probing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/config/model.h"
#include "core/nn/probe.h"
#include "core/run/folder.h"
#include "core/train/schedule.h"

enum { UNITS, SUMS, RESPONSES };
static const char *const files[SKL_PROBE_LOGS] = {SKL_FILE_PROBE, SKL_FILE_SUMS, SKL_FILE_RESPONSES};

/* Rows of one probe in each file. */
static void count_rows(const struct skl_experiment *exp, int rows[SKL_PROBE_LOGS])
{
    int convs;
    rows[UNITS] = rows[SUMS] = skl_model_units(&exp->model, &convs);
    rows[RESPONSES] = 1 + convs;
}

static char *header(int log)
{
    if (log == SUMS) return skl_strdup("iteration,unit,sum_share");
    if (log == RESPONSES) return skl_strdup("iteration,layer,name,mean,std");
    char *text = skl_strdup("iteration,unit,stage");
    for (const struct skl_probe_column *c = skl_probe_columns; c->name; c++) text = skl_append(text, ",%s", c->name);
    return text;
}

/* Bytes up to the end of the last whole probe of at most `iteration` iterations; *last: its iteration, -1: there is
 * none.  Units count from 0, layers from 1. */
static int64_t whole_probes(struct skl_lines *lines, int first, int rows, int64_t iteration, int64_t *last)
{
    int64_t length = 0;
    int next = 0;
    long long current = -1;
    *last = -1;
    skl_lines_rewind(lines);
    if (skl_lines_next(lines)) length = lines->end; /* the header */
    while (skl_lines_next(lines)) {
        long long at;
        int row;
        if (sscanf(lines->text, "%lld,%d,", &at, &row) != 2) break;
        if (at > iteration || row - first != next || (next > 0 && at != current)) break;
        current = at;
        next = (next + 1) % rows;
        if (next == 0) *last = at, length = lines->end;
    }
    return length;
}

/* What the files hold, up to the last probe that is whole in all of them. */
static int open_files(struct skl_probing *p, const char *folder, int desk, const int rows[], int64_t iteration,
                      struct skl_err *err)
{
    char *path[SKL_PROBE_LOGS];
    struct skl_lines lines[SKL_PROBE_LOGS] = {{0}};
    int status = SKL_OK;
    p->last = iteration;
    for (int i = 0; i < SKL_PROBE_LOGS; i++) {
        int64_t last = -1;
        path[i] = skl_path(folder, files[i]);
        if (!status) status = skl_lines_open(&lines[i], path[i], err);
        whole_probes(&lines[i], i == RESPONSES, rows[i], p->last, &last);
        if (last < p->last) p->last = last;
    }
    for (int i = 0; i < SKL_PROBE_LOGS; i++) {
        int64_t last, length = whole_probes(&lines[i], i == RESPONSES, rows[i], p->last, &last);
        char *line = header(i);
        if (!status) status = skl_csv_open(&p->csv[i], desk, path[i], line, length, err);
        free(line);
        skl_lines_close(&lines[i]);
        free(path[i]);
    }
    return status;
}

static void take_images(struct skl_probing *p, struct skl_session *s)
{
    const int batch = s->exp->train.batch, group = s->exp->train.bn_batch < batch ? s->exp->train.bn_batch : batch,
              have = skl_part_count(s, SKL_PART_TRAIN), size = skl_loader_size(s->loader);
    p->n = group < SKL_PROBE_IMAGES ? group : SKL_PROBE_IMAGES;
    if (p->n > have) p->n = have;
    p->images =
        skl_alloc_array((size_t)p->n * (size_t)size * (size_t)size * (size_t)s->set.train.channels, sizeof *p->images);
    p->labels = skl_alloc_array((size_t)p->n, sizeof *p->labels);
    skl_loader_clean(s->loader, SKL_PART_TRAIN, 0, p->n, p->images, p->labels);
}

int skl_probing_open(struct skl_probing *p, struct skl_session *s, const char *folder, int desk, int64_t iteration,
                     struct skl_err *err)
{
    *p = (struct skl_probing){.every = s->exp->probe.every, .last = -1};
    if (p->every == 0) return SKL_OK;
    int rows[SKL_PROBE_LOGS];
    count_rows(s->exp, rows);
    int status = open_files(p, folder, desk, rows, iteration, err);
    if (status) return status;
    take_images(p, s);
    return skl_loader_sound(s->loader, err);
}

bool skl_probing_due(const struct skl_probing *p, int64_t n, int64_t end)
{
    return p->csv[0].path && p->last < n && (n == 0 || skl_due(n, p->every, end));
}

static double plain(double v) { return isnan(v) ? NAN : v; } /* printf knows a -nan too */

static int unit_rows(struct skl_probing *p, int64_t iteration, const struct skl_probe_unit *u, struct skl_err *err)
{
    char text[512];
    int n = 0;
    for (const struct skl_probe_column *c = skl_probe_columns; c->name; c++)
        n += snprintf(text + n, sizeof text - (size_t)n, ",%.9g", plain(skl_probe_value(u, c)));
    int status = skl_csv_row(&p->csv[UNITS], err, "%lld,%d,%d%s", (long long)iteration, u->unit, u->stage, text);
    return status ? status
                  : skl_csv_row(&p->csv[SUMS], err, "%lld,%d,%.9g", (long long)iteration, u->unit, plain(u->sum_share));
}

int skl_probing_rows(struct skl_probing *p, struct skl_session *s, int64_t iteration, struct skl_err *err)
{
    struct skl_probe probe;
    int status = SKL_OK;
    skl_net_probe(s->net, p->images, p->labels, p->n, &probe);
    for (int i = 0; !status && i < probe.units; i++) status = unit_rows(p, iteration, &probe.unit[i], err);
    for (int i = 0; !status && i < probe.responses; i++) {
        const struct skl_probe_response *r = &probe.response[i];
        status = skl_csv_row(&p->csv[RESPONSES], err, "%lld,%d,%s,%.9g,%.9g", (long long)iteration, i + 1, r->name,
                             plain(r->mean), plain(r->std));
    }
    skl_probe_release(&probe);
    p->last = iteration;
    return status;
}

int skl_probing_sync(struct skl_probing *p, struct skl_err *err)
{
    int status = SKL_OK;
    for (int i = 0; i < SKL_PROBE_LOGS && !status; i++)
        if (p->csv[i].path) status = skl_csv_sync(&p->csv[i], err);
    return status;
}

json_t *skl_probing_note(const struct skl_probing *p)
{
    if (!p->csv[0].path) return NULL;
    json_t *note = json_pack("{s:I}", "last", (json_int_t)p->last);
    for (int i = 0; i < SKL_PROBE_LOGS; i++) {
        char hex[65];
        skl_csv_digest(&p->csv[i], hex);
        json_object_set_new(note, files[i],
                            json_pack("{s:I, s:s}", "bytes", (json_int_t)p->csv[i].length, "sha256", hex));
    }
    return note;
}

static int compare_file(const char *path, const json_t *entry, struct skl_err *err)
{
    const char *sha256 = json_string_value(json_object_get(entry, "sha256"));
    int64_t bytes = json_integer_value(json_object_get(entry, "bytes"));
    char hex[65];
    if (!sha256 || bytes <= 0) return SKL_OK;
    int status = skl_file_sha256(path, bytes, hex, NULL, err);
    if (status || !strcmp(hex, sha256)) return status;
    return skl_fail(err, SKL_DATA,
                    "%s: its first %lld bytes are not those that were written: edited or damaged (--redo begins the "
                    "run anew)",
                    path, (long long)bytes);
}

int skl_probing_compare(const char *folder, const json_t *note, int64_t iteration, struct skl_err *err)
{
    const json_t *last = json_object_get(note, "last");
    int status = SKL_OK;
    if (!json_is_integer(last) || json_integer_value(last) > iteration) return SKL_OK;
    for (int i = 0; i < SKL_PROBE_LOGS && !status; i++) {
        char *path = skl_path(folder, files[i]);
        status = compare_file(path, json_object_get(note, files[i]), err);
        free(path);
    }
    return status;
}

int skl_probing_check(const struct skl_probing *p, bool whole, struct skl_err *err)
{
    int status = SKL_OK;
    for (int i = 0; i < SKL_PROBE_LOGS && !status; i++)
        if (p->csv[i].path) status = skl_csv_check(&p->csv[i], whole, err);
    return status;
}

void skl_probing_close(struct skl_probing *p)
{
    for (int i = 0; i < SKL_PROBE_LOGS; i++)
        if (p->csv[i].path) skl_csv_close(&p->csv[i]);
    free(p->images);
    free(p->labels);
    *p = (struct skl_probing){.every = 0};
}
