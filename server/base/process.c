#include "base/process.h"

#include "base/clock.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static int64_t resident(void)
{
    long long pages = -1;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return -1;
    char line[200];
    if (!fgets(line, sizeof line, f) || sscanf(line, "%*s %lld", &pages) != 1) // NOLINT(cert-err34-c): the kernel's own numbers
        pages = -1;
    fclose(f);
    return pages < 0 ? -1 : pages * sysconf(_SC_PAGESIZE);
}

static int64_t open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int64_t n = -3; /* ".", ".." and the folder itself */
    if (!dir)
        return -1;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

void process_use(struct process_use *out)
{
    struct rusage use;
    struct rlimit files;
    *out = (struct process_use){.resident_bytes = resident(), .open_files = open_files(), .most_files = -1};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
        out->most_files = (int64_t)files.rlim_cur;
    if (getrusage(RUSAGE_SELF, &use) == 0)
        out->cpu_seconds = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

double process_started(void)
{
    static _Atomic int64_t first;
    int64_t none = 0;
    atomic_compare_exchange_strong(&first, &none, clock_now_us());
    return (double)atomic_load(&first) / 1e6;
}
