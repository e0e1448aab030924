/* conv.h - the shape of a convolution, and the ways to compute one. */
#ifndef SKL_CONV_H
#define SKL_CONV_H

/* Padding size/2; the output is h/stride x w/stride x k, rounded up. */
struct skl_conv_shape {
    int h, w, c, k, size, stride; /* c: input channels, k: output channels */
};

/* What an experiment file may ask for; a device takes another way where the wanted one does not fit the shape. */
enum skl_conv_algo { SKL_CONV_AUTO, SKL_CONV_WINOGRAD4, SKL_CONV_WINOGRAD2, SKL_CONV_DIRECT, SKL_CONV_GEMM };
#endif
