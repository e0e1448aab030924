#include "core/base/sort.h"
#include "core/io/safetensors.h"

#include <jansson.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/base/bounds.h"
#include "core/base/sha256.h"
#include "core/io/json.h"

#define MAX_HEADER 100000000u /* the format's limit */
#define MAX_ENTRIES 200000    /* JSON objects, and as many arrays: bounds what the header can make jansson allocate */
#define MAX_DEPTH 3           /* { tensor: { shape: [ */
#define MAX_DIMS 8
#define DIGEST_KEY "sha256"
#define DIGEST_LENGTH 64

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [SKL_F32] = {"F32", 4}, [SKL_I64] = {"I64", 8}, [SKL_F64] = {"F64", 8},
    [SKL_I32] = {"I32", 4}, [SKL_U8] = {"U8", 1},
};
#define DTYPES (sizeof dtypes / sizeof *dtypes)

/* What is being read: the file's name for messages, the header and the data. */
struct source {
    const char *name;
    const char *header;
    size_t header_length;
    const char *data; /* NULL: not in memory */
    size_t data_length;
};
struct range {
    size_t start, end;
    int tensor;
};

/* ---- reading ---- */

/* A header of brackets alone would make jansson allocate a hundred times its size: count them first. */
static int check_json_size(const struct source *s, struct skl_err *err)
{
    const struct skl_json_size size = skl_json_measure(s->header, s->header_length);
    if (size.depth > MAX_DEPTH) return skl_fail(err, SKL_DATA, "%s: the header is nested too deep", s->name);
    if (size.opened > 2 * MAX_ENTRIES || size.commas > (size_t)MAX_ENTRIES * (MAX_DIMS + 4))
        return skl_fail(err, SKL_DATA, "%s: more than %d tensors", s->name, MAX_ENTRIES);
    return SKL_OK;
}

/* Of the header, told by the first 9 bytes of a file of n. */
static int check_length(const char *name, const char *data, size_t n, size_t *header, struct skl_err *err)
{
    if (n < 8) return skl_fail(err, SKL_DATA, "%s: not a safetensors file: only %zu bytes", name, n);
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--) length = length << 8 | (unsigned char)data[i];
    if (length > MAX_HEADER)
        return skl_fail(err, SKL_DATA, "%s: not a safetensors file: a header of %llu bytes", name,
                        (unsigned long long)length);
    if (length > n - 8)
        return skl_fail(err, SKL_DATA, "%s: truncated: the header has %llu bytes, the file only %zu", name,
                        (unsigned long long)length, n);
    if (length == 0 || data[8] != '{')
        return skl_fail(err, SKL_DATA, "%s: not a safetensors file: the header does not start with '{'", name);
    *header = (size_t)length;
    return SKL_OK;
}

static int split(const char *name, const char *data, size_t n, struct source *s, struct skl_err *err)
{
    size_t length;
    int status = check_length(name, data, n, &length, err);
    if (status) return status;
    *s = (struct source){name, data + 8, length, data + 8 + length, n - 8 - length};
    return check_json_size(s, err);
}

static int read_meta(const struct source *s, json_t *object, struct skl_st *st, struct skl_err *err)
{
    if (!json_is_object(object)) return skl_fail(err, SKL_DATA, "%s: __metadata__ is no JSON object", s->name);
    st->meta = skl_alloc_array(json_object_size(object), sizeof *st->meta);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value)) return skl_fail(err, SKL_DATA, "%s: metadata '%s' is no text", s->name, key);
        st->meta[st->metas++] = (struct skl_st_meta){skl_strdup(key), skl_strdup(json_string_value(value))};
    }
    return SKL_OK;
}

static int read_dtype(const struct source *s, json_t *value, struct skl_st_tensor *t, struct skl_err *err)
{
    const char *name = json_string_value(value);
    for (size_t i = 0; name && i < DTYPES; i++) {
        if (strcmp(name, dtypes[i].name) == 0) {
            t->dtype = (enum skl_dtype)i;
            return SKL_OK;
        }
    }
    return skl_fail(err, SKL_DATA, "%s: tensor '%s': dtype %s is not supported (F32, F64, I64, I32, U8 are)", s->name,
                    t->name, name ? name : "(none)");
}

/* Shape and, from it, the number of bytes. */
static int read_shape(const struct source *s, json_t *shape, struct skl_st_tensor *t, struct skl_err *err)
{
    if (!json_is_array(shape) || json_array_size(shape) > MAX_DIMS)
        return skl_fail(err, SKL_DATA, "%s: tensor '%s': the shape is no list of at most %d sizes", s->name, t->name,
                        MAX_DIMS);
    size_t bytes = dtypes[t->dtype].size;
    t->ndim = (int)json_array_size(shape);
    for (int i = 0; i < t->ndim; i++) {
        json_t *size = json_array_get(shape, (size_t)i);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return skl_fail(err, SKL_DATA, "%s: tensor '%s': a size in the shape is not a whole number", s->name,
                            t->name);
        t->shape[i] = json_integer_value(size);
        if (__builtin_mul_overflow(bytes, (size_t)t->shape[i], &bytes))
            return skl_fail(err, SKL_DATA, "%s: tensor '%s': the shape is too large", s->name, t->name);
    }
    t->bytes = bytes;
    return SKL_OK;
}

static int read_offsets(const struct source *s, json_t *offsets, struct skl_st_tensor *t, struct range *range,
                        struct skl_err *err)
{
    json_t *first = json_array_get(offsets, 0), *second = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(second))
        return skl_fail(err, SKL_DATA, "%s: tensor '%s': data_offsets are not two whole numbers", s->name, t->name);
    json_int_t start = json_integer_value(first), end = json_integer_value(second);
    if (start < 0 || end < start || (uint64_t)end > s->data_length)
        return skl_fail(err, SKL_DATA, "%s: tensor '%s': data_offsets [%lld, %lld] lie outside the data of %zu bytes",
                        s->name, t->name, (long long)start, (long long)end, s->data_length);
    if ((uint64_t)(end - start) != t->bytes)
        return skl_fail(err, SKL_DATA, "%s: tensor '%s': %lld bytes of data, but shape and dtype need %zu", s->name,
                        t->name, (long long)(end - start), t->bytes);
    range->start = (size_t)start;
    range->end = (size_t)end;
    t->data = s->data ? s->data + start : NULL;
    t->at = 8 + (int64_t)s->header_length + start;
    return SKL_OK;
}

static int read_tensor(const struct source *s, const char *name, json_t *entry, struct skl_st *st, struct range *range,
                       struct skl_err *err)
{
    struct skl_st_tensor *t = &st->tensor[st->count];
    range->tensor = st->count++;
    t->name = skl_strdup(name);
    if (!json_is_object(entry) || json_object_size(entry) != 3)
        return skl_fail(err, SKL_DATA, "%s: tensor '%s': wants dtype, shape and data_offsets alone", s->name, name);
    int status = read_dtype(s, json_object_get(entry, "dtype"), t, err);
    if (!status) status = read_shape(s, json_object_get(entry, "shape"), t, err);
    if (!status) status = read_offsets(s, json_object_get(entry, "data_offsets"), t, range, err);
    return status;
}

static int by_place(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* No hole, no overlap, nothing after the last tensor. */
static int check_contiguous(const struct source *s, const struct skl_st *st, struct range *range, struct skl_err *err)
{
    size_t end = 0;
    qsort(range, (size_t)st->count, sizeof *range, by_place);
    for (int i = 0; i < st->count; i++) {
        if (range[i].start != end)
            return skl_fail(err, SKL_DATA, "%s: tensor '%s': its data %s", s->name, st->tensor[range[i].tensor].name,
                            range[i].start < end ? "overlap another tensor's" : "come after a hole");
        end = range[i].end;
    }
    if (end != s->data_length)
        return skl_fail(err, SKL_DATA, "%s: %zu bytes after the last tensor", s->name, s->data_length - end);
    return SKL_OK;
}

static int by_tensor_name(const void *a, const void *b)
{
    return strcmp(((const struct skl_st_tensor *)a)->name, ((const struct skl_st_tensor *)b)->name);
}

static int read_entries(const struct source *s, json_t *root, struct skl_st *st, struct skl_err *err)
{
    size_t count = json_object_size(root);
    struct range *range = skl_alloc_array(count, sizeof *range);
    st->tensor = skl_alloc_array(count, sizeof *st->tensor);
    int status = SKL_OK;
    const char *name;
    json_t *entry;
    json_object_foreach(root, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0)
            status = read_meta(s, entry, st, err);
        else
            status = read_tensor(s, name, entry, st, &range[st->count], err);
        if (status) break;
    }
    if (!status) status = check_contiguous(s, st, range, err);
    if (!status) qsort(st->tensor, (size_t)st->count, sizeof *st->tensor, by_tensor_name); /* for skl_st_find */
    free(range);
    return status;
}

static int read_header(const struct source *s, struct skl_st *st, struct skl_err *err)
{
    json_error_t error;
    json_t *root = json_loadb(s->header, s->header_length, JSON_REJECT_DUPLICATES, &error);
    if (!root) return skl_fail(err, SKL_DATA, "%s: header, byte %d: %s", s->name, error.position, error.text);
    int status = read_entries(s, root, st, err);
    json_decref(root);
    return status;
}

/* SHA-256 of header length, header and data with the digest's own characters (NULL: none) as '0'.  fd: where the data
 * are not in memory. */
static int digest_of(const struct source *s, const char *own, int fd, char hex[DIGEST_LENGTH + 1], struct skl_err *err)
{
    struct skl_sha256 *sum = skl_sha256_new();
    const char *start = s->header - 8, *end = s->header + s->header_length;
    char zeros[DIGEST_LENGTH];
    int status = SKL_OK;
    memset(zeros, '0', sizeof zeros);
    skl_sha256_add(sum, start, (size_t)(own - start));
    skl_sha256_add(sum, zeros, sizeof zeros);
    skl_sha256_add(sum, own + DIGEST_LENGTH, (size_t)(end - own - DIGEST_LENGTH));
    if (s->data)
        skl_sha256_add(sum, s->data, s->data_length);
    else
        status = skl_sha256_add_file(sum, fd, s->name, end - start, end - start + (int64_t)s->data_length, NULL, err);
    skl_sha256_sum(sum, hex);
    free(sum);
    return status;
}

static int check_digest(const struct source *s, const struct skl_st *st, int fd, struct skl_err *err)
{
    static const char key[] = "\"" DIGEST_KEY "\":\""; /* cannot stand inside a JSON string: its quotes are bare */
    const char *recorded = skl_st_meta(st, DIGEST_KEY);
    const char *found = memmem(s->header, s->header_length, key, sizeof key - 1);
    if (!recorded || !found || strlen(recorded) != DIGEST_LENGTH ||
        memcmp(found + sizeof key - 1, recorded, DIGEST_LENGTH) != 0)
        return skl_fail(err, SKL_DATA, "%s: no sha256 in its metadata: not a file that skiplab wrote", s->name);
    char hex[DIGEST_LENGTH + 1];
    int status = digest_of(s, found + sizeof key - 1, fd, hex, err);
    if (!status && strcmp(hex, recorded) != 0)
        return skl_fail(err, SKL_DATA, "%s: damaged or edited: its SHA-256 is not the recorded one", s->name);
    return status;
}

/* Tensors whose numbers do not stand at a multiple of their size (a header of odd length, bytes before floats) move
 * into a buffer where they do. */
static void align(struct skl_st *st)
{
    size_t total = 0;
    bool aligned = true;
    for (int i = 0; i < st->count; i++) {
        aligned = aligned && (uintptr_t)st->tensor[i].data % dtypes[st->tensor[i].dtype].size == 0;
        total += (st->tensor[i].bytes + 7) / 8 * 8;
    }
    if (aligned) return;
    char *buffer = skl_alloc(total ? total : 1), *at = buffer;
    for (int i = 0; i < st->count; i++) {
        struct skl_st_tensor *t = &st->tensor[i];
        t->data = memcpy(at, t->data, t->bytes);
        at += (t->bytes + 7) / 8 * 8;
    }
    free(st->buffer);
    st->buffer = buffer;
}

int skl_st_parse(const char *name, char *data, size_t n, bool require_sha256, struct skl_st *st, struct skl_err *err)
{
    struct source s = {0};
    *st = (struct skl_st){.buffer = data};
    int status = split(name, data, n, &s, err);
    if (!status) status = read_header(&s, st, err);
    if (!status && require_sha256) status = check_digest(&s, st, -1, err);
    if (status)
        skl_st_release(st);
    else
        align(st);
    return status;
}

int skl_st_read_within(const char *path, bool require_sha256, size_t limit, struct skl_st *st, struct skl_err *err)
{
    char *data;
    size_t n;
    *st = (struct skl_st){0};
    int status = skl_file_read(path, limit, &data, &n, err);
    if (status) return status;
    return skl_st_parse(path, data, n, require_sha256, st, err);
}

/* ---- without the data ---- */

/* The first n bytes of an open file; malloc'd. */
static char *read_start(int fd, size_t n)
{
    char *data = skl_alloc(n + 1);
    size_t have = 0;
    for (ssize_t got = 1; got > 0 && have<n; have += got> 0 ? (size_t)got : 0)
        got = pread(fd, data + have, n - have, (off_t)have);
    if (have == n) return data;
    free(data);
    return NULL;
}

/* As split(), with the header alone in memory; st->buffer holds it. */
static int split_open(const char *name, int fd, struct source *s, struct skl_st *st, struct skl_err *err)
{
    struct stat file;
    if (fstat(fd, &file)) return skl_fail(err, SKL_DATA, "cannot look at '%s': %s", name, strerror(errno));
    size_t n = (size_t)file.st_size, length;
    char *start = read_start(fd, n < 9 ? n : 9);
    int status = start ? check_length(name, start, n, &length, err)
                       : skl_fail(err, SKL_DATA, "cannot read '%s': %s", name, strerror(errno));
    free(start);
    if (status) return status;
    st->buffer = read_start(fd, 8 + length);
    if (!st->buffer) return skl_fail(err, SKL_DATA, "cannot read '%s': %s", name, strerror(errno));
    *s = (struct source){name, st->buffer + 8, length, NULL, n - 8 - length};
    return check_json_size(s, err);
}

int skl_st_look(const char *path, bool require_sha256, struct skl_st *st, struct skl_err *err)
{
    struct source s = {0};
    int fd;
    *st = (struct skl_st){0};
    int status = skl_open(path, O_RDONLY, &fd, err);
    if (status) return status;
    status = split_open(path, fd, &s, st, err);
    if (!status) status = read_header(&s, st, err);
    if (!status && require_sha256) status = check_digest(&s, st, fd, err);
    close(fd);
    if (status) skl_st_release(st);
    return status;
}

int skl_st_read(const char *path, bool require_sha256, struct skl_st *st, struct skl_err *err)
{
    int status = skl_st_look(path, false, st, err); /* a file that its tensors do not fill takes no memory */
    skl_st_release(st);
    return status ? status : skl_st_read_within(path, require_sha256, SKL_LIMIT_WEIGHTS, st, err);
}

void skl_st_release(struct skl_st *st)
{
    for (int i = 0; i < st->count; i++) free(st->tensor[i].name);
    for (int i = 0; i < st->metas; i++) {
        free(st->meta[i].key);
        free(st->meta[i].value);
    }
    free(st->tensor);
    free(st->meta);
    free(st->buffer);
    *st = (struct skl_st){0};
}

static int name_against_tensor(const void *name, const void *tensor)
{
    return strcmp(name, ((const struct skl_st_tensor *)tensor)->name);
}

void skl_st_rename(struct skl_st *st, int i, char *name)
{
    free(st->tensor[i].name);
    st->tensor[i].name = name;
}

int skl_st_renamed(struct skl_st *st, const char *name, struct skl_err *err)
{
    qsort(st->tensor, (size_t)st->count, sizeof *st->tensor, by_tensor_name);
    for (int i = 1; i < st->count; i++)
        if (!strcmp(st->tensor[i - 1].name, st->tensor[i].name))
            return skl_fail(err, SKL_DATA, "%s: two tensors would be called '%s'", name, st->tensor[i].name);
    return SKL_OK;
}

const struct skl_st_tensor *skl_st_find(const struct skl_st *st, const char *name)
{
    if (st->count == 0) return NULL;
    return bsearch(name, st->tensor, (size_t)st->count, sizeof *st->tensor, name_against_tensor);
}

const char *skl_st_meta(const struct skl_st *st, const char *key)
{
    for (int i = 0; i < st->metas; i++)
        if (strcmp(st->meta[i].key, key) == 0) return st->meta[i].value;
    return NULL;
}

/* ---- writing ---- */

static void put_string(FILE *f, const char *text)
{
    fputc('"', f);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            fprintf(f, "\\%c", *p);
        else if (*p < 0x20)
            fprintf(f, "\\u%04x", *p);
        else
            fputc(*p, f);
    }
    fputc('"', f);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct skl_st_meta *)a)->key, ((const struct skl_st_meta *)b)->key);
}

static void put_meta(FILE *f, const struct skl_st_meta *meta, int metas, bool digest)
{
    char zeros[DIGEST_LENGTH + 1] = {0}, key[] = DIGEST_KEY;
    memset(zeros, '0', DIGEST_LENGTH);
    size_t count = (size_t)metas + digest;
    struct skl_st_meta *sorted = skl_alloc_array(count, sizeof *sorted);
    if (metas) memcpy(sorted, meta, (size_t)metas * sizeof *sorted);
    if (digest) sorted[metas] = (struct skl_st_meta){key, zeros};
    qsort(sorted, count, sizeof *sorted, by_key);
    fputs("\"__metadata__\":{", f);
    for (size_t i = 0; i < count; i++) {
        SKL_CHECK(i == 0 || strcmp(sorted[i - 1].key, sorted[i].key) != 0);
        if (i) fputc(',', f);
        put_string(f, sorted[i].key);
        fputc(':', f);
        put_string(f, sorted[i].value);
    }
    fputc('}', f);
    free(sorted);
}

static void put_tensor(FILE *f, const struct skl_st_tensor *t, size_t *offset)
{
    size_t bytes = dtypes[t->dtype].size;
    put_string(f, t->name);
    fprintf(f, ":{\"dtype\":\"%s\",\"shape\":[", dtypes[t->dtype].name);
    for (int i = 0; i < t->ndim; i++) {
        fprintf(f, "%s%lld", i ? "," : "", (long long)t->shape[i]);
        bytes *= (size_t)t->shape[i];
    }
    SKL_CHECK(bytes == t->bytes);
    fprintf(f, "],\"data_offsets\":[%zu,%zu]}", *offset, *offset + bytes);
    *offset += bytes;
}

static void check_names(const struct skl_st_tensor *tensors, int count)
{
    char **names = skl_alloc_array((size_t)count, sizeof *names);
    for (int i = 0; i < count; i++) names[i] = tensors[i].name;
    skl_sort_texts(names, (size_t)count);
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], "__metadata__") == 0) SKL_BUG("a tensor named __metadata__");
        if (i > 0 && strcmp(names[i - 1], names[i]) == 0) SKL_BUG("two tensors named '%s'", names[i]);
    }
    free(names);
}

/* The header with its 8 bytes of length, malloc'd; padded with spaces so that the data start at a multiple of 8. */
static char *build_header(const struct skl_st_tensor *tensors, int count, const struct skl_st_meta *meta, int metas,
                          bool digest, size_t *n)
{
    size_t offset = 0;
    struct skl_text t;
    FILE *f = skl_text_open(&t);
    fwrite("\0\0\0\0\0\0\0\0", 1, 8, f);
    fputc('{', f);
    if (metas || digest) put_meta(f, meta, metas, digest);
    for (int i = 0; i < count; i++) {
        if (i || metas || digest) fputc(',', f);
        put_tensor(f, &tensors[i], &offset);
    }
    fputc('}', f);
    for (long length = ftell(f); length % 8; length++) fputc(' ', f);
    skl_text_close(&t);
    *n = t.n;
    for (int i = 0; i < 8; i++) t.text[i] = (char)((uint64_t)(*n - 8) >> 8 * i);
    return t.text;
}

static void fill_digest(char *header, size_t n, const struct skl_st_tensor *tensors, int count)
{
    static const char key[] = "\"" DIGEST_KEY "\":\"";
    char hex[DIGEST_LENGTH + 1];
    struct skl_sha256 *sum = skl_sha256_new();
    skl_sha256_add(sum, header, n);
    for (int i = 0; i < count; i++) skl_sha256_add(sum, tensors[i].data, tensors[i].bytes);
    skl_sha256_sum(sum, hex);
    free(sum);
    char *place = memmem(header + 8, n - 8, key, sizeof key - 1);
    SKL_CHECK(place);
    memcpy(place + sizeof key - 1, hex, DIGEST_LENGTH);
}

int skl_st_put(struct skl_atomic *f, const struct skl_st_tensor *tensors, int count, const struct skl_st_meta *meta,
               int metas, bool digest, struct skl_err *err)
{
    size_t n;
    check_names(tensors, count);
    char *header = build_header(tensors, count, meta, metas, digest, &n);
    if (digest) fill_digest(header, n, tensors, count);
    int status = skl_atomic_write(f, header, n, err);
    for (int i = 0; i < count && !status; i++) status = skl_atomic_write(f, tensors[i].data, tensors[i].bytes, err);
    free(header);
    return status;
}

int skl_st_write(const char *path, const struct skl_st_tensor *tensors, int count, const struct skl_st_meta *meta,
                 int metas, bool digest, struct skl_err *err)
{
    struct skl_atomic f;
    int status = skl_atomic_open(&f, path, err);
    if (status) return status;
    status = skl_st_put(&f, tensors, count, meta, metas, digest, err);
    if (!status) return skl_atomic_commit(&f, err);
    skl_atomic_abort(&f);
    return status;
}
