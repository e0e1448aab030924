/* claim.c - exclusive claims on run folders; the protocol is described in claim.h.
 *
 * Why numbers: taking over a dead claim by removing it and making a new one can remove the claim of somebody quicker.
 * Making the next number cannot.  Two claimants who read the folder at different times may make different numbers;
 * each reads again after making its own, and whoever then sees another live one gives its own back and tries anew.
 *
 * Everything goes through open folders: one that was moved away, removed or made anew under the same name in the
 * meantime is not mistaken for another, and a link put in its place is not followed. */
#include "core/run/claim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/parallel.h"
#include "core/base/place.h"
#include "core/base/say.h"

enum { BEAT_SECONDS = 10, STALE_SECONDS = 3 * BEAT_SECONDS, ATTEMPTS = 100 };

struct skl_claim {
    char *folder;     /* the claimed one */
    int claims, desk; /* FOLDER/claim and FOLDER/claim/N, open */
    char name[24];    /* N; while it is made: a random name */
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

/* 0, or the errno of a file that is there and cannot be read.  A file that is none counts as absent. */
static int read_owner(int claims, const char *name, struct skl_owner *o, time_t *touched, bool *there)
{
    char *path = skl_format("%s/owner", name);
    int fd = openat(claims, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    int error = fd < 0 ? errno : 0;
    free(path);
    memset(o, 0, sizeof *o);
    *there = false;
    if (fd < 0) return error == ENOENT || error == ENOTDIR || error == ELOOP || error == ENXIO ? 0 : error;
    struct stat st;
    char text[512];
    ssize_t n = fstat(fd, &st) ? -1 : S_ISREG(st.st_mode) ? read(fd, text, sizeof text - 1) : -2;
    if (n == -1) error = errno;
    close(fd);
    if (n < 0) return error;
    text[n] = 0;
    *touched = st.st_mtime;
    *there = true;
    if (sscanf(text, "host %64s\nboot %39s\nspace %39s\npid %ld\nstarted %llu", o->host, o->boot, o->space, &o->pid,
               &o->started) != 5)
        snprintf(o->boot, sizeof o->boot, "?"); /* not ours: only its age counts */
    return 0;
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

static int open_folder(int at, const char *name)
{
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* FOLDER/claim, which is no link; -1: errno. */
static int open_claims(const char *folder, bool make)
{
    int at = skl_place_open_folder(folder), claims = -1, error = errno;
    if (at >= 0) {
        if (!make || !mkdirat(at, "claim", 0777) || errno == EEXIST) claims = open_folder(at, "claim");
        error = errno;
        close(at);
    }
    errno = error;
    return claims;
}

/* The entries of an open folder, whose own position stays; NULL: errno. */
static DIR *entries_of(int folder)
{
    int fd = open_folder(folder, ".");
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0) close(fd);
    return d;
}

static bool is_dots(const char *name) { return !strcmp(name, ".") || !strcmp(name, ".."); }

struct scan {
    long highest;
    bool live;
    struct skl_owner owner; /* of the live claim, else of the highest */
    int error;              /* a claim that could not be read: perhaps a live one */
};

/* `except`: number of the claim that is not looked at. */
static struct scan scan_claims(int claims, long except, time_t now)
{
    struct scan s = {0};
    DIR *d = entries_of(claims);
    if (!d) s.error = errno;
    for (struct dirent *e; d && (e = readdir(d));) {
        char *end;
        long n = strtol(e->d_name, &end, 10);
        if (n <= 0 || *end || n == except) continue;
        struct skl_owner o;
        time_t touched = 0;
        bool there;
        int error = read_owner(claims, e->d_name, &o, &touched, &there);
        bool live = there && alive(&o, touched, now);
        if (error) s.error = error;
        if (live || (!s.live && there && n > s.highest)) s.owner = o;
        s.live |= live;
        if (n > s.highest) s.highest = n;
    }
    if (d) closedir(d);
    return s;
}

enum { DEEPEST = 16 }; /* claims of takers who died while they put away others */

/* Empties a folder; 0 or errno.  NFS keeps .nfs… of a removed file for as long as somebody here has it open. */
static int clear(int folder, int deepest)
{
    DIR *d = entries_of(folder);
    int error = d ? 0 : errno;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (is_dots(e->d_name) || !strncmp(e->d_name, ".nfs", 4)) continue;
        if (!unlinkat(folder, e->d_name, 0) || errno == ENOENT) continue;
        int inner = deepest > 0 ? open_folder(folder, e->d_name) : -1;
        if (inner >= 0) clear(inner, deepest - 1);
        if (inner >= 0) close(inner);
        if (unlinkat(folder, e->d_name, AT_REMOVEDIR) && errno != ENOENT) error = errno;
    }
    if (d) closedir(d);
    return error;
}

/* Puts another's claim away: under the own desk it is nobody's any more, and neither can one who lost his own desk put
 * away his follower's.  Its owner may be awake: what he still makes there is removed too. */
static int put_away(struct skl_claim *c, const char *name, int number)
{
    char to[24];
    snprintf(to, sizeof to, "dead-%d", number);
    if (renameat(c->claims, name, c->desk, to)) return errno == ENOENT ? 0 : errno;
    int error = 0;
    for (int i = 0; i < ATTEMPTS; i++) {
        int dead = open_folder(c->desk, to);
        error = dead >= 0 ? clear(dead, DEEPEST) : 0;
        if (dead >= 0) close(dead);
        if (!unlinkat(c->desk, to, dead >= 0 ? AT_REMOVEDIR : 0) || errno == ENOENT) return 0;
        if (errno != ENOTEMPTY && errno != EEXIST) return errno;
    }
    return error;
}

/* Dead claims and what takers who died left half-made; a living taker whose folder goes with them tries again. */
static int put_others_away(struct skl_claim *c)
{
    DIR *d = entries_of(c->claims);
    int error = d ? 0 : errno, number = 0;
    for (struct dirent *e; d && !error && (e = readdir(d));)
        if (!is_dots(e->d_name) && strcmp(e->d_name, c->name)) error = put_away(c, e->d_name, number++);
    if (d) closedir(d);
    return error;
}

static int sign(int desk, time_t *now)
{
    int fd = openat(desk, "owner", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) return errno;
    struct skl_owner me = myself();
    char text[512];
    struct stat st;
    int n = snprintf(text, sizeof text, "host %s\nboot %s\nspace %s\npid %ld\nstarted %llu\n", me.host,
                     me.boot[0] ? me.boot : "?", me.space[0] ? me.space : "?", me.pid, me.started);
    int error = skl_write_all(fd, text, (size_t)n);
    if (!error && fstat(fd, &st)) error = errno;
    if (!error) *now = st.st_mtime;
    close(fd);
    return error;
}

static void close_folders(struct skl_claim *c)
{
    if (c->desk >= 0) close(c->desk);
    if (c->claims >= 0) close(c->claims);
    c->desk = c->claims = -1;
}

/* Gives back what was made so far; folders that others have in use stay. */
static void take_back(struct skl_claim *c)
{
    if (c->desk >= 0) {
        clear(c->desk, DEEPEST);
        unlinkat(c->claims, c->name, AT_REMOVEDIR);
    }
    close_folders(c);
}

/* The desk under a random name, so that nobody can put a link in its way.  *now: the file system's clock. */
static int make_desk(struct skl_claim *c, time_t *now)
{
    unsigned long long number;
    if ((c->claims = open_claims(c->folder, true)) < 0) return errno;
    if (getrandom(&number, sizeof number, 0) != sizeof number) return EIO;
    snprintf(c->name, sizeof c->name, "tmp-%016llx", number);
    if (mkdirat(c->claims, c->name, 0777)) return errno;
    if ((c->desk = open_folder(c->claims, c->name)) < 0) return errno;
    return sign(c->desk, now);
}

/* 0: the desk stands where its name says; EAGAIN: it does not, or why that cannot be told. */
static int look_at_name(const struct skl_claim *c)
{
    char *path = skl_format("%s/claim/%s", c->folder, c->name);
    struct stat named, own;
    int error = skl_place_stat(path, &named) || fstat(c->desk, &own) ? errno : 0;
    free(path);
    if (error) return skl_is_absent(error) || error == ESTALE ? EAGAIN : error;
    return named.st_dev == own.st_dev && named.st_ino == own.st_ino ? 0 : EAGAIN;
}

static int busy(const char *folder, const struct skl_owner *o, struct skl_err *err)
{
    return skl_fail(err, SKL_BUSY, "%s: in use by process %ld on %s; wait for it or stop it", folder, o->pid, o->host);
}

static int cannot_claim(const char *folder, int error, struct skl_err *err)
{
    int status = skl_fail(err, SKL_FAILED, "%s: cannot claim this folder: %s", folder, strerror(error));
    return skl_because(err, status, error);
}

/* The desk becomes claim N, if nobody else's is or lives.  0, EAGAIN: try again, or what went wrong. */
static int become(struct skl_claim *c, long number, time_t now)
{
    char name[sizeof c->name];
    snprintf(name, sizeof name, "%ld", number);
    if (renameat(c->claims, c->name, c->claims, name))
        return errno == EEXIST || errno == ENOTEMPTY || errno == ENOENT ? EAGAIN : errno;
    memcpy(c->name, name, sizeof name);
    struct scan s = scan_claims(c->claims, number, now);
    if (s.error && s.error != ENOENT) return s.error;
    if (s.live || s.error) return EAGAIN;
    int error = put_others_away(c);
    if (error == EINVAL || error == ENOENT) return EAGAIN; /* put away oneself */
    return error ? error : look_at_name(c);
}

/* SKL_OK with the claim, or with *again. */
static int attempt(struct skl_claim *c, bool *again, struct skl_err *err)
{
    time_t now = time(NULL);
    *again = false;
    c->claims = c->desk = -1;
    int error = make_desk(c, &now), status = SKL_OK;
    if (error == ENOENT || error == EEXIST || error == ESTALE) { /* the last owner just tidied up */
        struct stat st;
        *again = !skl_place_stat(c->folder, &st);
    }
    struct scan s = error ? (struct scan){0} : scan_claims(c->claims, 0, now);
    if (!error && s.live) {
        status = busy(c->folder, &s.owner, err);
    } else if (!error && s.error != 0 && s.error != ENOENT) {
        error = s.error;
    } else if (!error) {
        error = become(c, s.highest + 1, now);
        *again = error == EAGAIN;
    }
    if (error && !*again) status = cannot_claim(c->folder, error, err);
    if (status || *again) take_back(c);
    return status;
}

/* ---- the heartbeat ---- */

/* ESTALE: a network file system may lose sight of a folder that is still there. */
static bool is_lost(const struct skl_claim *c)
{
    if (!utimensat(c->desk, "owner", NULL, AT_SYMLINK_NOFOLLOW)) return false;
    return errno == ENOENT || (errno == ESTALE && look_at_name(c) == EAGAIN);
}

int skl_claim_check(const struct skl_claim *c, struct skl_err *err)
{
    if (!is_lost(c)) return SKL_OK;
    return skl_fail(err, SKL_BUSY, "%s: another process took this run over while this one stood still", c->folder);
}

static void *beat(void *arg)
{
    struct skl_claim *c = arg;
    pthread_mutex_lock(&c->mutex);
    while (!c->stop) {
        struct timespec until;
        struct skl_err err;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += BEAT_SECONDS;
        pthread_cond_timedwait(&c->wake, &c->mutex, &until);
        if (c->stop || !skl_claim_check(c, &err)) continue;
        skl_say("skiplab: %s\n", err.text);
        skl_leave(SKL_BUSY);
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
    char *claims = skl_path(c->folder, "claim");
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->mutex);
    take_back(c);
    skl_place_rmdir(claims);
    free(claims);
    free(c->folder);
    free(c);
}

int skl_claim_take(const char *folder, struct skl_claim **claim, struct skl_err *err)
{
    struct skl_claim *c = skl_alloc(sizeof *c);
    bool again = true;
    int status = SKL_OK;
    *claim = NULL;
    c->folder = skl_strdup(folder);
    for (int i = 0; i < ATTEMPTS && again && !status; i++) {
        if (i > 0) usleep((useconds_t)(1000 + ((long)getpid() * 7919 + i * 104729) % 20000));
        status = attempt(c, &again, err);
    }
    if (again && !status) status = skl_fail(err, SKL_BUSY, "%s: other processes keep claiming this folder", folder);
    if (status) {
        free(c->folder);
        free(c);
        return status;
    }
    status = start_beat(c, err);
    if (status)
        give_back(c);
    else
        *claim = c;
    return status;
}

int skl_claim_desk(const struct skl_claim *c) { return c->desk; }

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

int skl_claim_look(const char *folder, enum skl_holder *holder, struct skl_owner *owner, struct skl_err *err)
{
    struct scan s = {0};
    int claims = open_claims(folder, false), error = claims < 0 ? errno : 0;
    if (claims >= 0) s = scan_claims(claims, 0, time(NULL));
    if (claims >= 0) close(claims);
    if (owner) *owner = s.owner;
    *holder = s.live ? SKL_HOLDER_LIVE : s.highest ? SKL_HOLDER_DEAD : SKL_HOLDER_NONE;
    if (s.error) error = s.error;
    if (s.live || !error || error == ENOENT || error == ENOTDIR || error == ELOOP) return SKL_OK;
    *holder = SKL_HOLDER_LIVE;
    return skl_fail(err, SKL_DATA, "cannot tell who is at work in '%s': %s", folder, strerror(error));
}

enum skl_holder skl_claim_holder(const char *folder, struct skl_owner *owner)
{
    enum skl_holder holder;
    skl_claim_look(folder, &holder, owner, NULL);
    return holder;
}
