#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_one(data, n);
    return 0;
}

static char folder[64];
static pid_t owner;

static void remove_folder(void)
{
    char command[100];
    if (getpid() != owner) return;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command)) fprintf(stderr, "cannot remove %s\n", folder);
}

const char *fuzz_folder(void)
{
    if (*folder) return folder;
    snprintf(folder, sizeof folder, "%s/skiplab-fuzz-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    FUZZ_CHECK(mkdtemp(folder));
    owner = getpid();
    atexit(remove_folder);
    return folder;
}

const char *fuzz_file(const char *name, const void *data, size_t n)
{
    static char path[8][160];
    int i = 0;
    char want[160];
    snprintf(want, sizeof want, "%s/%s", fuzz_folder(), name);
    while (i < 8 && *path[i] && strcmp(path[i], want)) i++;
    FUZZ_CHECK(i < 8);
    memcpy(path[i], want, sizeof want);
    int fd = open(path[i], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd >= 0 && write(fd, data, n) == (ssize_t)n && close(fd) == 0);
    return path[i];
}

char *fuzz_copy(const uint8_t *data, size_t n)
{
    char *copy = malloc(n ? n : 1);
    FUZZ_CHECK(copy);
    if (n) memcpy(copy, data, n);
    return copy;
}

char *fuzz_text(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1);
    FUZZ_CHECK(text);
    if (n) memcpy(text, data, n);
    text[n] = 0;
    return text;
}

void fuzz_check_error(int status, const struct skl_err *err)
{
    FUZZ_CHECK(status == SKL_FAILED || status == SKL_USAGE || status == SKL_DATA);
    FUZZ_CHECK(err->status == status && *err->text);
    FUZZ_CHECK(memchr(err->text, 0, sizeof err->text));
    for (const char *p = err->text; *p; p++) FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
}
