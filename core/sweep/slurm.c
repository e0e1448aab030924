/* slurm.c - lists of runs, a script, and sbatch. */
#include "core/sweep/slurm.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/sweep/claim.h"
#include "core/sweep/jobs.h"
#include "core/train/settings.h"

enum { DEFAULT_ARRAY_SIZE = 1001, OUTPUT_LIMIT = 1 << 20 };

/* $1 the program, $2 the list of run folders, the rest goes to `train`.  The shell gets USR1 (--signal=B:) or TERM and
 * hands it on to srun, which hands it to the run; `wait` returns at each signal. */
static const char script_text[] =
    "#!/bin/sh\n"
    "# Written by skiplab sweep --slurm: one element of a job array trains one run.\n"
    "program=$1 list=$2\n"
    "shift 2\n"
    "run=$(sed -n \"${SLURM_ARRAY_TASK_ID}p\" \"$list\")\n"
    "srun --ntasks=1 \"$program\" train \"$run/config.yaml\" --run-dir \"$run\" \"$@\" &\n"
    "child=$!\n"
    "trap 'kill -USR1 $child' USR1 TERM\n"
    "wait $child\n"
    "code=$?\n"
    "while kill -0 $child 2>/dev/null; do wait $child; code=$?; done\n"
    "if [ $code = 75 ]; then scontrol requeue \"${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}\"; fi\n"
    "exit $code\n";

/* ---- other programs ---- */

/* Runs argv without a shell, its standard output in text (at most size - 1 bytes).  -1: not run, else its exit code. */
static int run_program(char *const argv[], char *text, size_t size)
{
    int ends[2];
    text[0] = 0;
    if (pipe(ends)) return -1;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(ends[1]);
    FILE *f = fdopen(ends[0], "r");
    SKL_CHECK(f);
    size_t n = pid > 0 ? fread(text, 1, size - 1, f) : 0;
    text[n] = 0;
    for (char rest[4096]; pid > 0 && fread(rest, 1, sizeof rest, f) > 0;) continue;
    fclose(f);
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) == 127) return -1;
    return WEXITSTATUS(status);
}

/* The largest number of elements of one array: its indices go from 1 to MaxArraySize - 1. */
static int array_size(void)
{
    char *text = skl_alloc(OUTPUT_LIMIT), *argv[] = {"scontrol", "show", "config", NULL};
    int size = DEFAULT_ARRAY_SIZE;
    if (run_program(argv, text, OUTPUT_LIMIT) == 0) {
        const char *line = strstr(text, "MaxArraySize");
        const char *value = line ? strchr(line, '=') : NULL;
        if (value) size = (int)strtol(value + 1, NULL, 10);
    }
    free(text);
    return size > 1 ? size - 1 : DEFAULT_ARRAY_SIZE - 1;
}

/* ---- submitting ---- */

struct submission {
    const struct skl_plan *plan;
    const struct skl_sweep_options *options;
    char *folder, *script, program[PATH_MAX];
};

static int submit(const struct submission *s, const char *list, int count, struct skl_err *err)
{
    const struct skl_sweep_options *o = s->options;
    int threads = o->threads ? o->threads : 1;
    char *cap = o->jobs ? skl_format("%%%d", o->jobs) : skl_strdup("");
    char *array = skl_format("--array=1-%d%s", count, cap), *name = skl_format("--job-name=skiplab-%s", s->plan->name);
    char *output = skl_format("--output=%s/%%A_%%a.log", s->folder), *cpus = skl_format("--cpus-per-task=%d", threads);
    char number[16], id[256];
    snprintf(number, sizeof number, "%d", threads);
    char *argv[24] = {"sbatch",
                      "--parsable",
                      array,
                      name,
                      output,
                      cpus,
                      "--requeue",
                      "--open-mode=append",
                      "--signal=B:USR1@120",
                      s->script,
                      (char *)s->program,
                      (char *)list,
                      "--threads",
                      number};
    int n = 14;
    if (o->allow_other_numerics) argv[n++] = "--allow-other-numerics";
    int code = run_program(argv, id, sizeof id), status = SKL_OK;
    id[strcspn(id, ";\n")] = 0;
    if (code < 0)
        status = skl_fail(err, SKL_FAILED, "sbatch is not here; --slurm wants a machine that submits Slurm jobs");
    else if (code || !*id)
        status = skl_fail(err, SKL_FAILED, "sbatch refused the job array %s (exit code %d; its message stands above)",
                          list, code);
    else
        printf("job array %s: %d runs of %s\n", id, count, list);
    free(cap);
    free(array);
    free(name);
    free(output);
    free(cpus);
    return status;
}

/* Runs [first, first + count) of the chosen ones as a file, a folder a line. */
static int write_list(const struct submission *s, struct skl_job *const *chosen, int first, int count, char **path,
                      struct skl_err *err)
{
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    SKL_CHECK(f);
    for (int i = first; i < first + count; i++) fprintf(f, "%s\n", chosen[i]->folder);
    fclose(f);
    *path = skl_format("%s/runs-%ld-%d.txt", s->folder, (long)getpid(), first);
    int status = skl_file_write(*path, text, n, err);
    free(text);
    return status;
}

static int submit_all(const struct submission *s, struct skl_job *const *chosen, int count, struct skl_err *err)
{
    int size = array_size(), status = SKL_OK;
    for (int first = 0; first < count && !status; first += size) {
        char *list = NULL;
        int n = count - first < size ? count - first : size;
        status = write_list(s, chosen, first, n, &list, err);
        if (!status) status = submit(s, list, n, err);
        free(list);
    }
    return status;
}

/* What is to be submitted, with its folder and config.yaml made. */
static int choose(struct skl_driver *d, struct skl_job **chosen, int *count, struct skl_err *err)
{
    int status = SKL_OK;
    *count = 0;
    for (int i = 0; i < d->count && !status; i++) {
        struct skl_job *j = &d->job[i];
        if (j->status != SKL_JOB_WAITING || skl_claim_holder(j->folder, NULL) == SKL_HOLDER_LIVE) continue;
        status = skl_mkdirs(j->folder, err);
        if (!status) status = skl_settings_write(d->plan, j->run, j->folder, err);
        chosen[(*count)++] = j;
    }
    return status;
}

static int prepare(struct submission *s, struct skl_err *err)
{
    ssize_t n = readlink("/proc/self/exe", s->program, sizeof s->program - 1);
    if (n <= 0) return skl_fail(err, SKL_FAILED, "cannot tell where this program stands: %s", strerror(errno));
    s->program[n] = 0;
    s->folder = skl_format("%s/%s/slurm", s->options->results, s->plan->name);
    s->script = skl_path(s->folder, "run.sh");
    if (strchr(s->folder, '\n'))
        return skl_fail(err, SKL_USAGE, "--slurm cannot work in a folder with a line feed in its name");
    if (s->options->redo)
        return skl_fail(err, SKL_USAGE, "--redo and --slurm do not go together; use 'skiplab train ... --redo'");
    int status = skl_mkdirs(s->folder, err);
    return status ? status : skl_file_write(s->script, script_text, sizeof script_text - 1, err);
}

int skl_sweep_slurm(const struct skl_plan *plan, const struct skl_sweep_options *options, struct skl_err *err)
{
    struct skl_driver d;
    struct submission s = {.plan = plan, .options = options};
    int status = skl_jobs_prepare(&d, plan, options, err), count = 0;
    struct skl_job **chosen = skl_alloc_array((size_t)plan->count + 1, sizeof(struct skl_job *));
    if (!status) status = prepare(&s, err);
    if (!status) status = choose(&d, chosen, &count, err);
    if (!status && !count)
        fprintf(stderr, "%s: nothing to submit: all %d runs are finished, failed or running\n", plan->name, d.count);
    if (!status) status = submit_all(&s, chosen, count, err);
    free(chosen);
    free(s.folder);
    free(s.script);
    skl_jobs_release(&d);
    return status;
}
