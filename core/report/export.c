#include "core/report/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/report/text.h"

/* ---- CSV ---- */

/* In quotes, so that a text holds what it likes. */
static void put_quoted(FILE *out, const char *raw)
{
    char *text = skl_text_clean(raw);
    fputc('"', out);
    for (const char *c = text; *c; c++) fprintf(out, *c == '"' ? "\"\"" : "%c", *c);
    fputc('"', out);
    free(text);
}

static void put_run(FILE *out, const struct skl_result_setting *s, const struct skl_result_run *run)
{
    for (int m = 0; m < SKL_METRICS; m++)
        for (int i = 0; i < run->curve[m].n; i++) {
            put_quoted(out, s->variant), fputc(',', out);
            put_quoted(out, s->path);
            fprintf(out, ",%llu,%s,%s,%.9g,%.9g\n", (unsigned long long)run->seed, run->state, skl_metric_table[m].name,
                    run->curve[m].x[i], run->curve[m].y[i]);
        }
}

int skl_export_csv(const struct skl_results *r, const char *file, struct skl_err *err)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    fputs("variant,setting,seed,state,metric,iteration,value\n", out);
    for (int i = 0; i < r->settings; i++)
        for (int k = 0; k < r->setting[i].runs; k++) put_run(out, &r->setting[i], &r->setting[i].run[k]);
    skl_text_close(&t);
    const int status = skl_file_write_quick(file, t.text, t.n, err);
    free(t.text);
    return status;
}

/* ---- TensorBoard: records of (length, its check, bytes, their check); the bytes are protocol buffers ---- */

static uint32_t crc32c(const void *data, size_t n)
{
    uint32_t crc = 0xffffffffu;
    for (const unsigned char *p = data; n--; p++) {
        crc ^= *p;
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static void put_little(FILE *out, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) fputc((int)(v >> 8 * i & 0xff), out);
}

static void put_varint(FILE *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) fputc((int)(v & 0x7f) | 0x80, out);
    fputc((int)v, out);
}

static void put_check(FILE *out, const void *data, size_t n)
{
    const uint32_t crc = crc32c(data, n);
    put_little(out, (uint32_t)((crc >> 15 | crc << 17) + 0xa282ead8u), 4);
}

/* Takes the record's bytes. */
static void put_record(FILE *out, struct skl_text *record)
{
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)record->n >> 8 * i);
    fwrite(length, 1, sizeof length, out);
    put_check(out, length, sizeof length);
    fwrite(record->text, 1, record->n, out);
    put_check(out, record->text, record->n);
    free(record->text);
}

static void put_time(FILE *event, double seconds)
{
    uint64_t bits;
    memcpy(&bits, &seconds, sizeof bits);
    fputc(1 << 3 | 1, event); /* Event.wall_time */
    put_little(event, bits, 8);
}

static void put_version(FILE *out)
{
    static const char version[] = "brain.Event:2";
    struct skl_text record;
    FILE *event = skl_text_open(&record);
    put_time(event, 0);
    fputc(3 << 3 | 2, event); /* Event.file_version */
    put_varint(event, sizeof version - 1);
    fputs(version, event);
    skl_text_close(&record);
    put_record(out, &record);
}

static void put_scalar(FILE *out, const char *tag, double iteration, double value)
{
    const float v = (float)value;
    const size_t inner = 2 + strlen(tag) + 5; /* of Summary.Value: tag, simple_value; all lengths are below 128 */
    uint32_t bits;
    struct skl_text record;
    FILE *event = skl_text_open(&record);
    memcpy(&bits, &v, sizeof bits);
    put_time(event, iteration);
    fputc(2 << 3 | 0, event); /* Event.step */
    put_varint(event, (uint64_t)iteration);
    fputc(5 << 3 | 2, event), put_varint(event, inner + 2); /* Event.summary */
    fputc(1 << 3 | 2, event), put_varint(event, inner);     /* Summary.value */
    fputc(1 << 3 | 2, event), put_varint(event, strlen(tag));
    fputs(tag, event);
    fputc(2 << 3 | 5, event), put_little(event, bits, 4);
    skl_text_close(&record);
    put_record(out, &record);
}

static int write_events(const struct skl_result_run *run, const char *folder, struct skl_err *err)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    put_version(out);
    for (int m = 0; m < SKL_METRICS; m++)
        for (int i = 0; i < run->curve[m].n; i++)
            put_scalar(out, skl_metric_table[m].name, run->curve[m].x[i], run->curve[m].y[i]);
    skl_text_close(&t);
    char *file = skl_path(folder, "events.out.tfevents.0.skiplab");
    int status = skl_mkdirs(folder, err);
    if (!status) status = skl_file_write_quick(file, t.text, t.n, err);
    free(file);
    free(t.text);
    return status;
}

int skl_export_tensorboard(const struct skl_results *r, const char *folder, struct skl_err *err)
{
    int status = SKL_OK;
    for (int i = 0; i < r->settings; i++)
        for (int k = 0; k < r->setting[i].runs && !status; k++) {
            const struct skl_result_run *run = &r->setting[i].run[k];
            char *own = skl_format("%s/%s/seed-%llu", folder, r->setting[i].path, (unsigned long long)run->seed);
            if (run->folder) status = write_events(run, own, err);
            free(own);
        }
    return status;
}
