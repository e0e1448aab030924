/* man.c - the manual page skiplab(1) from the tables of commands, keys and variants. */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/reference.h"
#include "core/config/keys.h"
#include "core/config/registry.h"

/* Text as roff: no line may begin with a dot or an apostrophe, a dash is a dash to copy from. */
static void text(FILE *out, const char *s)
{
    bool begins = true;
    for (; *s; s++) {
        if (begins && (*s == '.' || *s == '\'')) fputs("\\&", out);
        begins = *s == '\n';
        if (*s == '\\')
            fputs("\\e", out);
        else if (*s == '-')
            fputs("\\-", out);
        else
            fputc(*s, out);
    }
}

static void words(FILE *out, const char *macro, const char *s)
{
    fputs(macro, out);
    text(out, s);
    fputc('\n', out);
}

/* Paragraphs: an empty line between two. */
static void paragraphs(FILE *out, const char *s)
{
    while (*s) {
        const char *end = strstr(s, "\n\n");
        char *one = skl_format("%.*s", (int)(end ? end - s : (long)strlen(s)), s);
        words(out, "", one);
        free(one);
        if (!end) return;
        fputs(".PP\n", out);
        s = end + 2;
    }
}

/* ---- commands ---- */

static void option(FILE *out, const struct skl_option *o)
{
    fputs(".TP\n\\fB", out);
    text(out, "--");
    text(out, o->name);
    fputs("\\fR", out);
    if (o->argument) {
        fputs(" \\fI", out);
        text(out, o->argument);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    text(out, o->help);
    if (o->kind != SKL_OPT_FLAG && (o->min != 0 || o->max != 0) && o->max < INT_MAX)
        fprintf(out, " (%.9g to %.9g)", o->min, o->max);
    fputc('\n', out);
}

static void command(FILE *out, const struct skl_command *c)
{
    words(out, ".SS ", c->name);
    fputs("\\fBskiplab ", out);
    text(out, c->name);
    fputs("\\fR", out);
    words(out, " ", c->usage);
    fprintf(out, ".PP\n%c", toupper((unsigned char)c->summary[0]));
    text(out, c->summary + 1);
    fputs(".\n", out);
    if (c->description && *c->description) fputs(".PP\n", out), paragraphs(out, c->description);
    for (const struct skl_option *o = c->options; o && o->name; o++) option(out, o);
    fputs(".PP\nExamples:\n.PP\n.nf\n", out);
    for (const char *line = c->examples; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        char *one = skl_format("%.*s", (int)strcspn(line, "\n"), line);
        words(out, "    ", one);
        free(one);
    }
    fputs(".fi\n", out);
}

/* ---- keys and variants ---- */

static void key(FILE *out, const struct skl_key *k)
{
    char *range = skl_key_range(k), *def = skl_key_default(k);
    words(out, ".TP\n.B ", k->path);
    char *line = skl_format("%s: %s%s%s.", k->help, range, def ? "; default " : "", def ? def : "");
    words(out, "", line);
    free(line), free(range), free(def);
}

static void shortcut(FILE *out, const struct skl_shortcut *s)
{
    words(out, ".TP\n.B ", s->name);
    char *line = skl_format("%s: %s.  %s.", s->summary, s->formula, s->source);
    words(out, "", line);
    free(line);
    if (!s->params || !s->params->name) return;
    fputs(".RS\n", out);
    for (const struct skl_param *p = s->params; p->name; p++) {
        struct skl_key k = skl_key_of_param(p);
        key(out, &k);
    }
    fputs(".RE\n", out);
}

static void keys(FILE *out)
{
    fputs(".SH EXPERIMENT FILE\n"
          "One YAML file names the net, the data, the training and the variants to compare.  Keys may be nested or\n"
          "dotted; everything left out has its default.  Any key can be overridden after the file on the command\n"
          "line: \\fBtrain.iterations=10\\fR.\n",
          out);
    for (int i = 0; i < skl_key_count(); i++) key(out, skl_key_get(i));
    fputs(".SH SHORTCUTS\nWhat \\fBtype\\fR in \\fBmodel.shortcut\\fR may be, and its options.\n", out);
    for (int i = 0; i < skl_registry_count(); i++) shortcut(out, skl_registry_get(i));
}

/* ---- the rest ---- */

static const char tail[] =
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nDone.\n"
    ".TP\n.B 1\nA run failed.\n"
    ".TP\n.B 2\nUsage or experiment file wrong.\n"
    ".TP\n.B 3\nData or a file missing or corrupt.\n"
    ".TP\n.B 4\nIn use by another process.\n"
    ".TP\n.B 75\nInterrupted; the same command again goes on.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n.B NO_COLOR\nIf set, no colours.\n"
    ".TP\n.B SKL_CPU\nThe highest set of CPU kernels to use: ref, base, avx2, avx512; for tests.\n"
    ".TP\n.B XDG_DATA_HOME\nWhere \\fBskiplab data fetch\\fR puts data sets: \\fI$XDG_DATA_HOME/skiplab\\fR,\n"
    "default \\fI~/.local/share/skiplab\\fR.\n"
    ".SH FILES\n"
    ".TP\n.I results/NAME/VARIANT/seed\\-N/\nA run: config.yaml, train.csv, test.csv, timing.csv, run.json, "
    "last.safetensors, prev.safetensors.\n"
    ".TP\n.I results/NAME/figures/\nWhat \\fBskiplab plot\\fR draws.\n"
    ".SH SEE ALSO\n"
    ".BR gnuplot (1)\n";

void skl_man_print(FILE *out, const struct skl_command *const *commands)
{
    fputs(
        ".\\\" Generated by 'skiplab help --man'.\n"
        ".TH SKIPLAB 1 \"\" \"skiplab " SKL_VERSION "\" \"User Commands\"\n.nh\n.ad l\n"
        ".SH NAME\nskiplab \\- a laboratory for skip connections\n"
        ".SH SYNOPSIS\n.B skiplab\n.I command\n.RI [ argument \" ...]\"\n"
        ".SH DESCRIPTION\n"
        "skiplab trains CIFAR\\-style residual nets with different skip connections on the CPU, logs and draws their\n"
        "loss curves and compares them with the paper's table.\n"
        ".PP\nTry first:\n.PP\n.nf\n"
        "    skiplab sweep configs/quickstart.yaml\n    skiplab plot results/quickstart\n.fi\n"
        ".SH COMMANDS\n"
        "Every command knows \\fB\\-\\-help\\fR (its part of this page) and \\fB\\-\\-version\\fR.\n",
        out);
    for (; *commands; commands++) command(out, *commands);
    keys(out);
    fputs(tail, out);
}
