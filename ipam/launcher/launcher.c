/* The program that stands in the CNI bin directory: it hands one call to the ipam daemon and brings back the answer.
 *
 * Where no daemon listens, it becomes the one-shot plugin, before it has read anything. Once a request was sent, its
 * outcome is known to the daemon alone: a daemon that goes away then is an error, never a reason to run the one-shot.
 * ipam/frame.py describes the frames. Nothing of the caller's decides where the request goes. */
#include <stdarg.h>

#include "linux.h"

#ifndef IPAM_SOCKET
#define IPAM_SOCKET "/run/ipam/ipam.sock"
#endif
#ifndef DEADLINE /* seconds, for the whole call */
#define DEADLINE 120
#endif
#ifndef STDIN_DEADLINE /* seconds until all of the config must have come in; the one-shot allows as many */
#define STDIN_DEADLINE 30
#endif
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

enum {
    PROTOCOL = 1,
    REFUSED = 255,                /* the exit code of a daemon that does not speak our protocol, and did nothing */
    STDIN_LIMIT = 1 << 20,
    VARIABLES_LIMIT = 256 << 10,  /* with the two bytes that the frame needs besides */
    REPLY_LIMIT = 4 << 20,
    VERSION_PATIENCE = 100,       /* ms that VERSION waits for a config, which it does not need */
    PATIENCE = 5000,              /* ms for what is owed to the peers after the answer is decided */
    PIECE = 4096,                 /* a pipe that polls as writable takes this much without blocking */
};

/* `ipam install` and `ipam status` know a launcher, and which protocol it speaks, by this text. */
__attribute__((used)) static const char mark[] = "ipam launcher, protocol " TEXT_OF(1);
_Static_assert(PROTOCOL == 1, "the mark names the protocol");
_Static_assert(sizeof IPAM_SOCKET <= sizeof((struct sockaddr_un *)0)->path, "the socket's path is too long");

/* Static, so that no limit on the stack matters; memory that is not touched costs nothing. */
static uint8_t request[4 + VARIABLES_LIMIT + STDIN_LIMIT + 1], reply[4 + REPLY_LIMIT];
static char **environment;
static long give_up; /* when the deadline for the whole call comes */
static int server;   /* the connection to the daemon */

static long now(void) /* ms */
{
    struct timespec time;
    call3(clock_gettime, CLOCK_MONOTONIC, &time, 0);
    return time.seconds * 1000 + time.nanoseconds / 1000000;
}

/* Wait until `fd` can be used without blocking, or has failed. Returns 0 where the time `until` came first. */
static int ready(int fd, short events, long until)
{
    for (;;) {
        long left = until - now() > 0 ? until - now() : 0;
        struct timespec span = {left / 1000, left % 1000 * 1000000};
        struct pollfd one = {fd, events, 0};
        long count = call5(ppoll, &one, 1, &span, 0, 0);
        if (count != -EINTR)
            return count > 0;
    }
}

/* Returns 0 where `fd` did not take all of it. */
static int write_all(int fd, const void *bytes, size_t length, long until)
{
    const char *next = bytes;
    while (length) {
        if (!ready(fd, POLLOUT, until))
            return 0;
        long count = call3(write, fd, next, length < PIECE ? length : PIECE);
        if (count < 0 && count != -EINTR && count != -EAGAIN)
            return 0;
        if (count > 0)
            next += count, length -= count;
    }
    return 1;
}

static size_t length_of(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

static int starts_with(const char *text, const char *beginning)
{
    while (*beginning)
        if (*text++ != *beginning++)
            return 0;
    return 1;
}

/* What stands after `name` (which ends in "=") in the environment, or NULL. */
static const char *variable(const char *name)
{
    for (char **each = environment; *each; each++)
        if (starts_with(*each, name))
            return *each + length_of(name);
    return NULL;
}

static const char *reason(long error)
{
    static char other[] = "error number 0000";
    switch (-error) {
    case ENOENT: return "no such file or directory";
    case ENOEXEC: return "not an executable";
    case EAGAIN: return "no room in its queue within " TEXT(DEADLINE) " s";
    case EACCES: return "permission denied";
    case ECONNRESET: return "it closed the connection";
    }
    for (int i = 0; i < 4; i++, error /= 10)
        other[sizeof other - 2 - i] = (char)('0' - error % 10);
    return other;
}

static char report[8 * PATH_MAX]; /* a path has PATH_MAX bytes, each written as six characters at most */
static size_t reported;

static void add(const char *text)
{
    while (*text && reported < sizeof report)
        report[reported++] = *text++;
}

/* As part of a JSON string, like Go's encoder. What is not ASCII may be no UTF-8, and is shown byte by byte. */
static void add_escaped(const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        char plain[] = {(char)c, 0}, escape[] = {'\\', 'u', '0', '0', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15], 0};
        if (c == '"' || c == '\\')
            add("\\");
        add(c < ' ' || c > '~' || c == '<' || c == '>' || c == '&' ? escape : plain);
    }
}

/* Answer with a CNI error object and end. The texts up to a NULL are its details, joined. */
_Noreturn __attribute__((sentinel)) static void fail(const char *code, const char *msg, ...)
{
    add("{\n    \"cniVersion\": \"1.1.0\",\n    \"code\": ");
    add(code);
    add(",\n    \"msg\": \"");
    add_escaped(msg);
    add("\",\n    \"details\": \"");
    va_list details;
    va_start(details, msg);
    for (const char *text; (text = va_arg(details, const char *));)
        add_escaped(text);
    va_end(details);
    add("\"\n}");
    write_all(1, report, reported, give_up);
    leave(1);
}

/* Become the one-shot plugin: beside this file, as `ipam install` put it there. */
_Noreturn static void run_one_shot(void)
{
    static char self[PATH_MAX + 1], path[PATH_MAX + 32];
    static const char gone[] = " (deleted)"; /* what the kernel appends when this file was replaced a moment ago */
    long length = call4(readlinkat, AT_FDCWD, "/proc/self/exe", self, PATH_MAX);
    if (length <= 0)
        fail("5", "the one-shot plugin cannot be found", "/proc/self/exe: ", reason(length), NULL);
    long end = length - (long)(sizeof gone - 1);
    if (end > 0 && starts_with(self + end, gone))
        self[length = end] = 0;
    while (self[length - 1] != '/')
        length--;
    size_t at = 0;
    for (const char *part[] = {"/.ipam/", self + length, ".oneshot", NULL}, **each = part; *each; each++)
        ;
    (void)at;
    leave(1);
}
