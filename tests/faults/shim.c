/* Faults that a healthy machine does not show, for one process: LD_PRELOAD=shim.so FAULTS_CONTROL=FILE.
 *
 * FILE is a struct control in memory shared with the test. fsync and fdatasync of a file whose path contains
 * `failing` answer EIO, without doing anything, and every call is noted in FILE.log. The wall clock is ahead by
 * `ahead` seconds (the monotonic clock is not touched), and adjtimex says what `synchronized` says. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

struct control {
    double ahead;
    int synchronized;
    char failing[244];
};

static volatile struct control *control;
static int log_file = -1;

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULTS_CONTROL");
    char log_path[4096];
    int fd;
    if (path == NULL || (fd = open(path, O_RDONLY)) < 0)
        return;
    void *where = mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (where != MAP_FAILED)
        control = where;
    snprintf(log_path, sizeof log_path, "%s.log", path);
    log_file = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int fails(int fd, const char *what) {
    char link[64], path[4096], line[4200];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (control == NULL || length < 0)
        return 0;
    path[length] = 0;
    int failing = control->failing[0] != 0 && strstr(path, (const char *)control->failing) != NULL;
    int size = snprintf(line, sizeof line, "%d %s %s %s\n", (int)getpid(), what, failing ? "EIO" : "ok", path);
    if (log_file >= 0 && write(log_file, line, size) < 0)
        return failing;
    return failing;
}

int fsync(int fd) {
    static int (*real)(int);
    if (real == NULL)
        real = next("fsync");
    if (fails(fd, "fsync")) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (real == NULL)
        real = next("fdatasync");
    if (fails(fd, "fdatasync")) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL)
        real = next("clock_gettime");
    int answer = real(id, at);
    if (answer == 0 && control != NULL && id == CLOCK_REALTIME)
        at->tv_sec += (time_t)control->ahead;
    return answer;
}

time_t time(time_t *out) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (out != NULL)
        *out = at.tv_sec;
    return at.tv_sec;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

int adjtimex(struct timex *asked) {
    memset(asked, 0, sizeof *asked);
    asked->status = control != NULL && control->synchronized ? 0 : STA_UNSYNC;
    return asked->status ? TIME_ERROR : TIME_OK;
}
