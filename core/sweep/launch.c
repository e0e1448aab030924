#include "core/sweep/launch.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fs.h"
#include "core/base/grow.h"
#include "core/base/say.h"
#include "core/sweep/jobs.h"
#include "core/sweep/words.h"

struct launch {
    const struct skl_plan *plan;
    const char *form;
    char program[PATH_MAX], cwd[PATH_MAX];
    char *list;             /* plan.json */
    struct skl_words train; /* what all runs' commands end with */
};

/* As a word of the shell: what may mean something to it, a byte above 127 too, stands in quotes. */
static void put_word(FILE *f, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=,:@%+-";
    if (*word && !word[strspn(word, plain)]) {
        fputs(word, f);
        return;
    }
    fputc('\'', f);
    for (const char *p = word; *p; p++) fputs(*p == '\'' ? "'\\''" : (char[]){*p, 0}, f);
    fputc('\'', f);
}

/* It may be run from any folder, on any machine that has this one's files. */
static char *command_of(const struct launch *l, const struct skl_job *j)
{
    const char *const own[] = {l->program, "train", l->list, "--run-dir", j->folder};
    struct skl_text t;
    FILE *f = skl_text_open(&t);
    fputs("cd ", f);
    put_word(f, l->cwd);
    fputs(" && exec", f);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) fputc(' ', f), put_word(f, own[i]);
    for (int i = 0; i < l->train.count; i++) fputc(' ', f), put_word(f, l->train.word[i]);
    skl_text_close(&t);
    return t.text;
}

static void print_line(const struct launch *l, const struct skl_job *j)
{
    char *command = command_of(l, j);
    struct skl_text t;
    FILE *f = skl_text_open(&t);
    for (const char *p = l->form; *p;) {
        if (!strncmp(p, "{}", 2)) {
            put_word(f, command);
            p += 2;
        } else if (!strncmp(p, "{#}", 3)) {
            fprintf(f, "%d", (int)(j->run - l->plan->run) + 1);
            p += 3;
        } else {
            fputc(*p++, f);
        }
    }
    skl_text_close(&t);
    skl_print("%s\n", t.text);
    free(t.text);
    free(command);
}

static int prepare(struct launch *l, const struct skl_sweep_options *o, struct skl_err *err)
{
    if (!strstr(l->form, "{}"))
        return skl_fail(err, SKL_USAGE, "--launch '%s' has no {}, where a run's command goes: --launch 'sh -c {}'",
                        l->form);
    if (o->redo)
        return skl_fail(err, SKL_USAGE, "--redo and --launch do not go together; use 'skiplab train ... --redo'");
    int status = skl_words_program(l->program, l->cwd, err);
    if (status) return status;
    if (strchr(l->form, '\n') || strchr(l->cwd, '\n') || strchr(l->program, '\n') || strchr(o->results, '\n'))
        return skl_fail(err, SKL_USAGE, "--launch writes a line a run: no line feed may stand in it or in a path");
    return SKL_OK;
}

int skl_sweep_launch(const struct skl_plan *plan, const struct skl_sweep_options *options, const char *form,
                     struct skl_err *err)
{
    struct launch l = {.plan = plan, .form = form};
    struct skl_driver d = {0};
    int status = prepare(&l, options, err), count = 0;
    if (!status) status = skl_jobs_prepare(&d, plan, options, err);
    char *sweep = skl_path(options->results, plan->name);
    l.list = skl_path(sweep, "plan.json");
    skl_words_train(&l.train, plan, options);
    for (int i = 0; i < d.count && !status; i++) {
        if (!skl_job_is_free(&d.job[i])) continue;
        status = skl_mkdirs(d.job[i].folder, err);
        if (!status) print_line(&l, &d.job[i]);
        count++;
    }
    if (!status && !count)
        skl_say("%s: nothing to launch: %d run%s finished, failed or running\n", plan->name, d.count,
                d.count == 1 ? " is" : "s are");
    skl_jobs_release(&d);
    skl_words_release(&l.train);
    free(l.list);
    free(sweep);
    return status;
}
