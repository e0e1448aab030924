#include "tests/unit/scratch.h"
#include "core/io/safetensors.h"
#include "core/base/fs.h"

static float f32[6] = {1, -2, 3.5f, 0, 1e-30f, 6};
static int64_t i64[1] = {-7};
static double f64[2] = {0.1, 1e300};
static int32_t i32[3] = {1, 2, -3};
static uint8_t u8[5] = {0, 1, 2, 254, 255};
static char name_w[] = "layer1.0.conv1.weight", name_n[] = "steps", name_d[] = "a \"quoted\" \\ name\n", name_i[] = "é";
static char name_u[] = "bytes", name_e[] = "empty";

static const struct skl_st_tensor sample[] = {
    {name_w, SKL_F32, 4, {1, 2, 3, 1}, f32, sizeof f32}, {name_n, SKL_I64, 0, {0}, i64, sizeof i64},
    {name_d, SKL_F64, 1, {2}, f64, sizeof f64},          {name_u, SKL_U8, 1, {5}, u8, sizeof u8},
    {name_i, SKL_I32, 2, {3, 1}, i32, sizeof i32},       {name_e, SKL_F32, 2, {0, 4}, f32, 0},
};
#define SAMPLES ((int)(sizeof sample / sizeof *sample))
static char key_z[] = "zeta", value_z[] = "1", key_a[] = "iteration", value_a[] = "line\n\"sha256\":\"no\"\x01\\";
static const struct skl_st_meta sample_meta[] = {{key_z, value_z}, {key_a, value_a}};

static const char *write_sample(const char *name, bool digest)
{
    struct skl_err err = {0};
    if (skl_st_write(in_scratch(name), sample, SAMPLES, sample_meta, 2, digest, &err)) fail_msg("%s", err.text);
    return in_scratch(name);
}

static void read_bytes(const char *path, char **data, size_t *n)
{
    struct skl_err err = {0};
    if (skl_file_read(path, 1 << 24, data, n, &err)) fail_msg("%s", err.text);
}

static void check_sample(const struct skl_st *st)
{
    assert_int_equal(st->count, SAMPLES);
    for (int i = 0; i < SAMPLES; i++) {
        const struct skl_st_tensor *t = skl_st_find(st, sample[i].name);
        assert_non_null(t);
        assert_int_equal(t->dtype, sample[i].dtype);
        assert_int_equal(t->ndim, sample[i].ndim);
        assert_int_equal(t->bytes, sample[i].bytes);
        for (int d = 0; d < t->ndim; d++) assert_int_equal(t->shape[d], sample[i].shape[d]);
        if (t->bytes) assert_memory_equal(t->data, sample[i].data, t->bytes);
        const size_t size = t->dtype == SKL_U8 ? 1 : t->dtype == SKL_F64 || t->dtype == SKL_I64 ? 8 : 4;
        assert_int_equal((uintptr_t)t->data % size, 0);
    }
    assert_string_equal(skl_st_meta(st, "zeta"), "1");
    assert_string_equal(skl_st_meta(st, "iteration"), value_a);
    assert_null(skl_st_meta(st, "absent"));
    assert_null(skl_st_find(st, "absent"));
}

static void round_trip(void **state)
{
    for (int digest = 0; digest < 2; digest++) {
        struct skl_st st;
        struct skl_err err = {0};
        const char *path = write_sample("sample", digest);
        if (skl_st_read(path, digest, &st, &err)) fail_msg("%s", err.text);
        check_sample(&st);
        assert_int_equal(st.metas, 2 + digest);
        skl_st_release(&st);
        assert_null(st.tensor);
    }
}

static void same_input_same_bytes(void **state)
{
    char *a, *b;
    size_t n, m;
    struct skl_st_meta swapped[2] = {sample_meta[1], sample_meta[0]};
    struct skl_err err;
    read_bytes(write_sample("one", true), &a, &n);
    assert_int_equal(skl_st_write(in_scratch("two"), sample, SAMPLES, swapped, 2, true, &err), SKL_OK);
    read_bytes(in_scratch("two"), &b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
}

static void file_has_the_published_form(void **state)
{
    static char name[] = "w";
    struct skl_st_tensor one = {name, SKL_F32, 1, {2}, f32, 8};
    struct skl_err err;
    char *data;
    size_t n;
    static const char want[] = "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    assert_int_equal(skl_st_write(in_scratch("form"), &one, 1, NULL, 0, false, &err), SKL_OK);
    read_bytes(in_scratch("form"), &data, &n);
    size_t header = (unsigned char)data[0];
    assert_int_equal(header % 8, 0);
    assert_int_equal(n, 8 + header + 8);
    assert_memory_equal(data + 1, "\0\0\0\0\0\0\0", 7);
    assert_memory_equal(data + 8, want, sizeof want - 1);
    for (size_t i = 8 + sizeof want - 1; i < 8 + header; i++) assert_int_equal(data[i], ' ');
    assert_memory_equal(data + 8 + header, f32, 8);
    free(data);
}

/* Without the data: the same names, places and metadata, and the digest noticed all the same. */
static void a_look_reads_no_data(void **state)
{
    struct skl_st whole, look;
    struct skl_err err = {0};
    char *data;
    size_t n;
    const char *path = write_sample("look", true);
    read_bytes(path, &data, &n);
    assert_int_equal(skl_st_read(path, true, &whole, &err), SKL_OK);
    assert_int_equal(skl_st_look(path, true, &look, &err), SKL_OK);
    assert_int_equal(look.count, whole.count);
    for (int i = 0; i < look.count; i++) {
        const struct skl_st_tensor *a = &whole.tensor[i], *b = &look.tensor[i];
        assert_string_equal(a->name, b->name);
        assert_true(a->bytes == b->bytes && a->at == b->at && !b->data);
        assert_memory_equal(data + b->at, a->data, a->bytes);
    }
    assert_string_equal(skl_st_meta(&look, "sha256"), skl_st_meta(&whole, "sha256"));
    skl_st_release(&whole);
    skl_st_release(&look);
    for (size_t at = 0; at < n; at += 7) { /* flips and cuts */
        data[at] ^= 4;
        put_file(path, data, n);
        assert_int_equal(skl_st_look(path, true, &look, &err), SKL_DATA);
        data[at] ^= 4;
        put_file(path, data, at);
        assert_int_equal(skl_st_look(path, true, &look, &err), SKL_DATA);
    }
    free(data);
}

/* The rule as users will apply it: the file's SHA-256 with those 64 characters set to '0'. */
static void digest_follows_the_rule(void **state)
{
    struct skl_st st;
    struct skl_err err = {0};
    char *data, hex[65];
    size_t n;
    const char *path = write_sample("digest", true);
    read_bytes(path, &data, &n);
    assert_int_equal(skl_st_read(path, true, &st, &err), SKL_OK);
    char *place = memmem(data, n, skl_st_meta(&st, "sha256"), 64);
    assert_non_null(place);
    memset(place, '0', 64);
    skl_sha256_hex(data, n, hex);
    assert_string_equal(hex, skl_st_meta(&st, "sha256"));
    skl_st_release(&st);
    free(data);
}

static int parse_copy(const char *data, size_t n, bool digest, struct skl_err *err)
{
    struct skl_st st;
    char *copy = malloc(n ? n : 1); /* exactly n bytes, so that a sanitizer sees a read beyond them */
    memcpy(copy, data, n);
    *err = (struct skl_err){0};
    int status = skl_st_parse("f", copy, n, digest, &st, err);
    if (status)
        assert_null(st.buffer);
    else
        skl_st_release(&st);
    return status;
}

static void any_flipped_bit_is_found(void **state)
{
    char *data;
    size_t n;
    struct skl_err err;
    read_bytes(write_sample("flip", true), &data, &n);
    assert_int_equal(parse_copy(data, n, true, &err), SKL_OK);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        data[bit / 8] ^= (char)(1 << bit % 8);
        if (parse_copy(data, n, true, &err) != SKL_DATA) fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
        parse_copy(data, n, false, &err); /* may pass, must do no harm */
        data[bit / 8] ^= (char)(1 << bit % 8);
    }
    free(data);
}

static void any_cut_is_found(void **state)
{
    char *data;
    size_t n;
    struct skl_err err;
    read_bytes(write_sample("cut", false), &data, &n);
    for (size_t length = 0; length < n; length++) assert_int_equal(parse_copy(data, length, false, &err), SKL_DATA);
    data = realloc(data, n + 1);
    data[n] = 0;
    assert_int_equal(parse_copy(data, n + 1, false, &err), SKL_DATA);
    free(data);
}

static void digest_is_wanted_only_where_asked(void **state)
{
    struct skl_st st;
    struct skl_err err = {0};
    static char key[] = "sha256", wrong[65];
    memset(wrong, 'a', 64);
    assert_int_equal(skl_st_read(write_sample("none", false), true, &st, &err), SKL_DATA);
    assert_contains(err.text, "no sha256");
    const char *values[] = {"", "abc", wrong};
    for (int i = 0; i < 3; i++) {
        struct skl_st_meta meta = {key, (char *)(uintptr_t)values[i]};
        assert_int_equal(skl_st_write(in_scratch("own"), sample, 1, &meta, 1, false, &err), SKL_OK);
        assert_int_equal(skl_st_read(in_scratch("own"), true, &st, &err), SKL_DATA);
        assert_contains(err.text, in_scratch("own"));
        assert_int_equal(skl_st_read(in_scratch("own"), false, &st, &err), SKL_OK);
        skl_st_release(&st);
    }
}

/* Spaces, another order of keys and tensors, no metadata, a header of any length: floats that a processor could not
 * read where they stand. */
static void foreign_layout_is_read(void **state)
{
    static const char header[] =
        "{ \"b\" : { \"data_offsets\" : [ 4 , 8 ] , \"shape\" : [ 1 ] , \"dtype\" : \"F32\" } , "
        "\"a\" : {\"shape\":[], \"dtype\":\"F32\", \"data_offsets\":[0,4]} }";
    for (size_t blanks = 0; blanks < 8; blanks++) {
        const size_t n = sizeof header - 1 + blanks;
        char *data = calloc(1, n + 16);
        struct skl_err err = {0};
        struct skl_st st;
        data[0] = (char)n;
        memcpy(data + 8, header, sizeof header - 1);
        memset(data + 8 + sizeof header - 1, ' ', blanks);
        memcpy(data + 8 + n, f32, 8);
        if (skl_st_parse("f", data, n + 16, false, &st, &err)) fail_msg("%s", err.text);
        const struct skl_st_tensor *b = skl_st_find(&st, "b");
        assert_true((uintptr_t)b->data % sizeof(float) == 0 && *(const float *)b->data == f32[1]);
        skl_st_release(&st);
    }
}

static void no_tensors(void **state)
{
    struct skl_st st;
    struct skl_err err = {0};
    assert_int_equal(skl_st_write(in_scratch("zero"), NULL, 0, NULL, 0, false, &err), SKL_OK);
    assert_int_equal(skl_st_read(in_scratch("zero"), false, &st, &err), SKL_OK);
    assert_int_equal(st.count, 0);
    assert_null(skl_st_find(&st, "x"));
    skl_st_release(&st);
}

#define T(dtype, shape, from, to) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"

/* Headers that must be refused, each with the number of data bytes that follow it. */
static const struct {
    const char *header;
    size_t data;
    const char *why;
} bad[] = {
    /* not an object */
    {"", 0, "'{'"},
    {" ", 0, "'{'"},
    {" {}", 0, "'{'"},
    {"\n{}", 0, "'{'"},
    {"[]", 0, "'{'"},
    {"null", 0, "'{'"},
    {"\"x\"", 0, "'{'"},
    {"{", 0, "header"},
    {"{}}", 0, "header"},
    {"{} x", 0, "header"},
    {"{}{}", 0, "header"},
    {"{\"a\"}", 0, "header"},
    {"{'a':1}", 0, "header"},
    {"{\"a\":" T("F32", "[1]", 0, 4) ",}", 4, "header"},
    {"{\"\xff\":" T("F32", "[1]", 0, 4) "}", 4, "header"},
    {"{\"a\\u0000b\":" T("F32", "[1]", 0, 4) "}", 4, "header"},
    {"{\"\\ud800\":" T("F32", "[1]", 0, 4) "}", 4, "header"},
    /* names */
    {"{\"a\":" T("F32", "[1]", 0, 4) ",\"a\":" T("F32", "[1]", 4, 8) "}", 8, "duplicate"},
    {"{\"a\":" T("F32", "[1]", 0, 4) ",\"\\u0061\":" T("F32", "[1]", 0, 4) "}", 4, "duplicate"},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "duplicate"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "duplicate"},
    /* metadata */
    {"{\"__metadata__\":[]}", 0, "no JSON object"},
    {"{\"__metadata__\":null}", 0, "no JSON object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "no text"},
    {"{\"__metadata__\":{\"a\":null}}", 0, "no text"},
    {"{\"__metadata__\":{\"a\":{}}}", 0, "no text"},
    /* entries */
    {"{\"a\":1}", 0, "'a'"},
    {"{\"a\":null}", 0, "'a'"},
    {"{\"a\":{}}", 0, "'a'"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "'a'"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"offsets\":[0,4]}}", 4, "'a'"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":0}}", 4, "'a'"},
    /* dtype */
    {"{\"a\":" T("F33", "[1]", 0, 4) "}", 4, "dtype F33"},
    {"{\"a\":" T("f32", "[1]", 0, 4) "}", 4, "dtype f32"},
    {"{\"a\":" T("BF16", "[2]", 0, 4) "}", 4, "dtype BF16"},
    {"{\"a\":" T("", "[1]", 0, 4) "}", 4, "dtype"},
    {"{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype"},
    /* shape */
    {"{\"a\":" T("F32", "1", 0, 4) "}", 4, "shape"},
    {"{\"a\":" T("F32", "{}", 0, 4) "}", 4, "shape"},
    {"{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4, "shape"},
    {"{\"a\":" T("F32", "[-1]", 0, 4) "}", 4, "shape"},
    {"{\"a\":" T("F32", "[-1,-1]", 0, 4) "}", 4, "shape"},
    {"{\"a\":" T("F32", "[1.0]", 0, 4) "}", 4, "shape"},
    {"{\"a\":" T("F32", "[1e0]", 0, 4) "}", 4, "shape"},
    {"{\"a\":" T("F32", "[\"1\"]", 0, 4) "}", 4, "shape"},
    {"{\"a\":" T("F32", "[true]", 0, 4) "}", 4, "shape"},
    {"{\"a\":" T("F32", "[9223372036854775808]", 0, 4) "}", 4, "header"},
    {"{\"a\":" T("F32", "[4611686018427387904]", 0, 0) "}", 0, "too large"},
    {"{\"a\":" T("F32", "[4611686018427387905]", 0, 4) "}", 4, "too large"},
    {"{\"a\":" T("U8", "[4294967296,4294967296]", 0, 0) "}", 0, "too large"},
    {"{\"a\":" T("F32", "[4294967296,4294967296,1]", 0, 16) "}", 16, "too large"},
    {"{\"a\":" T("U8", "[9223372036854775807,9223372036854775807]", 0, 1) "}", 1, "too large"},
    {"{\"a\":" T("F32", "[2]", 0, 4) "}", 4, "need 8"},
    {"{\"a\":" T("F32", "[1]", 0, 8) "}", 8, "need 4"},
    {"{\"a\":" T("F32", "[0]", 0, 4) "}", 4, "need 0"},
    {"{\"a\":" T("F64", "[1]", 0, 4) "}", 4, "need 8"},
    /* places */
    {"{\"a\":" T("F32", "[1]", 0, 4) "}", 3, "outside"},
    {"{\"a\":" T("F32", "[1]", 0, 4) "}", 5, "after the last"},
    {"{\"a\":" T("F32", "[1]", 0, 4) "}", 0, "outside"},
    {"{}", 1, "after the last"},
    {"{\"a\":" T("F32", "[1]", 4, 0) "}", 4, "outside"},
    {"{\"a\":" T("F32", "[1]", -4, 0) "}", 4, "outside"},
    {"{\"a\":" T("F32", "[1]", 0, 4294967300) "}", 4, "outside"},
    {"{\"a\":" T("F32", "[1]", 0, 9223372036854775807) "}", 4, "outside"},
    {"{\"a\":" T("F32", "[1]", 0, 9223372036854775808) "}", 4, "header"},
    {"{\"a\":" T("F32", "[1]", 0, 4.0) "}", 4, "data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, "data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":\"0,4\"}}", 4, "data_offsets"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[\"0\",\"4\"]}}", 4, "data_offsets"},
    {"{\"a\":" T("F32", "[1]", 4, 8) "}", 8, "hole"},
    {"{\"a\":" T("F32", "[1]", 0, 4) ",\"b\":" T("F32", "[1]", 8, 12) "}", 12, "hole"},
    {"{\"a\":" T("F32", "[1]", 0, 4) ",\"b\":" T("F32", "[1]", 0, 4) "}", 4, "overlap"},
    {"{\"a\":" T("F32", "[2]", 0, 8) ",\"b\":" T("F32", "[1]", 4, 8) "}", 8, "overlap"},
    {"{\"a\":" T("F32", "[1]", 0, 4) ",\"b\":" T("F32", "[0]", 2, 2) "}", 4, "overlap"},
    {"{\"a\":" T("F32", "[0]", 4, 4) "}", 4, "hole"},
    /* depth */
    {"{\"a\":[[[[[[[[]]]]]]]]}", 0, "nested"},
    {"{\"__metadata__\":{\"a\":{\"b\":{\"c\":{}}}}}", 0, "nested"},
};

static char *file_of(const char *header, size_t data, size_t *n)
{
    size_t length = strlen(header);
    char *file = calloc(1, 8 + length + data + 1);
    for (int i = 0; i < 8; i++) file[i] = (char)((uint64_t)length >> 8 * i);
    memcpy(file + 8, header, length);
    *n = 8 + length + data;
    return file;
}

static void bad_headers_are_refused(void **state)
{
    int faults = 0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t n;
        struct skl_err err;
        char *file = file_of(bad[i].header, bad[i].data, &n);
        int status = parse_copy(file, n, false, &err);
        free(file);
        if (status == SKL_DATA && err.status == SKL_DATA && err.text[0] == 'f' && strstr(err.text, bad[i].why))
            continue;
        print_error("%s + %zu: %d '%s', wanted '%s'\n", bad[i].header, bad[i].data, status, err.text, bad[i].why);
        faults++;
    }
    assert_int_equal(faults, 0);
}

static void bad_lengths_are_refused(void **state)
{
    static const uint64_t lengths[] = {0,
                                       3,
                                       100,
                                       100000000,
                                       100000001,
                                       (uint64_t)1 << 32,
                                       (uint64_t)1 << 63,
                                       UINT64_MAX,
                                       UINT64_MAX - 7,
                                       UINT64_MAX - 8};
    struct skl_err err;
    char file[10] = {0, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (int k = 0; k < 8; k++) file[k] = (char)(lengths[i] >> 8 * k);
        assert_int_equal(parse_copy(file, sizeof file, false, &err), SKL_DATA);
    }
    memset(file, 0, 8);
    file[0] = 2;
    assert_int_equal(parse_copy(file, sizeof file, false, &err), SKL_OK);
    for (size_t n = 0; n < 10; n++) assert_int_equal(parse_copy(file, n, false, &err), SKL_DATA);
}

/* Headers of many megabytes that a JSON reader would turn into gigabytes. */
static void hostile_headers_are_refused_early(void **state)
{
    static const struct {
        const char *start, *piece, *why;
    } cases[] = {
        {"{\"a\":", "[", "nested"},
        {"{\"a\":[", "[],", "more than"},
        {"{\"a\":[", "0,", "more than"},
        {"{", "\"a\":{},", "more than"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *header, *file;
        size_t n;
        struct skl_err err;
        FILE *f = open_memstream(&header, &n);
        fputs(cases[i].start, f);
        for (int k = 0; k < 3000000; k++) fputs(cases[i].piece, f);
        fclose(f);
        file = file_of(header, 0, &n);
        assert_int_equal(parse_copy(file, n, false, &err), SKL_DATA);
        assert_contains(err.text, cases[i].why);
        free(header);
        free(file);
    }
}

static void absent_and_unwritable_files(void **state)
{
    struct skl_st st;
    struct skl_err err = {0};
    assert_int_equal(skl_st_read(in_scratch("absent"), false, &st, &err), SKL_DATA);
    assert_contains(err.text, "absent");
    assert_int_equal(skl_st_read(scratch, false, &st, &err), SKL_DATA);
    int before = count_entries(scratch);
    assert_int_equal(skl_st_write(in_scratch("no/where"), sample, SAMPLES, NULL, 0, true, &err), SKL_FAILED);
    assert_contains(err.text, "no/where");
    assert_int_equal(count_entries(scratch), before);
}

static void write_twins(void)
{
    struct skl_st_tensor twins[2] = {sample[0], sample[0]};
    skl_st_write(in_scratch("twins"), twins, 2, NULL, 0, false, NULL);
}

static void write_wrong_size(void)
{
    struct skl_st_tensor t = sample[0];
    t.bytes--;
    skl_st_write(in_scratch("size"), &t, 1, NULL, 0, false, NULL);
}

static void writer_refuses_what_the_reader_would(void **state)
{
    assert_int_equal(child_end(write_twins), 6 /* SIGABRT */);
    assert_int_equal(child_end(write_wrong_size), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(same_input_same_bytes),
        cmocka_unit_test(file_has_the_published_form),
        cmocka_unit_test(digest_follows_the_rule),
        cmocka_unit_test(a_look_reads_no_data),
        cmocka_unit_test(any_flipped_bit_is_found),
        cmocka_unit_test(any_cut_is_found),
        cmocka_unit_test(digest_is_wanted_only_where_asked),
        cmocka_unit_test(foreign_layout_is_read),
        cmocka_unit_test(no_tensors),
        cmocka_unit_test(bad_headers_are_refused),
        cmocka_unit_test(bad_lengths_are_refused),
        cmocka_unit_test(hostile_headers_are_refused_early),
        cmocka_unit_test(absent_and_unwritable_files),
        cmocka_unit_test(writer_refuses_what_the_reader_would),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
