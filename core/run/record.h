/* record.h - run.json: what may differ between two identical runs (times, host, threads, state) and the final figures.
 * Keys are sorted; written whole, atomically.  The keys are described in docs/results.md.  Nobody else reads or writes
 * it. */
#ifndef SKL_RECORD_H
#define SKL_RECORD_H
#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "core/io/json.h"

struct skl_record {
    json_t *json;
    char *path;
    int desk; /* of the run's claim (core/run/claim.h) */
};

/* Takes over what an earlier part of the same run wrote (start, seconds, resumes); an absent or damaged file: empty.
 * SKL_DATA: it may be there and cannot be read; empty too, and not to be written. */
int skl_record_open(struct skl_record *r, const char *folder, int desk, struct skl_err *err);
void skl_record_text(struct skl_record *r, const char *key, const char *value); /* NULL: null */
void skl_record_integer(struct skl_record *r, const char *key, int64_t value);
void skl_record_real(struct skl_record *r, const char *key, double value); /* not finite: null */
void skl_record_flag(struct skl_record *r, const char *key, bool value);
void skl_record_time(struct skl_record *r, const char *key); /* now, UTC, ISO 8601 */
double skl_record_get_real(const struct skl_record *r, const char *key, double otherwise);
bool skl_record_get_flag(const struct skl_record *r, const char *key);
/* "files": {name: {bytes, sha256}} of every result file that exists in the folder, run.json excepted. */
int skl_record_files(struct skl_record *r, const char *folder, struct skl_err *err);
int skl_record_write(const struct skl_record *r, struct skl_err *err);
void skl_record_close(struct skl_record *r);

/* Why a run ended as it did, for decisions; "cause" in run.json says it to people, and may be cut. */
enum skl_cause {
    SKL_CAUSE_NONE,
    SKL_CAUSE_GAVE_UP, /* the give_up rule */
    SKL_CAUSE_HALVED,  /* give_up.halving: others of its sweep were better */
    SKL_CAUSE_RUNG,    /* interrupted, with a checkpoint, until the others are as far (give_up.halving) */
    SKL_CAUSE_DIVERGED,
    SKL_CAUSE_SIGNAL,  /* interrupted, with a checkpoint */
    SKL_CAUSE_STORAGE, /* the disk or a quota was full */
    SKL_CAUSE_KILLED,  /* from outside: KILL, TERM, HUP, INT */
    SKL_CAUSE_CRASHED, /* by any other signal */
    SKL_CAUSE_HUNG,    /* a sweep saw no sign of life */
    SKL_CAUSE_REFUSED, /* as it was asked for: exit code 2 */
    SKL_CAUSE_ERROR
};
extern const char *const skl_cause_words[]; /* in run.json: "", "gave-up", ... */
enum skl_cause skl_cause_of_error(const struct skl_err *err);
enum skl_cause skl_cause_of_signal(int sig);
enum skl_cause skl_cause_of_word(const char *word); /* NULL or unknown: SKL_CAUSE_ERROR */

/* What run.json says. */
struct skl_run_state {
    char state[16]; /* waiting (no run.json yet), running, done, diverged, stopped (by give_up.halving), failed, paused
                       (give_up.halving), interrupted (also where a running one's process is gone) */
    char cause[1024];
    enum skl_cause code;
    bool damaged;                       /* there is a run.json that holds no such record */
    char config_hash[65], data[17];     /* data: the fingerprint; "": not known yet */
    char numerics[512];                 /* what the bits of its results depend on; "": not known yet */
    char plugin[64], plugin_sha256[65]; /* "": the variant is built in; older runs know 16 digits of the hash only */
    int64_t iteration, iterations;
    double images_per_second, seconds; /* training so far */
    double seconds_left;               /* as the run itself expected when it wrote this; NaN: not known */
    double train_loss_final, train_error_final, test_loss_final, test_error_final; /* NaN until done */
    enum skl_seal seal;                                                            /* of run.json */
    bool complete; /* done, diverged or stopped, and all recorded files have their recorded sizes */
};
bool skl_state_is_end(const char *state); /* done, diverged or stopped: nothing more comes */
/* Are these SHA-256 of one file, as far as both are known? */
bool skl_same_build(const char *a, const char *b);
int skl_run_state_read(const char *folder, struct skl_run_state *state, struct skl_err *err); /* absent: waiting */
/* For the driver whose child died: state failed, with this cause and the last lines the child wrote (NULL: none).
 * desk: of a claim on the folder. */
int skl_run_state_fail(const char *folder, int desk, enum skl_cause code, const char *cause, const char *last_lines,
                       struct skl_err *err);

/* All that run.json says, for whoever shows it; nothing is looked at besides.  Figures it does not have are NaN,
 * numbers 0, texts "". */
struct skl_run_record {
    double test_error, test_top5, test_loss, train_error, train_loss, validation_error, validation_loss;
    double seconds, images_per_second;
    int64_t iteration, iterations, parameters, multiply_adds, classes, resumes, threads;
    enum skl_cause code;
    bool there, other_numerics, edited; /* edited: the seal of run.json is broken */
    char *state, *cause, *version, *commit, *host, *cpu_level, *kernels, *gemm, *numerics, *config_hash, *data,
        *started, *ended, *on_shortcut, *on_residual;
    char *plugin, *plugin_sha256;       /* the variant's; "": built in */
    char *checkpoint;                   /* SHA-256 of last.safetensors */
    char *init_from, *init_from_sha256; /* the file of its first weights; "": none */
};
/* An absent or damaged run.json gives the record of a run that has none.  SKL_DATA: it cannot be read; the same. */
int skl_run_record_read(const char *folder, struct skl_run_record *record, struct skl_err *err);
void skl_run_record_release(struct skl_run_record *record);
#endif
