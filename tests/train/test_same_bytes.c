/* The same bytes for any number of threads and after any interruption: kill -9 at random times and at every single
 * change of the file system, SIGTERM, a damaged checkpoint, a full disk. */
#include "tests/train/lab.h"

/* The uninterrupted run of exp.yaml in `folder`. */
static void reference(const char *shortcut, const char *folder)
{
    lab_write_config(shortcut);
    lab_remove(folder);
    struct launch l = {folder, {"--quiet", "--threads", "1"}};
    lab_expect(lab_train(&l), 0, folder);
    lab_run_json_says(folder, "\"state\": \"done\"");
}

static void threads_do_not_matter(void **state)
{
    static const char *const threads[] = {"2", "3"};
    for (int i = 0; lab_variants[i]; i++) {
        reference(lab_variants[i], "one");
        for (int j = 0; j < 2; j++) {
            struct launch l = {"many", {"--quiet", "--threads", threads[j]}};
            lab_remove("many");
            lab_expect(lab_train(&l), 0, "many");
            lab_same("one", "many");
        }
    }
}

static void a_seed_matters(void **state)
{
    reference("{type: identity}", "one");
    struct launch l = {"other", {"--quiet", "--seed", "2"}};
    lab_remove("other");
    lab_expect(lab_train(&l), 0, "other");
    char *a = lab_path("one", "train.csv"), *b = lab_path("other", "train.csv");
    size_t na, nb;
    char *da = lab_read(a, &na), *db = lab_read(b, &nb);
    assert_true(na != nb || memcmp(da, db, na));
    free(a), free(b), free(da), free(db);
}

/* Is the process still alive after so many seconds?  If so, it gets the signal. */
static int stop_after(pid_t pid, double seconds, int number)
{
    lab_sleep(seconds);
    kill(pid, number);
    return lab_wait(pid);
}

static double run_time(const struct launch *l)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    lab_remove(l->folder);
    lab_expect(lab_train(l), 0, l->folder);
    clock_gettime(CLOCK_MONOTONIC, &b);
    return (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
}

/* Other ways to train: what is drawn or follows from the iteration must come again. */
static const char *const recipes[][5] = {
    {"train.lr_drops.at=[]", "train.schedule=cosine", "train.warmup.shape=linear", "train.nesterov=true",
     "data.augment.mixup=0.4"},
    {"train.lr_drops.at=[]", "train.schedule=one_cycle", "train.label_smoothing=0.1", "data.augment.cutout=3"},
    {"train.lr_drops.at=[]", "train.schedule=linear", "train.momentum_form=caffe", "train.nesterov=true",
     "data.augment={mixup: 2, cutout: 5}"},
};

static struct launch of_recipe(size_t i, const char *folder, const char *threads)
{
    struct launch l = {folder, {"--quiet", "--threads", threads}};
    memcpy(l.words + 3, recipes[i], sizeof recipes[i]);
    return l;
}

static unsigned seed_of_times(void)
{
    const char *given = getenv("SKL_TEST_SEED");
    unsigned seed = given ? (unsigned)atoi(given) : (unsigned)time(NULL);
    print_message("SKL_TEST_SEED=%u\n", seed);
    return seed;
}

/* Stopped up to five times, then left alone. */
static int stop_again_and_again(const struct launch *l, double longest, int number, unsigned *seed)
{
    int stopped = 0;
    lab_remove(l->folder);
    for (int i = 0; i < 5; i++) {
        int code = stop_after(lab_start(l), longest * rand_r(seed) / RAND_MAX, number);
        if (code == 0) return stopped;
        /* a TERM before the handler stands ends the process like any other */
        if (code != 1000 + number) lab_expect(code, 75, l->folder);
        stopped++;
    }
    lab_expect(lab_train(l), 0, l->folder);
    return stopped;
}

static void killed_at_random_times(void **state)
{
    unsigned seed = seed_of_times();
    int stopped = 0;
    for (int i = 0; lab_variants[i]; i++) {
        reference(lab_variants[i], "whole");
        struct launch l = {"killed", {"--quiet", "--threads", "2"}};
        double longest = run_time(&l);
        for (int j = 0; j < 3; j++) {
            stopped += stop_again_and_again(&l, longest, SIGKILL, &seed);
            lab_same("whole", "killed");
        }
    }
    assert_true(stopped > 0);
}

static void recipes_come_again(void **state)
{
    unsigned seed = seed_of_times();
    lab_write_config("{type: dropout}");
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        struct launch whole = of_recipe(i, "whole", "1"), killed = of_recipe(i, "killed", "2");
        lab_remove("whole");
        lab_expect(lab_train(&whole), 0, "whole");
        double longest = run_time(&killed);
        lab_same("whole", "killed");
        stop_again_and_again(&killed, longest, i ? SIGTERM : SIGKILL, &seed);
        lab_same("whole", "killed");
    }
}

static void stopped_by_signals(void **state)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};
    unsigned seed = seed_of_times();
    for (int i = 0; i < 4; i++) {
        reference(lab_variants[i + 1], "whole");
        struct launch l = {"stopped", {"--quiet", "--threads", "2"}};
        double longest = run_time(&l);
        for (int j = 0; j < 3; j++) {
            stop_again_and_again(&l, longest, numbers[i], &seed);
            lab_same("whole", "stopped");
        }
    }
}

/* A signal in the middle of a long run: exit 75, state and cause on record, and the checkpoint of that moment. */
static void a_signal_leaves_a_checkpoint(void **state)
{
    struct launch l = {"long", {"--quiet", "train.iterations=100000", "train.checkpoint_every=100000"}};
    lab_remove("long");
    pid_t pid = lab_start(&l);
    while (lab_rows("long") < 2) lab_sleep(0.01);
    kill(pid, SIGTERM);
    lab_expect(lab_wait(pid), 75, "long");
    lab_run_json_says("long", "\"state\": \"interrupted\"");
    lab_run_json_says("long", "signal 15");
    char *path = lab_path("long", "last.safetensors");
    assert_true(!access(path, F_OK));
    free(path);
}

/* Every moment at which the folder can be caught: before each call that changes it.  The quick suite takes every 11th,
 * starting anywhere; SKL_TEST_SLOW all. */
static void killed_at_every_change(void **state)
{
    reference("{type: exclusive_gating}", "whole");
    char at[32];
    unsigned seed = seed_of_times();
    int step = getenv("SKL_TEST_SLOW") ? 1 : 11, k = 1 - step + rand_r(&seed) % step, code;
    do {
        snprintf(at, sizeof at, "kill %d", k += step);
        struct launch l = {"caught", {"--quiet", "--threads", "1"}, .fault = at};
        struct launch again = {"caught", {"--quiet", "--threads", "1"}};
        lab_remove("caught");
        code = lab_train(&l);
        if (code != 1000 + SIGKILL) lab_expect(code, 0, "caught");
        lab_expect(lab_train(&again), 0, "caught");
        lab_same("whole", "caught");
    } while (code == 1000 + SIGKILL);
    print_message("%d places\n", k - 1);
    assert_true(k > 100);
}

/* A run of 12 iterations goes on to 18, killed before each change of the folder. */
static void a_longer_run_is_one_planned_so(void **state)
{
    enum { NEXT = 8 };
    const char *const end[] = {"train.iterations=12", "train.iterations=18"};
    struct launch whole = {"whole",
                           {"--quiet", "--threads", "1", "train.log_every=3", "train.checkpoint_every=3", end[1],
                            "probe.every=6", "train.lr_drops.at=[12, 30]"}},
                  first = whole, on = whole;
    char at[32];
    unsigned seed = seed_of_times();
    int step = getenv("SKL_TEST_SLOW") ? 1 : 11, k = 1 - step + rand_r(&seed) % step, code;
    lab_write_config("{type: dropout}");
    first.words[5] = end[0], first.folder = "first";
    on.words[NEXT] = "--extend", on.folder = "on";
    lab_remove("whole"), lab_remove("first");
    lab_expect(lab_train(&whole), 0, "whole");
    lab_expect(lab_train(&first), 0, "first");
    do {
        struct launch caught = on;
        snprintf(at, sizeof at, "kill %d", k += step);
        caught.fault = at;
        lab_copy("first", "on");
        code = lab_train(&caught);
        if (code != 1000 + SIGKILL) lab_expect(code, 0, "on");
        lab_expect(lab_train(&on), 0, "on");
        lab_same("whole", "on");
    } while (code == 1000 + SIGKILL);
    assert_true(k > 50);
}

static void flip_byte(const char *folder, const char *file, long from_end)
{
    char *path = lab_path(folder, file);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    char c;
    off_t at = lseek(fd, -from_end, SEEK_END);
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= 1;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
    free(path);
}

/* last.safetensors is damaged: prev takes over, says so, and the end is the same. */
static void a_damaged_checkpoint_is_passed_over(void **state)
{
    reference("{type: conv1x1}", "whole");
    lab_copy("whole", "damaged");
    lab_unlink("damaged", "run.json");
    flip_byte("damaged", "last.safetensors", 100);
    struct launch l = {"damaged", {"--quiet"}};
    lab_expect(lab_train(&l), 0, "damaged");
    char *text = lab_stderr("damaged");
    assert_contains(text, "resuming from prev.safetensors");
    free(text);
    lab_same("whole", "damaged");
}

static void no_whole_checkpoint_is_refused(void **state)
{
    reference("{type: conv1x1}", "whole");
    lab_copy("whole", "damaged");
    lab_unlink("damaged", "run.json");
    flip_byte("damaged", "last.safetensors", 100);
    flip_byte("damaged", "prev.safetensors", 100);
    struct launch l = {"damaged", {"--quiet"}};
    lab_expect(lab_train(&l), 3, "damaged");
    struct launch redo = {"damaged", {"--quiet", "--redo"}};
    lab_expect(lab_train(&redo), 0, "damaged");
    lab_same("whole", "damaged");
}

/* Files may only grow to a size: the first checkpoint fails, later there is room again. */
static void a_full_disk_costs_time_only(void **state)
{
    reference("{type: identity}", "whole");
    struct launch full = {"full", {"--quiet"}, {NULL}, 20000}, l = {"full", {"--quiet"}};
    lab_remove("full");
    lab_expect(lab_train(&full), 1, "full");
    lab_run_json_says("full", "\"state\": \"failed\"");
    lab_expect(lab_train(&l), 0, "full");
    lab_same("whole", "full");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(a_seed_matters),
        cmocka_unit_test(killed_at_random_times),
        cmocka_unit_test(recipes_come_again),
        cmocka_unit_test(stopped_by_signals),
        cmocka_unit_test(a_signal_leaves_a_checkpoint),
        cmocka_unit_test(killed_at_every_change),
        cmocka_unit_test(a_longer_run_is_one_planned_so),
        cmocka_unit_test(a_damaged_checkpoint_is_passed_over),
        cmocka_unit_test(no_whole_checkpoint_is_refused),
        cmocka_unit_test(a_full_disk_costs_time_only),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
