// SPDX-License-Identifier: Apache-2.0
// Laid over the C library: kills the process just before the call of number KILL_AT that changes
// what is on the disk or what others see. Each call that is let through is noted in the file
// KILL_LOG, a byte each.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

static void instant(void)
{
    static atomic_uint count;
    const char *at = getenv("KILL_AT");
    const char *log = getenv("KILL_LOG");
    if (at && atomic_fetch_add(&count, 1) + 1 == (unsigned)atoi(at))
        kill(getpid(), SIGKILL);
    if (log) {
        int file = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (file >= 0) {
            syscall(SYS_write, file, ".", 1);
            close(file);
        }
    }
}

#define LAID_OVER(result, name, parameters, arguments)                                            \
    SHOWN result name parameters                                                                  \
    {                                                                                             \
        result(*real) parameters = dlsym(RTLD_NEXT, #name);                                       \
        instant();                                                                                \
        return real arguments;                                                                    \
    }

LAID_OVER(ssize_t, write, (int file, const void *from, size_t bytes), (file, from, bytes))
LAID_OVER(ssize_t, pwrite, (int file, const void *from, size_t bytes, off_t at), (file, from, bytes, at))
LAID_OVER(ssize_t, pwrite64, (int file, const void *from, size_t bytes, off64_t at), (file, from, bytes, at))
LAID_OVER(int, fsync, (int file), (file))
LAID_OVER(int, fdatasync, (int file), (file))
LAID_OVER(int, ftruncate, (int file, off_t bytes), (file, bytes))
LAID_OVER(int, ftruncate64, (int file, off64_t bytes), (file, bytes))
LAID_OVER(int, rename, (const char *from, const char *to), (from, to))
LAID_OVER(int, unlink, (const char *path), (path))
LAID_OVER(ssize_t, send, (int socket, const void *from, size_t bytes, int flags), (socket, from, bytes, flags))
