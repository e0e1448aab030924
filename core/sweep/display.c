/* display.c - the live block, and how figures are written for people. */
#include "core/sweep/display.h"

#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/base/fs.h"
#include "core/base/say.h"
#include "core/run/folder.h"

void skl_display_start(struct skl_display *d, FILE *out)
{
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    *d = (struct skl_display){.out = out};
    d->live = isatty(fileno(out)) && term && *term && strcmp(term, "dumb");
    d->colour = d->live && !(no_colour && *no_colour);
}

static const char *paint(const struct skl_display *d, enum skl_colour colour)
{
    static const char *const codes[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[2m"};
    return d->colour ? codes[colour] : "";
}

void skl_display_line(struct skl_display *d, enum skl_colour colour, const char *word, const char *fmt, ...)
{
    skl_display_end(d);
    const char *reset = d->colour && colour != SKL_PLAIN ? "\033[0m" : "";
    fprintf(d->out, "%s%-11s%s ", paint(d, colour), word, reset);
    va_list args;
    va_start(args, fmt);
    skl_vprint_to(d->out, fmt, args);
    va_end(args);
    fputc('\n', d->out);
    fflush(d->out);
}

void skl_display_begin(struct skl_display *d)
{
    if (!d->live) return;
    struct winsize w;
    bool known = !ioctl(fileno(d->out), TIOCGWINSZ, &w);
    d->width = known && w.ws_col > 20 ? w.ws_col - 1 : 79;
    d->height = known && w.ws_row > 4 ? w.ws_row - 2 : 22;
    d->next = skl_text_open(&d->block);
    if (d->drawn) fprintf(d->next, "\033[%dA", d->drawn);
    fputs("\r\033[J", d->next);
    d->drawn = 0;
}

void skl_display_row(struct skl_display *d, const char *fmt, ...)
{
    if (!d->next || d->drawn >= d->height) return;
    va_list args;
    va_start(args, fmt);
    char *text = skl_vformat_visible(fmt, args);
    va_end(args);
    fprintf(d->next, "%.*s\n", d->width, text);
    free(text);
    d->drawn++;
}

void skl_display_show(struct skl_display *d)
{
    if (!d->next) return;
    skl_text_close(&d->block);
    fwrite(d->block.text, 1, d->block.n, d->out); /* in one piece: no flicker */
    fflush(d->out);
    free(d->block.text);
    d->next = NULL;
}

void skl_display_end(struct skl_display *d)
{
    if (d->drawn) fprintf(d->out, "\033[%dA\r\033[J", d->drawn);
    d->drawn = 0;
}

const char *skl_duration(double seconds, char text[32])
{
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e10)
        snprintf(text, 32, "?");
    else if (seconds < 59.5)
        snprintf(text, 32, "%.0f s", seconds);
    else if (seconds < 3570)
        snprintf(text, 32, "%.0f min", seconds / 60);
    else if (seconds < 86400)
        snprintf(text, 32, "%d h %02d min", (int)(seconds / 3600), (int)fmod(seconds / 60, 60));
    else
        snprintf(text, 32, "%ld d %d h", (long)(seconds / 86400), (int)fmod(seconds / 3600, 24));
    return text;
}

const char *skl_bar(double fraction, int cells, char text[64])
{
    if (cells > 60) cells = 60;
    int full = fraction > 0 ? (int)(fraction * cells) : 0;
    if (full > cells) full = cells;
    text[0] = '[';
    memset(text + 1, '#', (size_t)full);
    memset(text + 1 + full, '-', (size_t)(cells - full));
    text[cells + 1] = ']';
    text[cells + 2] = 0;
    return text;
}

const char *skl_bytes(double bytes, char text[32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    int u = 0;
    while (bytes >= 999.5 && u < 5) {
        bytes /= 1000;
        u++;
    }
    snprintf(text, 32, bytes < 9.95 && u > 0 ? "%.1f %s" : "%.0f %s", bytes, units[u]);
    return text;
}

int skl_last_row(const char *run_folder, struct skl_row *row, struct skl_err *err)
{
    char *path = skl_path(run_folder, SKL_FILE_TRAIN), text[513];
    *row = (struct skl_row){.loss = NAN, .error = NAN};
    int fd, status = skl_open_if_there(path, O_RDONLY, &fd, err);
    free(path);
    if (status || fd < 0) return status;
    off_t size = lseek(fd, 0, SEEK_END);
    ssize_t n = pread(fd, text, sizeof text - 1, size > 512 ? size - 512 : 0);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    char *end = strrchr(text, '\n'); /* what follows it is a row in the making */
    if (!end) return SKL_OK;
    *end = 0;
    const char *line = strrchr(text, '\n');
    long long iteration;
    struct skl_row last;
    if (sscanf(line ? line + 1 : text, "%lld,%*f,%*f,%lf,%lf", &iteration, &last.loss, &last.error) != 3) return SKL_OK;
    last.iteration = iteration;
    *row = last;
    return SKL_OK;
}
