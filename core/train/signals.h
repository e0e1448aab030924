/* signals.h - INT, TERM, USR1, USR2, HUP, XCPU and ALRM ask a run to stop at the next safe point; a second one ends it
 * at once.  What is ignored when the run starts (HUP under nohup) stays ignored. */
#ifndef SKL_SIGNALS_H
#define SKL_SIGNALS_H
#include <stdatomic.h>
/* Installs the handlers and clears the flag.  What they find at skl_signals_restore() is put back. */
void skl_signals_catch(void);
void skl_signals_restore(void);
/* 0, or the number of the signal that came. */
extern atomic_int skl_signal_stop;
#endif
