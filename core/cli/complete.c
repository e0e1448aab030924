/* complete.c - what may stand next on a command line, for the shells.  All from the tables: a command's option rows and
 * its kinds of words, the keys of experiment files, the variants; and from the experiment file that stands on the
 * line. */
#include <stdlib.h>
#include <string.h>

#include "core/cli/reference.h"
#include "core/config/keys.h"
#include "core/config/plan.h"
#include "core/config/registry.h"
#include "core/io/yaml.h"

#define TYPE_KEY "model.shortcut.type" /* no row of its own in the table of keys: part of model.shortcut */

struct line {
    FILE *out;
    const struct skl_command *const *commands;
    const struct skl_command *command; /* NULL: not yet typed */
    char *const *words;
    int count;           /* after the command; the last one is being completed */
    const char *before;  /* what stands before the value in that word: "--mode=", "train.conv=" */
    const char *current; /* what is typed of the value */
};

static void offer(const struct line *l, const char *word, const char *about)
{
    if (strncmp(word, l->current, strlen(l->current)) == 0) fprintf(l->out, "%s%s\t%s\n", l->before, word, about);
}

static void offer_all(const struct line *l, const char *const *names)
{
    for (; names && *names; names++) offer(l, *names, "");
}

static void offer_commands(const struct line *l)
{
    for (int i = 0; l->commands[i]; i++) offer(l, l->commands[i]->name, l->commands[i]->summary);
    if (!l->command) offer(l, "help", "explain a command"), offer(l, "--version", "version, git commit, BLAS and CPU");
}

static void offer_shortcuts(const struct line *l)
{
    for (int i = 0; i < skl_registry_count(); i++) offer(l, skl_registry_get(i)->name, skl_registry_get(i)->summary);
}

static bool ends_with(const char *word, const char *end)
{
    size_t n = strlen(word), m = strlen(end);
    return n >= m && strcmp(word + n - m, end) == 0;
}

/* The names under variants:, where the file cannot be read as a whole: its plug-ins are not loaded for a TAB. */
static bool offer_variants(const struct line *l, const char *path)
{
    struct skl_ynode *root;
    if (skl_yaml_read(path, &root, NULL)) return false;
    const struct skl_ynode *list = root->kind == SKL_YMAP ? skl_yaml_get(root, "variants") : NULL;
    bool any = false;
    for (const struct skl_ynode *c = list && list->kind == SKL_YLIST ? list->child : NULL; c; c = c->next) {
        const struct skl_ynode *name = c->kind == SKL_YMAP ? skl_yaml_get(c, "name") : NULL;
        if (!name || name->kind != SKL_YSCALAR || !skl_name_valid(name->text)) continue;
        offer(l, name->text, "");
        any = true;
    }
    skl_yaml_free(root);
    return any;
}

/* The settings of the experiment file on the line, each once: "original", "gated/gate_bias=-6"; false: there is
 * none. */
static bool offer_settings(const struct line *l)
{
    for (int i = 0; i < l->count - 1; i++) {
        struct skl_err err = {0};
        struct skl_plan plan;
        if (!ends_with(l->words[i], ".yaml")) continue;
        if (skl_plan_load_recorded(l->words[i], true, &plan, &err)) {
            if (offer_variants(l, l->words[i])) return true;
            continue;
        }
        for (int r = 0; r < plan.count; r++) {
            bool seen = false;
            for (int e = 0; e < r && !seen; e++) seen = strcmp(plan.run[e].setting, plan.run[r].setting) == 0;
            if (!seen) offer(l, plan.run[r].setting, "");
        }
        skl_plan_release(&plan);
        return true;
    }
    return false;
}

/* ---- keys ---- */

/* Of a run, or of the figures. */
static bool is_offered(const struct skl_key *k)
{
    return !(k->flags & (SKL_KEY_PLAN | SKL_KEY_VARIANT)) || k->flags & SKL_KEY_SHOWN;
}

static void offer_values_of(const struct line *l, const struct skl_key *k)
{
    static const char *const truth[] = {"true", "false", NULL};
    offer_all(l, k->kind == SKL_KEY_BOOL ? truth : k->choices);
}

static void offer_key(const struct line *l, const char *path, const char *help)
{
    char *word = skl_format("%s=", path);
    offer(l, word, help);
    free(word);
}

/* Options of the variants, each name once: they differ in default and help at most. */
static void each_option(const struct line *l,
                        void (*each)(const struct line *, const char *path, const struct skl_key *))
{
    for (int i = 0; i < skl_registry_count(); i++)
        for (const struct skl_param *p = skl_registry_get(i)->params; p && p->name; p++) {
            bool seen = false;
            for (int e = 0; e < i && !seen; e++)
                for (const struct skl_param *q = skl_registry_get(e)->params; q && q->name && !seen; q++)
                    seen = strcmp(p->name, q->name) == 0;
            if (seen) continue;
            struct skl_key k = skl_key_of_param(p);
            char *path = skl_format("model.shortcut.%s", p->name);
            each(l, path, &k);
            free(path);
        }
}
static void option_key(const struct line *l, const char *path, const struct skl_key *k) { offer_key(l, path, k->help); }
static void option_value(const struct line *l, const char *path, const struct skl_key *k)
{
    if (strncmp(l->before, path, strlen(path)) == 0 && l->before[strlen(path)] == '=') offer_values_of(l, k);
}

static void offer_keys(struct line *l)
{
    const char *equals = strchr(l->current, '=');
    if (!equals) {
        offer_key(l, "name", skl_key_find("name")->help), offer_key(l, "seeds", skl_key_find("seeds")->help);
        for (int i = 0; i < skl_key_count(); i++)
            if (is_offered(skl_key_get(i))) offer_key(l, skl_key_get(i)->path, skl_key_get(i)->help);
        offer_key(l, TYPE_KEY, "the variant, its options at their defaults");
        each_option(l, option_key);
        return;
    }
    char *path = skl_format("%.*s", (int)(equals - l->current), l->current);
    char *before = skl_format("%s=", path);
    const struct skl_key *k = skl_key_find(path);
    l->before = before, l->current = equals + 1;
    if (k) offer_values_of(l, k);
    if (!strcmp(path, TYPE_KEY)) offer_shortcuts(l);
    each_option(l, option_value);
    l->before = "", l->current = "";
    free(path), free(before);
}

/* ---- options ---- */

static const struct skl_option *find_option(const struct skl_command *c, const char *word, size_t length)
{
    for (const struct skl_option *o = c->options; o && o->name; o++)
        if (length > 2 && strlen(o->name) == length - 2 && !strncmp(word, "--", 2) &&
            !strncmp(word + 2, o->name, length - 2))
            return o;
    return NULL;
}

static void offer_options(const struct line *l)
{
    for (const struct skl_option *o = l->command->options; o && o->name; o++) {
        char *word = skl_format("--%s", o->name);
        offer(l, word, o->help);
        free(word);
    }
    offer(l, "--help", "explain the command"), offer(l, "--version", "version, git commit, BLAS and CPU");
}

static void offer_files(const struct line *l, const char *pattern) { fprintf(l->out, ":files\t%s\n", pattern); }
static void offer_folders(const struct line *l) { fputs(":folders\t\n", l->out); }

static void offer_value(const struct line *l, const struct skl_option *o)
{
    if (o->kind == SKL_OPT_FOLDER) offer_folders(l);
    if (o->kind == SKL_OPT_PATTERN) offer_settings(l);
    if (o->kind == SKL_OPT_SETTING && !offer_settings(l)) offer_shortcuts(l);
    if (o->files) offer_files(l, o->files);
    if (o->words) offer_all(l, o->words());
}

/* ---- words ---- */

static void offer_word(struct line *l, unsigned kinds)
{
    if (kinds & SKL_WORD_CONFIG) offer_files(l, "*.yaml");
    if (kinds & SKL_WORD_CHECKPOINT) offer_files(l, "*.safetensors");
    if (kinds & SKL_WORD_PLUGIN) offer_files(l, "*.so");
    if (kinds & SKL_WORD_FOLDER) offer_folders(l);
    if (kinds & SKL_WORD_OF_DATA) {
        offer(l, "fetch", "download a data set");
        offer(l, "check", "read every picture of a folder");
        offer(l, "export", "write a data set as a folder of pictures");
    }
    if (kinds & SKL_WORD_DATASET) offer_all(l, skl_key_find("data.dataset")->choices);
    if (kinds & SKL_WORD_SHORTCUT) offer_shortcuts(l);
    if (kinds & SKL_WORD_KEY) offer_keys(l);
}

static void offer_words(struct line *l)
{
    int at = 0; /* words that are no options before the current one */
    for (int i = 0; i < l->count - 1; i++) {
        if (l->words[i][0] != '-') {
            at++;
            continue;
        }
        const struct skl_option *o = find_option(l->command, l->words[i], strlen(l->words[i]));
        i += o && o->kind != SKL_OPT_FLAG;
    }
    if (l->command->max_args < 0 || at < l->command->max_args) offer_word(l, l->command->words[at > 0]);
}

static void complete_command(struct line *l)
{
    const char *current = l->words[l->count - 1], *previous = l->count > 1 ? l->words[l->count - 2] : "";
    const struct skl_option *o = find_option(l->command, previous, strlen(previous));
    l->before = "", l->current = current;
    if (o && o->kind != SKL_OPT_FLAG) {
        offer_value(l, o);
        return;
    }
    const char *equals = strchr(current, '=');
    o = equals ? find_option(l->command, current, (size_t)(equals - current)) : NULL;
    if (o && o->kind != SKL_OPT_FLAG) {
        char *before = skl_format("--%s=", o->name);
        l->before = before, l->current = equals + 1;
        offer_value(l, o);
        free(before);
    } else if (current[0] == '-') {
        offer_options(l);
    } else {
        offer_words(l);
    }
}

void skl_complete_print(FILE *out, const struct skl_command *const *commands, char *const *words, int count)
{
    struct line l = {
        .out = out, .commands = commands, .words = words + 1, .count = count - 1, .before = "", .current = ""};
    if (count == 0) return;
    if (count == 1) {
        l.current = words[0];
        offer_commands(&l);
        return;
    }
    for (int i = 0; commands[i]; i++)
        if (!strcmp(commands[i]->name, words[0])) l.command = commands[i];
    if (l.command) {
        complete_command(&l);
    } else if (!strcmp(words[0], "help") && count == 2) {
        l.current = words[1], l.command = commands[0];
        offer_commands(&l);
    }
}
