#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/fs.h"
#include "core/data/sets.h"

enum { INPUT = 1 << 17, PADDING = 1 << 16 };

int skl_open_regular(const char *path, int64_t *bytes, struct skl_err *err)
{
    int fd;
    struct stat st;
    if (skl_open(path, O_RDONLY, &fd, err)) return -1;
    if (fstat(fd, &st)) {
        skl_fail(err, SKL_DATA, "cannot read '%s': %s", path, strerror(errno));
        close(fd);
        return -1;
    }
    *bytes = st.st_size;
    return fd;
}

/* Up to n bytes of the file as it lies on disk; short only at its end, -1: error. */
static ssize_t read_raw(struct skl_stream *s, void *to, size_t n, struct skl_err *err)
{
    size_t got = 0;
    while (got < n) {
        ssize_t r = read(s->fd, (char *)to + got, n - got);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return skl_fail(err, SKL_DATA, "%s: cannot read: %s", s->path, strerror(errno)), -1;
        if (r == 0) break;
        got += (size_t)r;
    }
    return (ssize_t)got;
}

static bool starts_gzip(const unsigned char *p, size_t n) { return n >= 2 && p[0] == 0x1f && p[1] == 0x8b; }

int skl_stream_open(struct skl_stream *s, const char *path, struct skl_err *err)
{
    memset(s, 0, sizeof *s);
    s->fd = skl_open_regular(path, &s->file_bytes, err);
    if (s->fd < 0) return SKL_DATA;
    s->path = skl_strdup(path);
    unsigned char magic[2];
    ssize_t n = pread(s->fd, magic, 2, 0);
    s->gzip = n > 0 && starts_gzip(magic, (size_t)n);
    s->z.next_in = s->input = skl_alloc(INPUT);
    if (!s->gzip) return SKL_OK;
    SKL_CHECK(inflateInit2(&s->z, 15 + 16) == Z_OK); /* + 16: gzip header and trailer */
    return SKL_OK;
}

void skl_stream_close(struct skl_stream *s)
{
    if (s->gzip) inflateEnd(&s->z);
    if (s->path) close(s->fd);
    free(s->input);
    free(s->path);
    memset(s, 0, sizeof *s);
}

/* Makes n bytes of input stand together, as far as the file has them. */
static int fill(struct skl_stream *s, size_t n, struct skl_err *err)
{
    if (s->z.avail_in >= n) return SKL_OK;
    memmove(s->input, s->z.next_in, s->z.avail_in);
    ssize_t more = read_raw(s, s->input + s->z.avail_in, INPUT - s->z.avail_in, err);
    if (more < 0) return SKL_DATA;
    s->z.next_in = s->input;
    s->z.avail_in += (uInt)more;
    return SKL_OK;
}

/* A gzip file is one member, or several one after another (cat a.gz b.gz). */
static int end_member(struct skl_stream *s, struct skl_err *err)
{
    int status = fill(s, 2, err);
    if (status) return status;
    s->ended = !starts_gzip(s->z.next_in, s->z.avail_in);
    if (!s->ended) SKL_CHECK(inflateReset(&s->z) == Z_OK);
    return SKL_OK;
}

static int inflate_some(struct skl_stream *s, struct skl_err *err)
{
    if (s->z.avail_in == 0) {
        int status = fill(s, 1, err);
        if (status) return status;
        if (s->z.avail_in == 0)
            return skl_fail(err, SKL_DATA,
                            "%s: truncated: the gzip stream breaks off after %lld bytes; get the file again", s->path,
                            (long long)s->file_bytes);
    }
    int status = inflate(&s->z, Z_NO_FLUSH);
    if (status == Z_STREAM_END) return end_member(s, err);
    if (status != Z_OK)
        return skl_fail(err, SKL_DATA, "%s: damaged gzip stream (%s); get the file again", s->path,
                        s->z.msg ? s->z.msg : "unexpected end");
    return SKL_OK;
}

int skl_stream_read(struct skl_stream *s, void *to, size_t n, size_t *got, struct skl_err *err)
{
    if (!s->gzip) {
        ssize_t r = read_raw(s, to, n, err);
        *got = r < 0 ? 0 : (size_t)r;
        return r < 0 ? SKL_DATA : SKL_OK;
    }
    SKL_CHECK(n <= UINT32_MAX);
    s->z.next_out = to;
    s->z.avail_out = (uInt)n;
    int status = SKL_OK;
    while (status == SKL_OK && s->z.avail_out > 0 && !s->ended) status = inflate_some(s, err);
    *got = n - s->z.avail_out;
    return status;
}

/* What a tape or a file system in blocks adds behind the data. */
static int check_padding(struct skl_stream *s, struct skl_err *err)
{
    int status = fill(s, PADDING + 1, err);
    if (status) return status;
    bool zeros = s->z.avail_in <= PADDING;
    for (uInt i = 0; i < s->z.avail_in && zeros; i++) zeros = s->z.next_in[i] == 0;
    return zeros ? SKL_OK : skl_fail(err, SKL_DATA, "%s: trailing bytes after the expected end of the data", s->path);
}

int skl_stream_end(struct skl_stream *s, struct skl_err *err)
{
    char more;
    size_t got = 0;
    int status = s->gzip ? skl_stream_read(s, &more, 1, &got, err) : SKL_OK;
    if (status == SKL_OK && got > 0)
        status = skl_fail(err, SKL_DATA, "%s: trailing bytes after the expected end of the data", s->path);
    return status ? status : check_padding(s, err);
}

/* "NAME" or "NAME.gz" in the folder, as it is or with the dot of MNIST's own archives (train-images.idx3-ubyte). */
int skl_set_file(const char *folder, const char *name, char **found, struct skl_err *err)
{
    static const char *const ends[] = {".gz", ""};
    const int bare = (int)(strlen(name) - (strlen(name) > 3 && !strcmp(name + strlen(name) - 3, ".gz") ? 3 : 0));
    bool there = false;
    int status = SKL_OK;
    *found = NULL;
    for (int i = 0; i < 4 && !there && !status; i++) {
        char *path = skl_format("%s/%.*s%s", folder, bare, name, name[bare] ? ends[i % 2] : "");
        char *dot = strstr(path + strlen(folder), "-idx");
        if (i >= 2 && dot) *dot = '.';
        status = skl_is_there(path, &there, err);
        if (there)
            *found = path;
        else
            free(path);
    }
    return status;
}
