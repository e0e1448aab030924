#include "core/sweep/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/config/registry.h"

void skl_words_add(struct skl_words *w, char *word)
{
    SKL_CHECK(w->count < SKL_WORDS_MAX);
    w->word[w->count++] = word;
}

void skl_words_release(struct skl_words *w)
{
    for (int i = 0; i < w->count; i++) free(w->word[i]);
}

/* Each that a run of the plan needs: config.yaml names it by its hash alone. */
static void add_plugins(const struct skl_plan *plan, struct skl_words *w)
{
    const int before = w->count;
    for (int i = 0; i < plan->count; i++) {
        const char *path = skl_registry_path(plan->run[i].exp.model.shortcut);
        bool there = !path;
        for (int k = before; k < w->count && !there; k++) there = !strcmp(w->word[k], path);
        if (there) continue;
        skl_words_add(w, skl_strdup("--plugin"));
        skl_words_add(w, skl_strdup(path));
    }
}

int skl_words_program(char program[PATH_MAX], char folder[PATH_MAX], struct skl_err *err)
{
    const ssize_t n = readlink("/proc/self/exe", program, PATH_MAX - 1);
    if (n <= 0 || !getcwd(folder, PATH_MAX))
        return skl_fail(err, SKL_FAILED, "cannot tell where this program stands, or in which folder: %s",
                        strerror(errno));
    program[n] = 0;
    return SKL_OK;
}

int skl_words_threads(const struct skl_sweep_options *options) { return options->threads ? options->threads : 1; }

void skl_words_train(struct skl_words *w, const struct skl_plan *plan, const struct skl_sweep_options *options)
{
    skl_words_add(w, skl_strdup("--threads"));
    skl_words_add(w, skl_format("%d", skl_words_threads(options)));
    if (options->allow_other_numerics) skl_words_add(w, skl_strdup("--allow-other-numerics"));
    if (options->extend) skl_words_add(w, skl_strdup("--extend"));
    if (options->device) skl_words_add(w, skl_strdup("--device")), skl_words_add(w, skl_strdup(options->device));
    add_plugins(plan, w);
}
