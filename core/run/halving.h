/* halving.h - what a sweep says to a run that has come to a rung (core/sweep/halving.h). */
#ifndef SKL_RUN_HALVING_H
#define SKL_RUN_HALVING_H

enum skl_rung { SKL_RUNG_GO_ON, SKL_RUNG_STOP, SKL_RUNG_WAIT };
#endif
