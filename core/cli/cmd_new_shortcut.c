/* cmd_new_shortcut.c - skiplab new-shortcut: a variant to start from, that compiles and passes the conformance test. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/base/say.h"
#include "core/cli/cmd.h"
#include "core/config/registry.h"

static bool pointwise;

/* '@' stands for the name. */
static const char way1[] =
    "/* y = x + s F with a learned scalar s a unit: a start for a variant of your own.\n"
    " * The contract, with every field and function that may stand here, is core/variant/shortcut.h. */\n"
    "#include \"core/variant/shortcut.h\"\n"
    "\n"
    "/* Options: what stands beside `type: @` in an experiment file.  bool, int or double; one row a field. */\n"
    "struct options {\n"
    "    double start;\n"
    "};\n"
    "\n"
    "static const struct skl_param params[] = {\n"
    "    /* field, default, smallest, largest, help */\n"
    "    SKL_PARAM(struct options, start, 0.5, -10, 10, \"initial s\"),\n"
    "    SKL_PARAM_END,\n"
    "};\n"
    "\n"
    "/* What a unit of this variant has: learnable tensors of its own, and layers between x and h (skl_conv, skl_bn).\n"
    " * Called for every unit, with its place and shapes in u; allocates nothing, remembers nothing. */\n"
    "static void declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)\n"
    "{\n"
    "    const struct options *o = opts;\n"
    "    (void)u;\n"
    "    skl_tensor(d, \"s\", (const int[]){1, 0} /* shape, ends with 0 */, SKL_CONST, o->start, SKL_NO_DECAY);\n"
    "}\n"
    "\n"
    "/* y = a h + b f, where h is x (or what the declared layers make of it) and f the residual branch.  Both are "
    "preset\n"
    " * to 1.  constant: a number.  v: learned ones, one (SKL_ONE) or one a channel (SKL_PER_CHANNEL). */\n"
    "static void affine(const struct skl_call *k, struct skl_coef *a, struct skl_coef *b)\n"
    "{\n"
    "    (void)a;\n"
    "    b->v = k->w[0];\n"
    "}\n"
    "\n"
    "/* The engine has made da and db, the derivatives by a and b: carry them to the tensors.  Add, never overwrite. "
    "*/\n"
    "static void affine_grad(const struct skl_call *k, const float *da, const float *db)\n"
    "{\n"
    "    (void)da; /* NULL: a is a constant */\n"
    "    k->dw[0][0] += db[0];\n"
    "}\n"
    "\n"
    "SKL_SHORTCUT(@) = {\n"
    "    SKL_SHORTCUT_HEAD(@),\n"
    "    .summary = \"one line on what it is\",\n"
    "    .formula = \"y = x + s F\",\n"
    "    .source = \"the paper it comes from\",\n"
    "    .on_shortcut = \"1\", /* the two columns of reports: the factors on x and on F */\n"
    "    .on_residual = \"s\",\n"
    "    SKL_OPTIONS(struct options, params),\n"
    "    .declare = declare,\n"
    "    .affine = affine,\n"
    "    .affine_grad = affine_grad,\n"
    "};\n";

static const char way2[] =
    "/* y = x + s tanh(F): a start for a variant of your own, written as a formula.\n"
    " * The contract is core/variant/shortcut.h; what a formula may say is told in core/variant/formula.h. */\n"
    "#include \"core/variant/formula.h\"\n"
    "\n"
    "/* Options: what stands beside `type: @` in an experiment file.  bool, int or double; one row a field. */\n"
    "struct options {\n"
    "    double scale;\n"
    "};\n"
    "\n"
    "static const struct skl_param params[] = {\n"
    "    /* field, default, smallest, largest, help */\n"
    "    SKL_PARAM(struct options, scale, 1, -10, 10, \"s\"),\n"
    "    SKL_PARAM_END,\n"
    "};\n"
    "\n"
    "/* What a unit of this variant has: numbers for the formula, and layers between x and h (skl_conv, skl_bn,\n"
    " * skl_sigmoid_end).  Called for every unit, with its place and shapes in u; allocates nothing, remembers "
    "nothing. */\n"
    "static void declare(struct skl_decl *d, const struct skl_unit *u, const void *opts)\n"
    "{\n"
    "    const struct options *o = opts;\n"
    "    (void)u;\n"
    "    skl_number(d, o->scale); /* p[0] */\n"
    "}\n"
    "\n"
    "/* One element.  x: the unit's input; h: x, or what the declared layers make of it; f: the residual branch. */\n"
    "SKL_FORWARD(y = x + p[0] * skl_tanh(f);)\n"
    "/* From dy, the gradient of y; what goes through h alone belongs to dh. */\n"
    "SKL_BACKWARD(float t = skl_tanh(f); dx = dy; dh = 0; df = dy * p[0] * (1 - t * t);)\n"
    "/* The factor on x, for skiplab probe. */\n"
    "SKL_GAIN(lambda = 1;)\n"
    "\n"
    "SKL_SHORTCUT(@) = {\n"
    "    SKL_SHORTCUT_HEAD(@),\n"
    "    .summary = \"one line on what it is\",\n"
    "    .formula = \"y = x + s tanh(F)\",\n"
    "    .source = \"the paper it comes from\",\n"
    "    .on_shortcut = \"1\", /* the two columns of reports: the factors on x and on F */\n"
    "    .on_residual = \"s\",\n"
    "    SKL_OPTIONS(struct options, params),\n"
    "    .declare = declare,\n"
    "    SKL_FORMULA_GAIN,\n"
    "};\n";

/* text with every '@' replaced, appended to out. */
static void append(FILE *out, const char *text, const char *name)
{
    for (; *text; text++) {
        if (*text == '@')
            fputs(name, out);
        else
            fputc(*text, out);
    }
}

static char *source(const char *name)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    append(out, pointwise ? way2 : way1, name);
    return skl_text_close(&t);
}

static int check_name(const char *name, struct skl_err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_", all[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
    size_t n = strlen(name);
    if (n < 1 || n > 40 || !strchr(letters, name[0]) || strspn(name, all) != n)
        return skl_fail(err, SKL_USAGE,
                        "new-shortcut: '%s' cannot name a variant: 1 to 40 of a-z, 0-9 and _, no digit first", name);
    if (skl_registry_find(name))
        return skl_fail(err, SKL_USAGE,
                        "new-shortcut: there is a variant '%s' already ('skiplab shortcuts %s' tells of it)", name,
                        name);
    return SKL_OK;
}

static int run(int argc, char **argv, struct skl_err *err)
{
    const char *name = argv[0];
    int status = check_name(name, err);
    if (status) return status;
    char *path = skl_format("%s.c", name);
    bool there;
    status = skl_is_there(path, &there, err);
    if (!status && there) {
        status = skl_fail(err, SKL_USAGE, "new-shortcut: %s is there already; remove it or choose another name", path);
    } else if (!status) {
        char *text = source(name);
        status = skl_file_write(path, text, strlen(text), err);
        free(text);
    }
    free(path);
    if (status) return status;
    skl_print(
        "%s.c: a variant that compiles and passes the conformance test.  Change it, then\n\n"
        "as a plug-in:\n"
        "    cc $(pkg-config --cflags skiplab) $(pkg-config --variable=plugin_flags skiplab) %s.c -o %s.so\n"
        "    skiplab check ./%s.so\n"
        "    plugins: [./%s.so]                   # in the experiment file, beside model: {shortcut: {type: %s}}\n"
        "  (not installed: -I SOURCES -std=gnu11 -O2 -ffp-contract=off -fvisibility=hidden -fPIC -shared instead of "
        "pkg-config)\n\n"
        "in the source tree:\n"
        "    mv %s.c SOURCES/shortcuts/       # and add the word '%s' to shortcuts/meson.build\n"
        "    ./dev build && build/core/cli/skiplab check %s\n\n"
        "The tutorial: docs/adding-a-shortcut.md\n",
        name, name, name, name, name, name, name, name, name);
    return SKL_OK;
}

static const struct skl_option new_shortcut_options[] = {
    {"pointwise", SKL_OPT_FLAG, NULL,
     "start with a formula for y and its derivatives (way 2), not with two coefficients (way 1)", &pointwise, 0, 0},
    {0},
};

const struct skl_command skl_cmd_new_shortcut = {
    .name = "new-shortcut",
    .summary = "write a commented start for a shortcut variant of your own",
    .usage = "NAME",
    .description = "Writes NAME.c into this folder: a scalar on the residual branch, which compiles, passes\n"
                   "`skiplab check` and trains, with comments on what to change; and says how to build it.",
    .examples = "skiplab new-shortcut my_shortcut\n"
                "skiplab new-shortcut my_gate --pointwise\n",
    .options = new_shortcut_options,
    .min_args = 1,
    .max_args = 1,
    .words = {SKL_WORD_NEW},
    .run = run,
};
