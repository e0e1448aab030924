/* The main() of a target without libFuzzer: feeds it each file named, or each file in a folder named. */
#include <dirent.h>
#include <signal.h>
#include "tests/fuzz/fuzz.h"

static int replayed;
static const char *current;

static void say_which(int signal)
{
    if (current) fprintf(stderr, "ended at %s\n", current);
}

static void replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    FUZZ_CHECK(f);
    char *data = NULL;
    size_t n = 0, got = 1;
    while (got > 0) {
        data = realloc(data, n + 65536);
        FUZZ_CHECK(data);
        got = fread(data + n, 1, 65536, f);
        n += got;
    }
    fclose(f);
    current = path;
    char *exact = fuzz_copy((uint8_t *)data, n);
    fuzz_one((uint8_t *)exact, n);
    free(exact);
    free(data);
    current = NULL;
    replayed++;
}

int main(int argc, char **argv)
{
    signal(SIGABRT, say_which);
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        for (struct dirent *e; dir && (e = readdir(dir));) {
            char *path = skl_format("%s/%s", argv[i], e->d_name);
            if (e->d_name[0] != '.') replay(path);
            free(path);
        }
        if (dir)
            closedir(dir);
        else
            replay(argv[i]);
    }
    printf("%d inputs\n", replayed);
    return replayed ? 0 : 1;
}
