/* The pieces of a variant's pass. */
#include "core/device/cpu/internal.h"

/* Floats of each tensor in a band: few enough for the caches, enough for the matrix products.  1024 to 4096 do. */
enum { BAND_FLOATS = 2048 };

bool mixes_images(const struct skl_merge *job)
{
    return job->variant->forward && (job->variant->flags & SKL_MIXES_IMAGES);
}

/* Rows of a band, 0: whole images. */
static int band_rows(const struct skl_merge *job)
{
    const struct skl_shape s = job->call.unit->out, x = job->x_shape, h = job->h_shape;
    if (job->plain || !job->variant->forward || !(job->variant->flags & SKL_PER_PIXEL)) return 0;
    if (x.h != s.h || x.w != s.w || h.h != s.h || h.w != s.w) return 0;
    if (job->tail && job->tail->plan->shape.size > 1) return 0;
    const int rows = BAND_FLOATS / (s.w * s.c);
    return rows < 1 ? 1 : rows < s.h ? rows : 0;
}

struct piece first_piece(const struct skl_merge *job, int first, int n)
{
    return (struct piece){first, n == 0 ? 0 : mixes_images(job) ? n : 1, 0, band_rows(job)};
}

struct piece next_piece(const struct skl_merge *job, struct piece p, int end)
{
    const int h = job->call.unit->out.h, rows = band_rows(job);
    p.row += p.rows;
    if (p.rows == 0 || p.row == h) p.image += p.images, p.row = 0;
    p.rows = rows < h - p.row ? rows : h - p.row;
    if (p.image >= end) p.images = 0;
    return p;
}

size_t own_count(const struct skl_decl *d, int tensor)
{
    size_t count = 1;
    for (int i = 0; i < d->own[tensor].ndim; i++) count *= (size_t)d->own[tensor].shape[i];
    return count;
}

void tell(struct told *t, const struct skl_merge *job, const struct piece *p, float *own_gradients, float *scratch)
{
    for (int i = 0; i < job->decl->owns; i++) {
        t->w[i] = at(job->own[i]);
        t->dw[i] = own_gradients;
        if (own_gradients) own_gradients += own_count(job->decl, i);
    }
    t->place = *job->call.unit;
    if (p->rows) t->place.out.h = p->rows;
    t->call = job->call;
    t->call.unit = &t->place;
    t->call.first += p->image;
    t->call.n = p->images;
    t->call.w = t->w, t->call.dw = t->dw;
    t->call.keep = skl_there(job->keep) ? at(job->keep) + (size_t)p->image * job->decl->keep : NULL;
    t->call.scratch = scratch;
}
