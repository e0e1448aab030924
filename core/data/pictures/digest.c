#include "core/base/sort.h"
#include "core/data/pictures/digest.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/sha256.h"

enum { BLOCK = 256 };

struct one {
    char hex[65];
    struct skl_err err;
};
struct block {
    const struct skl_listing *l;
    char **path; /* all, sorted */
    int first;
    struct one one[BLOCK];
};

static void hash_one(void *arg, int k, int worker)
{
    struct block *b = arg;
    b->one[k].err.status = skl_file_sha256(b->path[b->first + k], -1, b->one[k].hex, NULL, &b->one[k].err);
}

static int hash_part(struct block *b, int count, struct skl_pool *pool, struct skl_sha256 *sum, struct skl_err *err)
{
    for (b->first = 0; b->first < count; b->first += BLOCK) {
        const int n = count - b->first < BLOCK ? count - b->first : BLOCK;
        skl_parallel(pool, n, hash_one, b);
        for (int k = 0; k < n; k++) {
            const char *name = b->path[b->first + k] + strlen(b->l->path) + 1;
            if (b->one[k].err.status) {
                if (err) *err = b->one[k].err;
                return b->one[k].err.status;
            }
            skl_sha256_add(sum, name, strlen(name));
            skl_sha256_add(sum, " ", 1);
            skl_sha256_add(sum, b->one[k].hex, 64);
            skl_sha256_add(sum, "\n", 1);
        }
    }
    return SKL_OK;
}

int skl_listing_digest(const struct skl_listing *l, struct skl_pool *pool, char hex[65], struct skl_err *err)
{
    struct skl_sha256 *sum = skl_sha256_new();
    struct block *b = skl_alloc(sizeof *b);
    int status = SKL_OK;
    b->l = l;
    for (int p = 0; p < SKL_LIST_PARTS && !status; p++) {
        const int count = l->part[p].count;
        b->path = skl_alloc_array((size_t)count, sizeof *b->path);
        for (int i = 0; i < count; i++) b->path[i] = skl_listing_path(l, p, i);
        skl_sort_texts(b->path, (size_t)count);
        status = hash_part(b, count, pool, sum, err);
        for (int i = 0; i < count; i++) free(b->path[i]);
        free(b->path);
    }
    skl_sha256_sum(sum, hex);
    free(sum);
    free(b);
    return status;
}
