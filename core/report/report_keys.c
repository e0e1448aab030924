/* report_keys.c - which settings vary within a study, which do not, and whether they are the paper's. */
#include "core/base/grow.h"
#include "core/report/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The key at which two values were seen, in `value`; -1: a key not seen before. */
static int find(const struct skl_facts *facts, const char *key)
{
    for (int i = 0; i < facts->count; i++)
        if (!strcmp(facts->item[i].key, key)) return i;
    return -1;
}

static void add_key(struct skl_study *s, const char *path)
{
    for (int i = 0; i < s->keys; i++)
        if (!strcmp(s->key[i].path, path)) return;
    SKL_ADD(s->key, s->keys)->path = skl_strdup(path);
}

static void add_constant(struct skl_facts *constant, const struct skl_fact *fact)
{
    *SKL_ADD(constant->item, constant->count) = (struct skl_fact){skl_strdup(fact->key), skl_strdup(fact->value)};
}

static void drop_constant(struct skl_facts *constant, int i)
{
    free(constant->item[i].key);
    free(constant->item[i].value);
    constant->count--;
    memmove(&constant->item[i], &constant->item[i + 1], (size_t)(constant->count - i) * sizeof *constant->item);
}

/* A key counts as constant where all settings that have it agree: options of one shortcut type are not those of
 * another. */
static void take(struct skl_study *s, const struct skl_fact *fact)
{
    if (!strcmp(fact->key, "seeds")) return;
    for (int i = 0; i < s->keys; i++)
        if (!strcmp(s->key[i].path, fact->key)) return;
    int at = find(&s->constant, fact->key);
    if (at < 0) {
        add_constant(&s->constant, fact);
    } else if (strcmp(s->constant.item[at].value, fact->value)) {
        add_key(s, fact->key);
        drop_constant(&s->constant, at);
    }
}

/* The last `parts` parts of a dotted path. */
static const char *tail(const char *path, int parts)
{
    const char *p = path + strlen(path);
    while (p > path && (p[-1] != '.' || --parts > 0)) p--;
    return p;
}

static void name_keys(struct skl_study *s)
{
    for (int i = 0; i < s->keys; i++) {
        int parts = 1;
        for (int j = 0; j < s->keys; j++)
            while (j != i && parts < 8 && !strcmp(tail(s->key[i].path, parts), tail(s->key[j].path, parts))) parts++;
        s->key[i].name = skl_strdup(tail(s->key[i].path, parts));
    }
}

/* ---- the paper's protocol ---- */

struct protocol_key {
    const char *key, *paper, *said;
    bool required; /* absent: not the paper's; the others' defaults are */
};
static const struct protocol_key protocol[] = {
    {"data.dataset", "cifar10", "data set", true},
    {"model.depth", "110", "depth", true},
    {"train.iterations", "64000", "iterations", true},
    {"train.batch", "128", "batch", true},
    {"train.lr", "0.1", "learning rate", false},
    {"train.lr_drops.at", "[32000, 48000]", "learning rate drops at", true},
    {"train.lr_drops.factor", "0.1", "drops by", false},
    {"model.width", "16", "width", false},
    {"model.block", "basic", "block", false},
    {"data.size", "32", "image size", false},
    {"data.train_images", "0", "training images", false},
    {"data.test_images", "0", "test images", false},
    {"data.validation", "0", "images held out", false},
};

static bool same_value(const char *a, const char *b)
{
    char *end_a, *end_b;
    double x = strtod(a, &end_a), y = strtod(b, &end_b);
    return !strcmp(a, b) || (*a && *b && !*end_a && !*end_b && x == y);
}

static bool as_in_paper(const struct skl_facts *facts, const struct protocol_key *k)
{
    const char *value = skl_facts_get(facts, k->key);
    return value ? same_value(value, k->paper) : !k->required;
}

static void describe_protocol(struct skl_study *s)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    for (size_t k = 0; k < sizeof protocol / sizeof *protocol; k++) {
        const char *value = NULL;
        int other = 0, begun = 0;
        for (int i = 0; i < s->results.settings; i++) {
            const struct skl_report_row *row = &s->row[i];
            if (row->facts.count == 0 || (!row->paper_fails && isnan(row->paper))) continue;
            begun++;
            if (as_in_paper(&row->facts, &protocol[k])) continue;
            const char *own = skl_facts_get(&row->facts, protocol[k].key);
            value = other++ && (!value || strcmp(value, own ? own : "")) ? NULL : own;
        }
        if (other == 0) continue;
        fprintf(out, "%s%s %s", ftell(out) > 0 ? ", " : "", protocol[k].said,
                value && *value && other == begun ? value : "in part other");
        fprintf(out, " (the paper's %s)", protocol[k].paper);
    }
    skl_text_close(&t);
    s->protocol = *t.text ? t.text : NULL;
    if (!s->protocol) free(t.text);
}

bool skl_row_follows_paper(const struct skl_report_row *row)
{
    for (size_t k = 0; k < sizeof protocol / sizeof *protocol; k++)
        if (!as_in_paper(&row->facts, &protocol[k])) return false;
    return true;
}

void skl_study_keys(struct skl_study *s)
{
    for (int i = 0; i < s->results.settings; i++)
        for (int k = 0; k < s->row[i].facts.count; k++) take(s, &s->row[i].facts.item[k]);
    name_keys(s);
    describe_protocol(s);
}
