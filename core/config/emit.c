/* A run's config.yaml. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/grow.h"
#include "core/config/keys.h"
#include "core/config/plan.h"
#include "core/config/registry.h"

static void put(FILE *out, const char *before, char *value, const char *after)
{
    fprintf(out, "%s%s%s", before, value, after);
    free(value);
}

/* ---- sections ---- */

/* Writes the headings of the sections in path that `last` has not opened; returns the path's depth. */
static int open_sections(FILE *out, const char *path, const char *last)
{
    int depth = 0;
    for (const char *p = path, *dot; (dot = strchr(p, '.')); p = dot + 1, depth++) {
        size_t n = (size_t)(dot - path) + 1;
        if (strncmp(path, last, n) != 0) fprintf(out, "%*s%.*s:\n", 2 * depth, "", (int)(dot - p), p);
    }
    return depth;
}

static void put_keys(FILE *out, const struct skl_experiment *exp)
{
    const char *last = "";
    for (int i = 0; i < skl_key_count(); i++) {
        const struct skl_key *key = skl_key_get(i);
        if (key->flags & SKL_KEY_PLAN || (!exp->has_data && strncmp(key->path, "data.", 5) == 0)) continue;
        char *value = skl_key_write(key, exp, false);
        if (!value) continue;
        int depth = open_sections(out, key->path, last);
        const char *dot = strrchr(key->path, '.');
        fprintf(out, "%*s%s: ", 2 * depth, "", dot ? dot + 1 : key->path);
        put(out, "", value, "\n");
        last = key->path;
    }
}

static void put_plan_keys(FILE *out, const struct skl_plan *plan)
{
    const char *last = "";
    for (int i = 0; i < skl_key_count(); i++) {
        const struct skl_key *key = skl_key_get(i);
        if (!(key->flags & SKL_KEY_PLAN) || key->kind == SKL_KEY_FORM || key->flags & SKL_KEY_SHOWN) continue;
        int depth = open_sections(out, key->path, last);
        fprintf(out, "%*s%s: ", 2 * depth, "", strrchr(key->path, '.') + 1);
        put(out, "", skl_key_write(key, plan, false), "\n");
        last = key->path;
    }
}

char *skl_plan_emit_figure(const struct skl_plan *plan)
{
    char *text = skl_strdup("");
    for (int i = 0; i < skl_key_count(); i++) {
        const struct skl_key *key = skl_key_get(i);
        char *value = key->flags & SKL_KEY_SHOWN ? skl_key_write(key, plan, false) : NULL;
        if (value) text = skl_append(text, "%s  %s: %s\n", *text ? "" : "figure:\n", strchr(key->path, '.') + 1, value);
        free(value);
    }
    return text;
}

/* By name and hash, never by a place: whoever opens these results must not run what they point to. */
static void put_plugin(FILE *out, const struct skl_shortcut *s)
{
    const char *sha256 = skl_registry_sha256(s);
    if (*sha256) fprintf(out, "plugins:\n  - {name: %s, sha256: \"%s\"}\n", s->name, sha256);
}

static void put_pairs(FILE *out, const char *heading, const struct skl_pair *pair, int count, bool lists)
{
    if (!count) return;
    fprintf(out, "    %s:\n", heading);
    for (int i = 0; i < count; i++) {
        put(out, "      ", skl_yaml_quote(pair[i].key), ": ");
        char *value = pair[i].quoted ? skl_yaml_quoted(pair[i].value) : skl_yaml_quote(pair[i].value);
        put(out, lists ? "[" : "", value, lists ? "]\n" : "\n");
    }
}

const char skl_plan_heading[] = "# One run, every setting written out: skiplab train with this file repeats it.";

char *skl_plan_emit(const struct skl_plan *plan, const struct skl_plan_run *run)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    fprintf(out, "%s\nname: %s\n", skl_plan_heading, plan->name);
    if (plan->label) put(out, "label: ", skl_yaml_quoted(plan->label), "\n");
    put_keys(out, &run->exp);
    put_plan_keys(out, plan);
    put_plugin(out, run->exp.model.shortcut);
    fprintf(out, "seeds: [%llu]\nvariants:\n  - name: %s\n", (unsigned long long)run->exp.seed, run->exp.variant);
    put_pairs(out, "zip", run->axis, run->axis_count, true);
    put_pairs(out, "paper", run->papers, run->paper_count, false);
    return skl_text_close(&t);
}
