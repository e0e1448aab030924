#include "core/config/figure_words.h"

#include <stdlib.h>

#include "core/config/plan.h"

char **skl_figure_word(struct skl_figure_words *words, const struct skl_key *key)
{
    return (char **)((char *)words + key->offset - offsetof(struct skl_plan, figure));
}

bool skl_figure_set(struct skl_figure_words *words, const char *name, const char *text)
{
    char *path = skl_format("figure.%s", name);
    const struct skl_key *key = skl_key_find(path);
    free(path);
    if (!key || !skl_key_takes(key, text)) return false;
    free(*skl_figure_word(words, key));
    *skl_figure_word(words, key) = skl_strdup(text);
    return true;
}

void skl_figure_release(struct skl_figure_words *words)
{
    for (int i = 0; i < skl_key_count(); i++)
        if (skl_key_get(i)->flags & SKL_KEY_SHOWN) free(*skl_figure_word(words, skl_key_get(i)));
    *words = (struct skl_figure_words){0};
}
