/* claim.h - one writer a run's folder, across processes and hosts that share the folder.
 *
 * A claim is a folder FOLDER/claim/N that holds one file `owner`: host, boot, process namespace, process, its start
 * time.  It is made under a temporary name and renamed, which fails if N exists: nobody sees half a claim and exactly
 * one of several claimants gets it; no file locks, which network file systems are known to break.  While a claim is
 * held a thread touches the file every 10 s.
 *
 * An owner of the same boot and namespace is dead once its process is gone: it is followed at once, as N+1.  Any other
 * owner is dead when its file has not been touched for 30 s by the file system's own clock. */
#ifndef SKL_CLAIM_H
#define SKL_CLAIM_H
#include "core/base/err.h"

struct skl_claim;
/* folder must exist.  SKL_BUSY: another process holds it, named in the message.  SKL_FAILED: cannot write there. */
int skl_claim_take(const char *folder, struct skl_claim **claim, struct skl_err *err);
void skl_claim_release(struct skl_claim *claim); /* frees; NULL: nothing */

enum skl_holder { SKL_HOLDER_NONE, SKL_HOLDER_LIVE, SKL_HOLDER_DEAD };
struct skl_owner {
    char host[65], boot[40], space[40];
    long pid;
    unsigned long long started;
};
/* Who holds the folder, without touching anything.  owner may be NULL. */
enum skl_holder skl_claim_holder(const char *folder, struct skl_owner *owner);
#endif
