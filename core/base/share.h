/* share.h - how much of the machine this process may use: what affinity, cgroups (a container's, a batch job's) and
 * limits leave of it. */
#ifndef SKL_SHARE_H
#define SKL_SHARE_H

int skl_cpu_count(void);       /* cores; a quota of processor time is rounded up */
double skl_memory_share(void); /* bytes */

/* The least limits on the way from the process's cgroup to the root, of version 2 (cpu.max, memory.max) and version 1
 * (cpu.cfs_quota_us, memory.limit_in_bytes); infinity: none.  root: where cgroups are mounted ("/sys/fs/cgroup"); self:
 * the file that names the process's ("/proc/self/cgroup"). */
struct skl_cgroup_limits {
    double cpus, bytes;
};
struct skl_cgroup_limits skl_cgroup_limits(const char *root, const char *self);
#endif
