/* JPEG by libjpeg-turbo.  Its errors leave by longjmp, caught in the two functions that call it; between setjmp and its
 * return these change nothing that they read afterwards but through p. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#include "core/data/pictures/picture.h"

/* Each pass over a progressive picture takes the time of the whole: so many for small ones, fewer for large. */
enum { PASSES_MAX = 100, EXIF_MAX = 65533, EDGE = 32 };
static const double PASSES_PIXELS = 2e9;

struct skl_jpeg {
    struct jpeg_decompress_struct d;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf out;
    char why[JMSG_LENGTH_MAX];
    bool too_many; /* passes */
    uint8_t *row, *rgb;
};

/* ---- what libjpeg calls ---- */

static void leave(j_common_ptr d)
{
    struct skl_jpeg *j = d->client_data;
    d->err->format_message(d, j->why);
    longjmp(j->out, 1);
}

static void say_nothing(j_common_ptr d) {}

static void count_warning(j_common_ptr d, int level)
{
    if (level < 0) d->err->num_warnings++;
}

static void nothing(j_decompress_ptr d) {}

static boolean no_more(j_decompress_ptr d)
{
    ERREXIT(d, JERR_INPUT_EOF);
    return FALSE;
}

static void skip(j_decompress_ptr d, long n)
{
    if (n <= 0) return;
    if ((size_t)n > d->src->bytes_in_buffer) ERREXIT(d, JERR_INPUT_EOF);
    d->src->next_input_byte += n;
    d->src->bytes_in_buffer -= (size_t)n;
}

static void count_passes(j_common_ptr d)
{
    const struct jpeg_decompress_struct *in = (j_decompress_ptr)d;
    struct skl_jpeg *j = d->client_data;
    j->too_many = in->input_scan_number > PASSES_MAX ||
                  (double)in->input_scan_number * in->image_width * in->image_height > PASSES_PIXELS;
    if (j->too_many) ERREXIT(d, JERR_INPUT_EOF);
}

/* ---- EXIF ---- */

static unsigned number(const uint8_t *p, bool little, int bytes)
{
    unsigned v = 0;
    for (int i = 0; i < bytes; i++) v |= (unsigned)p[little ? i : bytes - 1 - i] << 8 * i;
    return v;
}

/* Does the first folder of tags have an orientation that is not upright?  What is broken says no. */
static bool is_turned(const uint8_t *p, size_t n)
{
    if (n < 14 || memcmp(p, "Exif\0\0", 6)) return false;
    p += 6, n -= 6;
    const bool little = p[0] == 'I';
    const size_t at = number(p + 4, little, 4);
    if (at > n - 2 || n < 2) return false;
    const unsigned tags = number(p + at, little, 2);
    for (size_t i = 0, t = at + 2; i < tags && t + 12 <= n; i++, t += 12)
        if (number(p + t, little, 2) == 0x112) return number(p + t + 8, little, 2) > 1;
    return false;
}

/* ---- both calls ---- */

static int damaged(const struct skl_picture *p, struct skl_err *err)
{
    const int code = p->jpeg->errors.msg_code;
    if (p->jpeg->too_many)
        return skl_fail(err, SKL_DATA, "%s: a JPEG in more than %d passes, or too many for its size", p->name,
                        PASSES_MAX);
    if (code == JERR_INPUT_EOF) return skl_fail(err, SKL_DATA, "%s: truncated: the JPEG breaks off", p->name);
    if (code == JERR_NO_BACKING_STORE)
        return skl_fail(err, SKL_DATA, "%s: a progressive JPEG that needs more than %d MiB", p->name,
                        SKL_PICTURE_MEMORY >> 20);
    return skl_fail(err, SKL_DATA, "%s: damaged JPEG: %s", p->name, p->jpeg->why);
}

static void catch_errors(struct skl_jpeg *j)
{
    j->d.err = jpeg_std_error(&j->errors);
    j->errors.error_exit = leave;
    j->errors.output_message = say_nothing;
    j->errors.emit_message = count_warning;
    j->d.client_data = j;
}

static void give(struct skl_jpeg *j, const uint8_t *data, size_t n)
{
    j->source = (struct jpeg_source_mgr){.next_input_byte = data,
                                         .bytes_in_buffer = n,
                                         .init_source = nothing,
                                         .fill_input_buffer = no_more,
                                         .skip_input_data = skip,
                                         .resync_to_restart = jpeg_resync_to_restart,
                                         .term_source = nothing};
    j->progress.progress_monitor = count_passes;
    j->d.src = &j->source;
    j->d.progress = &j->progress;
    j->d.mem->max_memory_to_use = SKL_PICTURE_MEMORY;
}

static unsigned oddities(const struct skl_jpeg *j)
{
    unsigned odd = 0;
    if (j->d.num_components == 1) odd |= SKL_ODD_GREY;
    if (j->d.num_components == 4) odd |= SKL_ODD_CMYK;
    if (j->d.progressive_mode) odd |= SKL_ODD_PASSES;
    for (jpeg_saved_marker_ptr m = j->d.marker_list; m; m = m->next)
        if (is_turned(m->data, m->data_length)) odd |= SKL_ODD_TURNED;
    return odd;
}

int skl_jpeg_open(struct skl_picture *p, const uint8_t *data, size_t n, struct skl_err *err)
{
    struct skl_jpeg *j = p->jpeg = skl_alloc(sizeof *j);
    catch_errors(j);
    if (setjmp(j->out)) return damaged(p, err);
    jpeg_create_decompress(&j->d);
    give(j, data, n);
    if (p->turned_wanted) jpeg_save_markers(&j->d, JPEG_APP0 + 1, EXIF_MAX);
    jpeg_read_header(&j->d, TRUE);
    p->width = (int)j->d.image_width;
    p->height = (int)j->d.image_height;
    p->odd = oddities(j);
    return SKL_OK;
}

/* ---- rows ---- */

/* a * b / 255, rounded, as Pillow has it. */
static int times(int a, int b)
{
    const int t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

/* Four inks, stored inverted as Adobe's programs do (and everybody takes for granted): light that each lets through. */
static void cmyk_row(const uint8_t *in, int n, uint8_t *rgb)
{
    for (int i = 0; i < n; i++, in += 4)
        for (int c = 0; c < 3; c++) {
            const int v = in[3] - times(255 - in[c], in[3]);
            *rgb++ = (uint8_t)(v < 0 ? 0 : v);
        }
}

/* The decoder's columns from `first` on; what it interpolates at the edge of a part is not the whole picture's, so the
 * part is wider than what is wanted. */
static JDIMENSION narrow(struct skl_jpeg *j, const struct skl_region *r)
{
    const JDIMENSION all = j->d.output_width;
    JDIMENSION first = r->x > EDGE ? (JDIMENSION)(r->x - EDGE) : 0, end = (JDIMENSION)(r->x + r->w + EDGE), width;
    if (end > all) end = all;
    width = end - first;
    if (width < all) jpeg_crop_scanline(&j->d, &first, &width);
    return width < all ? first : 0;
}

static void read_rows(struct skl_jpeg *j, struct skl_region r, skl_row_fn *row, void *context)
{
    jpeg_start_decompress(&j->d);
    const size_t skipped = (size_t)r.x - narrow(j, &r);
    const int channels = j->d.output_components;
    j->row = skl_alloc((size_t)j->d.output_width * (size_t)channels);
    if (channels == 4) j->rgb = skl_alloc((size_t)r.w * 3);
    if (r.y > 0) jpeg_skip_scanlines(&j->d, (JDIMENSION)r.y);
    for (int y = r.y; y < r.y + r.h; y++) {
        jpeg_read_scanlines(&j->d, &j->row, 1);
        const uint8_t *from = j->row + skipped * (size_t)channels;
        if (channels == 4) cmyk_row(from, r.w, j->rgb);
        row(context, y, channels == 4 ? j->rgb : from);
    }
}

int skl_jpeg_read(struct skl_picture *p, int shrink, struct skl_region r, skl_row_fn *row, void *context,
                  struct skl_err *err)
{
    struct skl_jpeg *j = p->jpeg;
    if (setjmp(j->out)) return damaged(p, err);
    j->d.scale_num = 8 / (unsigned)shrink;
    j->d.scale_denom = 8;
    j->d.out_color_space = j->d.num_components == 4 ? JCS_CMYK : JCS_RGB;
    read_rows(j, r, row, context);
    if (j->errors.num_warnings) p->odd |= SKL_ODD_DAMAGED;
    return SKL_OK;
}

void skl_jpeg_close(struct skl_picture *p)
{
    jpeg_destroy_decompress(&p->jpeg->d);
    free(p->jpeg->row);
    free(p->jpeg->rgb);
    free(p->jpeg);
    p->jpeg = NULL;
}
