/* fonts.h - which characters and fonts the figures can show.
 * gnuplot's cairo terminals draw a character that no font has as a box of several thousand points, over all else. */
#ifndef SKL_FONTS_H
#define SKL_FONTS_H
#include <stdbool.h>

/* True for what every sans-serif has (Latin, Greek, Cyrillic, signs of mathematics); else fontconfig is asked (the
 * program fc-list, which comes with the fonts), and without it the answer is no. */
bool skl_font_has(unsigned code);
/* Is there a font of this family, or of this full name ("DejaVu Sans Bold")?  name: as skl_figure_font() gives it.
 * Where fontconfig's programs are not here: true, nobody can tell. */
bool skl_font_installed(const char *name);
#endif
