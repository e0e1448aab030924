/* device.c - --device: what this process computes on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/say.h"
#include "core/cli/cmd.h"
#include "core/device/choose/choose.h"
#include "core/device/choose/devices.h"

const char *skl_device_word;

const char *const *skl_device_words(void)
{
    static const char *const words[] = {"auto", "cpu", "gpu", NULL};
    return words;
}

/* Which of several runs at a time this is: a sweep tells its children. */
static int turn(void)
{
    const char *text = getenv("SKIPLAB_DEVICE_TURN");
    return text ? (int)strtol(text, NULL, 10) & 0xffff : 0;
}

/* --device auto takes a GPU only where it computes rightly and can run the shortcut. */
static void reconsider(const struct skl_shortcut *variant, struct skl_device_choice *choice)
{
    static const struct skl_selftest basics = {.images = 5, .classes = 10, .rest = true};
    struct skl_err why = {0};
    struct skl_pool *pool = skl_pool_new(skl_cpu_count());
    int status = skl_device_fits(choice->name, variant, &why);
    if (!status) status = skl_device_trust(choice->name, pool, &basics, false, &why);
    skl_pool_free(pool);
    if (!status) return;
    snprintf(choice->name, sizeof choice->name, "cpu");
    snprintf(choice->why, sizeof choice->why, "%.*s", (int)sizeof choice->why - 1, why.text);
}

int skl_device_start(const struct skl_shortcut *variant, const char *begun, bool elsewhere, bool quiet,
                     struct skl_err *err)
{
    struct skl_device_wish wish;
    struct skl_device_choice choice;
    int status = skl_device_parse(skl_device_word, &wish, err);
    if (status) return status;
    bool found = false;
    if (wish.kind == SKL_DEVICE_AUTO && begun && *begun) {
        status = skl_device_begun(begun, &choice, err);
        found = !status;
        if (status && !elsewhere) return status;
    }
    if (!found) status = skl_device_choose(&wish, turn(), &choice, err);
    if (status) return status;
    if (!found && wish.kind == SKL_DEVICE_AUTO && strcmp(choice.name, "cpu")) reconsider(variant, &choice);
    skl_device_use(choice.name);
    if (!quiet && (wish.kind != SKL_DEVICE_AUTO || strcmp(choice.name, "cpu") || skl_devices_possible()))
        skl_say("skiplab: device %s: %s\n", choice.name, choice.why);
    return SKL_OK;
}
