/* columns.c - the tables of columns, and what a page shows in another form. */
#include "core/report/columns.h"

#include <math.h>
#include <string.h>

/* ---- what is made ---- */

static struct skl_value text_value(char *text) { return (struct skl_value){.kind = SKL_IS_TEXT, .text = text}; }

static struct skl_value baseline(const struct skl_subject *s)
{
    return (struct skl_value){.kind = SKL_IS_FLAG, .whole = s->row == &s->study->row[s->study->results.baseline]};
}

static struct skl_value verdict(const struct skl_subject *s)
{
    return text_value(skl_strdup(skl_verdict_words[s->row->verdict]));
}

static struct skl_value remark(const struct skl_subject *s) { return text_value(skl_row_remark(s->study, s->row)); }

static struct skl_value difference_remark(const struct skl_subject *s)
{
    const struct skl_report_row *base = &s->study->row[s->study->results.baseline], *row = s->row;
    if (!row->failed && !base->failed) return text_value(skl_strdup(row->difference.n == 1 ? "one seed" : ""));
    return text_value(skl_format("%d of %d over the limit%s", row->failed, row->finished,
                                 base->failed ? ", and some of the baseline's" : ""));
}

static struct skl_value counted_error(const struct skl_subject *s)
{
    return (struct skl_value){.kind = SKL_IS_REAL, .real = s->run->finished ? s->run->error : NAN};
}

static struct skl_value run_path(const struct skl_subject *s)
{
    return text_value(skl_format("%s/seed-%llu", s->row->setting->path, (unsigned long long)s->run->run->seed));
}

const char *skl_run_outcome(const struct skl_report_run *r)
{
    if (r->diverged) return "diverged";
    if (r->stopped) return "stopped by give_up";
    if (r->failed) return "over the limit";
    if (r->finished && isnan(r->error)) return "no test error";
    return r->finished ? NULL : r->run->state;
}

static struct skl_value outcome(const struct skl_subject *s)
{
    const char *word = skl_run_outcome(s->run);
    return text_value(skl_strdup(word ? word : ""));
}

/* ---- what a page shows ---- */

static char *nothing(void) { return skl_strdup(""); }

static char *show_error(const struct skl_subject *s, int *flags)
{
    if (!s->row->fail) return skl_number_text(2, s->row->error.median);
    *flags |= SKL_CELL_STRONG;
    return skl_format("fail (%.2f)", s->row->error.median);
}

static char *show_range(const struct skl_subject *s, int *flags)
{
    const struct skl_spread *e = &s->row->error;
    return e->n > 1 ? skl_format("%.2f–%.2f", e->low, e->high) : nothing();
}

static char *show_counted(const struct skl_subject *s, int *flags)
{
    const struct skl_report_row *row = s->row;
    return row->valued < row->runs ? skl_format("%d of %d", row->valued, row->runs) : skl_format("%d", row->valued);
}

static char *show_reached(const struct skl_subject *s, int *flags)
{
    const double reached = s->row->reached.median;
    return isinf(reached) ? skl_strdup("never") : skl_number_text(0, reached);
}

static char *show_speed(const struct skl_subject *s, int *flags)
{
    const double speed = s->row->speed.median;
    return skl_number_text(speed < 10 ? 1 : 0, speed);
}

static char *show_hours(const struct skl_subject *s, int *flags)
{
    const double hours = s->row->hours.median;
    if (hours < 0.0005) return skl_strdup("< 0.001");
    return skl_number_text(hours < 0.095 ? 3 : hours < 9.5 ? 2 : 1, hours);
}

static char *range_text(double low, double high)
{
    if (isnan(low)) return nothing();
    return skl_format("%s%.2f to %s%.2f", low < 0 ? "−" : "", fabs(low), high < 0 ? "−" : "", fabs(high));
}

static char *show_interval(const struct skl_subject *s, int *flags)
{
    return range_text(s->row->difference.low, s->row->difference.high);
}

static char *show_differences(const struct skl_subject *s, int *flags)
{
    return range_text(s->row->difference_low, s->row->difference_high);
}

static char *p_text(double p)
{
    return isnan(p) ? nothing() : p < 0.001 ? skl_strdup("< 0.001") : skl_format("%.3f", p);
}

static char *show_p(const struct skl_subject *s, int *flags) { return p_text(s->row->p); }
static char *show_p_holm(const struct skl_subject *s, int *flags) { return p_text(s->row->p_holm); }

static char *show_progress(const struct skl_subject *s, int *flags)
{
    return skl_format("%lld of %lld", (long long)s->run->record.iteration, (long long)s->run->run->iterations);
}

static char *digits(const char *hex) { return hex ? skl_format("%.*s", SKL_HEX_SHOWN, hex) : nothing(); }
static char *show_hash(const struct skl_subject *s, int *flags) { return digits(s->run->record.config_hash); }
static char *show_checkpoint(const struct skl_subject *s, int *flags) { return digits(s->run->record.checkpoint); }

static char *show_host(const struct skl_subject *s, int *flags)
{
    return skl_strdup(*s->run->record.host ? s->run->record.host : "(unknown)");
}

static char *reached_head(const struct skl_study *s) { return skl_format("iterations to %.9g %%", s->level); }

bool skl_study_has_paper(const struct skl_study *s)
{
    for (int i = 0; i < s->results.settings; i++)
        if (s->row[i].paper_fails || !isnan(s->row[i].paper)) return true;
    return false;
}

/* Some run had more than 10 classes. */
static bool has_top5(const struct skl_study *s)
{
    for (int i = 0; i < s->results.settings; i++)
        for (int k = 0; k < s->row[i].runs; k++)
            if (s->row[i].run[k].record.there && !isnan(s->row[i].run[k].record.test_top5)) return true;
    return false;
}

/* Where no row follows the paper's protocol, that is said once, below the table. */
bool skl_study_has_verdict(const struct skl_study *s)
{
    for (int i = 0; i < s->results.settings; i++)
        if (s->row[i].verdict != SKL_NO_VERDICT && s->row[i].verdict != SKL_OTHER_PROTOCOL) return true;
    return false;
}

/* ---- the tables, in the order of the CSV files ---- */

/* clang-format off: it takes _Generic for labels */
#define KIND(T, member) \
    _Generic(&((T *)0)->member, \
             char **: SKL_IS_TEXT, double *: SKL_IS_REAL, int *: SKL_IS_INT, bool *: SKL_IS_FLAG, \
             int64_t *: SKL_IS_WHOLE, uint64_t *: SKL_IS_NATURAL, default: SKL_IS_CHARS)
/* clang-format on */
#define VALUE(origin, T, member) .kind = KIND(T, member), .from = origin, .offset = offsetof(T, member)
#define STUDY(member) VALUE(SKL_FROM_STUDY, struct skl_study, member)
#define ROW(member) VALUE(SKL_FROM_ROW, struct skl_report_row, member)
#define SETTING(member) VALUE(SKL_FROM_SETTING, struct skl_result_setting, member)
#define RUN(member) VALUE(SKL_FROM_RUN, struct skl_report_run, member)
#define RESULT(member) VALUE(SKL_FROM_RESULT, struct skl_result_run, member)
#define RECORD(member) VALUE(SKL_FROM_RECORD, struct skl_run_record, member)
#define KNOWN(member) .kind = SKL_IS_KNOWN, .from = SKL_FROM_ROW, .offset = offsetof(struct skl_report_row, member)

#define BOTH(name) .key = name, .csv = name, .json = name
#define CSV(name) .key = name, .csv = name
#define JSON(name) .key = name, .json = name
#define PAGE(name) .key = name
#define NAMED(name, in_json) .key = name, .csv = name, .json = in_json

const struct skl_report_column skl_setting_columns[] = {
    {CSV("sweep"), STUDY(results.name)},
    {BOTH("variant"), SETTING(variant)},
    {BOTH("setting"), SETTING(name)},
    {PAGE("case"), SETTING(label), .head = "case"},
    {PAGE("keys"), .is_keys = true},
    {BOTH("on_shortcut"), ROW(on_shortcut), .head = "on shortcut", .title = "what the variant does to the shortcut"},
    {BOTH("on_residual"), ROW(on_residual), .head = "on F", .title = "what the variant does to the residual branch"},
    {BOTH("baseline"), .of = baseline},
    {BOTH("seeds"), ROW(runs)},
    {PAGE("counted"), ROW(valued), .head = "n", .title = "seeds that count, of those planned", .show = show_counted},
    {BOTH("finished"), ROW(finished)},
    {BOTH("failed"), ROW(failed)},
    {BOTH("diverged"), ROW(diverged)},
    {BOTH("fail"), ROW(fail)},
    {BOTH("fail_above"), ROW(limit)},
    {NAMED("test_error_median", "test_error.median"), ROW(error.median), .head = "test error, %",
     .title = "median over the seeds", .show = show_error},
    {PAGE("test_error_range"), ROW(error.low), .head = "min–max", .title = "of the seeds", .show = show_range},
    {NAMED("test_error_min", "test_error.min"), ROW(error.low)},
    {NAMED("test_error_max", "test_error.max"), ROW(error.high)},
    {NAMED("test_error_n", "test_error.n"), ROW(error.n)},
    {BOTH("test_error_mean"), ROW(mean)},
    {BOTH("test_error_sd"), ROW(sd)},
    {NAMED("test_top5_median", "test_top5.median"), ROW(top5.median), .head = "top-5, %", .decimals = 2,
     .title = "label not among the five likeliest, at the end; median over seeds", .shown = has_top5},
    {JSON("test_top5.min"), ROW(top5.low)},
    {JSON("test_top5.max"), ROW(top5.high)},
    {JSON("test_top5.n"), ROW(top5.n)},
    {NAMED("best_test_error_median", "best_test_error.median"), ROW(best.median), .head = "best, %", .decimals = 2,
     .title = "least test error of any iteration, median over seeds: chosen on the test set", .flags = SKL_CELL_MUTED},
    {JSON("best_test_error.min"), ROW(best.low)},
    {JSON("best_test_error.max"), ROW(best.high)},
    {JSON("best_test_error.n"), ROW(best.n)},
    {NAMED("train_error_median", "train_error.median"), ROW(train_error.median), .head = "training error, %",
     .title = "whole training set, clean images, at the end; median", .decimals = 2},
    {JSON("train_error.min"), ROW(train_error.low)},
    {JSON("train_error.max"), ROW(train_error.high)},
    {JSON("train_error.n"), ROW(train_error.n)},
    {NAMED("train_loss_median", "train_loss.median"), ROW(train_loss.median), .head = "training loss",
     .title = "whole training set, clean images, at the end; median", .decimals = 4},
    {JSON("train_loss.min"), ROW(train_loss.low)},
    {JSON("train_loss.max"), ROW(train_loss.high)},
    {JSON("train_loss.n"), ROW(train_loss.n)},
    {CSV("train_error_level"), STUDY(level)},
    {BOTH("iterations_to_level"), ROW(reached.median), .head_of = reached_head, .show = show_reached,
     .title = "first row of train.csv at or below that training error; median"},
    {BOTH("parameters"), KNOWN(parameters), .head = "parameters"},
    {BOTH("multiply_adds"), KNOWN(multiply_adds), .head = "multiply-adds", .title = "of one image, forward"},
    {BOTH("images_per_second"), ROW(speed.median), .head = "images/s", .title = "in training, median",
     .show = show_speed},
    {BOTH("hours"), ROW(hours.median), .head = "hours", .title = "of one run, median", .show = show_hours},
    {NAMED("difference_n", "difference.pairs"), ROW(difference.n), .head = "pairs", .title = "seeds that both have"},
    {NAMED("difference_mean", "difference.mean"), ROW(difference.mean), .head = "mean difference", .decimals = 2},
    {PAGE("difference_interval"), ROW(difference.low), .head = "95 % t-interval",
     .title = "of the mean difference, over the seeds", .show = show_interval},
    {PAGE("difference_range"), ROW(difference_low), .head = "min to max", .title = "of the differences",
     .show = show_differences},
    {NAMED("difference_low", "difference.low"), ROW(difference.low)},
    {NAMED("difference_high", "difference.high"), ROW(difference.high)},
    {NAMED("difference_min", "difference.min"), ROW(difference_low)},
    {NAMED("difference_max", "difference.max"), ROW(difference_high)},
    {NAMED("p", "difference.p"), ROW(p), .head = "p", .title = "two-sided, paired t-test", .show = show_p},
    {NAMED("p_holm", "difference.p_holm"), ROW(p_holm), .head = "Holm's p",
     .title = "adjusted for the number of comparisons", .show = show_p_holm},
    {PAGE("difference_remark"), .of = difference_remark, .head = "remark"},
    {BOTH("paper"), .kind = SKL_IS_SCALAR, .from = SKL_FROM_SETTING,
     .offset = offsetof(struct skl_result_setting, paper), .head = "paper, %", .title = "the paper's test error",
     .shown = skl_study_has_paper},
    {BOTH("verdict"), .of = verdict, .head = "verdict", .title = "beside the paper's value",
     .shown = skl_study_has_verdict},
    {BOTH("remark"), .of = remark, .head = "remark"},
    {0},
};

const struct skl_report_column skl_run_columns[] = {
    {CSV("sweep"), STUDY(results.name)},
    {CSV("variant"), SETTING(variant)},
    {CSV("setting"), SETTING(name)},
    {PAGE("case"), SETTING(label), .head = "case"},
    {BOTH("seed"), RESULT(seed), .head = "seed"},
    {PAGE("keys"), .is_keys = true},
    {BOTH("state"), RESULT(state), .head = "state"},
    {PAGE("outcome"), .of = outcome, .head = "outcome"},
    {BOTH("cause"), RESULT(cause), .head = "cause"},
    {CSV("iteration"), RECORD(iteration), .head = "iterations", .show = show_progress},
    {CSV("iterations"), RESULT(iterations)},
    {BOTH("failed"), RUN(failed)},
    {BOTH("test_error"), RUN(measured), .head = "test error, %", .title = "last measured", .decimals = 2},
    {BOTH("counted_error"), .of = counted_error},
    {CSV("test_top5"), RECORD(test_top5)},
    {CSV("best_test_error"), RUN(best)},
    {CSV("test_loss"), RECORD(test_loss)},
    {CSV("train_error"), RECORD(train_error)},
    {CSV("train_loss"), RECORD(train_loss)},
    {CSV("iterations_to_level"), RUN(reached)},
    {CSV("images_per_second"), RECORD(images_per_second)},
    {CSV("seconds"), RECORD(seconds)},
    {CSV("threads"), RECORD(threads)},
    {CSV("resumes"), RECORD(resumes)},
    {CSV("other_numerics"), RECORD(other_numerics)},
    {BOTH("host"), RECORD(host), .head = "host", .show = show_host},
    {CSV("version"), RECORD(version), .head = "version"},
    {BOTH("commit"), RECORD(commit), .head = "commit"},
    {CSV("cpu_level"), RECORD(cpu_level), .head = "CPU level"},
    {CSV("kernels"), RECORD(kernels), .head = "kernels"},
    {CSV("gemm"), RECORD(gemm), .head = "BLAS"},
    {CSV("numerics"), RECORD(numerics)},
    {CSV("data"), RECORD(data), .head = "data", .title = "fingerprint of the images and labels"},
    {BOTH("config_hash"), RECORD(config_hash), .head = "configuration", .show = show_hash},
    {BOTH("checkpoint"), RECORD(checkpoint), .head = "checkpoint", .show = show_checkpoint},
    {CSV("started"), RECORD(started)},
    {CSV("ended"), RECORD(ended), .head = "ended"},
    {CSV("run"), .of = run_path},
    {0},
};
