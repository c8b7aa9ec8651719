/* A small HTTP server: answers every request with 200, ends on SIGTERM. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void stop(int signal_number) {
  (void)signal_number;
  _exit(0);
}

int main(void) {
  signal(SIGTERM, stop);
  signal(SIGPIPE, SIG_IGN);
  int on = 1, server = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8080)};
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 16)) {
    perror("listen");
    return 1;
  }
  for (;;) {
    char request[1024];
    const char *answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
    int client = accept(server, NULL, NULL);
    if (client >= 0 && read(client, request, sizeof request) >= 0 && write(client, answer, strlen(answer)) < 0)
      perror("write");
    if (client >= 0)
      close(client);
  }
}
