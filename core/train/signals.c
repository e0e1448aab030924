#include "core/train/signals.h"

#include <signal.h>

#include "core/base/err.h"
#include "core/base/surroundings.h"

atomic_int skl_signal_stop;

static const int caught[] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP, SIGXCPU, SIGALRM};
enum { CAUGHT = sizeof caught / sizeof *caught };
static struct sigaction before[CAUGHT];

static void on_signal(int number)
{
    int none = 0;
    if (!atomic_compare_exchange_strong(&skl_signal_stop, &none, number) && number != SIGXCPU)
        skl_leave(SKL_INTERRUPTED); /* XCPU comes again each second */
}

void skl_signals_catch(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    atomic_store(&skl_signal_stop, 0);
    for (int i = 0; i < CAUGHT; i++)
        if (skl_signal_ignored(caught[i]))
            sigaction(caught[i], NULL, &before[i]);
        else
            sigaction(caught[i], &action, &before[i]);
}

void skl_signals_restore(void)
{
    for (int i = 0; i < CAUGHT; i++) sigaction(caught[i], &before[i], NULL);
}
