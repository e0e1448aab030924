/* screen.h - the terminal for a page of its own: keys as they are pressed, the window's size, and the terminal as it
 * was at any end: of the page, by a signal, by a fault, by want of memory.  One a process, on stdin and stdout. */
#ifndef SKL_SCREEN_H
#define SKL_SCREEN_H
#include <stdbool.h>
#include <stddef.h>

enum skl_event {
    SKL_EVENT_NONE, /* the time is over */
    SKL_EVENT_RESIZED,
    SKL_EVENT_ENDED, /* by a signal, see skl_screen_signal(), or the terminal is gone */
    SKL_EVENT_UP,
    SKL_EVENT_DOWN,
    SKL_EVENT_PAGE_UP,
    SKL_EVENT_PAGE_DOWN,
    SKL_EVENT_KEY /* another one: *key */
};

/* Can a page be shown: is stdout a terminal, and no "dumb" one? */
bool skl_screen_possible(void);
/* Takes the terminal and the signals that end or stop a process; all others see nothing of them until they are let in
 * by skl_screen_wait(). */
void skl_screen_enter(void);
void skl_screen_leave(void); /* as it was; also where it was never entered */
void skl_screen_size(int *columns, int *rows);
/* Shows a page: lines that end with '\n', no longer than the window.  false: the terminal is gone, or a signal came. */
bool skl_screen_show(const char *page, size_t n);
/* Until something happens, `seconds` at most.  Where the process is stopped (Ctrl-Z) the terminal is as it was. */
enum skl_event skl_screen_wait(double seconds, char *key);
bool skl_screen_typed(void); /* is another key there already? */
/* The signal that ended it, 0: none. */
int skl_screen_signal(void);
/* Ends the process by that signal, as if nobody had caught it. */
void skl_screen_end_by_signal(void);
#endif
