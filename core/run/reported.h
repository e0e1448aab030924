/* reported.h - how a run's process tells the sweep that started it how it fares: an open file that holds one line,
 * which is overwritten, and behind it a word of enum skl_cause (record.h).  core/train/progress.h says what stands in
 * it. */
#ifndef SKL_RUN_REPORTED_H
#define SKL_RUN_REPORTED_H

#define SKL_REPORT_VARIABLE "SKIPLAB_PROGRESS_FD"    /* of the environment: the number of the file */
enum { SKL_REPORT_LINE = 96, SKL_REPORT_WORD = 16 }; /* bytes, blanks at the end among them */
#endif
