/* claim.h - one writer a folder, across processes and hosts that share it: a run's folder while it is trained, a
 * sweep's while its plan is decided.
 *
 * A claim is a folder FOLDER/claim/N that holds one file `owner`: host, boot, process namespace, process, its start
 * time.  It is made under a random name and renamed, which fails if N exists: nobody sees half a claim and exactly
 * one of several claimants gets it; no file locks, which network file systems are known to break.  While a claim is
 * held a thread touches the file every 10 s.
 *
 * An owner of the same boot and namespace is dead once its process is gone: it is followed at once, as N+1.  Any other
 * owner is dead when its file has not been touched for 30 s by the file system's own clock.
 *
 * An owner that only stood still may wake after that.  So that it spoils nothing, whatever a claim guards is made in
 * the claim's own folder, its desk, and gets its name by a rename from there; and who follows an owner first takes that
 * folder out of its place and empties it.  From an emptied desk nothing can be published, and rows go to files that
 * have lost their names: what woke finds out at its next rename or heartbeat. */
#ifndef SKL_CLAIM_H
#define SKL_CLAIM_H
#include <stdbool.h>
#include "core/base/err.h"

struct skl_claim;
/* folder must exist.  SKL_BUSY: another process holds it, named in the message.  SKL_FAILED: cannot write there. */
int skl_claim_take(const char *folder, struct skl_claim **claim, struct skl_err *err);
void skl_claim_release(struct skl_claim *claim); /* frees; NULL: nothing */
/* The open folder for skl_atomic_open_at and its like (core/base/fs.h); the claim keeps it. */
int skl_claim_desk(const struct skl_claim *claim);
/* SKL_BUSY: another process has taken the folder over. */
int skl_claim_check(const struct skl_claim *claim, struct skl_err *err);

enum skl_holder { SKL_HOLDER_NONE, SKL_HOLDER_LIVE, SKL_HOLDER_DEAD };
struct skl_owner {
    char host[65], boot[40], space[40];
    long pid;
    unsigned long long started;
};
/* Who holds the folder, without touching anything.  owner may be NULL.  SKL_DATA: that cannot be told just now (EIO,
 * ESTALE, EACCES). */
int skl_claim_look(const char *folder, enum skl_holder *holder, struct skl_owner *owner, struct skl_err *err);
enum skl_holder skl_claim_holder(const char *folder, struct skl_owner *owner); /* where it cannot be told: live */
#endif
