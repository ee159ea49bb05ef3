// SPDX-License-Identifier: Apache-2.0
// Laid over the C library: whoever asks for the time of day is told one that jumps 400 days back
// and forth with every question.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <time.h>

#define SHOWN __attribute__((visibility("default")))

static time_t jump(void)
{
    static atomic_uint asked;
    const time_t days = 400;
    return (atomic_fetch_add(&asked, 1) % 2 ? days : -days) * 24 * 60 * 60;
}

SHOWN int clock_gettime(clockid_t clock, struct timespec *now)
{
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (failed == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += jump();
    return failed;
}

SHOWN int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    int (*real)(struct timeval *, void *) = dlsym(RTLD_NEXT, "gettimeofday");
    int failed = real(now, zone);
    if (failed == 0)
        now->tv_sec += jump();
    return failed;
}

SHOWN time_t time(time_t *into)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into)
        *into = now.tv_sec;
    return now.tv_sec;
}
