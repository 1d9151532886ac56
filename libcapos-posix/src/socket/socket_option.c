/* SPDX-License-Identifier: MIT */
/*
 * Socket options: those about this side are kept here, the others are asked of netstack, and what
 * neither knows is ENOPROTOOPT.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/time.h>

#include <capos/schema/network_client.h>

#include "core/core.h"
#include "socket/internal.h"

struct option {
	int level, option;
	uint16_t server; /* enum socket_option */
	bool tcp_only;
};

static const struct option options[] = {
        {SOL_SOCKET, SO_REUSEADDR, SOCKET_OPTION_REUSE_ADDRESS, false},
        {SOL_SOCKET, SO_KEEPALIVE, SOCKET_OPTION_KEEP_ALIVE, false},
        {SOL_SOCKET, SO_LINGER, SOCKET_OPTION_LINGER, false},
        {SOL_SOCKET, SO_RCVBUF, SOCKET_OPTION_RECEIVE_BUFFER, false},
        {SOL_SOCKET, SO_SNDBUF, SOCKET_OPTION_SEND_BUFFER, false},
        {SOL_SOCKET, SO_BROADCAST, SOCKET_OPTION_BROADCAST, false},
        {IPPROTO_TCP, TCP_NODELAY, SOCKET_OPTION_NO_DELAY, true},
        {IPPROTO_TCP, TCP_KEEPIDLE, SOCKET_OPTION_KEEP_IDLE, true},
        {IPPROTO_TCP, TCP_KEEPINTVL, SOCKET_OPTION_KEEP_INTERVAL, true},
        {IPPROTO_TCP, TCP_KEEPCNT, SOCKET_OPTION_KEEP_COUNT, true},
        {IPPROTO_IP, IP_TTL, SOCKET_OPTION_TIME_TO_LIVE, false},
        {IPPROTO_IP, IP_TOS, SOCKET_OPTION_TYPE_OF_SERVICE, false},
        {IPPROTO_IP, IP_MULTICAST_TTL, SOCKET_OPTION_MULTICAST_TIME_TO_LIVE, false},
};

static const struct option *option_find(const struct socket *s, int level, int option)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (options[i].level == level && options[i].option == option)
			return options[i].tcp_only && s->kind != SOCKET_TCP ? NULL : &options[i];
	}
	return NULL;
}

/* What the server does not know of this kind of socket is not built. */
static int option_errno(int result)
{
	result = socket_errno(result);
	return result == -EOPNOTSUPP ? (int)absent(ABSENT_OPTION_OF_KIND) : result;
}

/* Why an option is not in the table: it is not built, or is none of this kind of socket. */
static int unknown_option(const struct socket *s, int level, int option)
{
	const unsigned long number = (unsigned)option;

	if (level == SOL_SOCKET)
		return (int)absent_option(ABSENT_SOCKET_OPTION, number, -ENOPROTOOPT);
	if (level == IPPROTO_IP)
		return (int)absent_option(ABSENT_IP_OPTION, number, -ENOPROTOOPT);
	if (level == IPPROTO_TCP && s->kind == SOCKET_TCP)
		return (int)absent_option(ABSENT_TCP_OPTION, number, -ENOPROTOOPT);
	if (level == IPPROTO_UDP && s->kind == SOCKET_UDP)
		return (int)absent_option(ABSENT_UDP_OPTION, number, -ENOPROTOOPT);
	if (level == SOL_RAW && s->kind == SOCKET_RAW_ICMP)
		return (int)absent_option(ABSENT_RAW_OPTION, number, -ENOPROTOOPT);
	return -ENOPROTOOPT;
}

static int ask_set(struct socket *s, uint16_t option, int32_t value)
{
	switch (s->kind) {
	case SOCKET_TCP:
		return tcp_socket_set_option(
		        s->object,
		        &(struct tcp_socket_set_option_params){.option = option, .value = value},
		        NULL);
	case SOCKET_UDP:
		return udp_socket_set_option(
		        s->object,
		        &(struct udp_socket_set_option_params){.option = option, .value = value},
		        NULL);
	default:
		return raw_socket_set_option(
		        s->object,
		        &(struct raw_socket_set_option_params){.option = option, .value = value},
		        NULL);
	}
}

static int ask_get(struct socket *s, uint16_t option, int32_t *value)
{
	struct tcp_socket_get_option_results tcp = {0};
	struct udp_socket_get_option_results udp = {0};
	struct raw_socket_get_option_results raw = {0};
	int result;

	switch (s->kind) {
	case SOCKET_TCP:
		result = tcp_socket_get_option(
		        s->object, &(struct tcp_socket_get_option_params){.option = option}, &tcp,
		        NULL);
		*value = tcp.value;
		return result;
	case SOCKET_UDP:
		result = udp_socket_get_option(
		        s->object, &(struct udp_socket_get_option_params){.option = option}, &udp,
		        NULL);
		*value = udp.value;
		return result;
	default:
		result = raw_socket_get_option(
		        s->object, &(struct raw_socket_get_option_params){.option = option}, &raw,
		        NULL);
		*value = raw.value;
		return result;
	}
}

/* ---- Timeouts, kept here ---- */

int socket_set_timeout(uint64_t *timeout, const void *value, unsigned length)
{
	struct timeval t;

	if (length < sizeof(t))
		return -EINVAL;
	memcpy(&t, value, sizeof(t));
	if (t.tv_usec < 0 || t.tv_usec >= 1000000)
		return -EDOM;
	/* A negative time means not to wait at all, as on Linux; beyond three hundred years is for
	 * ever. */
	if (t.tv_sec < 0)
		*timeout = 1;
	else if (t.tv_sec >= INT64_MAX / 1000000000)
		*timeout = 0;
	else
		*timeout = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_usec * 1000u;
	return 0;
}

int socket_store(const void *from, unsigned size, void *value, unsigned *length)
{
	if (*length > size)
		*length = size;
	memcpy(value, from, *length);
	return 0;
}

int socket_get_timeout(uint64_t timeout, void *value, unsigned *length)
{
	const struct timeval t = {.tv_sec = (time_t)(timeout / 1000000000u),
	                          .tv_usec = (suseconds_t)(timeout % 1000000000u / 1000u)};

	return socket_store(&t, sizeof(t), value, length);
}

/* ---- The two calls ---- */

static int set_linger(struct socket *s, const void *value, unsigned length)
{
	struct linger linger;

	if (length < sizeof(linger))
		return -EINVAL;
	memcpy(&linger, value, sizeof(linger));
	if (linger.l_onoff && linger.l_linger < 0)
		return -EINVAL;
	return option_errno(
	        ask_set(s, SOCKET_OPTION_LINGER, linger.l_onoff ? linger.l_linger : -1));
}

int socket_setopt(struct file *f, int level, int option, const void *value, unsigned length)
{
	struct socket *s = socket_of(f);
	const struct option *known = option_find(s, level, option);
	int32_t number;
	int result;

	if (level == SOL_SOCKET && option == SO_RCVTIMEO)
		return socket_set_timeout(&s->receive_timeout, value, length);
	if (level == SOL_SOCKET && option == SO_SNDTIMEO)
		return socket_set_timeout(&s->send_timeout, value, length);
	if (!known)
		return unknown_option(s, level, option);
	if (known->server == SOCKET_OPTION_LINGER)
		return set_linger(s, value, length);
	if (length >= sizeof(number))
		memcpy(&number, value, sizeof(number));
	else if (length && level == IPPROTO_IP)
		number = *(const uint8_t *)value; /* IP's options may be a byte */
	else
		return -EINVAL;
	result = option_errno(ask_set(s, known->server, number));
	if (!result && known->server == SOCKET_OPTION_BROADCAST)
		s->broadcast = number;
	return result;
}

/* Options of SOL_SOCKET that are known without a call; false: another one. */
static bool get_local(struct file *f, int option, int *value)
{
	static const struct {
		int type, protocol;
	} kinds[SOCKET_KINDS] = {
	        [SOCKET_TCP] = {SOCK_STREAM, IPPROTO_TCP},
	        [SOCKET_UDP] = {SOCK_DGRAM, IPPROTO_UDP},
	        [SOCKET_RAW_ICMP] = {SOCK_RAW, IPPROTO_ICMP},
	        [SOCKET_PING] = {SOCK_DGRAM, IPPROTO_ICMP},
	};
	struct socket *s = socket_of(f);

	switch (option) {
	case SO_ERROR:
		f->ops->poll(f, 0, false); /* takes note of a connect that was answered */
		*value = socket_take_error(s);
		return true;
	case SO_TYPE:
		*value = kinds[s->kind].type;
		return true;
	case SO_PROTOCOL:
		*value = kinds[s->kind].protocol;
		return true;
	case SO_DOMAIN:
		*value = AF_INET;
		return true;
	case SO_ACCEPTCONN:
		*value = s->state == SOCKET_LISTENING;
		return true;
	default:
		return false;
	}
}

int socket_getopt(struct file *f, int level, int option, void *value, unsigned *length)
{
	struct socket *s = socket_of(f);
	const struct option *known = option_find(s, level, option);
	int32_t number = 0;
	int result;

	if (level == SOL_SOCKET && option == SO_RCVTIMEO)
		return socket_get_timeout(s->receive_timeout, value, length);
	if (level == SOL_SOCKET && option == SO_SNDTIMEO)
		return socket_get_timeout(s->send_timeout, value, length);
	if (level == SOL_SOCKET && get_local(f, option, &number))
		return socket_store(&number, sizeof(number), value, length);
	if (!known)
		return unknown_option(s, level, option);
	result = option_errno(ask_get(s, known->server, &number));
	if (result)
		return result;
	if (known->server == SOCKET_OPTION_LINGER) {
		const struct linger linger = {.l_onoff = number >= 0,
		                              .l_linger = number >= 0 ? number : 0};
		return socket_store(&linger, sizeof(linger), value, length);
	}
	return socket_store(&number, sizeof(number), value, length);
}
