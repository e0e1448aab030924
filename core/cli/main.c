/* main.c - skiplab's commands: the table, help, version, errors and exit codes. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cpu.h"
#include "core/base/say.h"
#include "core/base/surroundings.h"
#include "core/cli/command_list.h"
#include "core/cli/commit.h"
#include "core/cli/ending.h"
#include "core/cli/options.h"
#include "core/cli/reference.h"
#include "core/device/choose/devices.h"

#define ROW(id) &skl_cmd_##id,
static const struct skl_command *const commands[] = {SKL_COMMANDS(ROW) NULL};
#undef ROW

static const struct skl_command *find_command(const char *name)
{
    for (int i = 0; commands[i]; i++)
        if (!strcmp(commands[i]->name, name)) return commands[i];
    return NULL;
}

static int unknown_command(const char *word, struct skl_err *err)
{
    const char *names[sizeof commands / sizeof *commands] = {NULL};
    for (int i = 0; commands[i]; i++) names[i] = commands[i]->name;
    const char *hint = skl_nearest(word, names);
    if (hint) return skl_fail(err, SKL_USAGE, "unknown command '%s' (did you mean '%s'?)", word, hint);
    return skl_fail(err, SKL_USAGE, "unknown command '%s' ('skiplab help' lists them)", word);
}

static void print_overview(void)
{
    skl_print("skiplab trains CIFAR-style residual nets with different skip connections on the CPU,\n"
              "logs and draws their loss curves and compares them with the paper's table.\n\n"
              "Try first:\n"
              "  skiplab sweep configs/quickstart.yaml\n"
              "  skiplab plot results/quickstart\n\n"
              "Usage: skiplab COMMAND ...\n\n");
    for (int i = 0; commands[i]; i++) skl_print("  %-14s %s\n", commands[i]->name, commands[i]->summary);
    skl_print(
        "\n'skiplab COMMAND --help' explains one, with examples; 'skiplab --version' names version, BLAS and CPU.\n"
        "Exit codes: 0 done, 1 a run failed, 2 usage or config, 3 data or file missing or corrupt,\n"
        "4 in use by another process, 75 interrupted: the same command again resumes.\n");
}

static int print_version(void)
{
    skl_print("skiplab " SKL_VERSION " (git " SKL_COMMIT ")\n%s\nCPU: %s kernels, %d core%s\n",
              skl_devices[0]->library(), skl_cpu_level_name(skl_cpu_best()), skl_cpu_count(), SKL_S(skl_cpu_count()));
    return SKL_OK;
}

/* skiplab help [COMMAND], or a form of help for other programs (reference.h) */
static int help(int argc, char **argv, struct skl_err *err)
{
    if (argc > 0 && !strcmp(argv[0], "--complete")) {
        skl_complete_print(stdout, commands, argv + 1, argc - 1);
        return SKL_OK;
    }
    if (argc > 1) return skl_fail(err, SKL_USAGE, "help: unexpected word '%s'; usage: skiplab help [COMMAND]", argv[1]);
    if (argc == 0) {
        print_overview();
        return SKL_OK;
    }
    const struct skl_command *cmd = find_command(argv[0]);
    if (!strcmp(argv[0], "--man"))
        skl_man_print(stdout, commands);
    else if (!strcmp(argv[0], "--schema"))
        skl_schema_print(stdout);
    else if (!cmd)
        return unknown_command(argv[0], err);
    else
        skl_options_help(stdout, cmd);
    return SKL_OK;
}

static int run_command(const struct skl_command *cmd, int argc, char **argv, struct skl_err *err)
{
    if (skl_options_asked(argc, argv, "--help") || skl_options_asked(argc, argv, "-h")) {
        skl_options_help(stdout, cmd);
        return SKL_OK;
    }
    if (skl_options_asked(argc, argv, "--version")) return print_version();
    int status = skl_options_parse(cmd, &argc, argv, err);
    return status ? status : cmd->run(argc, argv, err);
}

static int dispatch(int argc, char **argv, struct skl_err *err)
{
    const char *word = argc > 1 ? argv[1] : "help";
    if (!strcmp(word, "--version")) return print_version();
    if (!strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h"))
        return help(argc > 2 ? argc - 2 : 0, argv + 2, err);
    if (word[0] == '-')
        return skl_fail(err, SKL_USAGE, "unknown option '%s' before the command ('skiplab help' lists commands)", word);
    const struct skl_command *cmd = find_command(word);
    return cmd ? run_command(cmd, argc - 2, argv + 2, err) : unknown_command(word, err);
}

static void check_tables(void)
{
    for (int i = 0; commands[i]; i++) {
        const char *fault = skl_options_unsound(commands[i]);
        if (fault) SKL_BUG("command %s: %s", commands[i]->name, fault);
        if (find_command(commands[i]->name) != commands[i]) SKL_BUG("two commands named %s", commands[i]->name);
    }
}

/* A full disk shows only when the stream is flushed.  A reader that went away (head) is no news, whether now or in an
 * earlier flush, whose errno is long gone. */
static int close_output(int status)
{
    struct pollfd reader = {.fd = STDOUT_FILENO};
    bool failed = ferror(stdout), gone = poll(&reader, 1, 0) == 1 && reader.revents & POLLERR;
    errno = 0;
    if (fclose(stdout)) failed = true;
    if (!failed) return status;
    if (errno != EPIPE && !gone)
        skl_say("skiplab: cannot write to standard output: %s\n", errno ? strerror(errno) : "write error");
    return status ? status : SKL_FAILED;
}

int main(int argc, char **argv)
{
    skl_ending_watch();
    skl_surroundings_reset();
    check_tables();
    struct skl_err err = {0};
    int status = skl_ending_watched(dispatch, argc, argv, &err);
    if (status && err.text[0]) skl_say("skiplab: %s\n", err.text);
    if (status && err.advice[0]) skl_say("skiplab: %s\n", err.advice);
    status = close_output(status);
    skl_ending_now();
    return status;
}
