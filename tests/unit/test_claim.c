/* Claims on run folders: one holder at a time, the dead are followed at once. */
#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/desk.h"
#include "core/run/claim.h"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static const char *fresh(const char *name)
{
    const char *folder = in_scratch(name);
    assert_int_equal(mkdir(folder, 0777), 0);
    return folder;
}

static int entries(const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* An owner file as somebody else would have written it; age in seconds. */
static void plant(const char *folder, const char *boot, const char *space, long pid, unsigned long long started,
                  int age)
{
    char path[600];
    snprintf(path, sizeof path, "%s/claim", folder);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/claim/7", folder);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/claim/7/owner", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "host elsewhere\nboot %s\nspace %s\npid %ld\nstarted %llu\n", boot, space, pid, started);
    fclose(f);
    struct timespec t[2] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};
    assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void leaves_nothing_behind(void **state)
{
    const char *folder = fresh("plain");
    struct skl_claim *claim;
    assert_int_equal(skl_claim_holder(folder, NULL), SKL_HOLDER_NONE);
    assert_int_equal(skl_claim_take(folder, &claim, NULL), SKL_OK);
    struct skl_owner owner;
    assert_int_equal(skl_claim_holder(folder, &owner), SKL_HOLDER_LIVE);
    assert_int_equal(owner.pid, getpid());
    skl_claim_release(claim);
    skl_claim_release(NULL);
    assert_int_equal(entries(folder), 0);
}

static void a_second_taker_is_told_who_holds_it(void **state)
{
    const char *folder = fresh("held");
    struct skl_claim *claim, *other;
    assert_int_equal(skl_claim_take(folder, &claim, NULL), SKL_OK);
    if (fork() == 0) {
        struct skl_err err = {0};
        char pid[32];
        snprintf(pid, sizeof pid, "process %ld ", (long)getppid());
        _exit(skl_claim_take(folder, &other, &err) == SKL_BUSY && strstr(err.text, pid) ? 0 : 1);
    }
    int status;
    wait(&status);
    assert_int_equal(status, 0);
    skl_claim_release(claim);
    assert_int_equal(entries(folder), 0);
}

static void the_dead_are_followed_at_once(void **state)
{
    const char *folder = fresh("dead");
    for (int waited = 0; waited < 2; waited++) { /* reaped, and still a zombie */
        pid_t pid = fork();
        struct skl_claim *claim;
        if (pid == 0) _exit(skl_claim_take(folder, &claim, NULL));
        int status = 0;
        if (waited)
            assert_int_equal(waitpid(pid, &status, 0), pid);
        else
            assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
        assert_int_equal(status, 0);
        assert_int_equal(skl_claim_holder(folder, NULL), SKL_HOLDER_DEAD);
        double start = seconds();
        assert_int_equal(skl_claim_take(folder, &claim, NULL), SKL_OK);
        took("taken over", seconds() - start, 0.5);
        skl_claim_release(claim);
        assert_int_equal(entries(folder), 0);
        if (!waited) waitpid(pid, &status, 0);
    }
}

static void read_word(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, (int)size, f));
    text[strcspn(text, "\n")] = 0;
    fclose(f);
}

/* A living process that got the number of a dead one is not its heir. */
static void a_reused_process_number_is_dead(void **state)
{
    const char *folder = fresh("reused");
    char boot[64], space[64] = "";
    read_word("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
    assert_true(readlink("/proc/self/ns/pid", space, sizeof space - 1) > 0);
    plant(folder, boot, space, (long)getpid(), 1, 0);
    struct skl_claim *claim;
    assert_int_equal(skl_claim_take(folder, &claim, NULL), SKL_OK);
    skl_claim_release(claim);
    assert_int_equal(entries(folder), 0);
}

static void other_hosts_live_as_long_as_they_touch_the_file(void **state)
{
    const char *folder = fresh("remote");
    struct skl_claim *claim;
    struct skl_err err = {0};
    plant(folder, "another-boot", "pid:[1]", 1, 1, 25);
    assert_int_equal(skl_claim_take(folder, &claim, &err), SKL_BUSY);
    assert_non_null(strstr(err.text, "elsewhere"));
    plant(folder, "another-boot", "pid:[1]", 1, 1, 31); /* three heartbeats */
    assert_int_equal(skl_claim_take(folder, &claim, NULL), SKL_OK);
    skl_claim_release(claim);
    assert_int_equal(entries(folder), 0);
}

static void write_text(const char *path, const char *text) { put_file(path, text, strlen(text)); }

/* As if the owner of FOLDER/claim/1 were on another machine, and last heard of a minute ago. */
static void forget_owner(const char *folder)
{
    char path[600];
    snprintf(path, sizeof path, "%s/claim/1/owner", folder);
    write_text(path, "host elsewhere\nboot another\nspace pid:[1]\npid 1\nstarted 1\n");
    struct timespec t[2] = {{.tv_sec = time(NULL) - 60}, {.tv_sec = time(NULL) - 60}};
    assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void cannot_publish(const struct skl_claim *claim, const char *path, const char *there)
{
    struct skl_err err = {0};
    char text[16] = "";
    assert_int_equal(skl_claim_check(claim, &err), SKL_BUSY);
    assert_int_equal(skl_file_write_at(skl_claim_desk(claim), path, "woken", 5, &err), SKL_BUSY);
    assert_int_equal(skl_desk_remove(skl_claim_desk(claim), path, &err), SKL_BUSY);
    assert_int_equal(skl_desk_double(skl_claim_desk(claim), path, in_scratch("twin"), &err), SKL_BUSY);
    assert_int_equal(access(in_scratch("twin"), F_OK), -1);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    assert_string_equal(text, there);
    fclose(f);
}

/* Not even where the claim's number comes again, or a file waits half-written on its desk. */
static void who_lost_a_claim_publishes_nothing(void **state)
{
    struct skl_claim *first, *next;
    struct skl_atomic half;
    struct skl_err err = {0};
    char folder[512], path[600];
    snprintf(folder, sizeof folder, "%s", fresh("woken"));
    snprintf(path, sizeof path, "%s/file", folder);
    assert_int_equal(skl_claim_take(folder, &first, &err), SKL_OK);
    assert_int_equal(skl_atomic_open_at(&half, skl_claim_desk(first), path, &err), SKL_OK);
    for (int i = 0; i < 3; i++) {
        if (i == 0) forget_owner(folder);
        assert_int_equal(skl_claim_take(folder, &next, &err), SKL_OK);
        assert_int_equal(skl_file_write_at(skl_claim_desk(next), path, "next", 4, &err), SKL_OK);
        cannot_publish(first, path, "next");
        if (i == 1) {
            assert_int_equal(skl_atomic_commit(&half, &err), SKL_BUSY);
            skl_claim_release(first);
            first = NULL;
        }
        assert_int_equal(skl_claim_check(next, &err), SKL_OK);
        assert_int_equal(skl_claim_holder(folder, NULL), SKL_HOLDER_LIVE);
        skl_claim_release(next);
        if (!first) break;
    }
    assert_int_equal(entries(folder), 1);
}

/* Another user of a shared folder may put links where files are expected. */
static void links_are_not_followed(void **state)
{
    const char *folder = fresh("links"), *victim = in_scratch("victim");
    char path[600], host[65] = "", text[16];
    struct skl_claim *claim;
    struct skl_err err = {0};
    write_text(victim, "precious");
    gethostname(host, sizeof host - 1);
    snprintf(path, sizeof path, "%s/claim", folder);
    mkdir(path, 0777);
    for (int i = -1; i < 200; i++) {
        if (i < 0)
            snprintf(path, sizeof path, "%s/claim/1", folder);
        else
            snprintf(path, sizeof path, "%s/claim/tmp-%s-%ld-%d", folder, host, (long)getpid(), i);
        mkdir(path, 0777);
        strncat(path, "/owner", sizeof path - strlen(path) - 1);
        assert_int_equal(symlink(victim, path), 0);
    }
    assert_int_equal(skl_claim_take(folder, &claim, &err), SKL_OK);
    skl_claim_release(claim);
    read_word(victim, text, sizeof text);
    assert_string_equal(text, "precious");
    assert_int_equal(entries(folder), 0);
    mkdir(in_scratch("elsewhere"), 0777);
    snprintf(path, sizeof path, "%s/claim", folder);
    assert_int_equal(symlink(in_scratch("elsewhere"), path), 0);
    assert_int_equal(skl_claim_take(folder, &claim, &err), SKL_FAILED);
    assert_int_equal(entries(in_scratch("elsewhere")), 0);
}

/* A FIFO would make a reader wait for ever. */
static void what_is_no_file_owns_nothing(void **state)
{
    const char *folder = fresh("fifo");
    char path[600];
    struct skl_claim *claim;
    snprintf(path, sizeof path, "%s/claim", folder);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/claim/3", folder);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/claim/3/owner", folder);
    assert_int_equal(mkfifo(path, 0666), 0);
    assert_int_equal(skl_claim_holder(folder, NULL), SKL_HOLDER_DEAD);
    assert_int_equal(skl_claim_take(folder, &claim, NULL), SKL_OK);
    skl_claim_release(claim);
    assert_int_equal(entries(folder), 0);
}

static void a_folder_that_cannot_be_written_is_named(void **state)
{
    struct skl_claim *claim;
    struct skl_err err = {0};
    assert_int_equal(skl_claim_take(in_scratch("absent"), &claim, &err), SKL_FAILED);
    assert_non_null(strstr(err.text, "absent"));
}

/* One contender: gets the claim once, checks that nobody else is inside, then releases it or dies with it. */
static int contend(const char *folder, const char *inside, bool die)
{
    double end = seconds() + 30;
    while (seconds() < end) {
        struct skl_claim *claim;
        int status = skl_claim_take(folder, &claim, NULL);
        if (status == SKL_BUSY) {
            usleep(500);
            continue;
        }
        if (status) return 2;
        if (mkdir(inside, 0777)) return 3;
        usleep(1000);
        rmdir(inside);
        if (!die) skl_claim_release(claim);
        return 0;
    }
    return 4;
}

static void races_have_one_winner(void **state)
{
    enum { CONTENDERS = 120, TOGETHER = 8 };
    const char *folder = fresh("race"), *inside = in_scratch("inside");
    int running = 0, status;
    for (int i = 0; i < CONTENDERS || running > 0;) {
        if (i < CONTENDERS && running < TOGETHER) {
            if (fork() == 0) _exit(contend(folder, inside, i % 3 == 0));
            i++;
            running++;
        } else {
            wait(&status);
            assert_int_equal(WEXITSTATUS(status), 0);
            assert_true(WIFEXITED(status));
            running--;
        }
    }
    struct skl_claim *claim;
    assert_int_equal(skl_claim_take(folder, &claim, NULL), SKL_OK);
    skl_claim_release(claim);
    assert_int_equal(entries(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_nothing_behind),
        cmocka_unit_test(a_second_taker_is_told_who_holds_it),
        cmocka_unit_test(the_dead_are_followed_at_once),
        cmocka_unit_test(a_reused_process_number_is_dead),
        cmocka_unit_test(other_hosts_live_as_long_as_they_touch_the_file),
        cmocka_unit_test(who_lost_a_claim_publishes_nothing),
        cmocka_unit_test(links_are_not_followed),
        cmocka_unit_test(what_is_no_file_owns_nothing),
        cmocka_unit_test(a_folder_that_cannot_be_written_is_named),
        cmocka_unit_test(races_have_one_winner),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
