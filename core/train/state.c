#include "core/train/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/desk.h"
#include "core/run/folder.h"

/* ---- saving ---- */

static int write_next(struct skl_atomic *next, struct skl_snapshot *snapshot, const struct skl_state *state,
                      const struct skl_identity *identity, struct skl_err *err)
{
    struct skl_st_meta meta[SKL_STATE_METAS];
    skl_state_fill_meta(meta, state, identity);
    skl_snapshot_take(snapshot, true);
    int status = skl_net_sound(snapshot->net, err);
    if (!status) status = skl_st_put(next, snapshot->tensor, snapshot->count, meta, SKL_STATE_METAS, true, err);
    for (int i = 0; i < SKL_STATE_METAS; i++) free(meta[i].value);
    return status ? status : skl_atomic_sync(next, err);
}

/* The next one is whole and durable before anything moves; last has its second name, prev, before next takes the
 * first. */
int skl_state_save(const char *folder, int desk, struct skl_snapshot *snapshot, const struct skl_state *state,
                   const struct skl_identity *identity, bool rotate, struct skl_err *err)
{
    char *last = skl_path(folder, SKL_FILE_LAST), *prev = skl_path(folder, SKL_FILE_PREV);
    struct skl_atomic next;
    int status = skl_atomic_open_at(&next, desk, last, err);
    if (!status) {
        status = write_next(&next, snapshot, state, identity, err);
        if (!status && rotate) status = skl_desk_double(desk, last, prev, err);
        if (status)
            skl_atomic_abort(&next);
        else
            status = skl_atomic_commit(&next, err);
    }
    free(last);
    free(prev);
    return status;
}

/* ---- loading ---- */

static int check_identity(const struct skl_st *file, const char *path, const struct skl_identity *id,
                          bool allow_other_numerics, bool *other_numerics, struct skl_err *err)
{
    const char *hash = skl_st_meta(file, "config_hash"), *data = skl_st_meta(file, "data"),
               *numerics = skl_st_meta(file, "numerics");
    if (!hash || !data || !numerics) return skl_state_bad_meta(path, "config_hash, data or numerics", err);
    if (strcmp(hash, id->config_hash))
        return skl_fail(err, SKL_USAGE,
                        "%s belongs to another configuration (hash %.12s, this run has %.12s): use another folder",
                        path, hash, id->config_hash);
    if (strcmp(data, id->data))
        return skl_fail(err, SKL_DATA, "%s was trained on other data: the data set's files have changed since", path);
    *other_numerics = strcmp(numerics, id->numerics) != 0;
    if (!*other_numerics || allow_other_numerics) return SKL_OK;
    return skl_fail(err, SKL_USAGE,
                    "%s was made with other numerics (%s; here: %s), the bits would differ: "
                    "--allow-other-numerics goes on all the same and marks the run",
                    path, numerics, id->numerics);
}

/* One file.  *broken: it is not whole, so an older one may be tried. */
static int load_file(const char *path, struct skl_net *net, struct skl_state *state, const struct skl_identity *id,
                     bool allow_other_numerics, struct skl_resume *resume, bool *broken, struct skl_err *err)
{
    struct skl_st file;
    *broken = true;
    int status = skl_st_read_within(path, true, skl_weights_file_limit(net), &file, err);
    if (status) return status;
    status = skl_state_parse(&file, path, state, err);
    if (!status) status = skl_state_check(state, id->iterations, path, err);
    if (!status) {
        *broken = false;
        status = check_identity(&file, path, id, allow_other_numerics, &resume->other_numerics, err);
    }
    if (!status) status = skl_weights_load(net, &file, SKL_WEIGHTS_MOMENTUM, path, err);
    skl_st_release(&file);
    resume->found = !status;
    return status;
}

int skl_state_load_weights(const char *path, struct skl_net *net, struct skl_state *state,
                           const struct skl_identity *id, struct skl_err *err)
{
    struct skl_st file;
    int status = skl_st_read_within(path, true, skl_weights_file_limit(net), &file, err);
    if (status) return status;
    const char *hash = skl_st_meta(&file, "config_hash");
    status = skl_state_parse(&file, path, state, err);
    if (!status && (!hash || strcmp(hash, id->config_hash)))
        status = skl_fail(err, SKL_DATA, "%s does not belong to the config.yaml beside it", path);
    if (!status) status = skl_state_check(state, id->iterations, path, err);
    bool other_numerics;
    if (!status) status = check_identity(&file, path, id, true, &other_numerics, err);
    if (!status) status = skl_weights_load(net, &file, SKL_WEIGHTS_ONLY, path, err);
    skl_st_release(&file);
    return status;
}

int skl_state_load_file(const char *path, struct skl_net *net, struct skl_state *state, const struct skl_identity *id,
                        struct skl_err *err)
{
    struct skl_resume resume = {0};
    bool broken;
    return load_file(path, net, state, id, false, &resume, &broken, err);
}

int skl_state_load(const char *folder, struct skl_net *net, struct skl_state *state, const struct skl_identity *id,
                   bool allow_other_numerics, struct skl_resume *resume, struct skl_err *err)
{
    char *last = skl_path(folder, SKL_FILE_LAST), *prev = skl_path(folder, SKL_FILE_PREV);
    struct skl_err why = {0};
    bool broken = false, have_last = false, have_prev = false;
    *resume = (struct skl_resume){0};
    int status = skl_is_there(last, &have_last, &why);
    if (!status) status = skl_is_there(prev, &have_prev, &why);
    const bool told = !status;
    if (told && have_last) status = load_file(last, net, state, id, allow_other_numerics, resume, &broken, &why);
    if (told && (!have_last || broken) && have_prev) {
        snprintf(resume->warning, sizeof resume->warning, "%.900s; resuming from %s",
                 have_last ? why.text : "last.safetensors is absent", SKL_FILE_PREV);
        resume->from_prev = true;
        status = load_file(prev, net, state, id, allow_other_numerics, resume, &broken, &why);
    }
    if (status)
        skl_fail(err, status, "%s%s", why.text,
                 broken ? "; no whole checkpoint is left: move the folder away to start again" : "");
    free(last);
    free(prev);
    return status;
}
