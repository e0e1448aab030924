#include "core/report/fonts.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/base/program.h"

extern char **environ;
enum { ASKED = 256 }; /* characters whose answer is remembered; after these: no */

static bool everywhere(unsigned code)
{
    static const struct {
        unsigned first, last;
    } blocks[] = {{0x20, 0x7e},     {0xa0, 0x24f},    {0x370, 0x3ff},   {0x400, 0x45f},
                  {0x1e00, 0x1eff}, {0x2010, 0x2027}, {0x2030, 0x203a}, {0x2070, 0x209c},
                  {0x20ac, 0x20ac}, {0x2190, 0x2193}, {0x2200, 0x2265}};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (code >= blocks[i].first && code <= blocks[i].last) return true;
    return false;
}

/* Does fc-list name a font that fits? */
static bool ask(const char *program, char *pattern)
{
    int ends[2];
    pid_t pid;
    char *argv[] = {"fc-list", pattern, "family", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    bool started = false, any = false;
    if (pipe2(ends, O_CLOEXEC) == 0) {
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        started = posix_spawn(&pid, program, &actions, NULL, argv, environ) == 0;
        close(ends[1]);
        char buffer[512];
        for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR);) any |= n > 0;
        close(ends[0]);
    }
    while (started && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
    posix_spawn_file_actions_destroy(&actions);
    return any;
}

bool skl_font_has(unsigned code)
{
    static struct {
        unsigned code;
        bool there;
    } known[ASKED];
    static int count;
    if (everywhere(code)) return true;
    for (int i = 0; i < count; i++)
        if (known[i].code == code) return known[i].there;
    if (count == ASKED) return false;
    char *program = skl_program("fc-list"), *pattern = skl_format(":charset=%x", code);
    known[count].code = code;
    known[count].there = program && ask(program, pattern);
    free(program);
    free(pattern);
    return known[count++].there;
}

bool skl_font_installed(const char *name)
{
    char *program = skl_program("fc-list");
    bool there = program == NULL;
    for (int k = 0; k < 2 && !there; k++) {
        char *pattern = skl_format(":%s=%s", k ? "fullname" : "family", name);
        there = ask(program, pattern);
        free(pattern);
    }
    free(program);
    return there;
}
