/* slurm.c - lists of runs, a script, and sbatch. */
#include "core/sweep/slurm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/desk.h"
#include "core/base/grow.h"
#include "core/base/say.h"
#include "core/sweep/jobs.h"
#include "core/sweep/words.h"

enum { DEFAULT_ARRAY_SIZE = 1001, OUTPUT_LIMIT = 1 << 20 };

/* $1 the program, $2 the sweep's folder, $3 the list of runs, both relative to $4; $5 runs an element; the rest goes to
 * `train`. */
static const char script_text[] =
    "#!/bin/sh\n"
    "# Written by skiplab sweep --slurm: one element of a job array trains so many runs, one after another.\n"
    "program=$1 sweep=$2 list=$3 folder=$4 pack=$5\n"
    "shift 5\n"
    "say() { echo \"skiplab: $*\" >&2; }\n"
    "element=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID\n"
    "cd \"$folder\" || { say \"job $element: no folder $folder on $(uname -n)\"; exit 3; }\n"
    "line=$(((SLURM_ARRAY_TASK_ID - 1) * pack)) last=$((SLURM_ARRAY_TASK_ID * pack))\n"
    "\n"
    "# USR1 comes to this shell alone and is handed on; TERM comes to the run too.\n"
    "child= asked=\n"
    "trap 'asked=yes; [ -z \"$child\" ] || kill -USR1 \"$child\"' USR1\n"
    "trap 'asked=yes' TERM\n"
    "\n"
    "train() {\n"
    "    srun --ntasks=1 ${SLURM_CPUS_PER_TASK:+--cpus-per-task=$SLURM_CPUS_PER_TASK} \"$program\" train "
    "\"$sweep/plan.json\" \\\n"
    "        --run-dir \"$run\" \"$@\" &\n"
    "    child=$!\n"
    "    wait $child\n"
    "    code=$?\n"
    "    while kill -0 $child 2>/dev/null; do wait $child; code=$?; done\n"
    "    child=\n"
    "}\n"
    "\n"
    "train_one() {\n"
    "    echo \"skiplab: job $element on $(uname -n), restart ${SLURM_RESTART_COUNT:-0}: $run\" >&2\n"
    "    train \"$@\"\n"
    "    # 4: the run is in use, perhaps by a process that died with its machine: its claim ends after 30 seconds.\n"
    "    tries=4\n"
    "    while [ $code = 4 ] && [ $tries -gt 0 ] && [ -z \"$asked\" ]; do\n"
    "        tries=$((tries - 1))\n"
    "        sleep 10\n"
    "        train \"$@\"\n"
    "    done\n"
    "    # Asked to end before the run could catch it.\n"
    "    if [ -n \"$asked\" ] && [ $code -gt 128 ]; then code=75; fi\n"
    "    # A prolog or srun that goes wrong may say 0.\n"
    "    if [ $code = 0 ] && [ ! -e \"$run/run.json\" ]; then say \"job $element trained nothing\"; code=1; fi\n"
    "}\n"
    "\n"
    "# A run that fails does not stop the next; the first failure is what the element ends with.\n"
    "failure=0 run=\n"
    "while [ $line -lt $last ]; do\n"
    "    line=$((line + 1))\n"
    "    next=$(sed -n \"${line}p\" \"$list\")\n"
    "    [ -n \"$next\" ] || break\n"
    "    run=$sweep/$next\n"
    "    if [ -n \"$asked\" ]; then code=75; else train_one \"$@\"; fi\n"
    "    if [ $code = 75 ]; then break; fi\n"
    "    if [ $failure = 0 ]; then failure=$code; fi\n"
    "done\n"
    "[ -n \"$run\" ] || { say \"job $element: $list has no line $line\"; exit 3; }\n"
    "if [ $code != 75 ]; then code=$failure; fi\n"
    "\n"
    "# What Slurm ends is queued again by Slurm itself where that is right (preemption, requeue, a lost node) and "
    "stays\n"
    "# away where it was cancelled.  Left for us: the warning before a time limit, the limit itself, and preemption "
    "that\n"
    "# cancels.\n"
    "to_be_requeued() {\n"
    "    info=$(scontrol show job -o \"$element\" 2>/dev/null)\n"
    "    case $info in\n"
    "        *JobState=RUNNING*) return 0 ;;\n"
    "        *JobState=*\" Restarts=${SLURM_RESTART_COUNT:-0} \"*) ;;\n"
    "        *JobState=*) return 1 ;;\n"
    "    esac\n"
    "    case $info in\n"
    "        *Reason=TimeLimit*|*PreemptTime=[0-9]*) return 0 ;;\n"
    "        *JobState=*) return 1 ;;\n"
    "    esac\n"
    "}\n"
    "if [ $code = 75 ] && to_be_requeued; then scontrol requeue \"$element\"; fi\n"
    "exit $code\n";

/* The largest number of elements of one array: its indices go from 1 to MaxArraySize - 1. */
static int array_size(void)
{
    char *text = skl_alloc(OUTPUT_LIMIT), *argv[] = {"scontrol", "show", "config", NULL};
    int size = DEFAULT_ARRAY_SIZE;
    if (skl_program_output(argv, text, OUTPUT_LIMIT) == 0) {
        const char *line = strstr(text, "MaxArraySize");
        const char *value = line ? strchr(line, '=') : NULL;
        if (value) size = (int)strtol(value + 1, NULL, 10);
    }
    free(text);
    return size > 1 ? size - 1 : DEFAULT_ARRAY_SIZE - 1;
}

/* ---- the words of sbatch ---- */

static bool undoes_the_array(const char *word)
{
    static const char *const ours[] = {"--array", "--wrap", "--parsable", "--output", "--signal", "--dependency"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        size_t n = strlen(ours[i]);
        if (!strncmp(word, ours[i], n) && (!word[n] || word[n] == '=')) return true;
    }
    return !strncmp(word, "-a", 2) || !strncmp(word, "-o", 2) || !strncmp(word, "-d", 2);
}

/* sbatch takes the first word that is no option, nor an option's value, as its script. */
static bool stands_alone(const struct skl_words *w, int i)
{
    if (w->word[i][0] == '-') return false;
    const char *before = i ? w->word[i - 1] : "";
    return before[0] != '-' || strchr(before, '=') || (before[1] != '-' && before[1] && before[2]);
}

static int look_at_words(const struct skl_words *w, struct skl_err *err)
{
    for (int i = 0; i < w->count; i++) {
        const char *word = w->word[i];
        if (strpbrk(word, "\"'\\"))
            return skl_fail(
                err, SKL_USAGE,
                "--slurm-options: '%s': words are parted by blanks and quotes mean nothing: sbatch's variables "
                "(SBATCH_COMMENT='a b' skiplab ...) take blanks",
                word);
        if (stands_alone(w, i))
            return skl_fail(err, SKL_USAGE,
                            "--slurm-options: '%s' is no option of sbatch: write it as '--partition=long'", word);
        if (undoes_the_array(word))
            return skl_fail(err, SKL_USAGE, "--slurm-options: '%s' is set by skiplab itself", word);
        if (!strncmp(word, "-M", 2) || !strncmp(word, "--clusters", 10))
            return skl_fail(err, SKL_USAGE,
                            "--slurm-options: '%s': write SLURM_CLUSTERS=NAME skiplab ..., which squeue heeds too",
                            word);
    }
    return SKL_OK;
}

/* The user's own, parted by blanks. */
static int split_words(const char *text, struct skl_words *w, struct skl_err *err)
{
    static const char blanks[] = " \t\n";
    for (const char *p = text; p && *(p += strspn(p, blanks));) {
        size_t n = strcspn(p, blanks);
        if (w->count == SKL_WORDS_MAX / 4) return skl_fail(err, SKL_USAGE, "--slurm-options: too many words");
        skl_words_add(w, skl_format("%.*s", (int)n, p));
        p += n;
    }
    return look_at_words(w, err);
}

/* ---- submitting ---- */

struct submission {
    const struct skl_plan *plan;
    const struct skl_sweep_options *options;
    struct skl_words more; /* the user's */
    char *sweep, *folder, *script, program[PATH_MAX], cwd[PATH_MAX];
    char last[64]; /* the array submitted before this one */
    int pack;      /* runs an element */
};

/* Slurm reads % in a file name. */
static char *output_pattern(const char *folder)
{
    char *text = skl_alloc(2 * strlen(folder) + 16), *to = text;
    for (const char *p = folder; *p; p++) {
        if (*p == '%') *to++ = '%';
        *to++ = *p;
    }
    memcpy(to, "/%A_%a.log", sizeof "/%A_%a.log");
    return text;
}

/* The job's working folder may be another than ours: --chdir. */
static char *absolute(const struct submission *s, const char *path)
{
    return *path == '/' ? skl_strdup(path) : skl_path(s->cwd, path);
}

/* --jobs is a limit to all arrays together: each waits for the one before it.  count: elements. */
static void compose(const struct submission *s, const char *list, int count, struct skl_words *w)
{
    const struct skl_sweep_options *o = s->options;
    char *folder = absolute(s, s->folder), *output = output_pattern(folder);
    free(folder);
    skl_words_add(w, skl_strdup("sbatch"));
    skl_words_add(w, skl_strdup("--parsable"));
    skl_words_add(w, skl_format("--job-name=skiplab-%s", s->plan->name));
    skl_words_add(w, skl_format("--cpus-per-task=%d", skl_words_threads(o)));
    for (int i = 0; i < s->more.count; i++) skl_words_add(w, skl_strdup(s->more.word[i]));
    skl_words_add(w, o->jobs ? skl_format("--array=1-%d%%%d", count, o->jobs) : skl_format("--array=1-%d", count));
    if (o->jobs && *s->last) skl_words_add(w, skl_format("--dependency=afterany:%s", s->last));
    skl_words_add(w, skl_format("--output=%s", output));
    skl_words_add(w, skl_strdup("--requeue"));
    skl_words_add(w, skl_strdup("--open-mode=append"));
    skl_words_add(w, skl_strdup("--signal=B:USR1@120"));
    skl_words_add(w, absolute(s, s->script));
    skl_words_add(w, skl_strdup(s->program));
    skl_words_add(w, skl_strdup(s->sweep));
    skl_words_add(w, skl_strdup(list));
    skl_words_add(w, skl_strdup(s->cwd));
    skl_words_add(w, skl_format("%d", s->pack));
    skl_words_train(w, s->plan, o);
    free(output);
}

/* Remembers which list an array works on, and how many of its lines are an element's. */
static int note_array(const struct submission *s, const char *list, struct skl_err *err)
{
    char *path = skl_path(s->folder, "arrays.txt"),
         *line = skl_format("%s %s %d\n", s->last, strrchr(list, '/') + 1, s->pack);
    int status = skl_file_own(path, err), fd = -1;
    if (!status) status = skl_open(path, O_WRONLY | O_CREAT | O_APPEND, &fd, err);
    int error = status ? 0 : skl_write_all(fd, line, strlen(line));
    if (!status && !error && fsync(fd)) error = errno;
    if (error) status = skl_fail(err, SKL_FAILED, "cannot write '%s': %s", path, strerror(error));
    if (fd >= 0) close(fd);
    free(line);
    free(path);
    return status;
}

/* The job's number: of the last line that is one ("7", "7;cluster", "Submitted batch job 7"), as a site's own sbatch
 * may say more before it.  NULL: there is none.  Changes the text. */
static const char *job_number(char *text)
{
    static const char said[] = "Submitted batch job ";
    const char *found = NULL;
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        const bool in_words = !strncmp(line, said, sizeof said - 1); /* "... 7 on cluster a" too */
        if (in_words) line += sizeof said - 1;
        const size_t n = strspn(line, "0123456789");
        if (!n || n > 18 || !strchr(in_words ? "; \r" : ";\r", line[n])) continue;
        line[n] = 0;
        found = line;
    }
    return found;
}

/* One that went wrong while its array was submitted all the same would be submitted twice. */
static int no_number(const char *list, char *said, struct skl_err *err)
{
    said[strcspn(said, "\n")] = 0;
    return skl_fail(
        err, SKL_FAILED,
        "sbatch ended with 0 but said no job's number for %s%s%.80s%s: look with squeue whether the array is "
        "there, and scancel it",
        list, *said ? ", but '" : "", said, *said ? "'" : "");
}

static int submit(struct submission *s, const char *list, int count, struct skl_err *err)
{
    struct skl_words w = {0};
    compose(s, list, (count + s->pack - 1) / s->pack, &w);
    char *text = skl_alloc(OUTPUT_LIMIT), first[128];
    int code = skl_program_output(w.word, text, OUTPUT_LIMIT), status = SKL_OK;
    skl_words_release(&w);
    snprintf(first, sizeof first, "%s", text);
    const char *id = code ? NULL : job_number(text);
    if (code < 0)
        status = skl_fail(err, SKL_FAILED,
                          "sbatch is not here, or cannot be run; --slurm wants a machine that submits Slurm jobs");
    else if (code)
        status = skl_fail(err, SKL_FAILED, "sbatch refused the job array %s (exit code %d; its message stands above)",
                          list, code);
    else if (!id)
        status = no_number(list, first, err);
    else
        snprintf(s->last, sizeof s->last, "%s", id);
    free(text);
    if (status) return status;
    char *each = s->pack > 1 ? skl_format(", %d an element,", s->pack) : skl_strdup("");
    skl_print("job array %s: %d run%s%s of %s\n", s->last, count, SKL_S(count), each, list);
    free(each);
    return note_array(s, list, err);
}

/* Runs [first, first + count) of the chosen ones as a file, a folder a line. */
static int write_list(const struct submission *s, struct skl_job *const *chosen, int first, int count, char **path,
                      struct skl_err *err)
{
    struct skl_text t;
    FILE *f = skl_text_open(&t);
    for (int i = first; i < first + count; i++) fprintf(f, "%s\n", chosen[i]->run->dir);
    skl_text_close(&t);
    *path = skl_format("%s/runs-%lld-%ld-%d.txt", s->folder, (long long)time(NULL), (long)getpid(), first);
    int status = skl_file_write(*path, t.text, t.n, err);
    free(t.text);
    return status;
}

static int submit_all(struct submission *s, struct skl_job *const *chosen, int count, struct skl_err *err)
{
    int size = array_size() * s->pack, status = SKL_OK;
    for (int first = 0; first < count && !status; first += size) {
        char *list = NULL;
        int n = count - first < size ? count - first : size;
        status = write_list(s, chosen, first, n, &list, err);
        if (!status) status = submit(s, list, n, err);
        free(list);
    }
    return status;
}

/* What is to be submitted, with its folder made.  *queued: runs left out as they are in the queue. */
static int choose(struct skl_driver *d, const struct submission *s, struct skl_job **chosen, int *count, int *queued,
                  struct skl_err *err)
{
    struct skl_queue queue;
    int status = SKL_OK;
    *count = *queued = 0;
    skl_queue_read(s->sweep, &queue);
    if (queue.silent)
        status =
            skl_fail(err, SKL_FAILED,
                     "squeue does not answer, so which runs are in the queue cannot be told: nothing is submitted");
    for (int i = 0; i < d->count && !status; i++) {
        struct skl_job *j = &d->job[i];
        if (!skl_job_is_free(j)) continue;
        if (skl_queue_find(&queue, j->run->dir)) {
            ++*queued;
            continue;
        }
        status = skl_mkdirs(j->folder, err);
        chosen[(*count)++] = j;
    }
    skl_queue_release(&queue);
    return status;
}

static int prepare(struct submission *s, const char *more, struct skl_err *err)
{
    int status = skl_words_program(s->program, s->cwd, err);
    if (status) return status;
    s->sweep = skl_path(s->options->results, s->plan->name);
    s->folder = skl_path(s->sweep, "slurm");
    s->script = skl_path(s->folder, "run.sh");
    if (strchr(s->folder, '\n') || strchr(s->cwd, '\n'))
        return skl_fail(err, SKL_USAGE, "--slurm cannot work in a folder with a line feed in its name");
    if (s->options->redo)
        return skl_fail(err, SKL_USAGE, "--redo and --slurm do not go together; use 'skiplab train ... --redo'");
    if (s->pack > 1 && s->plan->run[0].exp.give_up.halving.every)
        return skl_fail(err, SKL_USAGE,
                        "--pack: runs wait for each other (give_up.halving), so each wants an element of its own");
    status = split_words(more, &s->more, err);
    if (!status) status = skl_mkdirs(s->folder, err);
    return status ? status : skl_file_write(s->script, script_text, sizeof script_text - 1, err);
}

static int choose_and_submit(struct submission *s, struct skl_driver *d, struct skl_err *err)
{
    struct skl_job **chosen = skl_alloc_array((size_t)d->count + 1, sizeof(struct skl_job *));
    int count, queued, status = choose(d, s, chosen, &count, &queued, err);
    if (!status && !count)
        skl_say("%s: nothing to submit: %d run%s finished, failed, running or in the queue\n", s->plan->name, d->count,
                d->count == 1 ? " is" : "s are");
    else if (!status && queued)
        skl_say("%s: %d run%s in the queue already\n", s->plan->name, queued, queued == 1 ? " is" : "s are");
    if (!status) status = submit_all(s, chosen, count, err);
    free(chosen);
    return status;
}

int skl_sweep_slurm(const struct skl_plan *plan, const struct skl_sweep_options *options, const char *more,
                    struct skl_err *err)
{
    struct skl_driver d = {0};
    struct submission s = {.plan = plan, .options = options, .pack = options->pack ? options->pack : 1};
    int status = prepare(&s, more, err);
    if (!status) status = skl_jobs_prepare(&d, plan, options, err);
    if (!status) status = choose_and_submit(&s, &d, err);
    skl_jobs_release(&d);
    skl_words_release(&s.more);
    free(s.sweep);
    free(s.folder);
    free(s.script);
    return status;
}
