/* The YAML reader alone, and its counterpart: any printable text that is quoted comes back as it was. */
#include "core/config/plan.h"
#include "core/io/yaml.h"
#include "tests/fuzz/fuzz.h"

static int count(const struct skl_ynode *node, int depth)
{
    int nodes = 0;
    FUZZ_CHECK(depth <= 32);
    for (; node; node = node->next) {
        nodes += 1 + count(node->child, depth + 1);
        FUZZ_CHECK(node->line > 0 && node->column > 0 && node->value_line > 0 && node->value_column > 0);
        FUZZ_CHECK((node->kind == SKL_YSCALAR) == (node->text != NULL) && (!node->child || !node->text));
    }
    return nodes;
}

static void check_copy(const struct skl_ynode *root)
{
    struct skl_ynode *copy = skl_yaml_copy(root);
    FUZZ_CHECK(count(root, 1) <= 50000 && count(copy, 1) == count(root, 1));
    skl_yaml_free(copy);
}

static void check_quote(const char *text)
{
    struct skl_ynode *root;
    struct skl_err err = {0};
    char *quoted = skl_yaml_quote(text), *file = skl_format("label: %s\n", quoted);
    if (strlen(file) < 1 << 20) {
        if (skl_yaml_parse("f", file, strlen(file), &root, &err)) fprintf(stderr, "%s: %s", err.text, file);
        FUZZ_CHECK(!err.status && !strcmp(skl_yaml_get(root, "label")->text, text));
        skl_yaml_free(root);
    }
    free(file);
    free(quoted);
}

static void check_scalars(const struct skl_ynode *node)
{
    bool b;
    long long i;
    double v;
    for (; node; node = node->next) {
        if (node->kind == SKL_YSCALAR) {
            skl_yaml_bool(node, &b);
            if (!skl_yaml_int(node, &i)) FUZZ_CHECK(!skl_yaml_real(node, &v) && v == (double)i);
            if (!skl_yaml_real(node, &v)) FUZZ_CHECK(v - v == 0);
            check_quote(node->text);
        }
        check_scalars(node->child);
    }
}

void fuzz_one(const uint8_t *data, size_t n)
{
    struct skl_ynode *root;
    struct skl_err err = {0};
    char *text = fuzz_copy(data, n);
    int status = skl_yaml_parse("f", text, n, &root, &err);
    if (status) {
        fuzz_check_error(status, &err);
        FUZZ_CHECK(status == SKL_USAGE && !root && !strncmp(err.text, "f:", 2));
    } else {
        check_copy(root);
        check_scalars(root);
        skl_yaml_free(root);
    }
    free(text);
}
