/* clock.h - seconds that only go forward, from an arbitrary start: for durations.  Dates are core/run/record.h's. */
#ifndef SKL_CLOCK_H
#define SKL_CLOCK_H

double skl_seconds(void);
double skl_thread_seconds(void); /* that the calling thread has computed */
#endif
