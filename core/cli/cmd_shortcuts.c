/* cmd_shortcuts.c - skiplab shortcuts: the registered variants and their options. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "core/base/say.h"
#include "core/cli/cmd.h"
#include "core/config/registry.h"
#include "core/io/json.h"

static bool as_json;

static const char *type_name(enum skl_ptype type)
{
    static const char *const names[] = {"bool", "int", "real", "choice"};
    return names[type];
}

static void value_text(const struct skl_param *p, double v, char text[32])
{
    if (p->type == SKL_BOOL)
        snprintf(text, 32, "%s", v != 0 ? "true" : "false");
    else if (p->type == SKL_CHOICE)
        snprintf(text, 32, "%s", p->choices[(int)v]);
    else
        snprintf(text, 32, "%.9g", v);
}

static void print_param(const struct skl_param *p)
{
    char def[32], min[32], max[32];
    value_text(p, p->def, def);
    skl_print("  %-18s %s\n  %-18s default %s", p->name, p->help, "", def);
    if (p->type == SKL_CHOICE) {
        skl_print("; one of");
        for (int i = 0; p->choices[i]; i++) skl_print(" %s", p->choices[i]);
    } else if (p->type != SKL_BOOL) {
        value_text(p, p->min, min);
        value_text(p, p->max, max);
        skl_print("; %s from %s to %s", type_name(p->type), min, max);
    } else {
        skl_print("; true or false");
    }
    skl_print("\n");
}

static void print_one(const struct skl_shortcut *s)
{
    skl_print("%s - %s\n\n  y = %s\n", s->name, s->summary,
              strncmp(s->formula, "y = ", 4) ? s->formula : s->formula + 4);
    skl_print("  on the shortcut: %s    on the branch: %s\n  %s\n\nOptions (model.shortcut in the experiment file):\n",
              s->on_shortcut, s->on_residual, s->source);
    const struct skl_param *p = s->params;
    if (!p || !p->name) skl_print("  none\n");
    for (; p && p->name; p++) print_param(p);
    skl_print("\nExample:\n  model:\n    shortcut: {type: %s", s->name);
    p = s->params;
    if (p && p->name) {
        char def[32];
        value_text(p, p->def, def);
        skl_print(", %s: %s", p->name, def);
    }
    skl_print("}\n");
}

static void print_all(void)
{
    skl_print("%-22s %-13s %-11s %s\n", "type", "on shortcut", "on branch", "y");
    for (int i = 0; i < skl_registry_count(); i++) {
        const struct skl_shortcut *s = skl_registry_get(i);
        skl_print("%-22s %-13s %-11s %s\n", s->name, s->on_shortcut, s->on_residual,
                  strncmp(s->formula, "y = ", 4) ? s->formula : s->formula + 4);
    }
    skl_print("\n'skiplab shortcuts NAME' tells more of one, with its options.\n");
}

static json_t *value_json(const struct skl_param *p, double v)
{
    if (p->type == SKL_BOOL) return json_boolean(v != 0);
    if (p->type == SKL_CHOICE) return json_string(p->choices[(int)v]);
    return p->type == SKL_INT ? json_integer((json_int_t)v) : json_real(v);
}

static json_t *param_json(const struct skl_param *p)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:o}", "name", p->name, "help", p->help, "type", type_name(p->type),
                          "default", value_json(p, p->def));
    SKL_CHECK(o);
    if (p->type == SKL_INT || p->type == SKL_REAL) {
        json_object_set_new(o, "min", value_json(p, p->min));
        json_object_set_new(o, "max", value_json(p, p->max));
    }
    if (p->type == SKL_CHOICE) {
        json_t *choices = json_array();
        for (int i = 0; p->choices[i]; i++) json_array_append_new(choices, json_string(p->choices[i]));
        json_object_set_new(o, "choices", choices);
    }
    return o;
}

static json_t *shortcut_json(const struct skl_shortcut *s)
{
    json_t *params = json_array();
    for (const struct skl_param *p = s->params; p && p->name; p++) json_array_append_new(params, param_json(p));
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "name", s->name, "summary", s->summary, "formula", s->formula,
                  "source", s->source, "on_shortcut", s->on_shortcut, "on_residual", s->on_residual, "options", params);
    SKL_CHECK(o);
    return o;
}

static int run(int argc, char **argv, struct skl_err *err)
{
    if (argc == 0) {
        json_t *all = json_array();
        for (int i = 0; as_json && i < skl_registry_count(); i++)
            json_array_append_new(all, shortcut_json(skl_registry_get(i)));
        if (as_json)
            skl_json_print(json_incref(all));
        else
            print_all();
        json_decref(all);
        return SKL_OK;
    }
    const struct skl_shortcut *s = skl_registry_find(argv[0]);
    if (!s) {
        const char *hint = skl_nearest(argv[0], skl_registry_names());
        if (hint)
            return skl_fail(err, SKL_USAGE, "shortcuts: unknown variant '%s' (did you mean '%s'?)", argv[0], hint);
        return skl_fail(err, SKL_USAGE, "shortcuts: unknown variant '%s' ('skiplab shortcuts' lists them)", argv[0]);
    }
    if (as_json)
        skl_json_print(shortcut_json(s));
    else
        print_one(s);
    return SKL_OK;
}

static const struct skl_option shortcuts_options[] = {
    {"json", SKL_OPT_FLAG, NULL, "for programs: a list of {name, formula, options: [...], ...}, or the one asked for",
     &as_json, 0, 0},
    SKL_PLUGIN_OPTION,
    {0},
};

const struct skl_command skl_cmd_shortcuts = {
    .name = "shortcuts",
    .summary = "list the registered shortcut variants and their options",
    .usage = "[NAME]",
    .description = "",
    .examples = "skiplab shortcuts\n"
                "skiplab shortcuts exclusive_gating\n"
                "skiplab shortcuts --json\n"
                "skiplab shortcuts my_shortcut --plugin ./my_shortcut.so\n",
    .options = shortcuts_options,
    .min_args = 0,
    .max_args = 1,
    .words = {SKL_WORD_SHORTCUT},
    .run = run,
};
