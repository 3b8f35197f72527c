/* A file layer that fails on demand, for LD_PRELOAD: see the docstring of tests/faults/__init__.py.

   It stands between a program and the C library. What Python, SQLite, Arrow and numpy do with files goes through the
   functions below; what a function does to a file under a watched folder can be made to fail, by the rules of a plan.
   What it cannot reach: pages of a mapped file (the mapping itself can fail), io_uring and direct system calls, none of
   which the libraries named use for files that they write.

   Linux with glibc on a 64-bit machine: there off_t and off64_t are one type, and one body serves both names. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8 && sizeof(long) == 8, "only where off_t and off64_t are the same");

#define PATHS 4200
#define RULES 16
#define FOLDERS 16
#define ALIAS(name) __attribute__((alias(name)))

/* ---------------------------------------------------------------- the plan */

/* Kinds besides error numbers, which are positive. */
enum { NOTHING = 0, SHORT = -1, END = -2, KILL = -3, KILL_AFTER = -4, TORN = -5 };

struct rule {
    int kind;
    char calls[256];    /* ",read,write," or ",*," */
    char pattern[1024]; /* of fnmatch(3), of the whole path */
    long nth;           /* the first call of those that match that fails, from 1; 0: by chance */
    long times;         /* how often; 0: from then on always */
    long chance;        /* in a million */
    uint64_t seed;
    long seen, struck;
};

static struct rule rules[RULES];
static char folders[FOLDERS][PATHS];
static char log_path[PATHS];
static int rule_count, folder_count, tracing;
static volatile int active;
static int64_t clock_offset, stamp_offset;

/* Reads a plan, in place of the one before; NULL or a file that is not there: nothing fails. Returns 0, or -1. */
__attribute__((visibility("default"))) int faults_load(const char *path) {
    static char line[2 * PATHS];
    active = rule_count = folder_count = tracing = 0;
    clock_offset = stamp_offset = 0;
    log_path[0] = 0;
    if (!path || !*path)
        return 0;
    int handle = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (handle < 0)
        return -1;
    size_t length = 0;
    char byte;
    while (syscall(SYS_read, handle, &byte, 1) == 1) {
        if (byte != '\n') {
            if (length + 1 < sizeof line)
                line[length++] = byte;
            continue;
        }
        line[length] = 0;
        length = 0;
        struct rule *r = &rules[rule_count];
        char kind[32];
        if (!strncmp(line, "log ", 4))
            snprintf(log_path, sizeof log_path, "%s", line + 4);
        else if (!strncmp(line, "under ", 6) && folder_count < FOLDERS)
            snprintf(folders[folder_count++], PATHS, "%s", line + 6);
        else if (!strncmp(line, "trace ", 6))
            tracing = atoi(line + 6);
        else if (!strncmp(line, "clock ", 6))
            clock_offset = atoll(line + 6);
        else if (!strncmp(line, "stamp ", 6))
            stamp_offset = atoll(line + 6);
        else if (rule_count < RULES &&
                 sscanf(line, "rule %31s %254s %ld %ld %ld %lu %1023[^\n]", kind, r->calls, &r->nth, &r->times,
                        &r->chance, &r->seed, r->pattern) == 7) {
            r->seen = r->struck = 0;
            r->kind = !strcmp(kind, "short")        ? SHORT
                      : !strcmp(kind, "end")        ? END
                      : !strcmp(kind, "kill")       ? KILL
                      : !strcmp(kind, "kill-after") ? KILL_AFTER
                      : !strcmp(kind, "torn")       ? TORN
                                                    : atoi(kind);
            rule_count++;
        } else {
            syscall(SYS_close, handle);
            return -1;
        }
    }
    syscall(SYS_close, handle);
    active = folder_count > 0 && (rule_count > 0 || tracing);
    return 0;
}

__attribute__((constructor)) static void begin(void) { faults_load(getenv("HARVESTDETECT_FAULTS_PLAN")); }

static uint64_t mixed(uint64_t x) { /* splitmix64 */
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void note(const char *call, int kind, const char *path) {
    static const char *names[] = {"-", "short", "end", "kill", "kill-after", "torn"};
    char line[PATHS + 64];
    int n = kind > 0 ? snprintf(line, sizeof line, "%s %d ", call, kind)
                     : snprintf(line, sizeof line, "%s %s ", call, names[-kind]);
    for (; *path && n + 2 < (int)sizeof line; path++)
        line[n++] = (unsigned char)*path < ' ' ? '?' : *path;
    line[n++] = '\n';
    int handle = (int)syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (handle >= 0) {
        syscall(SYS_write, handle, line, n);
        syscall(SYS_close, handle);
    }
}

static void die(void) {
    for (;;)
        syscall(SYS_kill, (int)syscall(SYS_getpid), SIGKILL);
}

static int watched(const char *path) {
    for (int i = 0; i < folder_count; i++) {
        size_t n = strlen(folders[i]);
        if (!strncmp(path, folders[i], n) && (path[n] == '/' || path[n] == 0 || folders[i][n - 1] == '/'))
            return 1;
    }
    return 0;
}

/* What is to happen to a call: NOTHING, a kind, or an error number. Counts it. */
static int matched(const char *call, const char *path) {
    char wanted[40];
    snprintf(wanted, sizeof wanted, ",%s,", call);
    for (int i = 0; i < rule_count; i++) {
        struct rule *r = &rules[i];
        if (!strstr(r->calls, wanted) && !strstr(r->calls, ",*,"))
            continue;
        if (fnmatch(r->pattern, path, 0))
            continue;
        long now = __atomic_add_fetch(&r->seen, 1, __ATOMIC_SEQ_CST);
        int hit = r->nth ? now >= r->nth : (long)(mixed(r->seed ^ ((uint64_t)now << 20)) % 1000000) < r->chance;
        if (!hit || (r->times && __atomic_add_fetch(&r->struck, 1, __ATOMIC_SEQ_CST) > r->times))
            continue;
        note(call, r->kind, path);
        if (r->kind == KILL)
            die();
        return r->kind;
    }
    if (tracing)
        note(call, NOTHING, path);
    return NOTHING;
}

static int struck(const char *call, const char *path) {
    if (!path[0] || !watched(path))
        return NOTHING;
    int before = errno;
    int kind = matched(call, path);
    errno = before;
    return kind;
}

static void path_of(int handle, char *path) {
    int before = errno;
    char name[40];
    snprintf(name, sizeof name, "/proc/self/fd/%d", handle);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, name, path, PATHS - 1);
    path[n > 0 ? n : 0] = 0;
    errno = before;
}

static void path_at(int folder, const char *name, char *path) {
    int before = errno;
    path[0] = 0;
    if (!name || name[0] == '/')
        snprintf(path, PATHS, "%s", name ? name : "");
    else {
        if (folder == AT_FDCWD) {
            if (syscall(SYS_getcwd, path, PATHS) < 0)
                path[0] = 0;
        } else
            path_of(folder, path);
        size_t n = strlen(path);
        if (name[0])
            snprintf(path + n, PATHS - n, "/%s", name);
    }
    errno = before;
}

#define REAL(name) ({                                                                                                  \
    static __typeof__(&name) real;                                                                                     \
    if (!real)                                                                                                         \
        *(void **)&real = dlsym(RTLD_NEXT, #name);                                                                     \
    real;                                                                                                              \
})

/* A call that succeeds or fails as a whole; ``path`` is where its path is to be put first. */
#define WHOLE(type, call, find, failed, perform) {                                                                     \
    int kind = NOTHING;                                                                                                \
    if (active) {                                                                                                      \
        char path[PATHS];                                                                                              \
        find;                                                                                                          \
        kind = struck(call, path);                                                                                     \
        if (kind == TORN)                                                                                              \
            die();                                                                                                     \
        if (kind > 0) {                                                                                                \
            errno = kind;                                                                                              \
            return failed;                                                                                             \
        }                                                                                                              \
    }                                                                                                                  \
    type done = perform;                                                                                               \
    if (kind == KILL_AFTER)                                                                                            \
        die();                                                                                                         \
    return done;                                                                                                       \
}

/* A call that moves some of ``size`` bytes; ``perform`` uses ``size``. */
#define SOME(call, handle, perform) {                                                                                  \
    int kind = NOTHING;                                                                                                \
    if (active) {                                                                                                      \
        char path[PATHS];                                                                                              \
        path_of(handle, path);                                                                                         \
        kind = struck(call, path);                                                                                     \
        if (kind > 0) {                                                                                                \
            errno = kind;                                                                                              \
            return -1;                                                                                                 \
        }                                                                                                              \
        if (kind == END)                                                                                               \
            return 0;                                                                                                  \
        if ((kind == SHORT || kind == TORN) && size > 1)                                                               \
            size = (size + 1) / 2;                                                                                     \
    }                                                                                                                  \
    ssize_t done = perform;                                                                                            \
    if (kind == KILL_AFTER || kind == TORN)                                                                            \
        die();                                                                                                         \
    return done;                                                                                                       \
}

/* ---------------------------------------------------------------- opening and closing */

#define MODE(flags)                                                                                                    \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                             \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode = va_arg(more, mode_t);                                                                                   \
        va_end(more);                                                                                                  \
    }
#define OPENING(flags) ((flags) & (O_CREAT | O_TRUNC) ? "create" : "open")

int openat(int folder, const char *name, int flags, ...) {
    MODE(flags)
    WHOLE(int, OPENING(flags), path_at(folder, name, path), -1, REAL(openat)(folder, name, flags, mode))
}
int openat64(int folder, const char *name, int flags, ...) ALIAS("openat");

int open(const char *name, int flags, ...) {
    MODE(flags)
    WHOLE(int, OPENING(flags), path_at(AT_FDCWD, name, path), -1, REAL(open)(name, flags, mode))
}
int open64(const char *name, int flags, ...) ALIAS("open");
int creat(const char *name, mode_t mode) { return open(name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *name, mode_t mode) ALIAS("creat");

/* what the C library's headers make of the above where _FORTIFY_SOURCE is set */
int __open_2(const char *name, int flags) { return open(name, flags); }
int __open64_2(const char *name, int flags) { return open(name, flags); }
int __openat_2(int folder, const char *name, int flags) { return openat(folder, name, flags); }
int __openat64_2(int folder, const char *name, int flags) { return openat(folder, name, flags); }

FILE *fopen(const char *name, const char *how) {
    WHOLE(FILE *, how[0] == 'r' ? "open" : "create", path_at(AT_FDCWD, name, path), NULL, REAL(fopen)(name, how))
}
FILE *fopen64(const char *name, const char *how) ALIAS("fopen");

/* closing takes place in any case: the handle is gone after an error too */
int close(int handle) {
    int kind = NOTHING;
    if (active) {
        char path[PATHS];
        path_of(handle, path);
        kind = struck("close", path);
    }
    int done = REAL(close)(handle);
    if (kind == KILL_AFTER || kind == TORN)
        die();
    if (kind > 0) {
        errno = kind;
        return -1;
    }
    return done;
}

/* ---------------------------------------------------------------- reading */

ssize_t read(int handle, void *to, size_t size) SOME("read", handle, REAL(read)(handle, to, size))
ssize_t pread(int handle, void *to, size_t size, off_t at) SOME("read", handle, REAL(pread)(handle, to, size, at))
ssize_t pread64(int handle, void *to, size_t size, off_t at) ALIAS("pread");
ssize_t __read_chk(int handle, void *to, size_t size, size_t room) {
    if (size > room)
        abort();
    return read(handle, to, size);
}
ssize_t __pread_chk(int handle, void *to, size_t size, off_t at, size_t room) {
    if (size > room)
        abort();
    return pread(handle, to, size, at);
}
ssize_t __pread64_chk(int handle, void *to, size_t size, off_t at, size_t room) ALIAS("__pread_chk");

/* of several pieces, a short call moves the first half of them, or half of the only one */
#define PIECES(call, handle, pieces, count, perform) {                                                                 \
    size_t size = (size_t)(count);                                                                                     \
    struct iovec half;                                                                                                 \
    if (count == 1) {                                                                                                  \
        half = pieces[0];                                                                                              \
        pieces = &half;                                                                                                \
        size = 2;                                                                                                      \
    }                                                                                                                  \
    int only = count == 1;                                                                                             \
    SOME(call, handle, ({                                                                                              \
        if (only && size == 1)                                                                                         \
            half.iov_len = (half.iov_len + 1) / 2;                                                                     \
        count = only ? 1 : (int)size;                                                                                  \
        perform;                                                                                                       \
    }))                                                                                                                \
}

ssize_t readv(int handle, const struct iovec *pieces, int count)
    PIECES("read", handle, pieces, count, REAL(readv)(handle, pieces, count))
ssize_t preadv(int handle, const struct iovec *pieces, int count, off_t at)
    PIECES("read", handle, pieces, count, REAL(preadv)(handle, pieces, count, at))
ssize_t preadv64(int handle, const struct iovec *pieces, int count, off_t at) ALIAS("preadv");
ssize_t preadv2(int handle, const struct iovec *pieces, int count, off_t at, int flags)
    PIECES("read", handle, pieces, count, REAL(preadv2)(handle, pieces, count, at, flags))
ssize_t preadv64v2(int handle, const struct iovec *pieces, int count, off_t at, int flags) ALIAS("preadv2");

size_t fread(void *to, size_t each, size_t count, FILE *file) {
    int kind = NOTHING;
    if (active) {
        char path[PATHS];
        path_of(fileno(file), path);
        kind = struck("read", path);
        if (kind > 0) {
            file->_flags |= 0x20; /* what ferror(3) tells */
            errno = kind;
            return 0;
        }
    }
    return REAL(fread)(to, each, count, file);
}

/* ---------------------------------------------------------------- writing */

ssize_t write(int handle, const void *from, size_t size) SOME("write", handle, REAL(write)(handle, from, size))
ssize_t pwrite(int handle, const void *from, size_t size, off_t at)
    SOME("write", handle, REAL(pwrite)(handle, from, size, at))
ssize_t pwrite64(int handle, const void *from, size_t size, off_t at) ALIAS("pwrite");
ssize_t writev(int handle, const struct iovec *pieces, int count)
    PIECES("write", handle, pieces, count, REAL(writev)(handle, pieces, count))
ssize_t pwritev(int handle, const struct iovec *pieces, int count, off_t at)
    PIECES("write", handle, pieces, count, REAL(pwritev)(handle, pieces, count, at))
ssize_t pwritev64(int handle, const struct iovec *pieces, int count, off_t at) ALIAS("pwritev");
ssize_t pwritev2(int handle, const struct iovec *pieces, int count, off_t at, int flags)
    PIECES("write", handle, pieces, count, REAL(pwritev2)(handle, pieces, count, at, flags))
ssize_t pwritev64v2(int handle, const struct iovec *pieces, int count, off_t at, int flags) ALIAS("pwritev2");

size_t fwrite(const void *from, size_t each, size_t count, FILE *file) {
    int kind = NOTHING;
    if (active) {
        char path[PATHS];
        path_of(fileno(file), path);
        kind = struck("write", path);
        if (kind > 0) {
            file->_flags |= 0x20;
            errno = kind;
            return 0;
        }
    }
    return REAL(fwrite)(from, each, count, file);
}

ssize_t sendfile(int to, int from, off_t *at, size_t size) SOME("write", to, REAL(sendfile)(to, from, at, size))
ssize_t sendfile64(int to, int from, off_t *at, size_t size) ALIAS("sendfile");
ssize_t copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t size, unsigned flags)
    SOME("write", to, REAL(copy_file_range)(from, from_at, to, to_at, size, flags))

int ftruncate(int handle, off_t size) WHOLE(int, "truncate", path_of(handle, path), -1, REAL(ftruncate)(handle, size))
int ftruncate64(int handle, off_t size) ALIAS("ftruncate");
int truncate(const char *name, off_t size)
    WHOLE(int, "truncate", path_at(AT_FDCWD, name, path), -1, REAL(truncate)(name, size))
int truncate64(const char *name, off_t size) ALIAS("truncate");
int fallocate(int handle, int mode, off_t at, off_t size)
    WHOLE(int, "truncate", path_of(handle, path), -1, REAL(fallocate)(handle, mode, at, size))
int fallocate64(int handle, int mode, off_t at, off_t size) ALIAS("fallocate");
int posix_fallocate(int handle, off_t at, off_t size)
    WHOLE(int, "truncate", path_of(handle, path), kind, REAL(posix_fallocate)(handle, at, size))
int posix_fallocate64(int handle, off_t at, off_t size) ALIAS("posix_fallocate");

int fsync(int handle) WHOLE(int, "fsync", path_of(handle, path), -1, REAL(fsync)(handle))
int fdatasync(int handle) WHOLE(int, "fsync", path_of(handle, path), -1, REAL(fdatasync)(handle))
int syncfs(int handle) WHOLE(int, "fsync", path_of(handle, path), -1, REAL(syncfs)(handle))

void *mmap(void *at, size_t size, int protection, int flags, int handle, off_t offset)
    WHOLE(void *, "mmap", ({ if (flags & MAP_ANONYMOUS) path[0] = 0; else path_of(handle, path); }), MAP_FAILED,
          REAL(mmap)(at, size, protection, flags, handle, offset))
void *mmap64(void *at, size_t size, int protection, int flags, int handle, off_t offset) ALIAS("mmap");

/* ---------------------------------------------------------------- names */

/* of two names the one that is watched, the new one first */
static void path_of_two(int first, const char *old, int second, const char *new, char *path) {
    path_at(second, new, path);
    if (!watched(path))
        path_at(first, old, path);
}

int rename(const char *old, const char *new)
    WHOLE(int, "rename", path_of_two(AT_FDCWD, old, AT_FDCWD, new, path), -1, REAL(rename)(old, new))
int renameat(int first, const char *old, int second, const char *new)
    WHOLE(int, "rename", path_of_two(first, old, second, new, path), -1, REAL(renameat)(first, old, second, new))
int renameat2(int first, const char *old, int second, const char *new, unsigned flags)
    WHOLE(int, "rename", path_of_two(first, old, second, new, path), -1,
          REAL(renameat2)(first, old, second, new, flags))
int link(const char *old, const char *new)
    WHOLE(int, "link", path_of_two(AT_FDCWD, old, AT_FDCWD, new, path), -1, REAL(link)(old, new))
int linkat(int first, const char *old, int second, const char *new, int flags)
    WHOLE(int, "link", path_of_two(first, old, second, new, path), -1, REAL(linkat)(first, old, second, new, flags))
int symlink(const char *old, const char *new)
    WHOLE(int, "link", path_at(AT_FDCWD, new, path), -1, REAL(symlink)(old, new))
int symlinkat(const char *old, int folder, const char *new)
    WHOLE(int, "link", path_at(folder, new, path), -1, REAL(symlinkat)(old, folder, new))
int unlink(const char *name) WHOLE(int, "unlink", path_at(AT_FDCWD, name, path), -1, REAL(unlink)(name))
int unlinkat(int folder, const char *name, int flags)
    WHOLE(int, flags & AT_REMOVEDIR ? "rmdir" : "unlink", path_at(folder, name, path), -1,
          REAL(unlinkat)(folder, name, flags))
int rmdir(const char *name) WHOLE(int, "rmdir", path_at(AT_FDCWD, name, path), -1, REAL(rmdir)(name))
int mkdir(const char *name, mode_t mode) WHOLE(int, "mkdir", path_at(AT_FDCWD, name, path), -1, REAL(mkdir)(name, mode))
int mkdirat(int folder, const char *name, mode_t mode)
    WHOLE(int, "mkdir", path_at(folder, name, path), -1, REAL(mkdirat)(folder, name, mode))
int chmod(const char *name, mode_t mode) WHOLE(int, "chmod", path_at(AT_FDCWD, name, path), -1, REAL(chmod)(name, mode))
int fchmod(int handle, mode_t mode) WHOLE(int, "chmod", path_of(handle, path), -1, REAL(fchmod)(handle, mode))
int fchmodat(int folder, const char *name, mode_t mode, int flags)
    WHOLE(int, "chmod", path_at(folder, name, path), -1, REAL(fchmodat)(folder, name, mode, flags))

/* ---------------------------------------------------------------- looking */

DIR *opendir(const char *name) WHOLE(DIR *, "list", path_at(AT_FDCWD, name, path), NULL, REAL(opendir)(name))
DIR *fdopendir(int handle) WHOLE(DIR *, "list", path_of(handle, path), NULL, REAL(fdopendir)(handle))
struct dirent *readdir(DIR *folder) WHOLE(struct dirent *, "list", path_of(dirfd(folder), path), NULL,
                                          REAL(readdir)(folder))
struct dirent64 *readdir64(DIR *folder) ALIAS("readdir");

/* The kernel stamps files by its own clock; where a program is to believe in another day, so must it of its files. */
static int stamped(int done, struct stat *found) {
    if (!done && stamp_offset) {
        found->st_atim.tv_sec += stamp_offset;
        found->st_mtim.tv_sec += stamp_offset;
        found->st_ctim.tv_sec += stamp_offset;
    }
    return done;
}

int fstatat(int folder, const char *name, struct stat *found, int flags)
    WHOLE(int, "stat", path_at(folder, name, path), -1, stamped(REAL(fstatat)(folder, name, found, flags), found))
int fstatat64(int folder, const char *name, struct stat64 *found, int flags) ALIAS("fstatat");
int stat(const char *name, struct stat *found)
    WHOLE(int, "stat", path_at(AT_FDCWD, name, path), -1, stamped(REAL(stat)(name, found), found))
int stat64(const char *name, struct stat64 *found) ALIAS("stat");
int lstat(const char *name, struct stat *found)
    WHOLE(int, "stat", path_at(AT_FDCWD, name, path), -1, stamped(REAL(lstat)(name, found), found))
int lstat64(const char *name, struct stat64 *found) ALIAS("lstat");
int fstat(int handle, struct stat *found)
    WHOLE(int, "stat", path_of(handle, path), -1, stamped(REAL(fstat)(handle, found), found))
int fstat64(int handle, struct stat64 *found) ALIAS("fstat");
/* what programs that were linked with an older C library call */
int __xstat(int version, const char *name, struct stat *found) { (void)version; return stat(name, found); }
int __xstat64(int version, const char *name, struct stat64 *found) ALIAS("__xstat");
int __lxstat(int version, const char *name, struct stat *found) { (void)version; return lstat(name, found); }
int __lxstat64(int version, const char *name, struct stat64 *found) ALIAS("__lxstat");
int __fxstat(int version, int handle, struct stat *found) { (void)version; return fstat(handle, found); }
int __fxstat64(int version, int handle, struct stat64 *found) ALIAS("__fxstat");
int __fxstatat(int version, int folder, const char *name, struct stat *found, int flags) {
    (void)version;
    return fstatat(folder, name, found, flags);
}
int __fxstatat64(int version, int folder, const char *name, struct stat64 *found, int flags) ALIAS("__fxstatat");
int statx(int folder, const char *name, int flags, unsigned mask, struct statx *found)
    WHOLE(int, "stat", path_at(folder, name, path), -1, REAL(statx)(folder, name, flags, mask, found))
int access(const char *name, int mode) WHOLE(int, "stat", path_at(AT_FDCWD, name, path), -1, REAL(access)(name, mode))
int faccessat(int folder, const char *name, int mode, int flags)
    WHOLE(int, "stat", path_at(folder, name, path), -1, REAL(faccessat)(folder, name, mode, flags))

/* ---------------------------------------------------------------- locks */

int flock(int handle, int operation) WHOLE(int, "lock", path_of(handle, path), -1, REAL(flock)(handle, operation))

int fcntl(int handle, int command, ...) {
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    if (command != F_SETLK && command != F_SETLKW && command != F_OFD_SETLK && command != F_OFD_SETLKW)
        return REAL(fcntl)(handle, command, argument);
    WHOLE(int, "lock", path_of(handle, path), -1, REAL(fcntl)(handle, command, argument))
}
int fcntl64(int handle, int command, ...) ALIAS("fcntl");

/* ---------------------------------------------------------------- the clock */

int clock_gettime(clockid_t which, struct timespec *now) {
    int done = REAL(clock_gettime)(which, now);
    if (!done && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE || which == CLOCK_TAI))
        now->tv_sec += clock_offset;
    return done;
}

int gettimeofday(struct timeval *now, void *zone) {
    int done = REAL(gettimeofday)(now, zone);
    if (!done && now)
        now->tv_sec += clock_offset;
    return done;
}

time_t time(time_t *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to)
        *to = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
    return base == TIME_UTC && !clock_gettime(CLOCK_REALTIME, now) ? base : 0;
}
