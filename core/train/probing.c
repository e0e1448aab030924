#include "core/train/probing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/nn/probe.h"
#include "core/train/schedule.h"

#define FILE_LIMIT ((size_t)16 << 30)

static int units_of(const struct skl_experiment *exp)
{
    int n = 0;
    return skl_depth_units(exp->model.depth, exp->model.block, &n, NULL) ? 0 : 3 * n;
}

/* "iteration,unit,stage," and the figures. */
static char *header(void)
{
    char *text = skl_strdup("iteration,unit,stage");
    for (const struct skl_probe_column *c = skl_probe_columns; c->name; c++) {
        char *longer = skl_format("%s,%s", text, c->name);
        free(text);
        text = longer;
    }
    return text;
}

/* Bytes up to the end of the last whole probe of at most `iteration` iterations. */
static int64_t whole_probes(const char *text, int units, int64_t iteration, int64_t *last)
{
    int64_t length = 0;
    int next = 0;
    long long current = -1;
    *last = -1;
    for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        long long at;
        int unit;
        if (sscanf(line, "%lld,%d,", &at, &unit) != 2) {
            if (line != text) break;
            length = end + 1 - text; /* the header */
            continue;
        }
        if (at > iteration || unit != next || (unit > 0 && at != current)) break;
        current = at;
        next = (unit + 1) % units;
        if (next == 0) *last = at, length = end + 1 - text;
    }
    return length;
}

static int open_csv(struct skl_probing *p, const char *path, int units, int64_t iteration, struct skl_err *err)
{
    char *text = NULL, *line = header();
    size_t n;
    int64_t length = 0;
    int status = skl_exists(path) ? skl_file_read(path, FILE_LIMIT, &text, &n, err) : SKL_OK;
    if (text) length = whole_probes(text, units, iteration, &p->last);
    if (!status) status = skl_csv_open(&p->csv, path, line, length, err);
    free(text);
    free(line);
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

int skl_probing_open(struct skl_probing *p, struct skl_session *s, const char *folder, int64_t iteration,
                     struct skl_err *err)
{
    *p = (struct skl_probing){.every = s->exp->probe.every, .last = -1};
    if (p->every == 0) return SKL_OK;
    char *path = skl_path(folder, "probe.csv");
    int status = open_csv(p, path, units_of(s->exp), iteration, err);
    free(path);
    if (!status) take_images(p, s);
    return status;
}

bool skl_probing_due(const struct skl_probing *p, int64_t n, int64_t end)
{
    return p->csv.path && p->last < n && (n == 0 || skl_due(n, p->every, end));
}

static int row(struct skl_probing *p, int64_t iteration, const struct skl_probe_unit *u, struct skl_err *err)
{
    char text[512];
    int n = 0;
    for (const struct skl_probe_column *c = skl_probe_columns; c->name; c++) {
        double v = skl_probe_value(u, c);
        n += snprintf(text + n, sizeof text - (size_t)n, ",%.9g", isnan(v) ? NAN : v); /* printf knows a -nan too */
    }
    return skl_csv_row(&p->csv, err, "%lld,%d,%d%s", (long long)iteration, u->unit, u->stage, text);
}

int skl_probing_rows(struct skl_probing *p, struct skl_session *s, int64_t iteration, struct skl_err *err)
{
    struct skl_probe probe;
    int status = SKL_OK;
    skl_net_probe(s->net, p->images, p->labels, p->n, &probe);
    for (int i = 0; !status && i < probe.units; i++) status = row(p, iteration, &probe.unit[i], err);
    skl_probe_release(&probe);
    p->last = iteration;
    return status;
}

int skl_probing_sync(struct skl_probing *p, struct skl_err *err)
{
    return p->csv.path ? skl_csv_sync(&p->csv, err) : SKL_OK;
}

void skl_probing_close(struct skl_probing *p)
{
    if (p->csv.path) skl_csv_close(&p->csv);
    free(p->images);
    free(p->labels);
    *p = (struct skl_probing){.every = 0};
}
