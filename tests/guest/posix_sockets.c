/* SPDX-License-Identifier: MIT */
/*
 * Sockets against the peer posix_peer.py: posix_sockets HOST CONTROL-PORT FORWARDED-PORT.  The
 * control connection tells the peer's other ports and makes it connect to us; FORWARDED-PORT is
 * where it reaches our LISTEN_PORT.  Runs on Linux as well, with the peer on the same machine.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

#define LISTEN_PORT 7777
#define BULK        (8u << 20)

static struct in_addr host;
static FILE *control;
static int echo_port, close_port, reset_port, bulk_port, sink_port, silent_port, closed_port,
        udp_port;
static char buffer[300000];

static struct sockaddr_in address_of(int port)
{
	return (struct sockaddr_in){
	        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = host};
}

static int connected(int port)
{
	struct sockaddr_in to = address_of(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		close(fd);
		return -1;
	}
	return fd;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int option_of(int fd, int level, int option)
{
	int value = -1;
	socklen_t length = sizeof(value);

	return getsockopt(fd, level, option, &value, &length) ? -1 : value;
}

static int set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* In so many milliseconds a SIGALRM that restarts nothing. */
static void alarm_in(int ms)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval timer = {.it_value = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000}};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void making(void)
{
	struct stat st;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	ok(fd >= 0 && fcntl(fd, F_GETFL) & O_NONBLOCK && fcntl(fd, F_GETFD) == FD_CLOEXEC,
	   "socket with flags");
	ok(fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode), "fstat");
	ok(option_of(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM &&
	           option_of(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET &&
	           option_of(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP &&
	           !option_of(fd, SOL_SOCKET, SO_ACCEPTCONN),
	   "type, domain, protocol");
	fails(recv(fd, buffer, 1, 0), ENOTCONN, "recv without a connection");
	fails(send(fd, buffer, 1, MSG_NOSIGNAL), EPIPE, "send without a connection");
	fails(shutdown(fd, SHUT_RDWR), ENOTCONN, "shutdown without a connection");
	fails(getpeername(fd, (struct sockaddr *)buffer, &(socklen_t){sizeof(buffer)}), ENOTCONN,
	      "getpeername");
	fails(accept(fd, NULL, NULL), EINVAL, "accept without listen");
	fails(lseek(fd, 0, SEEK_SET), ESPIPE, "lseek");
	close(fd);
	fails(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT,
	      "a protocol of another type");
	fails(socket(255, SOCK_STREAM, 0), EAFNOSUPPORT, "an unknown family");
	fails(bind(1, (struct sockaddr *)buffer, sizeof(struct sockaddr_in)), ENOTSOCK,
	      "bind of stdout");
	fails(recv(999, buffer, 1, 0), EBADF, "recv of nothing");
}

static void options(void)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 7};
	struct timeval t = {.tv_sec = 3, .tv_usec = 250000};
	socklen_t length = sizeof(linger);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ok(set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0 &&
	           option_of(fd, SOL_SOCKET, SO_REUSEADDR) == 1,
	   "SO_REUSEADDR");
	ok(set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1) == 0 &&
	           option_of(fd, SOL_SOCKET, SO_KEEPALIVE) == 1,
	   "SO_KEEPALIVE");
	ok(set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) == 0 &&
	           option_of(fd, IPPROTO_TCP, TCP_NODELAY) == 1,
	   "TCP_NODELAY");
	ok(set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 77) == 0 &&
	           option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 77,
	   "TCP_KEEPIDLE");
	ok(set_option(fd, IPPROTO_IP, IP_TTL, 33) == 0 && option_of(fd, IPPROTO_IP, IP_TTL) == 33,
	   "IP_TTL");
	fails(set_option(fd, IPPROTO_IP, IP_TTL, 300), EINVAL, "IP_TTL out of range");
	ok(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0, "SO_LINGER");
	linger = (struct linger){0};
	ok(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length) == 0 && linger.l_onoff &&
	           linger.l_linger == 7,
	   "and back");
	ok(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) == 0, "SO_RCVTIMEO");
	length = sizeof(t);
	t = (struct timeval){0};
	ok(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, &length) == 0 && t.tv_sec == 3 &&
	           t.tv_usec >= 240000,
	   "and back");
	ok(option_of(fd, SOL_SOCKET, SO_RCVBUF) > 1000 &&
	           option_of(fd, SOL_SOCKET, SO_SNDBUF) > 1000,
	   "SO_RCVBUF, SO_SNDBUF");
	fails(set_option(fd, SOL_SOCKET, 12345, 1), ENOPROTOOPT, "an unknown option");
	fails(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, buffer, 1), EINVAL, "a value too short");
	close(fd);
}

static void echo(void)
{
	struct sockaddr_in name;
	socklen_t length = sizeof(name);
	int fd = connected(echo_port), available = 0;

	ok(fd >= 0, "connect");
	ok(getpeername(fd, (struct sockaddr *)&name, &length) == 0 && length == sizeof(name) &&
	           name.sin_port == htons((uint16_t)echo_port) &&
	           name.sin_addr.s_addr == host.s_addr,
	   "getpeername");
	ok(getsockname(fd, (struct sockaddr *)&name, &length) == 0 && name.sin_port &&
	           name.sin_addr.s_addr,
	   "getsockname");
	fails(connect(fd, (struct sockaddr *)&name, sizeof(name)), EISCONN, "connect again");
	fails(recv(fd, buffer, 10, MSG_DONTWAIT), EAGAIN, "nothing to receive yet");
	ok(send(fd, "hello world", 11, 0) == 11, "send");
	ok(recv(fd, buffer, 5, MSG_PEEK) > 0 && recv(fd, buffer, 5, MSG_WAITALL) == 5 &&
	           !memcmp(buffer, "hello", 5),
	   "MSG_PEEK, MSG_WAITALL");
	for (int i = 0; i < 100 && available != 6; i++, usleep(10000))
		ioctl(fd, FIONREAD, &available);
	ok(available == 6 && read(fd, buffer, 100) == 6 && !memcmp(buffer, " world", 6),
	   "FIONREAD, read");
	struct iovec out[3] = {{"ab", 2}, {"", 0}, {"cd", 2}},
	             in[2] = {{buffer, 1}, {buffer + 10, 3}};
	struct msghdr message = {.msg_iov = out, .msg_iovlen = 3};
	ok(sendmsg(fd, &message, 0) == 4, "sendmsg");
	message = (struct msghdr){.msg_iov = in, .msg_iovlen = 2};
	ok(recvmsg(fd, &message, MSG_WAITALL) == 4 && buffer[0] == 'a' &&
	           !memcmp(buffer + 10, "bcd", 3),
	   "recvmsg");
	ok(send(fd, "last words", 10, 0) == 10 && shutdown(fd, SHUT_WR) == 0, "shutdown(SHUT_WR)");
	fails(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE, "nothing more is sent");
	ok(recv(fd, buffer, 100, MSG_WAITALL) == 10 && recv(fd, buffer, 100, 0) == 0,
	   "what was sent comes back, then the end");
	ok(recv(fd, buffer, 100, 0) == 0, "the end stays");
	close(fd);
}

static void endings(void)
{
	struct pollfd p;
	int fd = connected(close_port); /* sends 70000 bytes and closes */

	usleep(300000);
	p = (struct pollfd){.fd = fd, .events = POLLIN | POLLRDHUP};
	ok(poll(&p, 1, 1000) == 1 && p.revents & POLLIN, "poll tells of data");
	ssize_t total = 0, n;
	while ((n = recv(fd, buffer, 9999, 0)) > 0)
		total += n;
	ok(n == 0 && total == 70000, "data from before the FIN stays readable");
	p.revents = 0;
	ok(poll(&p, 1, 1000) == 1 && p.revents & POLLIN && p.revents & POLLRDHUP,
	   "poll tells of the end");
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 100 && (n = send(fd, "x", 1, 0)) > 0; i++)
		usleep(20000);
	ok(n < 0 && (errno == EPIPE || errno == ECONNRESET), "sending to what is closed fails");
	close(fd);

	fd = connected(reset_port); /* reads a byte, then resets */
	ok(send(fd, "x", 1, 0) == 1, "a byte for the one that resets");
	p = (struct pollfd){.fd = fd, .events = POLLIN};
	poll(&p, 1, 3000);
	n = recv(fd, buffer, 10, 0);
	/* User-mode networking may pass a reset on as an end. */
	ok((n < 0 && errno == ECONNRESET) || n == 0, "a reset is reported");
	ok(option_of(fd, SOL_SOCKET, SO_ERROR) == 0, "once");
	close(fd);
}

static void refused(void)
{
	struct sockaddr_in to = address_of(closed_port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	fails(connect(fd, (struct sockaddr *)&to, sizeof(to)), ECONNREFUSED,
	      "connect to a closed port");
	ok(option_of(fd, SOL_SOCKET, SO_ERROR) == 0, "its error is returned once");
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int result = connect(fd, (struct sockaddr *)&to, sizeof(to));
	/* The refusal may be back before connect is: connect returns it, no later call does. */
	int at_once = result < 0 && errno == ECONNREFUSED;
	ok(at_once || (result < 0 && errno == EINPROGRESS), "without waiting");
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	ok(at_once ? poll(&p, 1, 0) >= 0 && !(p.revents & POLLERR)
	           : poll(&p, 1, 3000) == 1 && p.revents & POLLERR,
	   "poll tells of the failure that connect did not tell");
	p.events = POLLRDHUP;
	ok(at_once || (poll(&p, 1, 0) == 1 && p.revents & POLLRDHUP), "and that nothing comes");
	ok(option_of(fd, SOL_SOCKET, SO_ERROR) == (at_once ? 0 : ECONNREFUSED) &&
	           option_of(fd, SOL_SOCKET, SO_ERROR) == 0,
	   "SO_ERROR, once");
	close(fd);
	fails(connect(1, (struct sockaddr *)&to, sizeof(to)), ENOTSOCK, "connect of stdout");
}

static void in_progress(void)
{
	struct sockaddr_in to = address_of(echo_port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int result = connect(fd, (struct sockaddr *)&to, sizeof(to));
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	ok(result == 0 || errno == EINPROGRESS, "a non-blocking connect");
	ok(poll(&p, 1, 3000) == 1 && p.revents == POLLOUT &&
	           option_of(fd, SOL_SOCKET, SO_ERROR) == 0,
	   "stands");
	ok(send(fd, "x", 1, 0) == 1, "and sends");
	p.events = POLLIN;
	ok(poll(&p, 1, 3000) == 1 && recv(fd, buffer, 10, 0) == 1, "and receives");
	fails(recv(fd, buffer, 10, 0), EAGAIN, "without waiting");
	memset(buffer, 'z', sizeof(buffer));
	close(fd);
}

/* An address of the card's own network that no host has: nothing answers, however the test machine
 * is connected to.  (For one outside, QEMU may refuse at once.) */
static void shut_down_while_connecting(void)
{
	struct sockaddr_in to = {
	        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0x0a00024d)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};

	fails(connect(fd, (struct sockaddr *)&to, sizeof(to)), EINPROGRESS, "a connect");
	ok(poll(&p, 1, 0) == 0, "is under way");
	ok(shutdown(fd, SHUT_WR) == 0, "shutdown ends it");
	ok(poll(&p, 1, 1000) == 1 && p.revents & POLLERR && p.revents & POLLHUP, "poll knows");
	ok(option_of(fd, SOL_SOCKET, SO_ERROR) == ECONNRESET, "with ECONNRESET");
	fails(shutdown(fd, SHUT_WR), ENOTCONN, "once");
	fails(connect(fd, (struct sockaddr *)&to, sizeof(to)), EINPROGRESS,
	      "and the socket may connect again");
	close(fd);
}

static void waiting(void)
{
	struct timeval t = {.tv_usec = 200000};
	struct timespec ts = {.tv_nsec = 200000000};
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	int fd = connected(silent_port), other = connected(echo_port);
	struct pollfd p[3] = {
	        {.fd = fd, .events = POLLIN}, {.fd = other, .events = POLLIN}, {.fd = -1}};
	double start = now();
	fd_set set;

	ok(poll(p, 3, 200) == 0 && now() - start >= 0.19 && now() - start < 2, "poll times out");
	FD_ZERO(&set);
	FD_SET(fd, &set);
	FD_SET(other, &set);
	start = now();
	ok(select(FD_SETSIZE, &set, NULL, NULL, &t) == 0 && now() - start >= 0.19 &&
	           !FD_ISSET(fd, &set),
	   "select times out");
	start = now();
	ok(ppoll(p, 2, &ts, NULL) == 0 && now() - start >= 0.19, "ppoll times out");
	send(other, "x", 1, 0);
	FD_SET(fd, &set);
	FD_SET(other, &set);
	ok(select(FD_SETSIZE, &set, NULL, NULL, NULL) == 1 && FD_ISSET(other, &set) &&
	           !FD_ISSET(fd, &set),
	   "select of two");
	ok(poll(p, 3, -1) == 1 && p[1].revents == POLLIN && !p[0].revents && !p[2].revents,
	   "poll of two");
	p[2] = (struct pollfd){.fd = 999, .events = POLLIN};
	ok(poll(p, 3, -1) == 2 && p[2].revents == POLLNVAL, "POLLNVAL");
	int closed = dup(fd);
	close(closed);
	FD_SET(closed, &set);
	fails(select(closed + 1, &set, NULL, NULL, NULL), EBADF, "select of a closed descriptor");

	start = now();
	alarm_in(200);
	fails(recv(fd, buffer, 1, 0), EINTR, "recv is interrupted");
	ok(now() - start >= 0.19 && now() - start < 2, "in time");
	alarm_in(200);
	fails(poll(p, 1, -1), EINTR, "poll is interrupted");
	t = (struct timeval){.tv_usec = 300000};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	start = now();
	fails(recv(fd, buffer, 1, 0), EAGAIN, "SO_RCVTIMEO");
	ok(now() - start >= 0.29 && now() - start < 2, "in time");
	alarm_in(100);
	sigaction(SIGALRM, &action, NULL);
	fails(recv(fd, buffer, 1, 0), EINTR, "with a timeout set SA_RESTART does not count");
	close(fd), close(other);
}

static uint32_t checksum;

static void add(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		checksum = checksum * 31 + (unsigned char)bytes[i];
}

static void bulk(void)
{
	uint32_t there[2] = {0}, total = 0;
	int fd = connected(bulk_port);
	ssize_t n;

	/* BULK bytes, then their checksum as the peer has it. */
	checksum = 0;
	for (size_t piece = 1; total < BULK; total += (uint32_t)n, piece = piece * 5 % 99991) {
		n = recv(fd, buffer, piece < BULK - total ? piece : BULK - total, 0);
		if (n <= 0)
			break;
		add(buffer, (size_t)n);
	}
	ok(total == BULK && recv(fd, there, 4, MSG_WAITALL) == 4 && ntohl(there[0]) == checksum,
	   "8 MiB received in odd pieces");
	close(fd);

	fd = connected(sink_port);
	checksum = total = 0;
	for (uint32_t piece = 1; total < BULK; total += (uint32_t)n, piece = piece * 7 % 262139) {
		if (piece > BULK - total)
			piece = BULK - total;
		for (uint32_t i = 0; i < piece; i++)
			buffer[i] = (char)((total + i) * 2654435761u >> 23);
		n = send(fd, buffer, piece, 0);
		if (n <= 0)
			break;
		add(buffer, (size_t)n);
	}
	shutdown(fd, SHUT_WR);
	ok(total == BULK && recv(fd, there, 8, MSG_WAITALL) == 8 && ntohl(there[0]) == BULK &&
	           ntohl(there[1]) == checksum,
	   "8 MiB sent in odd pieces");
	close(fd);

	/* A peer that reads nothing: partial writes, then EAGAIN, then not writable. */
	fd = connected(silent_port);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	total = 0;
	while ((n = send(fd, buffer, sizeof(buffer), 0)) > 0 && total < 1u << 30)
		total += (uint32_t)n;
	ok(n < 0 && errno == EAGAIN && total > 0, "a full queue is EAGAIN");
	close(fd);
}

static void udp(void)
{
	struct sockaddr_in to = address_of(udp_port), from = {0};
	socklen_t length = sizeof(from);
	struct timeval t = {.tv_sec = 3};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), available = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	fails(send(fd, "x", 1, 0), EDESTADDRREQ, "no destination");
	fails(sendto(fd, buffer, 65508, 0, (struct sockaddr *)&to, sizeof(to)), EMSGSIZE,
	      "too long");
	ok(sendto(fd, "datagram", 8, 0, (struct sockaddr *)&to, sizeof(to)) == 8, "sendto");
	ok(recvfrom(fd, buffer, 100, MSG_PEEK, (struct sockaddr *)&from, &length) == 8 &&
	           length == sizeof(from) && from.sin_port == to.sin_port &&
	           from.sin_addr.s_addr == host.s_addr,
	   "recvfrom tells the sender");
	ok(ioctl(fd, FIONREAD, &available) == 0 && available == 8, "FIONREAD");
	ok(recv(fd, buffer, 4, MSG_TRUNC) == 8 && !memcmp(buffer, "data", 4),
	   "MSG_TRUNC tells the length");
	fails(recv(fd, buffer, 4, MSG_DONTWAIT), EAGAIN, "the rest is gone");
	ok(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 && send(fd, "", 0, 0) == 0 &&
	           recv(fd, buffer, 100, 0) == 0,
	   "connected; an empty datagram");
	struct iovec out[2] = {{"ab", 2}, {"cd", 2}}, in[2] = {{buffer, 1}, {buffer + 1, 1}};
	struct msghdr message = {.msg_iov = out, .msg_iovlen = 2};
	ok(sendmsg(fd, &message, 0) == 4, "sendmsg");
	message = (struct msghdr){.msg_iov = in, .msg_iovlen = 2};
	ok(recvmsg(fd, &message, 0) == 2 && !memcmp(buffer, "ab", 2) &&
	           message.msg_flags & MSG_TRUNC,
	   "recvmsg cuts it");
	for (int i = 0; i < (int)sizeof(buffer); i++)
		buffer[i] = (char)i;
	ok(send(fd, buffer, 1400, 0) == 1400 && recv(fd, buffer + 2000, 2000, 0) == 1400 &&
	           !memcmp(buffer, buffer + 2000, 1400),
	   "1400 bytes");
	length = sizeof(from);
	ok(getpeername(fd, (struct sockaddr *)&from, &length) == 0 && from.sin_port == to.sin_port,
	   "getpeername");
	ok(getsockname(fd, (struct sockaddr *)&from, &length) == 0 && from.sin_port, "getsockname");
	close(fd);
}

static void server(int forwarded)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(LISTEN_PORT)}, from;
	socklen_t length = sizeof(from);
	struct timeval t = {.tv_usec = 200000};
	int fd = socket(AF_INET, SOCK_STREAM, 0), peer, served = 0;

	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	ok(bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(fd, 5) == 0,
	   "bind, listen");
	ok(option_of(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1, "SO_ACCEPTCONN");
	ok(getsockname(fd, (struct sockaddr *)&from, &length) == 0 && from.sin_port == any.sin_port,
	   "getsockname");
	int second = socket(AF_INET, SOCK_STREAM, 0);
	fails(bind(second, (struct sockaddr *)&any, sizeof(any)), EADDRINUSE, "the port is taken");
	close(second);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	fails(accept(fd, NULL, NULL), EAGAIN, "accept times out");
	t = (struct timeval){0};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ok(poll(&p, 1, 100) == 0, "no connection comes by itself");
	fprintf(control, "connect %d 20\n", forwarded);
	fflush(control);
	ok(poll(&p, 1, 5000) == 1 && p.revents & POLLIN, "poll tells of a connection");
	for (int i = 0; i < 20; i++) {
		length = sizeof(from);
		peer = accept4(fd, (struct sockaddr *)&from, &length, SOCK_CLOEXEC);
		if (peer < 0)
			break;
		ssize_t n = recv(peer, buffer, 100, 0);
		served += n > 0 && length == sizeof(from) && from.sin_port &&
		          send(peer, buffer, (size_t)n, 0) == n;
		close(peer);
	}
	ok(served == 20, "twenty connections are accepted and answered");
	ok(fgets(buffer, sizeof(buffer), control) && !strcmp(buffer, "echoed 20\n"),
	   "the peer says so too");
	close(fd);
}

static uint16_t internet_checksum(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void ping(int type)
{
	struct {
		struct icmphdr header;
		char data[24];
	} request = {
	        .header = {.type = ICMP_ECHO, .un.echo = {.id = htons(4711), .sequence = htons(3)}},
	        .data = "ping"};
	struct sockaddr_in to = address_of(0), from;
	socklen_t length = sizeof(from);
	struct timeval t = {.tv_sec = 3};
	int fd = socket(AF_INET, type, IPPROTO_ICMP);
	ssize_t n, start;

	if (fd < 0 && type == SOCK_DGRAM)
		return; /* Linux lets groups of its choice make these */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	request.header.checksum = internet_checksum(&request, sizeof(request));
	ok(sendto(fd, &request, sizeof(request), 0, (struct sockaddr *)&to, sizeof(to)) ==
	           sizeof(request),
	   "an echo request");
	do { /* on one machine a raw socket sees the request as well */
		n = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &length);
		start = type == SOCK_RAW ? (buffer[0] & 15) * 4 : 0;
	} while (n > start && buffer[start] == ICMP_ECHO);
	ok(n - start == sizeof(request) && from.sin_addr.s_addr == host.s_addr,
	   type == SOCK_RAW ? "a raw reply" : "a reply");
	ok(buffer[start] == ICMP_ECHOREPLY &&
	           !memcmp(buffer + start + 8, request.data, sizeof(request.data)) &&
	           !memcmp(buffer + start + 6, &request.header.un.echo.sequence, 2),
	   "of this request");
	close(fd);
}

/* What wakes a wait that is over is noticed during another call; the next wait must not rely on
 * it. */
static void woken_during_another_call(void)
{
	int fd = connected(echo_port);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct stat st;

	ok(poll(&p, 1, 5) == 0, "a wait that ends by time");
	send(fd, "a", 1, 0);
	for (double start = now(); now() - start < 0.2;)
		stat("/", &st); /* waits as well, for the files service */
	ok(recv(fd, buffer, 1, MSG_DONTWAIT) == 1, "what came meanwhile");
	send(fd, "b", 1, 0);
	alarm_in(3000);
	ok(recv(fd, buffer, 1, 0) == 1 && buffer[0] == 'b', "the wait after that is woken");
	alarm_in(0);
	close(fd);
}

/* ---- As Linux does it, where comparable systems differ ---- */

/* Two ends of a connection within this machine. */
static void pair_of(int ends[2])
{
	struct sockaddr_in name = {.sin_family = AF_INET,
	                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(name);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	bind(listener, (struct sockaddr *)&name, sizeof(name));
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&name, &length);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	connect(ends[0], (struct sockaddr *)&name, sizeof(name));
	ends[1] = accept(listener, NULL, NULL);
	close(listener);
}

static volatile sig_atomic_t pipe_signals;

static void on_pipe(int signal)
{
	(void)signal;
	pipe_signals++;
}

static void as_linux(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	                         .sin_port = htons(1),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct pollfd p = {.events = POLLOUT};
	int ends[2], fd, error = 0;
	socklen_t length = sizeof(error);
	pid_t child;

	length = (socklen_t)-1;
	fails(getsockname(fileno(control), (struct sockaddr *)&to, &length), EINVAL,
	      "getsockname with a negative length");
	fails(getpeername(fileno(control), (struct sockaddr *)&to, &length), EINVAL, "getpeername");
	fails(recvfrom(fileno(control), buffer, 1, MSG_DONTWAIT, (struct sockaddr *)&to, &length),
	      EINVAL, "recvfrom");
	length = sizeof(error);
	pair_of(ends);
	close(ends[1]);
	usleep(100000);
	signal(SIGPIPE, on_pipe);
	ok(write(ends[0], "x", 1) == 1, "the first write to a peer that has closed goes out");
	usleep(100000);
	fails(write(ends[0], "x", 1), EPIPE, "the second is EPIPE, not ECONNRESET");
	ok(pipe_signals == 1, "with SIGPIPE");
	signal(SIGPIPE, SIG_IGN);
	close(ends[0]);

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	fails(connect(fd, (struct sockaddr *)&to, sizeof(to)), EINPROGRESS,
	      "connect that need not wait says how it went by poll alone");
	p.fd = fd;
	ok(poll(&p, 1, 5000) == 1 && p.revents & POLLERR, "an error");
	ok(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == ECONNREFUSED,
	   "and by SO_ERROR");
	close(fd);

	pair_of(ends);
	ok(sendto(ends[0], "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1,
	   "an address beside a connection's data is ignored");
	length = (socklen_t)-1;
	fails(getsockopt(ends[0], SOL_SOCKET, SO_TYPE, &error, &length), EINVAL,
	      "a negative length is EINVAL");
	close(ends[0]);
	close(ends[1]);

	fd = socket(AF_INET, SOCK_DGRAM, 0);
	to.sin_addr.s_addr = htonl(INADDR_BROADCAST);
	fails(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), EACCES,
	      "broadcast without SO_BROADCAST is EACCES");
	ok(set_option(fd, SOL_SOCKET, SO_BROADCAST, 1) == 0 &&
	           sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1,
	   "with it goes out");
	close(fd);

	fd = socket(AF_INET, SOCK_STREAM, 0);
	ok(listen(fd, 1) == 0, "a listener");
	child = fork();
	if (!child)
		_exit(accept(fd, NULL, NULL) == -1 && errno == EINVAL ? 0 : 1);
	usleep(200000);
	ok(shutdown(fd, SHUT_RD) == 0, "is shut down");
	error = -1;
	ok(waitpid(child, &error, 0) == child && error == 0,
	   "and accept elsewhere wakes with EINVAL");
	fails(accept(fd, NULL, NULL), EINVAL, "here too");
	ok(listen(fd, 1) == 0, "it may listen again");
	close(fd);
}

static void interfaces(void)
{
	static const struct {
		const char *name;
		int index, mtu, hardware, flags;
	} expected[] = {
	        {"lo", 1, 65536, ARPHRD_LOOPBACK, IFF_UP | IFF_RUNNING | IFF_LOOPBACK},
	        {"eth0", 2, 1500, ARPHRD_ETHER, IFF_UP | IFF_RUNNING | IFF_BROADCAST},
	};
	struct ifreq list[3], r = {0};
	struct ifconf all = {.ifc_len = sizeof(list), .ifc_req = list};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ok(ioctl(fd, SIOCGIFCONF, &all) == 0 && all.ifc_len == 2 * sizeof(r), "two interfaces");
	all.ifc_len = sizeof(r) + 1;
	ok(ioctl(fd, SIOCGIFCONF, &all) == 0 && all.ifc_len == sizeof(r), "one fits");
	for (int i = 0; i < 2; i++) {
		r.ifr_ifindex = expected[i].index;
		ok(ioctl(fd, SIOCGIFNAME, &r) == 0 && !strcmp(r.ifr_name, expected[i].name),
		   expected[i].name);
		ok(ioctl(fd, SIOCGIFINDEX, &r) == 0 && r.ifr_ifindex == expected[i].index,
		   "its index");
		ok(ioctl(fd, SIOCGIFMTU, &r) == 0 && r.ifr_mtu == expected[i].mtu, "its MTU");
		ok(ioctl(fd, SIOCGIFFLAGS, &r) == 0 && r.ifr_flags == expected[i].flags,
		   "its flags");
		ok(ioctl(fd, SIOCGIFHWADDR, &r) == 0 &&
		           r.ifr_hwaddr.sa_family == expected[i].hardware &&
		           !r.ifr_hwaddr.sa_data[0] == (i == 0),
		   "its link address");
		ok(ioctl(fd, SIOCGIFBRDADDR, &r) == 0 &&
		           !((struct sockaddr_in *)&r.ifr_broadaddr)->sin_addr.s_addr == (i == 0),
		   "its broadcast address");
		fails(ioctl(fd, SIOCSIFMTU, &r), EPERM, "no program may change it");
	}
	r.ifr_ifindex = 3;
	fails(ioctl(fd, SIOCGIFNAME, &r), ENODEV, "no third interface");
	close(fd);
}

int main(int argc, char **argv)
{
	int fd;

	setvbuf(stdout, NULL, _IOLBF, 0); /* so that what hangs is seen */
	if (argc != 4 || inet_pton(AF_INET, argv[1], &host) != 1)
		return 2;
	fd = connected(atoi(argv[2]));
	control = fd < 0 ? NULL : fdopen(fd, "r+");
	if (!control || !fgets(buffer, sizeof(buffer), control) ||
	    sscanf(buffer, "%d %d %d %d %d %d %d %d", &echo_port, &close_port, &reset_port,
	           &bulk_port, &sink_port, &silent_port, &closed_port, &udp_port) != 8) {
		printf("Bail out! no peer\n");
		return 1;
	}
	making();
	options();
	echo();
	endings();
	refused();
	in_progress();
	shut_down_while_connecting();
	waiting();
	woken_during_another_call();
	bulk();
	udp();
	server(atoi(argv[3]));
	as_linux();
	interfaces();
	ping(SOCK_RAW);
	ping(SOCK_DGRAM);
	return tap_finish();
}
