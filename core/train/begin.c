#include "core/train/begin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bounds.h"
#include "core/base/fs.h"
#include "core/io/safetensors.h"
#include "core/train/weights.h"

/* "WORD" or "WORD:strict" or "WORD:partial" as a path, malloc'd. */
static char *begin_path(const char *init_from, bool *partial)
{
    const char *colon = strrchr(init_from, ':');
    *partial = colon && !strcmp(colon, ":partial");
    const bool mode = *partial || (colon && !strcmp(colon, ":strict"));
    return skl_format("%.*s", mode ? (int)(colon - init_from) : (int)strlen(init_from), init_from);
}

static void keep(struct skl_beginning *b, const char *name)
{
    const size_t n = strlen(b->kept);
    if (n + strlen(name) + 8 < sizeof b->kept)
        snprintf(b->kept + n, sizeof b->kept - n, "%s%s", n ? ", " : "", name);
    else if (n && b->kept[n - 1] != '.')
        snprintf(b->kept + n, sizeof b->kept - n, ", ...");
}

static int take_some(struct skl_net *net, const struct skl_st *file, const char *path, struct skl_beginning *b,
                     struct skl_err *err)
{
    const struct skl_tensor *t;
    const int count = skl_net_tensors(net, &t);
    for (int i = 0; i < count; i++) {
        const struct skl_st_tensor *found = skl_weights_fit(file, &t[i]);
        b->taken += found != NULL;
        if (found)
            skl_tensor_write(net, &t[i], SKL_VALUE, found->data);
        else
            keep(b, t[i].name);
    }
    if (b->taken) return SKL_OK;
    return skl_fail(err, SKL_DATA, "%s: train.init_from: not one tensor has a name and shape of this net's%s", path,
                    skl_weights_hint(file));
}

static int take(struct skl_session *s, const char *path, bool partial, struct skl_beginning *b, struct skl_err *err)
{
    struct skl_st file = {0};
    const struct skl_tensor *t;
    char *data;
    size_t n;
    b->count = skl_net_tensors(s->net, &t);
    int status = skl_st_look(path, false, &file, err); /* a file that its tensors do not fill takes no memory */
    skl_st_release(&file);
    if (!status) status = skl_file_read(path, SKL_LIMIT_WEIGHTS, &data, &n, err);
    if (status) return status;
    skl_sha256_hex(data, n, b->sha256); /* of what is taken, whatever becomes of the file */
    status = skl_st_parse(path, data, n, false, &file, err);
    if (status) return status;
    if (partial) {
        status = take_some(s->net, &file, path, b, err);
    } else {
        status = skl_weights_load(s->net, &file, SKL_WEIGHTS_ONLY, path, err);
        b->taken = b->count;
        if (status) skl_context(err, "train.init_from (FILE:partial takes what fits)");
    }
    skl_st_release(&file);
    return status;
}

int skl_begin(struct skl_session *s, struct skl_beginning *b, struct skl_err *err)
{
    *b = (struct skl_beginning){.taken = 0};
    if (!s->exp->train.init_from) return SKL_OK;
    bool partial;
    char *path = begin_path(s->exp->train.init_from, &partial);
    snprintf(b->path, sizeof b->path, "%s", path);
    int status = take(s, path, partial, b, err);
    free(path);
    return status;
}
