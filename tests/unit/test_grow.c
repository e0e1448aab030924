/* Texts and arrays that grow, and what is said where there is no memory for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/err.h"
#include "core/base/grow.h"
#include "tests/unit/sanitized.h"

static void a_text_is_what_was_written(void **state)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    assert_int_equal(ftell(out), 0);
    for (int i = 0; i < 100000; i++) fprintf(out, "%06d%c", i, i % 7 ? ' ' : 0);
    assert_int_equal(ftell(out), 700000);
    assert_ptr_equal(skl_text_close(&t), t.text);
    assert_int_equal(t.n, 700000);
    assert_int_equal(t.text[t.n], 0);
    for (int i = 0; i < 100000; i++) {
        char wanted[8];
        snprintf(wanted, sizeof wanted, "%06d%c", i, i % 7 ? ' ' : 0);
        assert_memory_equal(t.text + 7 * i, wanted, 7);
    }
    free(t.text);
    skl_text_open(&t);
    assert_string_equal(skl_text_close(&t), "");
    free(t.text);
}

/* Pieces of every length around the room there is. */
static void every_length_fits(void **state)
{
    static char piece[5000];
    memset(piece, 'x', sizeof piece);
    for (size_t n = 0; n < sizeof piece; n += n < 1100 ? 1 : 97) {
        struct skl_text t;
        FILE *out = skl_text_open(&t);
        setvbuf(out, NULL, _IONBF, 0);
        fwrite(piece, 1, n, out);
        fputs("end", out);
        assert_int_equal(strlen(skl_text_close(&t)), n + 3);
        assert_string_equal(t.text + n, "end");
        free(t.text);
    }
}

static void append_adds_at_the_end(void **state)
{
    char *text = skl_append(NULL, "%d", 1);
    for (int i = 2; i < 100; i++) text = skl_append(text, ",%d", i);
    assert_memory_equal(text, "1,2,3,", 6);
    assert_string_equal(text + strlen(text) - 6, ",98,99");
    text = skl_append(text, "%s", "");
    assert_string_equal(text + strlen(text) - 6, ",98,99");
    free(text);
}

static void a_list_keeps_its_elements(void **state)
{
    struct pair {
        int a, b;
    } *list = NULL;
    int count = 0;
    for (int i = 0; i < 1000; i++) {
        struct pair *p = SKL_ADD(list, count);
        assert_int_equal(count, i + 1);
        assert_int_equal(p->a, 0);
        assert_int_equal(p->b, 0);
        *p = (struct pair){i, ~i};
        if (i % 10 == 9) count -= 3; /* and what is taken away leaves room that is zeroed again */
        if (i % 10 == 9)
            for (int k = 0; k < 3; k++) *SKL_ADD(list, count) = (struct pair){i - 2 + k, ~(i - 2 + k)};
    }
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(list[i].a, i);
        assert_int_equal(list[i].b, ~i);
    }
    free(list);
}

static void write_for_ever(void)
{
    struct skl_text t;
    FILE *out = skl_text_open(&t);
    for (long i = 0; i < 4000000; i++) fputs("a text that is longer than the memory there is\n", out);
    skl_text_close(&t);
}
static void append_for_ever(void)
{
    char *text = NULL;
    for (int i = 0; i < 40; i++) text = skl_append(text, "%s..........", text ? text : "");
}
static void add_for_ever(void)
{
    double *list = NULL;
    for (long count = 0; count < 40000000;) *SKL_ADD(list, count) = 1;
}
static void add_too_large(void) { skl_grow(NULL, 0, SIZE_MAX); }

/* What a process says of itself that may have 64 MB, and its exit code. */
static int in_little_memory(void (*work)(void), char said[256])
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {64 << 20, 64 << 20};
        dup2(ends[1], STDERR_FILENO);
        setrlimit(RLIMIT_AS, &limit);
        work();
        _exit(0);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], said, 255);
    said[n > 0 ? n : 0] = 0;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void want_of_memory_is_said(void **state)
{
    void (*const works[])(void) = {write_for_ever, append_for_ever, add_for_ever, add_too_large};
    if (SANITIZED) skip(); /* its own memory would be refused */
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        char said[256];
        assert_int_equal(in_little_memory(works[i], said), 1);
        assert_memory_equal(said, "skiplab: out of memory (wanted ", 31);
    }
}

static void seconds_go_forward(void **state)
{
    double before = skl_seconds(), busy = skl_thread_seconds();
    usleep(2000);
    assert_true(skl_seconds() - before >= 0.002 && skl_seconds() - before < 60);
    assert_true(skl_thread_seconds() >= busy && skl_thread_seconds() - busy < 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_what_was_written), cmocka_unit_test(every_length_fits),
        cmocka_unit_test(append_adds_at_the_end),     cmocka_unit_test(a_list_keeps_its_elements),
        cmocka_unit_test(want_of_memory_is_said),     cmocka_unit_test(seconds_go_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
