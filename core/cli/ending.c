#include "core/cli/ending.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/say.h"
#include "core/config/registry.h"

static pid_t commanded; /* 0: done, or not begun */

static void end_from_inside(const char *how)
{
    const char *suspect = "";
    if (getpid() != commanded) return;
    for (int i = 0; i < skl_registry_count(); i++)
        if (*skl_registry_sha256(skl_registry_get(i))) suspect = skl_registry_get(i)->name;
    skl_say("skiplab: ended by %s from inside, before the work was done%s%s%s\n", how,
            *suspect ? "; its shortcut '" : "", suspect, *suspect ? "' is a plug-in" : "");
    skl_leave(SKL_FAILED);
}

/* ---- the ways to end a process; nothing of ours goes them before skl_ending_now() ---- */

static void on_exit_status(int status, void *arg)
{
    char *how = skl_format("an exit(%d)", status);
    end_from_inside(how);
    free(how);
}

static void on_quick_exit(void) { end_from_inside("a quick_exit()"); }

__attribute__((visibility("default"))) void _exit(int status)
{
    char *how = getpid() == commanded ? skl_format("an _exit(%d)", status) : NULL;
    if (how) end_from_inside(how);
    skl_leave(status);
}

__attribute__((visibility("default"))) void _Exit(int status) { _exit(status); }

static void on_thread_end(void *arg) { end_from_inside("a pthread_exit()"); }

/* ---- */

void skl_ending_watch(void)
{
    commanded = getpid();
    on_exit(on_exit_status, NULL);
    at_quick_exit(on_quick_exit);
}

void skl_ending_now(void) { commanded = 0; }

int skl_ending_watched(int (*fn)(int argc, char **argv, struct skl_err *err), int argc, char **argv,
                       struct skl_err *err)
{
    int status;
    pthread_cleanup_push(on_thread_end, NULL);
    status = fn(argc, argv, err);
    pthread_cleanup_pop(0);
    return status;
}
