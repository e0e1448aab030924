/* schema.c - the JSON schema (draft 7) of experiment files from the tables of keys and variants, for editors.
 * Mappings may be nested or dotted in an experiment file, so every key of a run has a row in its section and one under
 * its dotted path. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/reference.h"
#include "core/config/keys.h"
#include "core/config/registry.h"

/* Forms, by their path: what JSON can say of them.  skl_schema_print() ends the program where one is missing. */
static const struct {
    const char *path, *schema;
} forms[] = {
    {"name", "{'type': 'string', 'pattern': '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'}"},
    {"label", "{'type': 'string'}"},
    {"notes", "{'type': 'string'}"},
    {"order", "{'enum': ['seeds', 'variants']}"},
    {"sample", "{'anyOf': [{'type': 'integer', 'minimum': 1}, {'type': 'object', 'required': ['settings'], "
               "'additionalProperties': false, 'properties': {'settings': {'type': 'integer', 'minimum': 1}, 'seed': "
               "{'type': 'integer', 'minimum': 0}}}]}"},
    {"include", "{'type': 'string'}"},
    {"plugins", "{'type': 'array', 'items': {'anyOf': [{'type': 'string'}, {'type': 'object', 'required': ['name', "
                "'sha256'], 'additionalProperties': false, 'properties': {'name': {'type': 'string'}, 'sha256': "
                "{'type': 'string', 'pattern': '^[0-9a-f]{64}$'}}}]}}"},
    {"model.units", "{'type': 'array', 'minItems': 1, 'maxItems': 5, 'items': {'type': 'integer', 'minimum': 1, "
                    "'maximum': 1000}}"},
    {"model.shortcut", "{'$ref': '#/definitions/shortcut'}"},
    {"model.shortcut_at", "{'anyOf': [{'enum': ['all', 'same_shape']}, {'type': 'array', 'minItems': 2, 'maxItems': 2, "
                          "'items': {'type': 'integer', 'minimum': 0}}]}"},
    {"data.size", "{'type': 'integer', 'minimum': 4, 'maximum': 1024}"},
    {"data.test_crops", "{'enum': [1, 10]}"},
    {"data.augment.resize",
     "{'type': 'array', 'minItems': 2, 'maxItems': 2, 'items': {'type': 'integer', 'minimum': 16, "
     "'maximum': 4096}}"},
    {"data.augment.crop", "{'type': 'integer', 'minimum': 16, 'maximum': 1024}"},
    {"data.augment.area",
     "{'type': 'array', 'minItems': 2, 'maxItems': 2, 'items': {'type': 'number', 'minimum': 0.0001, "
     "'maximum': 1}}"},
    {"data.augment.aspect",
     "{'type': 'array', 'minItems': 2, 'maxItems': 2, 'items': {'type': 'number', 'minimum': 0.1, "
     "'maximum': 10}}"},
    {"train.lr_drops.at",
     "{'type': ['array', 'integer', 'string'], 'maxItems': 16, 'items': {'anyOf': [{'type': 'integer', "
     "'minimum': 0}, {'type': 'string', 'pattern': '^[0-9.]+%$'}]}}"},
    {"baseline", "{'type': 'string'}"},
    {"seeds",
     "{'anyOf': [{'type': 'integer', 'minimum': 1}, {'type': 'array', 'minItems': 1, 'items': {'type': 'integer', "
     "'minimum': 0}}]}"},
    {"variants", "{'type': 'array', 'minItems': 1, 'items': {'$ref': '#/definitions/variant'}}"},
    {"variants.name", "{'type': 'string', 'pattern': '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'}"},
    {"variants.label", "{'type': 'string'}"},
    {"variants.set", "{'$ref': '#/definitions/settings'}"},
    {"variants.grid", "{'$ref': '#/definitions/lists'}"},
    {"variants.zip", "{'$ref': '#/definitions/lists'}"},
    {"variants.exclude", "{'type': 'array', 'items': {'$ref': '#/definitions/settings'}}"},
    {"variants.paper", "{'$ref': '#/definitions/paper'}"},
    {"grid", "{'$ref': '#/definitions/lists'}"},
    {"zip", "{'$ref': '#/definitions/lists'}"},
    {"exclude", "{'type': 'array', 'items': {'$ref': '#/definitions/settings'}}"},
    {"paper", "{'$ref': '#/definitions/paper'}"},
};

/* JSON with single quotes. */
static json_t *parse(const char *text)
{
    char *json = skl_strdup(text);
    for (char *c = json; *c; c++)
        if (*c == '\'') *c = '"';
    json_t *value = json_loads(json, 0, NULL);
    if (!value) SKL_BUG("no JSON: %s", text);
    free(json);
    return value;
}

static json_t *words(const char *const *names)
{
    json_t *list = json_array();
    for (; *names; names++) json_array_append_new(list, json_string(*names));
    return list;
}

static json_t *number(double v) { return v == (double)(json_int_t)v ? json_integer((json_int_t)v) : json_real(v); }

static json_t *form(const char *path)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (!strcmp(forms[i].path, path)) return parse(forms[i].schema);
    SKL_BUG("schema.c does not know the form of '%s'", path);
}

static json_t *value_schema(const struct skl_key *k)
{
    if (k->kind == SKL_KEY_FORM) return form(k->path);
    if (k->choices) return json_pack("{s:o}", "enum", words(k->choices));
    if (k->kind == SKL_KEY_BOOL) return json_pack("{s:s}", "type", "boolean");
    if (k->kind == SKL_KEY_TEXT) return json_pack("{s:s}", "type", "string");
    return json_pack("{s:s, s:o, s:o}", "type", k->kind == SKL_KEY_REAL ? "number" : "integer", "minimum",
                     number(k->min), "maximum", number(k->max));
}

/* A $ref stands alone in draft 7: what goes with it is put around it. */
static json_t *key_schema(const struct skl_key *k)
{
    json_t *o = value_schema(k);
    SKL_CHECK(o);
    if (json_object_get(o, "$ref")) o = json_pack("{s:[o]}", "allOf", o);
    char *def = skl_key_default(k), *about = skl_format("%s%s%s", k->help, def ? "; default " : "", def ? def : "");
    json_object_set_new(o, "description", json_string(about));
    free(def), free(about);
    return o;
}

static json_t *object(json_t *properties)
{
    return json_pack("{s:s, s:b, s:o}", "type", "object", "additionalProperties", false, "properties", properties);
}

/* ---- variants ---- */

static json_t *shortcut(const struct skl_shortcut *s)
{
    char *about = skl_format("%s: %s", s->summary, s->formula);
    json_t *properties = json_pack("{s:{s:s, s:s}}", "type", "const", s->name, "description", about);
    for (const struct skl_param *p = s->params; p && p->name; p++) {
        struct skl_key k = skl_key_of_param(p);
        json_object_set_new(properties, p->name, key_schema(&k));
    }
    json_t *o = object(properties);
    json_object_set_new(o, "required", json_pack("[s]", "type"));
    free(about);
    return o;
}

/* The built-in ones with their options checked; a plug-in's may be anything. */
static json_t *shortcuts(void)
{
    json_t *any = json_array(), *names = json_array();
    for (int i = 0; i < skl_registry_count(); i++) {
        json_array_append_new(any, shortcut(skl_registry_get(i)));
        json_array_append_new(names, json_string(skl_registry_get(i)->name));
    }
    json_array_append_new(any, json_pack("{s:s, s:[s], s:{s:{s:s, s:{s:o}}}}", "type", "object", "required", "type",
                                         "properties", "type", "type", "string", "not", "enum", names));
    return json_pack("{s:o}", "anyOf", any);
}

/* ---- keys ---- */

static bool of_run(const struct skl_key *k) { return !(k->flags & (SKL_KEY_PLAN | SKL_KEY_VARIANT)); }

/* Puts a schema at "train.warmup.lr" into nested objects. */
static void put(json_t *properties, const char *path, json_t *schema)
{
    const char *dot = strchr(path, '.');
    if (!dot) {
        json_object_set_new(properties, path, schema);
        return;
    }
    char *section = skl_format("%.*s", (int)(dot - path), path);
    json_t *inner = json_object_get(properties, section);
    if (!inner) json_object_set_new(properties, section, inner = object(json_object()));
    put(json_object_get(inner, "properties"), dot + 1, schema);
    free(section);
}

/* Where "a.b" stands for itself: every key of a run, every section of several, every option of a variant. */
static void put_dotted(json_t *properties, json_t *nested, const char *prefix)
{
    const char *name;
    json_t *schema;
    json_object_foreach(nested, name, schema)
    {
        char *path = skl_format("%s%s%s", prefix, *prefix ? "." : "", name);
        json_object_set(properties, path, schema);
        json_t *inner = json_object_get(schema, "properties");
        if (inner) put_dotted(properties, inner, path);
        free(path);
    }
}

/* model.shortcut.OPTION: what any variant with that option takes. */
static void put_options(json_t *properties)
{
    json_object_set_new(properties, "model.shortcut.type", parse("{'type': 'string'}"));
    for (int i = 0; i < skl_registry_count(); i++)
        for (const struct skl_param *p = skl_registry_get(i)->params; p && p->name; p++) {
            struct skl_key k = skl_key_of_param(p);
            char *path = skl_format("model.shortcut.%s", p->name);
            json_t *there = json_object_get(properties, path);
            if (!there) json_object_set_new(properties, path, there = json_pack("{s:[]}", "anyOf"));
            json_array_append_new(json_object_get(there, "anyOf"), key_schema(&k));
            free(path);
        }
}

static json_t *run_keys(void)
{
    json_t *nested = json_object();
    for (int i = 0; i < skl_key_count(); i++)
        if (of_run(skl_key_get(i))) put(nested, skl_key_get(i)->path, key_schema(skl_key_get(i)));
    return nested;
}

/* Dotted or nested keys to values: variants.set.  Options of plug-ins and columns of `paper` have names of their
 * own. */
static json_t *settings(json_t *nested)
{
    json_t *properties = json_object();
    put_dotted(properties, nested, "");
    put_options(properties);
    json_t *o = object(properties);
    json_object_set_new(o, "patternProperties", parse("{'^(paper|model\\\\.shortcut)\\\\.[a-z0-9_]+$': {}}"));
    return o;
}

/* The same keys to lists of such values: grid and zip; nested they are mappings. */
static json_t *lists(json_t *settings)
{
    json_t *properties = json_object(), *schema;
    const char *path;
    json_object_foreach(json_object_get(settings, "properties"), path, schema)
    {
        json_t *list = json_object_get(schema, "properties")
                           ? parse("{'type': 'object'}")
                           : json_pack("{s:s, s:i, s:O}", "type", "array", "minItems", 1, "items", schema);
        json_object_set_new(properties, path, list);
    }
    json_t *o = object(properties);
    json_object_set_new(o, "patternProperties",
                        parse("{'^(paper|model\\\\.shortcut)\\\\.[a-z0-9_]+$': {'type': 'array', 'minItems': 1}}"));
    return o;
}

static json_t *variant(void)
{
    json_t *properties = json_object();
    for (int i = 0; i < skl_key_count(); i++) {
        const struct skl_key *k = skl_key_get(i);
        if (k->flags & SKL_KEY_VARIANT) json_object_set_new(properties, strchr(k->path, '.') + 1, key_schema(k));
    }
    json_t *o = object(properties);
    json_object_set_new(o, "required", json_pack("[s]", "name"));
    return o;
}

void skl_schema_print(FILE *out)
{
    json_t *nested = run_keys(), *set = settings(nested), *properties = json_object();
    put_dotted(properties, nested, "");
    for (int i = 0; i < skl_key_count(); i++)
        if (!(skl_key_get(i)->flags & SKL_KEY_VARIANT))
            put(properties, skl_key_get(i)->path, key_schema(skl_key_get(i)));
    json_t *root = json_pack("{s:s, s:s, s:s}", "$schema", "http://json-schema.org/draft-07/schema#", "title",
                             "skiplab experiment", "$comment", "Generated by 'skiplab help --schema'.");
    json_object_update_new(root, object(properties));
    json_object_set_new(root, "definitions",
                        json_pack("{s:o, s:o, s:o, s:O, s:o}", "shortcut", shortcuts(), "variant", variant(), "lists",
                                  lists(set), "settings", set, "paper",
                                  parse("{'type': 'object', 'additionalProperties': {'type': ['string', 'number']}}")));
    SKL_CHECK(json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) == 0);
    fputc('\n', out);
    json_decref(root), json_decref(set), json_decref(nested);
}
