/* footprint.h - the state of this process that foreign code may change behind our back: what a plug-in's constructor
 * (or a library that it brings along) leaves behind.  docs/hardening.md has the list. */
#ifndef SKL_FOOTPRINT_H
#define SKL_FOOTPRINT_H

struct skl_footprint;
struct skl_footprint *skl_footprint_take(void); /* freed by skl_footprint_changed() */
/* In words, what is no longer as it was: "the working folder", "descriptor 2", "how signal 15 (Terminated) is handled";
 * NULL where nothing is.  A static text. */
const char *skl_footprint_changed(struct skl_footprint *before);
#endif
