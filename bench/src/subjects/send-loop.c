/*
 * The floor of the fan-out: accepts, answers with the headers of a stream, and writes each event to each connection
 * with one send() of one shared buffer, framed once. Commands come as lines of JSON on stdin, from the harness
 * alone, so they are searched for their fields instead of parsed. An event can also be the body of a POST.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FD 65536
#define MAX_SIZE 65536
/* As in publisher.ts: how late an event may be stamped, in µs. */
#define LATENESS 2000

enum state { UNUSED, READING, OPEN, PUBLISHING };

static char state[MAX_FD];
static char tail[MAX_FD][4]; /* the last bytes of a request, to see the blank line that ends it */
static char *posts[MAX_FD]; /* what a publisher has sent, until its request is whole */
static size_t posted[MAX_FD];
static int open_fds[MAX_FD];
static int place[MAX_FD];
static int connections;
static int epoll_fd, listen_fd, port;
static long long number;

static const char HEAD[] =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
  "Transfer-Encoding: chunked\r\n\r\n";

struct job {
  int id; /* 0: none */
  long long left, published;
  int size, batch;
  double due, interval;
} job;

static long long micros(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void watch(int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

static void start_listening(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(listen_fd, (struct sockaddr *)&address, length) != 0) fail("bind");
  if (listen(listen_fd, 1024) != 0) fail("listen");
  getsockname(listen_fd, (struct sockaddr *)&address, &length);
  port = ntohs(address.sin_port);
  watch(listen_fd);
}

static void accept_all(void) {
  for (;;) {
    int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) {
      if (errno == EAGAIN) return;
      fail("accept4");
    }
    if (fd >= MAX_FD) { fprintf(stderr, "too many connections\n"); exit(1); }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    state[fd] = READING;
    memset(tail[fd], 0, 4);
    watch(fd);
  }
}

static void drop(int fd) {
  if (state[fd] == OPEN) {
    int last = open_fds[--connections];
    open_fds[place[fd]] = last;
    place[last] = place[fd];
  }
  free(posts[fd]);
  posts[fd] = NULL;
  posted[fd] = 0;
  state[fd] = UNUSED;
  close(fd);
}

/* A socket whose buffer is full is waited for: that is all the backpressure there is. */
static void send_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent > 0) {
      bytes += sent;
      length -= sent;
    } else if (errno == EAGAIN) {
      struct pollfd full = {.fd = fd, .events = POLLOUT};
      poll(&full, 1, 1000);
    } else {
      return; /* the peer has gone; epoll tells */
    }
  }
}

static void send_to_all(const char *bytes, size_t length) {
  for (int n = 0; n < connections; n += 1) send_all(open_fds[n], bytes, length);
}

/* One chunk: an event of these bytes. */
static size_t frame_data(char *out, const char *data, int size) {
  static char event[MAX_SIZE + 256];
  number += 1;
  int length = sprintf(event, "id: %lld\ndata: %.*s\n\n", number, size, data);
  return sprintf(out, "%x\r\n%.*s\r\n", length, length, event);
}

/* Publishes the bodies of all requests that are whole. The harness sends `Content-Length`, written like this. */
static void read_posts(int fd) {
  static const char OK[] = "HTTP/1.1 204 No Content\r\n\r\n", LENGTH[] = "\r\nContent-Length: ";
  static char bytes[MAX_SIZE + 512];
  for (;;) {
    posts[fd][posted[fd]] = 0;
    char *head_end = strstr(posts[fd], "\r\n\r\n"), *field = strstr(posts[fd], LENGTH);
    if (head_end == NULL || field == NULL) return;
    int size = atoi(field + sizeof LENGTH - 1);
    size_t whole = head_end + 4 - posts[fd] + size;
    if (posted[fd] < whole) return;
    send_to_all(bytes, frame_data(bytes, head_end + 4, size));
    send_all(fd, OK, sizeof OK - 1);
    memmove(posts[fd], posts[fd] + whole, posted[fd] -= whole);
  }
}

static void take_post(int fd, const char *bytes, size_t length) {
  if (posts[fd] == NULL) posts[fd] = malloc(MAX_SIZE + 1);
  if (posts[fd] == NULL || posted[fd] + length > MAX_SIZE) { fprintf(stderr, "a request is too large\n"); exit(1); }
  memcpy(posts[fd] + posted[fd], bytes, length);
  posted[fd] += length;
  read_posts(fd);
}

static void read_request(int fd) {
  char bytes[4096];
  ssize_t length = recv(fd, bytes, sizeof bytes, 0);
  if (length == 0 || (length < 0 && errno != EAGAIN)) return drop(fd);
  if (length > 4 && state[fd] == READING && memcmp(bytes, "POST", 4) == 0) state[fd] = PUBLISHING;
  if (length > 0 && state[fd] == PUBLISHING) return take_post(fd, bytes, length);
  for (ssize_t i = 0; i < length && state[fd] == READING; i += 1) {
    memmove(tail[fd], tail[fd] + 1, 3);
    tail[fd][3] = bytes[i];
    if (memcmp(tail[fd], "\r\n\r\n", 4) != 0) continue;
    send_all(fd, HEAD, sizeof HEAD - 1);
    state[fd] = OPEN;
    place[fd] = connections;
    open_fds[connections++] = fd;
  }
}

/* One chunk: data of `size` bytes that begins with the marker, the stamp and the number. */
static size_t frame(char *out, long long stamp, int size) {
  static char data[MAX_SIZE + 32];
  int length = sprintf(data, "~%016lld%010lld", stamp, number + 1);
  while (length < size) data[length++] = 'x';
  return frame_data(out, data, length);
}

static void publish(void) {
  static char bytes[MAX_SIZE + 512];
  long long stamp = micros(), latest = (long long)job.due + LATENESS;
  for (int i = 0; i < job.batch; i += 1) {
    send_to_all(bytes, frame(bytes, stamp < latest ? stamp : latest, job.size));
  }
  job.due += job.interval;
  job.published += job.batch;
  job.left -= job.batch;
  if (job.left > 0) return;
  printf("{\"id\":%d,\"result\":{\"published\":%lld}}\n", job.id, job.published);
  job.id = 0;
}

static double field(const char *line, const char *name, double otherwise) {
  char quoted[32];
  sprintf(quoted, "\"%s\":", name);
  const char *found = strstr(line, quoted);
  return found == NULL ? otherwise : atof(found + strlen(quoted));
}

static void obey(const char *line) {
  int id = field(line, "id", 0);
  if (strstr(line, "\"listen\"")) {
    printf("{\"id\":%d,\"result\":{\"port\":%d}}\n", id, port);
  } else if (strstr(line, "\"connections\"")) {
    printf("{\"id\":%d,\"result\":%d}\n", id, connections);
  } else if (strstr(line, "\"publish\"")) {
    double batch = field(line, "batch", 1), rate = field(line, "rate", 1), size = field(line, "size", 100);
    if (size > MAX_SIZE) { fprintf(stderr, "events are too large\n"); exit(1); }
    job = (struct job){.id = id, .left = field(line, "count", 1), .size = size, .batch = batch,
                       .due = micros(), .interval = batch * 1e6 / rate};
  } else {
    printf("{\"id\":%d,\"error\":\"no such command\"}\n", id);
  }
}

static void read_commands(void) {
  static char input[8192];
  static size_t held;
  ssize_t length = read(STDIN_FILENO, input + held, sizeof input - 1 - held);
  if (length <= 0) exit(0); /* the harness is gone */
  held += length;
  input[held] = 0;
  char *line = input;
  for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
    *end = 0;
    obey(line);
  }
  held -= line - input;
  memmove(input, line, held);
}

/* How long epoll may wait: -1 without a job, else until the next event is due, rounded to ms as timers of Node are. */
static int patience(void) {
  if (job.id == 0) return -1;
  double milliseconds = (job.due - micros()) / 1000;
  return milliseconds <= 0 ? 0 : (int)(milliseconds + 0.5);
}

int main(void) {
  static struct epoll_event events[1024];
  setvbuf(stdout, NULL, _IOLBF, 0);
  epoll_fd = epoll_create1(0);
  start_listening();
  watch(STDIN_FILENO);
  for (;;) {
    int count = epoll_wait(epoll_fd, events, 1024, patience());
    for (int i = 0; i < count; i += 1) {
      int fd = events[i].data.fd;
      if (fd == listen_fd) accept_all();
      else if (fd == STDIN_FILENO) read_commands();
      else if (state[fd] != UNUSED) read_request(fd);
    }
    if (job.id != 0 && micros() >= job.due) publish();
  }
}
