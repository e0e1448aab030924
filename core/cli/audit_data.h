/* audit_data.h - what `skiplab audit --data` adds: the data that runs were trained on, read anew. */
#ifndef SKL_CLI_AUDIT_DATA_H
#define SKL_CLI_AUDIT_DATA_H
#include "core/run/audit.h"

/* For struct skl_audit's begun(): opens the data set of the run's config.yaml, each set once, and tells where its
 * fingerprint is not the recorded one.  Of a folder of pictures all bytes are hashed, and their SHA-256 is a note. */
void skl_audit_data(void *context, struct skl_audit *a, const char *folder, const char *recorded);
void skl_audit_data_release(void);
#endif
