#include "core/report/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/say.h"
#include "core/base/bounds.h"

extern char **environ;
static const char *const formats[] = {"svg", "pdf", "png"};
enum { FORMATS = sizeof formats / sizeof *formats };

/* Starts gnuplot in folder; its messages go to log (NULL: nowhere). Returns an errno. */
static int start(const char *folder, char *const *argv, const char *log, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    posix_spawn_file_actions_addopen(&actions, 2, log ? log : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    int error = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int cannot_start(int error, struct skl_err *err)
{
    if (error == ENOENT)
        return skl_fail(err, SKL_FAILED, "gnuplot is not installed (Debian, Ubuntu: apt-get install gnuplot-nox)");
    return skl_fail(err, SKL_FAILED, "cannot start gnuplot: %s", strerror(error));
}

/* True if the process ended well. */
static bool finished(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int start_drawing(const char *folder, const char *scratch, const char *stem, pid_t *pid, struct skl_err *err)
{
    char *prefix = skl_format("PREFIX='%s/'", scratch);
    char *script = skl_format("%s.gp", stem), *log = skl_format("%s/%s.log", scratch, stem);
    char *argv[] = {"gnuplot", "-d", "-e", prefix, script, NULL};
    int error = start(folder, argv, log, pid);
    free(prefix);
    free(script);
    free(log);
    return error ? cannot_start(error, err) : SKL_OK;
}

/* gnuplot's last words that are no warning, in one line. */
static int refused(const char *folder, const char *log, const char *stem, struct skl_err *err)
{
    char *text = NULL;
    size_t n;
    const char *said = "no message";
    if (skl_file_read(log, SKL_LIMIT_OUTPUT, &text, &n, NULL) == SKL_OK)
        for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
            if (strspn(line, " \t^") < strlen(line) && !strstr(line, "warning:")) said = line;
    int status = skl_fail(err, SKL_FAILED, "%s/%s.gp: gnuplot failed: %s", folder, stem, said);
    free(text);
    return status;
}

/* Moves the pictures of one script from scratch to the folder. */
static int publish(const char *folder, const char *scratch, const char *stem, bool ok, struct skl_err *err)
{
    int status = SKL_OK;
    char *log = skl_format("%s/%s/%s.log", folder, scratch, stem);
    for (int f = 0; f < FORMATS; f++) {
        char *from = skl_format("%s/%s/%s.%s", folder, scratch, stem, formats[f]);
        char *to = skl_format("%s/%s.%s", folder, stem, formats[f]);
        struct stat st;
        if (ok && !status && (stat(from, &st) || st.st_size == 0)) status = refused(folder, log, stem, err);
        if (ok && !status && rename(from, to))
            status = skl_fail(err, SKL_FAILED, "cannot write '%s': %s", to, strerror(errno));
        unlink(from);
        free(from);
        free(to);
    }
    if (!ok) status = refused(folder, log, stem, err);
    unlink(log);
    free(log);
    return status;
}

int skl_gnuplot_draw(const char *folder, char *const *stems, int count, int jobs, struct skl_err *err)
{
    char *path = skl_path(folder, ".drawing-XXXXXX");
    if (!mkdtemp(path)) {
        int status = skl_fail(err, SKL_FAILED, "%s: cannot make a folder in it: %s", folder, strerror(errno));
        free(path);
        return status;
    }
    const char *scratch = strrchr(path, '/') + 1;
    pid_t *pid = skl_alloc_array(count ? (size_t)count : 1, sizeof *pid);
    int status = SKL_OK, started = 0;
    if (jobs < 1) jobs = 1;
    for (int done = 0; done < started || (started < count && !status); done++) {
        while (started < count && started - done < jobs && !status) {
            status = start_drawing(folder, scratch, stems[started], &pid[started], err);
            if (!status) started++;
        }
        if (done == started) break;
        struct skl_err own;
        int here = publish(folder, scratch, stems[done], finished(pid[done]), status ? &own : err);
        if (!status) status = here;
    }
    rmdir(path);
    free(pid);
    free(path);
    return status;
}

int skl_gnuplot_print(const char *folder, const char *stem, int columns, int rows, struct skl_err *err)
{
    char *size = skl_format("FORMATS='dumb'; TEXT_COLUMNS=%d; TEXT_ROWS=%d", columns, rows);
    char *script = skl_format("%s.gp", stem);
    char *argv[] = {"gnuplot", "-d", "-e", size, script, NULL};
    pid_t pid;
    skl_print_flush();
    int error = start(folder, argv, NULL, &pid), status = SKL_OK;
    if (error)
        status = cannot_start(error, err);
    else if (!finished(pid))
        status = skl_fail(err, SKL_FAILED, "%s/%s.gp: gnuplot failed", folder, stem);
    skl_print("\n"); /* gnuplot's last line has none */
    free(size);
    free(script);
    return status;
}
