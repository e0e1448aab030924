/* claim.c - exclusive claims on run folders; the protocol is described in claim.h.
 *
 * Why numbers: taking over a dead claim by removing it and making a new one can remove the claim of somebody quicker.
 * Making the next number cannot.  Two claimants who read the folder at different times may make different numbers;
 * each reads again after making its own, and whoever then sees another live one gives its own back and tries anew. */
#include "core/sweep/claim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/parallel.h"
#include "core/base/say.h"

enum { BEAT_SECONDS = 10, STALE_SECONDS = 3 * BEAT_SECONDS, ATTEMPTS = 100 };

struct skl_claim {
    char *folder, *dir, *owner; /* FOLDER/claim, FOLDER/claim/N, FOLDER/claim/N/owner */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stop;
};

/* ---- who is who ---- */

/* First line of a small file in /proc; "" if it cannot be read. */
static void read_line(const char *path, char *text, size_t size)
{
    text[0] = 0;
    FILE *f = fopen(path, "re");
    if (!f) return;
    if (!fgets(text, (int)size, f)) text[0] = 0;
    text[strcspn(text, "\n")] = 0;
    fclose(f);
}

/* Start time of a process in clock ticks since boot, 0: no such process (or a zombie), -1: cannot be told. */
static long long start_time(long pid)
{
    if (kill((pid_t)pid, 0) && errno == ESRCH) return 0;
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    read_line(path, text, sizeof text);
    const char *rest = strrchr(text, ')'); /* the name before it may hold anything */
    char state;
    unsigned long long start;
    if (!rest || sscanf(rest + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
                        &state, &start) != 2)
        return -1;
    return state == 'Z' || state == 'X' ? 0 : (long long)start;
}

static struct skl_owner myself(void)
{
    struct skl_owner o = {.pid = getpid()};
    if (gethostname(o.host, sizeof o.host - 1) || !o.host[0]) snprintf(o.host, sizeof o.host, "unknown");
    o.host[strcspn(o.host, " \n")] = 0;
    read_line("/proc/sys/kernel/random/boot_id", o.boot, sizeof o.boot);
    ssize_t n = readlink("/proc/self/ns/pid", o.space, sizeof o.space - 1);
    o.space[n > 0 ? n : 0] = 0;
    long long start = start_time(o.pid);
    o.started = start > 0 ? (unsigned long long)start : 0;
    return o;
}

static bool read_owner(const char *path, struct skl_owner *o, time_t *touched)
{
    memset(o, 0, sizeof *o);
    FILE *f = fopen(path, "re");
    if (!f) return false;
    struct stat st;
    *touched = fstat(fileno(f), &st) ? 0 : st.st_mtime;
    int fields = fscanf(f, "host %64s\nboot %39s\nspace %39s\npid %ld\nstarted %llu", o->host, o->boot, o->space,
                        &o->pid, &o->started);
    fclose(f);
    if (fields != 5) snprintf(o->boot, sizeof o->boot, "?"); /* not ours: only its age counts */
    return true;
}

static bool alive(const struct skl_owner *o, time_t touched, time_t now)
{
    struct skl_owner me = myself();
    if (me.boot[0] && me.space[0] && !strcmp(o->boot, me.boot) && !strcmp(o->space, me.space)) {
        long long start = start_time(o->pid);
        return start < 0 || (start > 0 && (o->started == 0 || (unsigned long long)start == o->started));
    }
    return now - touched < STALE_SECONDS;
}

/* ---- the folder ---- */

struct scan {
    long highest;
    bool live;
    struct skl_owner owner;
}; /* owner: of the live claim, else of the highest */

/* `except`: number of the claim that is not looked at. */
static struct scan scan_claims(const char *claims, long except, time_t now)
{
    struct scan s = {0};
    DIR *d = opendir(claims);
    for (struct dirent *e; d && (e = readdir(d));) {
        char *end;
        long n = strtol(e->d_name, &end, 10);
        if (n <= 0 || *end || n == except) continue;
        char *path = skl_format("%s/%ld/owner", claims, n);
        struct skl_owner o;
        time_t touched;
        bool there = read_owner(path, &o, &touched), live = there && alive(&o, touched, now);
        free(path);
        if (live || (!s.live && there && n > s.highest)) s.owner = o;
        s.live |= live;
        if (n > s.highest) s.highest = n;
    }
    if (d) closedir(d);
    return s;
}

static void remove_claim(const char *claims, const char *name)
{
    char *owner = skl_format("%s/%s/owner", claims, name), *dir = skl_path(claims, name);
    unlink(owner);
    rmdir(dir);
    free(owner);
    free(dir);
}

/* Dead claims and what takers who died left half-made; a living taker whose folder goes with them tries again. */
static void remove_others(const char *claims, long mine)
{
    char keep[24];
    snprintf(keep, sizeof keep, "%ld", mine);
    DIR *d = opendir(claims);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && strcmp(e->d_name, keep)) remove_claim(claims, e->d_name);
    if (d) closedir(d);
}

/* A folder under a temporary name with the owner file in it.  *now: the file system's clock. */
static int make_temporary(const char *claims, const char *name, time_t *now)
{
    char *dir = skl_path(claims, name), *path = skl_format("%s/%s/owner", claims, name);
    int error = 0;
    if ((mkdir(claims, 0777) && errno != EEXIST) || (mkdir(dir, 0777) && errno != EEXIST)) error = errno;
    FILE *f = error ? NULL : fopen(path, "we");
    if (!error && !f) error = errno;
    if (f) {
        struct skl_owner me = myself();
        fprintf(f, "host %s\nboot %s\nspace %s\npid %ld\nstarted %llu\n", me.host, me.boot[0] ? me.boot : "?",
                me.space[0] ? me.space : "?", me.pid, me.started);
        struct stat st;
        if (fflush(f) || fstat(fileno(f), &st))
            error = errno;
        else
            *now = st.st_mtime;
        fclose(f);
    }
    free(dir);
    free(path);
    return error;
}

static int busy(const char *folder, const struct skl_owner *o, struct skl_err *err)
{
    return skl_fail(err, SKL_BUSY, "%s: in use by process %ld on %s; wait for it or stop it", folder, o->pid, o->host);
}

/* One try: the claim's number, 0: try again, -1: *status is set. */
static long attempt(const char *folder, const char *claims, const char *tmp, int *status, struct skl_err *err)
{
    time_t now = time(NULL);
    int error = make_temporary(claims, tmp, &now);
    if (error == ENOENT && skl_exists(folder)) return 0; /* the last owner just tidied up */
    if (error) {
        *status = skl_fail(err, SKL_FAILED, "%s: cannot claim this folder: %s", folder, strerror(error));
        return -1;
    }
    struct scan s = scan_claims(claims, 0, now);
    if (s.live) {
        remove_claim(claims, tmp);
        *status = busy(folder, &s.owner, err);
        return -1;
    }
    long mine = s.highest + 1;
    char *from = skl_path(claims, tmp), *to = skl_format("%s/%ld", claims, mine);
    bool got = rename(from, to) == 0;
    free(from);
    if (got && scan_claims(claims, mine, now).live) {
        char name[24];
        snprintf(name, sizeof name, "%ld", mine);
        remove_claim(claims, name);
        got = false;
    }
    free(to);
    return got ? mine : 0;
}

/* ---- the heartbeat ---- */

static void *beat(void *arg)
{
    struct skl_claim *c = arg;
    pthread_mutex_lock(&c->mutex);
    while (!c->stop) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += BEAT_SECONDS;
        pthread_cond_timedwait(&c->wake, &c->mutex, &until);
        if (c->stop || !utimensat(AT_FDCWD, c->owner, NULL, 0) || errno != ENOENT) continue;
        /* This process stood still for so long that another one took over: writing on would spoil its files. */
        skl_say("skiplab: %s: another process took this run over while this one stood still\n", c->folder);
        _exit(SKL_BUSY);
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

/* By a clock that nobody sets: after a step back of the wall clock the heart would stand still as long. */
static int start_beat(struct skl_claim *c, struct skl_err *err)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int error = skl_thread_start(&c->thread, beat, c);
    if (!error) return SKL_OK;
    return skl_fail(err, SKL_FAILED, "cannot start a thread: %s: raise the limit on processes or on memory",
                    strerror(error));
}

/* Without a heart, or after its last beat. */
static void give_back(struct skl_claim *c)
{
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->mutex);
    unlink(c->owner);
    rmdir(c->dir);
    rmdir(c->folder);
    free(c->owner);
    free(c->dir);
    free(c->folder);
    free(c);
}

int skl_claim_take(const char *folder, struct skl_claim **claim, struct skl_err *err)
{
    static int serial;
    char *claims = skl_path(folder, "claim"), tmp[160];
    struct skl_owner me = myself();
    snprintf(tmp, sizeof tmp, "tmp-%s-%ld-%d", me.host, me.pid, serial++);
    int status = SKL_OK;
    long mine = 0;
    for (int i = 0; i < ATTEMPTS && mine == 0; i++) {
        mine = attempt(folder, claims, tmp, &status, err);
        if (mine == 0) usleep((useconds_t)(1000 + (me.pid * 7919 + i * 104729) % 20000));
    }
    if (mine == 0) {
        remove_claim(claims, tmp);
        status = skl_fail(err, SKL_BUSY, "%s: other processes keep claiming this folder", folder);
    }
    if (status == SKL_OK) {
        remove_others(claims, mine);
        struct skl_claim *c = *claim = skl_alloc(sizeof *c);
        c->folder = claims;
        c->dir = skl_format("%s/%ld", claims, mine);
        c->owner = skl_path(c->dir, "owner");
        status = start_beat(c, err);
        if (status) {
            give_back(c);
            *claim = NULL;
        }
    } else {
        free(claims);
    }
    return status;
}

void skl_claim_release(struct skl_claim *c)
{
    if (!c) return;
    pthread_mutex_lock(&c->mutex);
    c->stop = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->mutex);
    pthread_join(c->thread, NULL);
    give_back(c);
}

enum skl_holder skl_claim_holder(const char *folder, struct skl_owner *owner)
{
    char *claims = skl_path(folder, "claim");
    struct scan s = scan_claims(claims, 0, time(NULL));
    free(claims);
    if (owner) *owner = s.owner;
    return s.live ? SKL_HOLDER_LIVE : s.highest ? SKL_HOLDER_DEAD : SKL_HOLDER_NONE;
}
