#include "tally.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 1 << 16 };

static void answer(int client, int status, const char *type, const char *body) {
    char head[256];
    int size = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                        status, table_status(status), type, strlen(body));
    if (write(client, head, (size_t)size) < 0 || write(client, body, strlen(body)) < 0)
        perror("write");
}

static size_t content_length(const char *request) {
    const char *found = strstr(request, "\r\nContent-Length:");
    if (!found)
        found = strstr(request, "\r\ncontent-length:");
    return found ? strtoul(found + 17, NULL, 10) : 0;
}

static void handle(int client) {
    static char request[ROOM];
    size_t size = 0;
    char *body = NULL;
    while (size < ROOM - 1) {
        ssize_t got = read(client, request + size, ROOM - 1 - size);
        if (got <= 0)
            break;
        size += (size_t)got;
        request[size] = 0;
        if (!body && (body = strstr(request, "\r\n\r\n")))
            body += 4;
        if (body && (size_t)(request + size - body) >= content_length(request))
            break;
    }
    if (!body) {
        answer(client, 400, table_type("txt"), "no request\n");
    } else if (!strncmp(request, "GET /healthz ", 13)) {
        answer(client, 200, table_type("txt"), "ok\n");
    } else if (!strncmp(request, "POST /count ", 12)) {
        char out[256];
        text_trim(body);
        struct counts counts = text_count(body, strlen(body));
        json_counts(&counts, out, sizeof out);
        answer(client, 200, table_type("json"), out);
    } else {
        answer(client, 404, table_type("txt"), "there is /healthz and /count\n");
    }
}

static volatile sig_atomic_t is_over;

static void stop(int number) {
    (void)number;
    is_over = 1;
}

int serve(int port) {
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    int yes = 1, listener = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = in6addr_any};
    int failed = listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
                 bind(listener, (struct sockaddr *)&any, sizeof any) != 0;
    if (failed) {
        /* A kernel without IPv6. */
        struct sockaddr_in plain = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        listener = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        failed = bind(listener, (struct sockaddr *)&plain, sizeof plain) != 0;
    }
    if (failed || listen(listener, 64) != 0) {
        perror("tally");
        return 1;
    }
    fprintf(stderr, "tally listens on %d\n", port);
    while (!is_over) {
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            continue;
        handle(client);
        close(client);
    }
    return 0;
}
