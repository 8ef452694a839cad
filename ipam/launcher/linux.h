/* What the launcher needs of Linux, on x86_64 and aarch64: its entry point, and the few system calls that it makes.
 *
 * A C library would spend more time on starting than the launcher spends on everything else, so there is none, and
 * no header of one: numbers and structures stand here. They are the kernel's ABI and never change. Each call returns
 * what the kernel returns: a result, or an error number below zero. */
#include <stddef.h>
#include <stdint.h>

enum { ENOENT = 2, EINTR = 4, ENOEXEC = 8, EAGAIN = 11, EACCES = 13, EPIPE = 32, ECONNRESET = 104, ECONNREFUSED = 111 };
enum { O_RDWR = 2, AT_FDCWD = -100, F_GETFD = 1, PATH_MAX = 4096, PIPE_BUF = 4096 };
enum { AF_UNIX = 1, SOCK_STREAM = 1, SOCK_CLOEXEC = 0x80000, SOL_SOCKET = 1, SO_SNDTIMEO = 21 };
enum { MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000, POLLIN = 1, POLLOUT = 4 };
enum { CLOCK_MONOTONIC = 1, MFD_CLOEXEC = 1, SIGPIPE = 13, SIG_IGN = 1 };

struct sockaddr_un { uint16_t family; char path[108]; };
struct pollfd { int fd; short events, revents; };
struct timespec { long seconds, nanoseconds; };
struct timeval { long seconds, microseconds; };
struct sigaction { unsigned long handler, flags, restorer, mask; };
struct stat { uint64_t device, inode; char others[128]; };

#if defined(__x86_64__) && defined(__LP64__)

enum {
    NR_read = 0, NR_write = 1, NR_lseek = 8, NR_rt_sigaction = 13, NR_socket = 41, NR_connect = 42, NR_sendto = 44,
    NR_recvfrom = 45, NR_setsockopt = 54, NR_execve = 59, NR_fcntl = 72, NR_clock_gettime = 228, NR_exit_group = 231,
    NR_openat = 257, NR_newfstatat = 262, NR_readlinkat = 267, NR_ppoll = 271, NR_dup3 = 292, NR_memfd_create = 319
};

/* The kernel starts a program with the stack pointer at argc; run() gets it as its argument, on an aligned stack. */
__asm__(".globl _start\n_start:\n  xor %ebp, %ebp\n  mov %rsp, %rdi\n  and $-16, %rsp\n  call run\n  hlt\n");

static long call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return number;
}

#elif defined(__aarch64__) && defined(__LP64__)

enum {
    NR_dup3 = 24, NR_fcntl = 25, NR_openat = 56, NR_lseek = 62, NR_read = 63, NR_write = 64, NR_ppoll = 73,
    NR_readlinkat = 78, NR_newfstatat = 79, NR_exit_group = 94, NR_clock_gettime = 113, NR_rt_sigaction = 134, NR_socket = 198,
    NR_connect = 203, NR_sendto = 206, NR_recvfrom = 207, NR_setsockopt = 208, NR_execve = 221, NR_memfd_create = 279
};

__asm__(".globl _start\n_start:\n  mov x29, #0\n  mov x30, #0\n  mov x0, sp\n  bl run\n  brk #1\n");

static long call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

#else
#error "the launcher knows 64-bit x86_64 and aarch64 only"
#endif

#define call5(n, a, b, c, d, e) call6(NR_##n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define call4(n, a, b, c, d) call5(n, a, b, c, d, 0)
#define call3(n, a, b, c) call5(n, a, b, c, 0, 0)

_Noreturn static void leave(int status)
{
    for (;;)
        call3(exit_group, status, 0, 0);
}

/* Compilers call these two for copies and clearings that they recognise, also where there is no C library. The empty
 * asm keeps them from recognising these loops. */
void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        ((char *)to)[i] = ((const char *)from)[i];
        __asm__ volatile("" ::: "memory");
    }
    return to;
}

void *memset(void *to, int byte, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        ((char *)to)[i] = (char)byte;
        __asm__ volatile("" ::: "memory");
    }
    return to;
}

static long now(void) /* ms */
{
    struct timespec time;
    call3(clock_gettime, CLOCK_MONOTONIC, &time, 0);
    return time.seconds * 1000 + time.nanoseconds / 1000000;
}

/* Wait until `fd` is ready, or broken. Returns 0 when it is neither by the time `until`. */
static int ready(int fd, short events, long until)
{
    for (;;) {
        long left = until - now();
        struct timespec span = {left > 0 ? left / 1000 : 0, left > 0 ? left % 1000 * 1000000 : 0};
        struct pollfd one = {fd, events, 0};
        long count = call5(ppoll, &one, 1, &span, 0, 0);
        if (count != -EINTR)
            return count > 0;
    }
}

/* Returns 0 when `fd` did not take all of it. */
static int write_all(int fd, const void *bytes, size_t length, long until)
{
    for (const char *next = bytes; length;) {
        if (!ready(fd, POLLOUT, until))
            return 0;
        long count = call3(write, fd, next, length < PIPE_BUF ? length : PIPE_BUF);
        if (count > 0)
            next += count, length -= (size_t)count;
        else if (count != -EINTR && count != -EAGAIN)
            return 0;
    }
    return 1;
}
