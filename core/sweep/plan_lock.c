#include "core/sweep/plan_lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/place.h"

enum { PATIENCE_MS = 70000, MOST_MS = 50 }; /* a dead owner on another machine is one for 30 s */

static char *place(const char *folder) { return skl_path(folder, ".plan"); }

static bool is_gone(const char *path)
{
    bool there;
    return !skl_is_there(path, &there, NULL) && !there;
}

/* The last one has just done so; no other error goes away by waiting: a read-only or full disk, a folder of others. */
static bool tidied_up(int error) { return skl_is_absent(error) || error == EEXIST || error == ESTALE; }

/* Longer and longer: most plans are decided within milliseconds. */
static int nap(int waited)
{
    int ms = waited / 4 + 1 < MOST_MS ? waited / 4 + 1 : MOST_MS;
    usleep((useconds_t)ms * 1000 + (useconds_t)(getpid() % 997));
    return ms;
}

int skl_plan_lock(const char *folder, struct skl_claim **claim, struct skl_err *err)
{
    char *path = place(folder);
    int status = SKL_BUSY;
    for (int waited = 0; status == SKL_BUSY && waited < PATIENCE_MS; waited += status ? nap(waited) : 0) {
        status = skl_mkdirs(path, err);
        if (!status) status = skl_claim_take(path, claim, err);
        if (status == SKL_FAILED && tidied_up(err->error) && is_gone(path)) status = SKL_BUSY;
    }
    free(path);
    return status;
}

void skl_plan_unlock(const char *folder, struct skl_claim *claim)
{
    if (!claim) return;
    char *path = place(folder);
    skl_claim_release(claim);
    skl_place_rmdir(path);
    free(path);
}

int skl_plan_wait(const char *folder, struct skl_err *err)
{
    char *path = place(folder);
    struct skl_owner owner;
    int status = SKL_OK;
    for (int waited = 0; skl_claim_holder(path, &owner) == SKL_HOLDER_LIVE; waited += nap(waited)) {
        if (waited < PATIENCE_MS) continue;
        status = skl_fail(err, SKL_BUSY, "%s: process %ld on %s is deciding its plan; wait for it or stop it", folder,
                          owner.pid, owner.host);
        break;
    }
    free(path);
    return status;
}

/* ---- who works on it ---- */

static const char mark[] = "sweep-";

int skl_presence_enter(const char *folder, struct skl_presence *p, struct skl_err *err)
{
    unsigned long long number = 0;
    SKL_CHECK(getrandom(&number, sizeof number, 0) == sizeof number);
    p->place = skl_format("%s/.plan/%s%016llx", folder, mark, number);
    p->claim = NULL;
    int status = skl_mkdirs(p->place, err);
    if (!status) status = skl_claim_take(p->place, &p->claim, err);
    if (status) skl_presence_leave(p);
    return status;
}

static void remove_place(const char *place)
{
    char *plan = skl_strdup(place);
    skl_place_rmdir(place);
    *strrchr(plan, '/') = 0;
    skl_place_rmdir(plan); /* the last one to leave */
    free(plan);
}

void skl_presence_leave(struct skl_presence *p)
{
    if (!p->place) return;
    skl_claim_release(p->claim);
    remove_place(p->place);
    free(p->place);
    *p = (struct skl_presence){0};
}

/* Calls what(place) for each until it says true. */
static bool each_presence(const char *folder, bool (*what)(const char *place))
{
    char *path = place(folder), **names;
    int count;
    bool found = false;
    if (!skl_list(path, &names, &count, NULL)) {
        for (int i = 0; i < count && !found; i++) {
            char *own = skl_path(path, names[i]);
            found = !strncmp(names[i], mark, sizeof mark - 1) && what(own);
            free(own);
        }
        skl_list_free(names, count);
    } else {
        found = !is_gone(path); /* it may have some */
    }
    free(path);
    return found;
}

static bool lives(const char *place) { return skl_claim_holder(place, NULL) == SKL_HOLDER_LIVE; }

bool skl_presence_any(const char *folder) { return each_presence(folder, lives); }

/* Who takes over a dead one's place makes sure that it stays dead. */
static bool clear(const char *place)
{
    struct skl_claim *claim;
    if (skl_claim_take(place, &claim, NULL)) return false;
    skl_claim_release(claim);
    skl_place_rmdir(place);
    return false;
}

void skl_presence_clear(const char *folder) { each_presence(folder, clear); }
