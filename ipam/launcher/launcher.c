/* The program that stands in the CNI bin directory: it hands one call to the ipam daemon and brings back the answer.
 *
 * Where no daemon listens it becomes the one-shot plugin, before it has read anything. Once a request was sent, only
 * the daemon knows what became of it: a daemon that goes away then is an error, never a reason to run the one-shot.
 * ipam/frame.py describes the frames. No variable of the caller's decides where a request goes. */
#include <stdarg.h>

#include "linux.h"
#include "text.h"

#define PROTOCOL 1
#ifndef IPAM_SOCKET
#define IPAM_SOCKET "/run/ipam/ipam.sock"
#endif
#ifndef DEADLINE /* seconds for the whole call */
#define DEADLINE 120
#endif
#ifndef STDIN_DEADLINE /* seconds until all of the config must have come in, as in the one-shot */
#define STDIN_DEADLINE 30
#endif
#define ADVICE "; see systemctl status ipam"
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

enum {
    REFUSED = 255,               /* the exit code of a daemon that does not speak our protocol, and did nothing */
    STDIN_LIMIT = 1 << 20,
    VARIABLES_LIMIT = 256 << 10, /* with the two bytes that frame them */
    REPLY_LIMIT = 4 << 20,
    REPLY_HEAD = 10,             /* length, protocol, exit code, length of the text for stderr */
    VERSION_PATIENCE = 100,      /* ms that VERSION waits for a config, which it can do without */
    PATIENCE = 5000,             /* ms for what follows when the answer is out, or cannot be got out */
};
_Static_assert(sizeof IPAM_SOCKET <= sizeof((struct sockaddr_un *)0)->path, "the socket's path is too long");

/* By this text `ipam install` and `ipam status` know a launcher and the protocol that it speaks. */
__attribute__((used)) static const char mark[] = "ipam launcher, protocol " TEXT(PROTOCOL) "\n";

/* Static, so that no limit on the stack matters. Pages that nothing touches cost nothing. */
static uint8_t request[4 + VARIABLES_LIMIT + STDIN_LIMIT + 1], reply[4 + REPLY_LIMIT];
static size_t config_at, request_end; /* where in the request the config begins, and where it ends */
static char **environment;
static const char *command; /* CNI_COMMAND, or NULL */
static int server;   /* the connection to the daemon */
static long give_up; /* when the whole call's deadline comes */

/* The value of a variable, named with its "=", or NULL. */
static const char *variable(const char *name)
{
    const char *value = NULL;
    for (char **each = environment; *each && !value; each++)
        value = after(name, *each);
    return value;
}

static const char *reason(long error)
{
    static char other[sizeof "error number 0000"];
    switch (-error) {
    case ENOENT: return "no such file or directory";
    case ENOEXEC: return "not an executable";
    case EAGAIN: return "its queue was full for " TEXT(DEADLINE) " s";
    case EACCES: return "permission denied";
    case ECONNRESET: return "it closed the connection";
    }
    append(other, "error number 0000");
    for (char *digit = other + sizeof other - 2; error; error /= 10)
        *digit-- = (char)('0' - error % 10);
    return other;
}

/* Answer with a CNI error and end. What comes after `msg`, up to NULL, is joined to its details. */
_Noreturn __attribute__((sentinel)) static void fail(const char *code, const char *msg, ...)
{
    static char report[8 * PATH_MAX]; /* at most one of the texts is a path, escaped to six times its length */
    char *end = append(append(report, "{\n    \"cniVersion\": \"1.1.0\",\n    \"code\": "), code);
    end = append(append_escaped(append(end, ",\n    \"msg\": \""), msg), "\",\n    \"details\": \"");
    va_list details;
    va_start(details, msg);
    for (const char *text; (text = va_arg(details, const char *));)
        end = append_escaped(end, text);
    va_end(details);
    end = append(end, "\"\n}");
    write_all(1, report, (size_t)(end - report), give_up);
    leave(1);
}

/* End a call whose outcome is not known. 'U' tells a daemon that is still there to undo what it does for us. */
_Noreturn static void lost(const char *why)
{
    call6(NR_sendto, server, (long)"U", 1, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
    fail("11", "the ipam daemon went away before it answered", why, ADVICE, NULL);
}

/* Become the one-shot plugin, which `ipam install` put beside this file. */
_Noreturn static void run_one_shot(void)
{
    static char self[PATH_MAX + 1], path[PATH_MAX + 32];
    long length = call4(readlinkat, AT_FDCWD, "/proc/self/exe", self, PATH_MAX);
    if (length <= 0)
        fail("5", "the one-shot plugin cannot be found", "/proc/self/exe: ", reason(length), NULL);
    char *name = self, *end = self + length;
    static const char replaced[] = " (deleted)"; /* says the kernel, where a new file took this one's place just now */
    if ((size_t)length >= sizeof replaced && after(replaced, end - (sizeof replaced - 1)))
        *(end - (sizeof replaced - 1)) = 0;
    for (char *each = self; *each; each++)
        if (*each == '/')
            name = each + 1;
    name[-1] = 0;
    append(append(append(append(path, self), "/.ipam/"), name), ".oneshot");
    const char *program = path;
#ifdef IPAM_FOR_TESTS
    if (variable("IPAM_ONESHOT="))
        program = variable("IPAM_ONESHOT=");
#endif
    const char *arguments[] = {program, NULL};
    long error = call3(execve, program, arguments, environment);
    fail("5", "the ipam daemon is not running, and the one-shot plugin cannot be run", program, ": ", reason(error),
         error == -ENOENT ? " (the file, or the interpreter that it names)" : "", "; run ipam install again", NULL);
}

/* The same, with what has been read of stdin given back to it. */
_Noreturn static void run_one_shot_again(void)
{
    long file = call3(memfd_create, "stdin", MFD_CLOEXEC, 0), error = file;
    if (file >= 0) {
        int whole = write_all((int)file, request + config_at, request_end - config_at, give_up);
        error = whole ? call3(lseek, file, 0, 0) : -EAGAIN;
    }
    if (error < 0 || (error = call3(dup3, file, 0, 0)) < 0)
        fail("5", "the config cannot be handed to the one-shot plugin", "memfd: ", reason(error), NULL);
    run_one_shot();
}

/* Were one of 0, 1, 2 closed, the socket would take its number. */
static void occupy_standard_descriptors(void)
{
    if (is("ADD", command) && call3(fcntl, 1, F_GETFD, 0) < 0)
        leave(1); /* nobody can be answered: take nothing */
    for (int fd = 0; fd <= 2; fd++) {
        long error = call3(fcntl, fd, F_GETFD, 0) < 0 ? call4(openat, AT_FDCWD, "/dev/null", O_RDWR, 0) : fd;
        if (error != fd)
            fail("5", "a standard descriptor is closed", "/dev/null: ", reason(error), NULL);
    }
}

static void connect_to_daemon(void)
{
#ifndef IPAM_FOR_TESTS
    static const struct sockaddr_un address = {AF_UNIX, IPAM_SOCKET};
#else
    static struct sockaddr_un address = {AF_UNIX, IPAM_SOCKET};
    const char *other = variable("IPAM_SOCKET=");
    for (size_t i = 0; other && i < sizeof address.path - 1 && (!i || other[i - 1]); i++)
        address.path[i] = other[i];
#endif
    long error = server = (int)call3(socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    while (error >= 0) {
        /* This bounds how long connect() waits for room in a full backlog. No time at all would mean no bound. */
        long left = give_up - now();
        struct timeval span = {left > 0 ? left / 1000 : 0, left > 0 ? left % 1000 * 1000 : 1};
        call5(setsockopt, server, SOL_SOCKET, SO_SNDTIMEO, &span, sizeof span);
        error = call3(connect, server, &address, sizeof address);
        if (!error)
            return;
        if (error == -EINTR)
            error = 0;
    }
    if (error == -ENOENT || error == -ECONNREFUSED)
        run_one_shot();
    fail("11", "cannot connect to the ipam daemon", address.path, ": ", reason(error), ADVICE, NULL);
}

static void put_variable(const char *text)
{
    do {
        if (request_end == 4 + VARIABLES_LIMIT)
            fail("4", "the CNI_ variables are too long", "together they may have 256 KiB", NULL);
        request[request_end++] = (uint8_t)*text;
    } while (*text++);
}

/* Whether CNI_NETNS is the network namespace that this process is in. The daemon may see neither. */
static int is_own_netns(void)
{
    const char *netns = variable("CNI_NETNS=");
    struct stat theirs, ours;
    return netns && !call4(newfstatat, AT_FDCWD, netns, &theirs, 0) &&
           !call4(newfstatat, AT_FDCWD, "/proc/self/ns/net", &ours, 0) &&
           theirs.device == ours.device && theirs.inode == ours.inode;
}

/* Put the variables that a plugin may see into the request, and what it could see for itself in our place. */
static void collect_variables(void)
{
    request[4] = PROTOCOL;
    request_end = 5;
    for (char **each = environment; *each; each++)
        if (after("CNI_", *each) || after("TRACEPARENT=", *each))
            put_variable(*each);
    if (is_own_netns())
        put_variable("IPAM_OWN_NETNS=1");
    put_variable("");
    config_at = request_end;
}

/* Put stdin into the request. VERSION can do without. */
static void collect_config(int needed)
{
    long until = now() + (needed ? STDIN_DEADLINE * 1000 : VERSION_PATIENCE);
    for (;;) {
        if (!ready(0, POLLIN, until < give_up ? until : give_up)) {
            if (needed)
                fail("11", "stdin was not closed within " TEXT(STDIN_DEADLINE) " s", "the caller must send the config",
                     NULL);
            return;
        }
        long count = call3(read, 0, request + request_end, config_at + STDIN_LIMIT + 1 - request_end);
        if (!count)
            return;
        if (count > 0)
            request_end += (size_t)count;
        else if (count != -EINTR && count != -EAGAIN)
            fail("6", "cannot read stdin", reason(count), NULL);
        if (request_end > config_at + STDIN_LIMIT)
            fail("6", "error unmarshall network config: input is longer than 1 MiB", "nothing was done", NULL);
    }
}

static void send_request(void)
{
    for (int i = 0; i < 4; i++)
        request[i] = (uint8_t)((request_end - 4) >> (24 - 8 * i));
    for (size_t sent = 0; sent < request_end;) {
        long count = call6(NR_sendto, server, (long)(request + sent), (long)(request_end - sent),
                           MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
        if (count >= 0)
            sent += (size_t)count;
        else if (count == -EPIPE || count == -ECONNRESET)
            return; /* it may have answered before it closed; then the answer can be read */
        else if (count != -EINTR && (count != -EAGAIN || !ready(server, POLLOUT, give_up)))
            lost("it did not read the request");
    }
}

static void receive_reply(void)
{
    for (size_t have = 0, want = 6; have < want;) {
        if (!ready(server, POLLIN, give_up))
            lost("it did not answer within " TEXT(DEADLINE) " s");
        long count = call6(NR_recvfrom, server, (long)(reply + have), (long)(sizeof reply - have), MSG_DONTWAIT, 0, 0);
        if (count == -EINTR || count == -EAGAIN)
            continue;
        if (count <= 0)
            lost(count ? reason(count) : reason(-ECONNRESET));
        have += (size_t)count;
        if (have < 6)
            continue;
        if (reply[4] != PROTOCOL && reply[5] == REFUSED)
            run_one_shot_again();
        want = 4 + number_at(reply);
        if (reply[4] != PROTOCOL || want < REPLY_HEAD || want > sizeof reply)
            lost("its answer cannot be understood");
    }
    if (number_at(reply + 6) > number_at(reply) + 4 - REPLY_HEAD)
        lost("its answer cannot be understood");
}

/* Returns the exit status. */
static int deliver_reply(void)
{
    const uint8_t *errors = reply + REPLY_HEAD, *answer = errors + number_at(reply + 6);
    if (write_all(1, answer, (size_t)(reply + 4 + number_at(reply) - answer), give_up)) {
        write_all(2, errors, (size_t)(answer - errors), now() + PATIENCE);
        return reply[5];
    }
    /* Nobody will learn what was leased. The daemon closes when it has given that back. */
    static const char note[] = "the answer could not be delivered; the ipam daemon gives back what it leased\n";
    call6(NR_sendto, server, (long)"U", 1, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
    write_all(2, note, sizeof note - 1, now() + PATIENCE);
    ready(server, POLLIN, now() + PATIENCE);
    return 1;
}

/* The entry point calls this with the stack as the kernel made it: argc, argv, NULL, environment, NULL. */
__attribute__((used)) _Noreturn void run(char **stack)
{
    environment = stack + (long)stack[0] + 2;
    give_up = now() + DEADLINE * 1000;
    struct sigaction ignore = {SIG_IGN, 0, 0, 0}; /* a reader that has gone is an error to handle */
    call4(rt_sigaction, SIGPIPE, &ignore, NULL, sizeof ignore.mask);
    command = variable("CNI_COMMAND=");
    occupy_standard_descriptors();
    connect_to_daemon();
    collect_variables();
    if (command)
        collect_config(!is("VERSION", command));
    send_request();
    receive_reply();
    leave(deliver_reply());
}
