#include "core/report/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/place.h"
#include "core/base/program.h"
#include "core/base/say.h"

/* gnuplot does not look at whether its writes succeed.  So it writes into memory, and what it wrote is written to the
 * folder by skl_file_write_quick(), which does: a picture appears whole or not at all, whatever the disk. */
extern char **environ;
static const struct {
    const char *name, *end; /* end: what the file ends with, but for a line feed */
    size_t bytes;
} formats[] = {{"svg", "</svg>", 6}, {"pdf", "%%EOF", 5}, {"png", "IEND\xae\x42\x60\x82", 8}};
enum { FORMATS = sizeof formats / sizeof *formats };

struct drawing {
    pid_t pid;
    int picture[FORMATS], log; /* files in memory; log: what gnuplot says */
};

bool skl_gnuplot_is_here(void)
{
    char *program = skl_program("gnuplot");
    free(program);
    return program != NULL;
}

/* ---- the process ---- */

static int open_memory(struct drawing *d, struct skl_err *err)
{
    bool opened = (d->log = memfd_create("gnuplot.log", MFD_CLOEXEC)) >= 0;
    for (int f = 0; f < FORMATS; f++) {
        d->picture[f] = memfd_create(formats[f].name, MFD_CLOEXEC);
        opened &= d->picture[f] >= 0;
    }
    return opened ? SKL_OK : skl_fail(err, SKL_FAILED, "cannot start gnuplot: %s", strerror(errno));
}

static void close_memory(struct drawing *d)
{
    if (d->log >= 0) close(d->log);
    for (int f = 0; f < FORMATS; f++)
        if (d->picture[f] >= 0) close(d->picture[f]);
}

/* Where a limit to a file's size is met gnuplot is to end, not to go on: whoever started us may ignore that signal. */
static void default_signals(posix_spawnattr_t *attributes)
{
    sigset_t fatal;
    sigemptyset(&fatal);
    sigaddset(&fatal, SIGXFSZ);
    sigaddset(&fatal, SIGPIPE);
    posix_spawnattr_init(attributes);
    posix_spawnattr_setsigdefault(attributes, &fatal);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF);
}

/* What the user sets for his own gnuplot: a terminal that is not here, and files that it would read or write. */
static void forget_own_settings(void)
{
    static const char *const own[] = {"GNUTERM", "GNUPLOT_LIB", "GNUHELP", "FIT_LOG", "FIT_SCRIPT"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) unsetenv(own[i]);
}

/* Starts gnuplot in the open folder; the pictures keep their numbers there.  out: its standard output. */
static int start(int folder, char *const *argv, int out, struct drawing *d, struct skl_err *err)
{
    char *program = skl_program("gnuplot");
    if (!program)
        return skl_fail(err, SKL_FAILED, "gnuplot is not installed (Debian, Ubuntu: apt-get install gnuplot-nox)");
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    forget_own_settings();
    default_signals(&attributes);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, d->log, 2);
    posix_spawn_file_actions_addfchdir_np(&actions, folder);
    for (int f = 0; f < FORMATS; f++)
        posix_spawn_file_actions_adddup2(&actions, d->picture[f], d->picture[f]); /* open after exec */
    int error = posix_spawn(&d->pid, program, &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    free(program);
    return error ? skl_fail(err, SKL_FAILED, "cannot start gnuplot: %s", strerror(error)) : SKL_OK;
}

/* All that stands in a file in memory; malloc'd. */
static char *read_memory(int fd, size_t *n)
{
    struct stat st;
    *n = fstat(fd, &st) ? 0 : (size_t)st.st_size;
    char *data = skl_alloc(*n + 1);
    for (size_t at = 0; at < *n;) {
        ssize_t got = pread(fd, data + at, *n - at, (off_t)at);
        if (got <= 0 && errno != EINTR) break;
        at += got > 0 ? (size_t)got : 0;
    }
    return data;
}

/* How the process ended, where it did not end well: its last words that are no warning, in one line. */
static int finish(const struct drawing *d, const char *folder, const char *stem, struct skl_err *err)
{
    int status;
    while (waitpid(d->pid, &status, 0) < 0)
        if (errno != EINTR) return skl_fail(err, SKL_FAILED, "waiting for gnuplot: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return SKL_OK;
    if (WIFSIGNALED(status))
        return skl_fail(err, SKL_FAILED, "%s/%s.gp: gnuplot failed: %s", folder, stem, strsignal(WTERMSIG(status)));
    size_t n;
    char *text = read_memory(d->log, &n);
    const char *said = "no message";
    for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (strspn(line, " \t^") < strlen(line) && !strstr(line, "warning:")) said = line;
    skl_fail(err, SKL_FAILED, "%s/%s.gp: gnuplot failed: %s", folder, stem, said);
    free(text);
    return SKL_FAILED;
}

/* ---- pictures ---- */

static bool is_whole(const char *data, size_t n, int format)
{
    size_t end = formats[format].bytes;
    while (n > 0 && data[n - 1] == '\n') n--;
    return n > end && !memcmp(data + n - end, formats[format].end, end);
}

/* Writes the pictures of one script; one that is in memory in part leaves all as they were. */
static int publish(const struct drawing *d, const char *folder, const char *stem, struct skl_err *err)
{
    char *data[FORMATS];
    size_t n[FORMATS];
    int status = SKL_OK;
    for (int f = 0; f < FORMATS; f++) {
        data[f] = read_memory(d->picture[f], &n[f]);
        if (!status && !is_whole(data[f], n[f], f))
            status = skl_fail(err, SKL_FAILED, "%s/%s.gp: gnuplot drew no whole %s", folder, stem, formats[f].name);
    }
    for (int f = 0; f < FORMATS; f++) {
        char *path = skl_format("%s/%s.%s", folder, stem, formats[f].name);
        if (!status) status = skl_file_write_quick(path, data[f], n[f], err);
        free(path);
        free(data[f]);
    }
    return status;
}

static int start_drawing(int folder, const char *stem, struct drawing *d, struct skl_err *err)
{
    char outputs[128], *script = skl_format("%s.gp", stem);
    int n = 0, status = open_memory(d, err);
    for (int f = 0; f < FORMATS; f++)
        n += snprintf(outputs + n, sizeof outputs - (size_t)n, "OUTPUT_%s='/dev/fd/%d';", formats[f].name,
                      d->picture[f]);
    char *argv[] = {"gnuplot", "-d", "-e", outputs, script, NULL};
    if (!status) status = start(folder, argv, d->log, d, err);
    if (status) close_memory(d);
    free(script);
    return status;
}

int skl_gnuplot_draw(const char *folder, const char *const *stems, int count, int jobs, struct skl_err *err)
{
    int fd = skl_place_open_folder(folder);
    if (fd < 0) return skl_fail(err, SKL_FAILED, "cannot open folder '%s': %s", folder, skl_place_error(errno));
    struct drawing *drawing = skl_alloc_array(count ? (size_t)count : 1, sizeof *drawing);
    int status = SKL_OK, started = 0;
    if (jobs < 1) jobs = 1;
    for (int done = 0; done < started || (started < count && !status); done++) {
        while (started < count && started - done < jobs && !status) {
            status = start_drawing(fd, stems[started], &drawing[started], err);
            if (!status) started++;
        }
        if (done == started) break;
        struct skl_err own = {0}, *why = status ? &own : err;
        int here = finish(&drawing[done], folder, stems[done], why);
        if (!here) here = publish(&drawing[done], folder, stems[done], why);
        close_memory(&drawing[done]);
        if (!status) status = here;
    }
    close(fd);
    free(drawing);
    return status;
}

/* ---- the terminal ---- */

/* What gnuplot drew, without the form feed that each picture begins with. */
static char *take_picture(const struct drawing *d)
{
    size_t n;
    char *text = read_memory(d->picture[0], &n), *o = text; /* the log may hold warnings */
    for (const char *p = text; *p; p++)
        if (*p != '\f') *o++ = *p;
    *o = 0;
    return text;
}

int skl_gnuplot_lines(const char *folder, const char *stem, int columns, int rows, char **text, struct skl_err *err)
{
    int fd = skl_place_open_folder(folder);
    if (fd < 0) return skl_fail(err, SKL_FAILED, "cannot open folder '%s': %s", folder, skl_place_error(errno));
    char *size = skl_format("FORMATS='dumb'; TEXT_COLUMNS=%d; TEXT_ROWS=%d", columns, rows);
    char *script = skl_format("%s.gp", stem);
    char *argv[] = {"gnuplot", "-d", "-e", size, script, NULL};
    struct drawing d;
    int status = open_memory(&d, err);
    if (!status) status = start(fd, argv, d.picture[0], &d, err);
    if (!status) status = finish(&d, folder, stem, err);
    if (!status) *text = take_picture(&d);
    close_memory(&d);
    close(fd);
    free(size);
    free(script);
    return status;
}

int skl_gnuplot_print(const char *folder, const char *stem, int columns, int rows, struct skl_err *err)
{
    char *text = NULL;
    int status = skl_gnuplot_lines(folder, stem, columns, rows, &text, err);
    for (char *line = text, *end; !status && *line; line = end + (*end == '\n')) {
        end = strchrnul(line, '\n');
        skl_print("%.*s\n", (int)(end - line), line);
    }
    free(text);
    return status;
}
