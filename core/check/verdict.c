/* What a check says. */
#include <stdarg.h>
#include <stdio.h>

#include "core/check/internal.h"

static void say(struct check *c, enum skl_check_result result, const char *fmt, va_list args)
{
    if (c->row->result == SKL_CHECK_FAIL) return;
    c->row->result = result;
    vsnprintf(c->row->text, sizeof c->row->text, fmt, args);
}

void fail(struct check *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(c, SKL_CHECK_FAIL, fmt, args);
    va_end(args);
}

void skip(struct check *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(c, SKL_CHECK_SKIP, fmt, args);
    va_end(args);
}

void note(struct check *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(c, SKL_CHECK_PASS, fmt, args);
    va_end(args);
}

bool failed(const struct check *c) { return c->row->result == SKL_CHECK_FAIL; }
