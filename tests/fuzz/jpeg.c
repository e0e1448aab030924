/* A JPEG file behind one byte that says what is done with it (picture.h). */
#include "tests/fuzz/picture.h"

void fuzz_one(const uint8_t *data, size_t n) { fuzz_picture(data, n, true); }
