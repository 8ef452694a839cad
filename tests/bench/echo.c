/* The least that a daemon could do: every request gets the same reply. `echo SOCKET REPLY-FILE` */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char request[1 << 16], reply[1 << 16];

static int failed(const char *what)
{
    perror(what);
    return 1;
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct epoll_event event = {.events = EPOLLIN}, events[512];
    if (argc != 3 || strlen(argv[1]) >= sizeof address.sun_path)
        return 2;
    int file = open(argv[2], O_RDONLY);
    ssize_t length = read(file, reply, sizeof reply);
    if (length <= 0)
        return failed(argv[2]);
    strcpy(address.sun_path, argv[1]);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
    event.data.fd = listener;
    if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096) ||
        epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event))
        return failed(argv[1]);
    for (;;) {
        int count = epoll_wait(poll, events, 512, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener) {
                while ((event.data.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
                    epoll_ctl(poll, EPOLL_CTL_ADD, event.data.fd, &event);
                continue;
            }
            /* A request comes in one piece, for it is small. Who is there when it has come in wants its reply. */
            if (recv(events[i].data.fd, request, sizeof request, 0) > 0)
                send(events[i].data.fd, reply, (size_t)length, MSG_NOSIGNAL);
            close(events[i].data.fd);
        }
    }
}
