/* texts.h - the kernels' texts (kernels/), built into the program. */
#ifndef SKL_CL_TEXTS_H
#define SKL_CL_TEXTS_H
struct skl_cl_text {
    const char *name, *text;
};
extern const struct skl_cl_text skl_cl_texts[]; /* the last has no name */
#endif
