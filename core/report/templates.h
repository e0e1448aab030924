/* templates.h - the gnuplot templates of plots/, built into the program. */
#ifndef SKL_TEMPLATES_H
#define SKL_TEMPLATES_H
extern const char skl_template_style[], skl_template_panels[], skl_template_curves[], skl_template_settings[],
    skl_template_units[], skl_template_map[];
#endif
