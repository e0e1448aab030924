/* lab.h - starts the program on a small synthetic experiment, stops it in unkind ways, compares what it leaves. */
#ifndef SKL_TEST_LAB_H
#define SKL_TEST_LAB_H
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include "tests/unit/scratch.h"
#include "core/base/err.h"
#include "core/base/fs.h"

enum { LAB_WORDS = 12 };
/* One start of `skiplab train`. */
struct launch {
    const char *folder;           /* the run's, below the scratch folder */
    const char *words[LAB_WORDS]; /* options and overrides, NULL-terminated */
    const char *env[3];           /* "KEY=VALUE", NULL-terminated */
    long file_limit;              /* largest file it may write; 0: none */
    const char *fault;            /* what tests/faults/shim.c shall do, such as "kill 11"; NULL: nothing */
};

static const char *const lab_variants[] = {"{type: identity}",
                                           "{type: constant_scaling}",
                                           "{type: exclusive_gating}",
                                           "{type: shortcut_only_gating}",
                                           "{type: conv1x1}",
                                           "{type: dropout}",
                                           NULL};

/* exp.yaml in the scratch folder: ResNet-8, width 8, 8x8 images; 3 epochs and a bit, 4 checkpoints. */
static inline void lab_write_config(const char *shortcut)
{
    char *text = skl_format("name: lab\n"
                            "model: {depth: 8, width: 8, shortcut: %s}\n"
                            "data: {dataset: synthetic, synthetic: {train: 96, test: 40, size: 8, channels: 3, "
                            "classes: 10}, validation: 16}\n"
                            "train: {iterations: 18, batch: 16, bn_batch: 8, lr: 0.05, warmup: {lr: 0.01, iterations: "
                            "3}, lr_drops: {at: [12], factor: 0.1},\n"
                            "        log_every: 4, test_every: 6, checkpoint_every: 5}\n",
                            shortcut);
    put_file(in_scratch("exp.yaml"), text, strlen(text));
    free(text);
}

/* Through a link in the scratch folder, as LD_PRELOAD is a list parted by blanks and colons.  AddressSanitizer refuses
 * to start behind another preloaded library unless told not to look. */
static inline void lab_preload_shim(const char *fault)
{
    const char *given = getenv("ASAN_OPTIONS"), *shim = in_scratch("shim.so");
    char *more = skl_format("%s:verify_asan_link_order=0", given ? given : "");
    if (symlink(FAULT_SHIM, shim) && errno != EEXIST) _exit(97);
    setenv("LD_PRELOAD", shim, 1);
    setenv("SKL_FAULT", fault, 1);
    setenv("ASAN_OPTIONS", more, 1);
    free(more);
}

static inline void lab_exec(const struct launch *l)
{
    const char *argv[LAB_WORDS + 8] = {SKIPLAB, "train", in_scratch("exp.yaml"), "--run-dir", in_scratch(l->folder)};
    int argc = 5;
    for (int i = 0; l->words[i]; i++) argv[argc++] = l->words[i];
    for (int i = 0; l->env[i]; i++) putenv((char *)l->env[i]);
    if (l->fault) lab_preload_shim(l->fault);
    char err[600];
    snprintf(err, sizeof err, "%s.stderr", in_scratch(l->folder));
    if (!freopen(err, "w", stderr) || !freopen("/dev/null", "w", stdout)) _exit(99);
    if (l->file_limit) {
        struct rlimit limit = {(rlim_t)l->file_limit, (rlim_t)l->file_limit};
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    execv(SKIPLAB, (char **)argv);
    _exit(98);
}

static inline pid_t lab_start(const struct launch *l)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) lab_exec(l);
    assert_true(pid > 0);
    return pid;
}

/* The exit code, or 1000 + the signal that killed it. */
static inline int lab_wait(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0) assert_int_equal(errno, EINTR);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static inline int lab_train(const struct launch *l) { return lab_wait(lab_start(l)); }

static inline char *lab_read(const char *path, size_t *n)
{
    char *data = NULL;
    if (skl_file_read(path, (size_t)1 << 30, &data, n, NULL)) data = NULL, *n = 0;
    return data;
}

static inline char *lab_stderr(const char *folder)
{
    char path[600];
    size_t n;
    snprintf(path, sizeof path, "%s.stderr", in_scratch(folder));
    char *text = lab_read(path, &n);
    return text ? text : skl_strdup("");
}

static inline void lab_expect(int code, int wanted, const char *folder)
{
    if (code == wanted) return;
    char *text = lab_stderr(folder), said[2000]; /* a failure does not return: nothing may be left to free */
    snprintf(said, sizeof said, "%s", text);
    free(text);
    fail_msg("%s: exit %d instead of %d: %s", folder, code, wanted, said);
}

static inline char *lab_path(const char *folder, const char *file)
{
    return skl_format("%s/%s", in_scratch(folder), file);
}

/* Lines of train.csv so far, its header among them. */
static inline int lab_rows(const char *folder)
{
    char *path = lab_path(folder, "train.csv");
    size_t n;
    int rows = 0;
    char *text = lab_read(path, &n);
    for (const char *p = text; p && (p = strchr(p, '\n')); p++) rows++;
    free(text), free(path);
    return rows;
}

/* Everything that must not depend on threads, interruptions or time. */
static inline void lab_same(const char *a, const char *b)
{
    static const char *const files[] = {"config.yaml",    "train.csv",        "test.csv",
                                        "validation.csv", "last.safetensors", "prev.safetensors"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *pa = lab_path(a, files[i]), *pb = lab_path(b, files[i]);
        size_t na, nb;
        char *da = lab_read(pa, &na), *db = lab_read(pb, &nb);
        if (!da || !db || na != nb || memcmp(da, db, na)) fail_msg("%s differs between %s and %s", files[i], a, b);
        free(da), free(db), free(pa), free(pb);
    }
}

static inline void lab_run_json_says(const char *folder, const char *part)
{
    char *path = lab_path(folder, "run.json");
    size_t n;
    char *text = lab_read(path, &n);
    assert_non_null(text);
    assert_contains(text, part);
    free(text), free(path);
}

static inline void lab_remove(const char *folder)
{
    char *command = skl_format("rm -rf '%s'", in_scratch(folder));
    assert_int_equal(system(command), 0);
    free(command);
}

static inline void lab_copy(const char *from, const char *to)
{
    lab_remove(to);
    char *command = skl_format("cp -r '%s' '%s'", in_scratch(from), in_scratch(to));
    assert_int_equal(system(command), 0);
    free(command);
}

static inline void lab_unlink(const char *folder, const char *file)
{
    char *path = lab_path(folder, file);
    assert_int_equal(unlink(path), 0);
    free(path);
}

static inline void lab_sleep(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&t, &t) && errno == EINTR) {}
}
#endif
