/* label.h - what a setting is called, made from its folder VARIANT[/k1=v1,k2=v2].
 * %XX becomes its byte, control characters '?'; other bytes stay as they are, be they UTF-8 or not. */
#ifndef SKL_LABEL_H
#define SKL_LABEL_H
#include <stddef.h>

/* Of the first n bytes: "VARIANT, k1=v1, k2=v2"; malloc'd. */
char *skl_label_plain(const char *path, size_t n);
/* For people: "VARIANT, b_g = −3, shortcut scale 0.5", a sign for keys that have one, words for others; malloc'd. */
char *skl_label(const char *path);
/* The same with another word for VARIANT. */
char *skl_label_as(const char *variant, const char *path);
/* "b_g" for gate_bias, "shortcut scale" for shortcut_scale; malloc'd. */
char *skl_label_key(const char *key);
#endif
