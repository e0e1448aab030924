#include "core/base/share.h"

#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/err.h"
#include "core/base/fs.h"

enum { FILE_LIMIT = 1 << 16 };

/* ---- cgroups ---- */

/* Up to two numbers of FOLDER/name; "max" and what is absent are infinite. */
static void read_numbers(const char *folder, const char *name, double *first, double *second)
{
    char *path = skl_path(folder, name), *text = NULL, *end;
    size_t n;
    *first = *second = INFINITY;
    if (!skl_file_read_if_there(path, FILE_LIMIT, &text, &n, NULL) && text) {
        double value = strtod(text, &end);
        if (end > text) *first = value;
        char *rest = end > text ? end : text + strcspn(text, " ");
        value = strtod(rest, &end);
        if (end > rest) *second = value;
    }
    free(text);
    free(path);
}

static void least(double *limit, double value)
{
    if (value > 0 && value < *limit) *limit = value;
}

static void read_folder(const char *folder, struct skl_cgroup_limits *limits)
{
    double quota, period, bytes, none;
    read_numbers(folder, "cpu.max", &quota, &period);
    if (isfinite(quota) && period > 0) least(&limits->cpus, quota / period);
    read_numbers(folder, "cpu.cfs_quota_us", &quota, &none);
    read_numbers(folder, "cpu.cfs_period_us", &period, &none);
    if (isfinite(quota) && period > 0) least(&limits->cpus, quota / period); /* quota -1: none */
    read_numbers(folder, "memory.max", &bytes, &none);
    least(&limits->bytes, bytes);
    read_numbers(folder, "memory.limit_in_bytes", &bytes, &none);
    if (bytes < 1e18) least(&limits->bytes, bytes); /* no limit is the largest number of pages */
}

/* The cgroup and all above it.  A container may see another path than what is mounted there: then the root alone is. */
static void read_upwards(const char *mount, const char *cgroup, struct skl_cgroup_limits *limits)
{
    char *folder = skl_format("%s%s", mount, strstr(cgroup, "..") ? "" : cgroup);
    for (char *end = folder + strlen(folder); end >= folder + strlen(mount); end--) {
        if (*end && *end != '/') continue;
        *end = 0;
        read_folder(folder, limits);
    }
    free(folder);
}

/* "4:cpu,cpuacct:/a/b", version 2: "0::/a/b". */
static void read_line(const char *root, char *line, struct skl_cgroup_limits *limits)
{
    char *controllers = strchr(line, ':'), *cgroup = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!cgroup || cgroup[1] != '/') return;
    *cgroup++ = 0;
    controllers++;
    if (!*controllers) {
        char *unified = skl_path(root, "unified");
        read_upwards(root, cgroup, limits);
        read_upwards(unified, cgroup, limits);
        free(unified);
        return;
    }
    char *together = skl_path(root, controllers), *rest;
    read_upwards(together, cgroup, limits);
    free(together);
    for (char *one = strtok_r(controllers, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
        char *mount = skl_path(root, one);
        read_upwards(mount, cgroup, limits);
        free(mount);
    }
}

struct skl_cgroup_limits skl_cgroup_limits(const char *root, const char *self)
{
    struct skl_cgroup_limits limits = {INFINITY, INFINITY};
    char *text = NULL, *rest;
    size_t n;
    if (skl_file_read_if_there(self, FILE_LIMIT, &text, &n, NULL) || !text) return limits;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        read_line(root, line, &limits);
    free(text);
    return limits;
}

static struct skl_cgroup_limits mine(void) { return skl_cgroup_limits("/sys/fs/cgroup", "/proc/self/cgroup"); }

/* ---- the share ---- */

int skl_cpu_count(void)
{
    long count = 0;
    size_t bytes = CPU_ALLOC_SIZE(8192);
    cpu_set_t *set = CPU_ALLOC(8192);
    if (set && sched_getaffinity(0, bytes, set) == 0) count = CPU_COUNT_S(bytes, set);
    CPU_FREE(set);
    if (count < 1) count = sysconf(_SC_NPROCESSORS_ONLN);
    if (count < 1) count = 1;
    const double share = ceil(mine().cpus);
    return share < (double)count ? (int)share : (int)count;
}

double skl_memory_share(void)
{
    static const int limits[] = {RLIMIT_AS, RLIMIT_DATA};
    double share = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    least(&share, mine().bytes);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct rlimit limit;
        if (!getrlimit(limits[i], &limit) && limit.rlim_cur != RLIM_INFINITY) least(&share, (double)limit.rlim_cur);
    }
    return share;
}
