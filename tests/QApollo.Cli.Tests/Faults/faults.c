/* A file layer that fails to order: preloaded (LD_PRELOAD), it stands before the C library's calls on files and lets those on one
   folder fail from a given call on. Everything that the runtime does with files goes through here, whatever part of the program asks. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The C library's own. */
#define NEXT(name) ({ static __typeof__(&name) own; if (!own) own = (__typeof__(&name))dlsym(RTLD_NEXT, #name); own; })

enum kind { COUNT, FULL, DENIED, TORN, BROKEN, SLOW };

/* What a call does, so that a kind of fault meets only calls that it can meet. */
enum act { CREATES = 1, WRITES = 2, FLUSHES = 4, RENAMES = 8, REMOVES = 16, READS = 32, OPENS = 64 };

enum { MOST_FILES = 1 << 16, SLOW_MICROSECONDS = 500 };

static char folder[4096];
static size_t folder_length;
static atomic_int armed;
static enum kind kind;
static int lasting;
static long first;
static atomic_long calls;
static atomic_long faults;
static atomic_uchar watched[MOST_FILES];
static atomic_uchar spoilt[MOST_FILES];
static char last_call[64];

static int is_inside(const char *path) {
    return atomic_load(&armed) && strncmp(path, folder, folder_length) == 0 && (path[folder_length] == '/' || path[folder_length] == 0);
}

static int is_watched(int file) { return atomic_load(&armed) && file >= 0 && file < MOST_FILES && atomic_load(&watched[file]); }

static int acts_of(enum kind of) {
    switch (of) {
        case FULL: return CREATES | WRITES;
        case DENIED: return CREATES | RENAMES | REMOVES | OPENS;
        case TORN: return WRITES;
        case BROKEN: return WRITES | FLUSHES | RENAMES | READS;
        default: return CREATES | WRITES | FLUSHES | RENAMES | REMOVES | READS | OPENS;
    }
}

/* Whether this call is to fail; then errno says how. */
static int fails(int acts, const char *name) {
    if ((acts & acts_of(kind)) == 0) return 0;
    long call = atomic_fetch_add(&calls, 1) + 1;
    if (kind == COUNT || (lasting ? call < first : call != first)) return 0;
    if (atomic_fetch_add(&faults, 1) == 0) snprintf(last_call, sizeof last_call, "%s", name);
    if (kind == SLOW) {
        usleep(SLOW_MICROSECONDS);
        return 0;
    }
    errno = kind == FULL ? ENOSPC : kind == DENIED ? EACCES : EIO;
    return 1;
}

/* A torn write leaves half; where the fault lasts, the file takes no more. */
static int is_torn(int file, size_t *count, const char *name) {
    if (kind != TORN) return fails(WRITES, name);
    if (lasting && atomic_load(&spoilt[file])) {
        errno = EIO;
        return 1;
    }
    if (fails(WRITES, name)) {
        atomic_store(&spoilt[file], 1);
        if (*count < 2) return lasting;
        *count /= 2;
    }
    return 0;
}

EXPORT void faults_arm(const char *in, int of_kind, long from, int lasts) {
    snprintf(folder, sizeof folder, "%s", in);
    folder_length = strlen(folder);
    kind = (enum kind)of_kind;
    first = from;
    lasting = lasts;
    last_call[0] = 0;
    atomic_store(&calls, 0);
    atomic_store(&faults, 0);
    memset((void *)spoilt, 0, sizeof spoilt);
    atomic_store(&armed, 1);
}

EXPORT void faults_disarm(long *seen, long *failed, char *call, int length) {
    atomic_store(&armed, 0);
    memset((void *)watched, 0, sizeof watched);
    *seen = atomic_load(&calls);
    *failed = atomic_load(&faults);
    snprintf(call, (size_t)length, "%s", last_call);
}

static int opened(const char *path, int flags, mode_t mode, int (*open_it)(const char *, int, ...)) {
    int inside = is_inside(path);
    if (inside && fails(flags & O_CREAT ? CREATES | OPENS : OPENS, "open")) return -1;
    int file = open_it(path, flags, mode);
    if (file >= 0 && file < MOST_FILES) {
        atomic_store(&watched[file], (unsigned char)inside);
        atomic_store(&spoilt[file], 0);
    }
    return file;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & O_CREAT) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }

EXPORT int open(const char *path, int flags, ...) {
    MODE(flags)
    return opened(path, flags, mode, NEXT(open));
}

EXPORT int open64(const char *path, int flags, ...) {
    MODE(flags)
    return opened(path, flags, mode, NEXT(open64));
}

EXPORT int close(int file) {
    if (file >= 0 && file < MOST_FILES) atomic_store(&watched[file], 0);
    return NEXT(close)(file);
}

EXPORT ssize_t write(int file, const void *bytes, size_t count) {
    if (is_watched(file) && is_torn(file, &count, "write")) return -1;
    return NEXT(write)(file, bytes, count);
}

EXPORT ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
    if (is_watched(file) && is_torn(file, &count, "pwrite")) return -1;
    return NEXT(pwrite64)(file, bytes, count, offset);
}

EXPORT ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t offset) {
    if (is_watched(file)) {
        size_t bytes = count > 0 ? parts[0].iov_len : 0;
        size_t asked = bytes;
        if (is_torn(file, &bytes, "pwritev")) return -1;
        if (bytes < asked) return NEXT(pwrite64)(file, parts[0].iov_base, bytes, offset);
    }
    return NEXT(pwritev64)(file, parts, count, offset);
}

EXPORT int ftruncate64(int file, off64_t length) {
    if (is_watched(file) && kind != TORN && fails(WRITES, "ftruncate")) return -1;
    return NEXT(ftruncate64)(file, length);
}

EXPORT int fallocate64(int file, int mode, off64_t offset, off64_t length) {
    if (is_watched(file) && kind != TORN && fails(WRITES, "fallocate")) return -1;
    return NEXT(fallocate64)(file, mode, offset, length);
}

EXPORT ssize_t read(int file, void *bytes, size_t count) {
    if (is_watched(file) && fails(READS, "read")) return -1;
    return NEXT(read)(file, bytes, count);
}

EXPORT ssize_t pread64(int file, void *bytes, size_t count, off64_t offset) {
    if (is_watched(file) && fails(READS, "pread")) return -1;
    return NEXT(pread64)(file, bytes, count, offset);
}

EXPORT int fsync(int file) {
    if (is_watched(file) && fails(FLUSHES, "fsync")) return -1;
    return NEXT(fsync)(file);
}

EXPORT int rename(const char *from, const char *to) {
    if (is_inside(to) && fails(RENAMES, "rename")) return -1;
    return NEXT(rename)(from, to);
}

EXPORT int link(const char *from, const char *to) {
    if (is_inside(to) && fails(CREATES, "link")) return -1;
    return NEXT(link)(from, to);
}

EXPORT int unlink(const char *path) {
    if (is_inside(path) && fails(REMOVES, "unlink")) return -1;
    return NEXT(unlink)(path);
}

EXPORT int rmdir(const char *path) {
    if (is_inside(path) && fails(REMOVES, "rmdir")) return -1;
    return NEXT(rmdir)(path);
}

EXPORT int mkdir(const char *path, mode_t mode) {
    if (is_inside(path) && fails(CREATES, "mkdir")) return -1;
    return NEXT(mkdir)(path, mode);
}
