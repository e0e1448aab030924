#include "core/config/names.h"

#include <stdlib.h>
#include <string.h>

#include "core/config/tree.h"

bool skl_name_valid(const char *name)
{
    static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t n = strlen(name);
    return n >= 1 && n <= SKL_NAME_MAX && strchr(first, name[0]) && strspn(name, rest) == n;
}

int skl_read_name(const struct skl_ynode *node, const char *what, char **name, struct skl_err *err)
{
    if (node->kind != SKL_YSCALAR || !skl_name_valid(node->text))
        return skl_tree_fail(node, true, err,
                             "%s must be 1 to %d letters, digits, '.', '_' or '-', beginning with a letter or digit",
                             what, SKL_NAME_MAX);
    free(*name);
    *name = skl_strdup(node->text);
    return SKL_OK;
}
