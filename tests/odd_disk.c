/* A file system that lacks what $LACKS names. Loaded before the C library by tests/odd_disk.rs. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int lacks(const char *feature) {
    const char *lacking = getenv("LACKS");
    return lacking && !strcmp(lacking, feature);
}

/* The list of a folder ends with an error after six entries, `.` and `..` among them. */
struct dirent64 *readdir64(DIR *folder) {
    static DIR *listed;
    static int entries;
    struct dirent64 *(*real)(DIR *) = dlsym(RTLD_NEXT, "readdir64");
    if (folder != listed) entries = 0;
    listed = folder;
    if (!lacks("ends of lists") || entries++ < 6) return real(folder);
    errno = EIO;
    return NULL;
}

int fsync(int file) {
    struct stat is;
    fstat(file, &is);
    if (!lacks("fsync of folders") || !S_ISDIR(is.st_mode)) return syscall(SYS_fsync, file);
    errno = EINVAL;
    return -1;
}

int flock(int file, int operation) {
    if (!lacks("locks")) return syscall(SYS_flock, file, operation);
    errno = ENOLCK;
    return -1;
}

/* The program calls these two without the C library. */
__attribute__((constructor)) static void refuse_calls(void) {
    struct sock_filter refuse[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_linkat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof refuse / sizeof *refuse, refuse};
    if (!lacks("links")) return;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) _exit(99);
}
