#include <inttypes.h>
#include <sha256.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/fs.h"
#include "core/data/sets.h"

/* The ustar format: blocks of 512 bytes, a header before each member, two blocks of zeros at the end. */
enum { BLOCK = 512, MEMBERS_MAX = 64, OTHER_MAX = 1 << 20, CHUNK = 64 * BLOCK };
struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2],
        user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

struct untar {
    const struct skl_set *set;
    const char *folder;
    struct skl_stream in;
    bool seen[SKL_SET_FILES];
    char *name; /* of the member at hand */
    int64_t size;
};

/* Octal digits, surrounded by spaces or NULs; -1: not a number. */
static int64_t octal(const char *field, size_t n)
{
    int64_t v = 0;
    size_t i = 0;
    while (i < n && field[i] == ' ') i++;
    const size_t first = i;
    for (; i < n && field[i] >= '0' && field[i] <= '7'; i++) v = v * 8 + (field[i] - '0');
    if (i == first) return -1;
    for (; i < n; i++)
        if (field[i] != ' ' && field[i] != 0) return -1;
    return v;
}

static bool checksum_right(const struct header *h)
{
    const unsigned char *b = (const unsigned char *)h;
    const size_t at = offsetof(struct header, checksum);
    int64_t sum = 0;
    for (size_t i = 0; i < BLOCK; i++) sum += i >= at && i < at + sizeof h->checksum ? ' ' : b[i];
    return sum == octal(h->checksum, sizeof h->checksum);
}

static int read_all(struct untar *t, void *to, size_t n, struct skl_err *err)
{
    size_t got;
    int status = skl_stream_read(&t->in, to, n, &got, err);
    if (status == SKL_OK && got < n) status = skl_fail(err, SKL_DATA, "%s: truncated tar archive", t->in.path);
    return status;
}

/* Names go into messages, so only printable ASCII gets through. */
static int read_name(struct untar *t, const struct header *h, struct skl_err *err)
{
    free(t->name);
    bool prefix = memcmp(h->magic, "ustar", 6) == 0 && h->prefix[0];
    t->name = prefix ? skl_format("%.155s/%.100s", h->prefix, h->name) : skl_format("%.100s", h->name);
    bool safe = t->name[0] != 0 && t->name[0] != '/';
    for (const char *p = t->name; *p; p++) safe = safe && *p >= ' ' && *p <= '~';
    for (const char *p = t->name; p; p = strchr(p, '/')) {
        p += *p == '/';
        safe = safe && !(strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == 0));
    }
    if (safe) return SKL_OK;
    for (char *p = t->name; *p; p++)
        if (*p < ' ' || *p > '~') *p = '?';
    return skl_fail(err, SKL_DATA, "%s: unsafe name in the archive: '%s'", t->in.path, t->name);
}

/* Which file of the set the member is; -1: none. */
static int wanted(const struct untar *t)
{
    const char *name = t->name;
    if (strncmp(name, "./", 2) == 0) name += 2;
    const size_t n = strlen(t->set->folder);
    if (strncmp(name, t->set->folder, n) != 0 || name[n] != '/') return -1;
    for (int i = 0; t->set->files[i].name; i++)
        if (strcmp(name + n + 1, t->set->files[i].name) == 0) return i;
    return -1;
}

/* Reads the member's data, hands it to out and sha where these are given, and the fill to the next block. */
static int read_data(struct untar *t, struct skl_atomic *out, SHA256_CTX *sha, struct skl_err *err)
{
    char *chunk = skl_alloc(CHUNK);
    int status = SKL_OK;
    for (int64_t left = t->size; left > 0 && status == SKL_OK;) {
        const size_t n = left < CHUNK ? (size_t)left : CHUNK, padded = (n + BLOCK - 1) / BLOCK * BLOCK;
        status = read_all(t, chunk, padded, err);
        if (status == SKL_OK && sha) SHA256_Update(sha, (uint8_t *)chunk, n);
        if (status == SKL_OK && out) status = skl_atomic_write(out, chunk, n, err);
        left -= (int64_t)n;
    }
    free(chunk);
    return status;
}

static int extract(struct untar *t, int i, struct skl_err *err)
{
    const struct skl_file *file = &t->set->files[i];
    if (t->seen[i]) return skl_fail(err, SKL_DATA, "%s: '%s' stands in the archive twice", t->in.path, t->name);
    t->seen[i] = true;
    if (t->size != file->bytes)
        return skl_fail(err, SKL_DATA, "%s: '%s': expected %" PRId64 " bytes, found %" PRId64, t->in.path, t->name,
                        file->bytes, t->size);
    char *path = skl_path(t->folder, file->name), hex[65];
    struct skl_atomic out;
    SHA256_CTX sha;
    SHA256_Init(&sha);
    int status = skl_atomic_open(&out, path, err);
    if (status == SKL_OK) {
        status = read_data(t, &out, &sha, err);
        if (status == SKL_OK && strcmp(SHA256_End(&sha, hex), file->sha256) != 0)
            status = skl_fail(err, SKL_DATA, "%s: '%s': expected SHA-256 %s, found %s", t->in.path, t->name,
                              file->sha256, hex);
        if (status)
            skl_atomic_abort(&out);
        else
            status = skl_atomic_commit(&out, err);
    }
    free(path);
    return status;
}

static int member(struct untar *t, const struct header *h, struct skl_err *err)
{
    if (!checksum_right(h))
        return skl_fail(err, SKL_DATA, "%s: not a tar archive: wrong checksum in a header", t->in.path);
    int status = read_name(t, h, err);
    if (status) return status;
    t->size = octal(h->size, sizeof h->size);
    const int i = wanted(t);
    const bool file = h->type == '0' || h->type == 0, folder = h->type == '5', notes = h->type == 'x' || h->type == 'g';
    if (!file && !folder && !notes)
        return skl_fail(err, SKL_DATA, "%s: '%s' is a link or a device; only files and folders are expected",
                        t->in.path, t->name);
    if (file && i >= 0) return extract(t, i, err);
    if (t->size < 0 || t->size > (folder ? 0 : OTHER_MAX)) /* a readme and the like: read, not kept */
        return skl_fail(err, SKL_DATA, "%s: unexpected member '%s' of %" PRId64 " bytes", t->in.path, t->name, t->size);
    return read_data(t, NULL, NULL, err);
}

static int members(struct untar *t, struct skl_err *err)
{
    static const struct header zeros;
    struct header h;
    for (int n = 0; n < MEMBERS_MAX; n++) {
        int status = read_all(t, &h, sizeof h, err);
        if (status) return status;
        if (memcmp(&h, &zeros, sizeof h) == 0) {
            for (int i = 0; t->set->files[i].name; i++)
                if (!t->seen[i])
                    return skl_fail(err, SKL_DATA, "%s: '%s/%s' is missing", t->in.path, t->set->folder,
                                    t->set->files[i].name);
            return SKL_OK;
        }
        status = member(t, &h, err);
        if (status) return status;
    }
    return skl_fail(err, SKL_DATA, "%s: more than %d members", t->in.path, MEMBERS_MAX);
}

int skl_untar(const struct skl_set *set, const char *path, const char *folder, struct skl_err *err)
{
    struct untar t = {.set = set, .folder = folder};
    int status = skl_stream_open(&t.in, path, err);
    if (status == SKL_OK) status = members(&t, err);
    skl_stream_close(&t.in);
    free(t.name);
    return status;
}
