/* SPDX-License-Identifier: MIT */
/*
 * NetworkManager, TcpConnectAuthority and TcpListenAuthority: every method begins with the policy.
 */
#include "netstack/lwip/platform.h"
#include "netstack/lwip/stack.h"
#include "netstack/service/service_call.h"
#include "netstack/service/service_holder.h"
#include "netstack/service/service_manager.h"
#include "netstack/service/service_session.h"
#include "netstack/service/service_socket.h"
#include "netstack/socket/datagram.h"
#include "netstack/socket/tcp.h"

#define WAITING_MAX 64u
/* How long the end of connections is waited for: some retransmissions of a FIN. */
#define SETTLE_NS (5 * SECOND_NS)

/* ---- The address, for which calls may have to wait ---- */

enum awaited { CONFIG, NAME_SERVERS, SETTLED };
struct waiting {
	bool used;
	enum awaited what;
	struct server_pending pending;
	uint64_t deadline;
};
static struct waiting waiting[WAITING_MAX];
static unsigned nwaiting;

/* What both methods answer; false while it is not known. */
static bool network_known(int *status)
{
	*status = stack_state() == STACK_UP ? STATUS_OK : STATUS_NETWORK_DOWN;
	return stack_state() != STACK_WAITING;
}

static void fill_config(struct network_manager_get_config_results *out)
{
	static ip4_addr_t address, netmask, gateway; /* until the message is built */
	static uint8_t mac[STACK_MAC_SIZE];

	address = stack_address();
	netmask = stack_netmask();
	gateway = stack_gateway();
	out->addr = service_address_data(&address);
	out->netmask = service_address_data(&netmask);
	if (!ip4_addr_isany_val(gateway))
		out->gateway = service_address_data(&gateway);
	out->address_family = IP_ADDRESS_FAMILY_IPV4;
	out->ipv6_supported = false;
	out->mtu = stack_mtu();
	out->mac_address = MSG_DATA(mac, stack_mac(mac));
}

static void fill_name_servers(struct network_manager_name_servers_results *out)
{
	static ip4_addr_t servers[STACK_NAME_SERVERS];
	static struct msg_data data[STACK_NAME_SERVERS];

	out->addresses.count = stack_name_servers(servers);
	for (uint32_t i = 0; i < out->addresses.count; i++)
		data[i] = service_address_data(&servers[i]);
	out->addresses.items = data;
}

static int wait_for(struct msg_call *call, enum awaited what, uint64_t most_ns)
{
	for (struct waiting *w = waiting; w < waiting + WAITING_MAX; w++) {
		if (w->used)
			continue;
		*w = (struct waiting){.used = true,
		                      .what = what,
		                      .pending = server_defer(server_call_of(call)),
		                      .deadline = platform_now() + most_ns};
		nwaiting++;
		return MSG_DEFERRED;
	}
	return STATUS_NO_BUFFERS;
}

static void answer_waiting(struct waiting *w, int status)
{
	struct network_manager_get_config_results config = {0};
	struct network_manager_name_servers_results servers = {0};
	struct msg_builder builder;

	service_message(&builder, w->pending.recv_len);
	if (!status && w->what == NAME_SERVERS) {
		fill_name_servers(&servers);
		status = network_manager_name_servers_results_write(&builder, &servers);
	} else if (!status && w->what == SETTLED) {
		const struct network_manager_settle_results settled = {};

		status = network_manager_settle_results_write(&builder, &settled);
	} else if (!status) {
		fill_config(&config);
		status = network_manager_get_config_results_write(&builder, &config);
	}
	w->used = false;
	nwaiting--;
	server_answer(&service, w->pending, status, builder.base, msg_builder_length(&builder),
	              NULL, 0);
}

void service_network_progress(void)
{
	uint64_t now = platform_now();
	int status;
	bool known = network_known(&status);

	for (struct waiting *w = waiting; nwaiting && w < waiting + WAITING_MAX; w++) {
		if (!w->used)
			continue;
		if (w->what == SETTLED && (tcp_all_settled() || w->deadline <= now))
			answer_waiting(w, w->deadline <= now ? STATUS_TIMED_OUT : STATUS_OK);
		else if (w->what != SETTLED && (known || w->deadline <= now))
			answer_waiting(w, status);
	}
}

bool service_network_cancel(uint64_t call_id)
{
	for (struct waiting *w = waiting; nwaiting && w < waiting + WAITING_MAX; w++) {
		if (!w->used || w->pending.call_id != call_id)
			continue;
		w->used = false;
		nwaiting--;
		return true;
	}
	return false;
}

uint64_t service_network_deadline(void)
{
	uint64_t deadline = UINT64_MAX;

	for (struct waiting *w = waiting; nwaiting && w < waiting + WAITING_MAX; w++)
		if (w->used && w->deadline < deadline)
			deadline = w->deadline;
	return deadline;
}

static int get_config(void *object, struct msg_call *call,
                      struct network_manager_get_config_results *out)
{
	int status;

	(void)object;
	if (!network_known(&status))
		return wait_for(call, CONFIG, STACK_WAIT_NS);
	if (!status)
		fill_config(out);
	return status;
}

static int name_servers(void *object, struct msg_call *call,
                        struct network_manager_name_servers_results *out)
{
	int status;

	(void)object;
	if (!network_known(&status))
		return wait_for(call, NAME_SERVERS, STACK_WAIT_NS);
	if (!status)
		fill_name_servers(out);
	return status;
}

static int settle(void *object, struct msg_call *call)
{
	(void)object;
	/* Answered after the frames that are on their way to the driver now. */
	return wait_for(call, SETTLED, SETTLE_NS);
}

/* ---- Sockets ---- */

static int create_tcp_listener(void *object, struct msg_call *call,
                               const struct network_manager_create_tcp_listener_params *in,
                               struct network_manager_create_tcp_listener_results *out)
{
	return service_listen(call, object, in->port, &out->listener_index);
}

static int connect_tcp(void *object, struct msg_call *call,
                       const struct network_manager_connect_tcp_params *in,
                       struct network_manager_connect_tcp_results *out)
{
	ip4_addr_t address;
	bool unspecified;
	int status = service_address(&in->addr, &address, &unspecified);

	(void)out; /* made when the connection is established */
	if (status)
		return status;
	if (unspecified)
		return STATUS_MALFORMED_ADDRESS;
	return service_connect(call, object, &address.addr, NULL, in->port);
}

static int create_udp_socket(void *object, struct msg_call *call,
                             const struct network_manager_create_udp_socket_params *in,
                             struct network_manager_create_udp_socket_results *out)
{
	struct endpoint to = {.port = in->local_port};
	struct socket *s;
	bool unspecified;
	int position, status = service_address(&in->local_addr, &to.address, &unspecified);

	if (!policy_udp(object))
		return STATUS_ACCESS_DENIED;
	if (!status)
		status = service_create(SOCKET_UDP, object, &s);
	if (status)
		return status;
	status = datagram_bind(s, to);
	position = status ? -1
	                  : server_give_object(server_call_of(call), UDP_SOCKET_INTERFACE,
	                                       socket_word(s));
	if (position < 0) {
		service_close(s);
		return status ? status : STATUS_NO_MEMORY;
	}
	out->socket_index = (uint16_t)position;
	return STATUS_OK;
}

static int open_tcp(void *object, struct msg_call *call,
                    const struct network_manager_open_tcp_params *in,
                    struct network_manager_open_tcp_results *out)
{
	/* Any manager may: what the socket may do is asked when it does it. */
	return service_open(call, SOCKET_TCP, object, in->wake_index, in->wake_bits,
	                    &out->socket_index, &out->channel);
}

static int open_udp(void *object, struct msg_call *call,
                    const struct network_manager_open_udp_params *in,
                    struct network_manager_open_udp_results *out)
{
	if (!policy_udp(object))
		return STATUS_ACCESS_DENIED;
	return service_open(call, SOCKET_UDP, object, in->wake_index, in->wake_bits,
	                    &out->socket_index, &out->channel);
}

static int open_icmp(void *object, struct msg_call *call,
                     const struct network_manager_open_icmp_params *in,
                     struct network_manager_open_icmp_results *out)
{
	if (!policy_icmp(object))
		return STATUS_ACCESS_DENIED;
	return service_open(call, SOCKET_ICMP, object, in->wake_index, in->wake_bits,
	                    &out->socket_index, &out->channel);
}

/* ---- Attenuation ---- */

static int add_grant(struct policy *policy, const struct network_grant *g)
{
	switch (g->which) {
	case NETWORK_GRANT_ALL:
		return policy_grant(policy, GRANT_ALL, NULL, 0, 0);
	case NETWORK_GRANT_CONNECT:
		return policy_grant(policy, GRANT_CONNECT, g->connect.host.ptr, g->connect.host.len,
		                    g->connect.port);
	case NETWORK_GRANT_LISTEN:
		return policy_grant(policy, GRANT_LISTEN, NULL, 0, g->listen);
	case NETWORK_GRANT_UDP:
		return policy_grant(policy, GRANT_UDP, NULL, 0, 0);
	case NETWORK_GRANT_ICMP:
		return policy_grant(policy, GRANT_ICMP, NULL, 0, 0);
	default:
		return STATUS_INVALID_ARGUMENT; /* of a newer schema: unknown, so not granted */
	}
}

static int add_grants(struct policy *policy, const struct msg_list *grants)
{
	int status = policy ? STATUS_OK : STATUS_NO_BUFFERS;

	for (uint32_t i = 0; !status && i < grants->count; i++) {
		struct network_grant grant;

		status = network_grant_get(grants, i, &grant) ? STATUS_INVALID_ARGUMENT
		                                              : add_grant(policy, &grant);
	}
	return status;
}

static int restrict_(void *object, struct msg_call *call,
                     const struct network_manager_restrict_params *in,
                     struct network_manager_restrict_results *out)
{
	struct policy *policy = policy_create(object);
	int status = add_grants(policy, &in->grants);

	if (!status)
		return holder_give(server_call_of(call), NETWORK_MANAGER_INTERFACE, policy, 0,
		                   &out->manager_index);
	policy_put(policy);
	return status;
}

static int open_session(void *object, struct msg_call *call,
                        const struct network_manager_open_session_params *in)
{
	struct policy *policy;
	cap_t account;
	int status;

	if (object != policy_root())
		return STATUS_ACCESS_DENIED;
	if (!(in->word & WORD_SESSION_BIT))
		return STATUS_INVALID_ARGUMENT;
	account = server_take(server_call_of(call), in->account_index);
	if (account == CAP_NULL)
		return STATUS_INVALID_ARGUMENT;
	policy = policy_create_session(account);
	status = add_grants(policy, &in->grants);
	if (!status)
		status = session_open(in->word, policy);
	policy_put(policy); /* the session has its own reference */
	if (!status)
		server_resume(&service, in->word);
	return status;
}

static int connect_authority(void *object, struct msg_call *call,
                             const struct network_manager_connect_authority_params *in,
                             struct network_manager_connect_authority_results *out)
{
	struct policy *policy = policy_create(object);
	int status;

	if (!policy)
		return STATUS_NO_BUFFERS;
	status = in->port
	                 ? policy_grant(policy, GRANT_CONNECT, in->host.ptr, in->host.len, in->port)
	                 : STATUS_INVALID_ARGUMENT;
	if (status) {
		policy_put(policy);
		return status;
	}
	return holder_give(server_call_of(call), TCP_CONNECT_AUTHORITY_INTERFACE, policy, in->port,
	                   &out->authority_index);
}

static int listen_authority(void *object, struct msg_call *call,
                            const struct network_manager_listen_authority_params *in,
                            struct network_manager_listen_authority_results *out)
{
	struct policy *policy;
	int status;

	if (!in->port)
		return STATUS_INVALID_ARGUMENT;
	if (!policy_listen(object, in->port))
		return STATUS_ACCESS_DENIED;
	policy = policy_create(object);
	if (!policy)
		return STATUS_NO_BUFFERS;
	status = policy_grant(policy, GRANT_LISTEN, NULL, 0, in->port);
	if (status) {
		policy_put(policy);
		return status;
	}
	return holder_give(server_call_of(call), TCP_LISTEN_AUTHORITY_INTERFACE, policy, in->port,
	                   &out->authority_index);
}

const struct network_manager_ops manager_ops = {
        .get_config = get_config,
        .settle = settle,
        .create_tcp_listener = create_tcp_listener,
        .connect_tcp = connect_tcp,
        .create_udp_socket = create_udp_socket,
        .restrict_ = restrict_,
        .open_session = open_session,
        .open_tcp = open_tcp,
        .open_udp = open_udp,
        .open_icmp = open_icmp,
        .name_servers = name_servers,
        .connect_authority = connect_authority,
        .listen_authority = listen_authority,
};

/* ---- Authorities ---- */

static int authority_connect(void *object, struct msg_call *call,
                             const struct tcp_connect_authority_connect_params *in,
                             struct tcp_connect_authority_connect_results *out)
{
	struct holder *h = object;
	ip4_addr_t address;
	bool unspecified;
	uint16_t port;
	const char *host = policy_host(h->policy, &port);
	int status = service_address(&in->addr, &address, &unspecified);

	(void)out; /* made when the connection is established */
	if (status)
		return status;
	return service_connect(call, h->policy, unspecified ? NULL : &address.addr, host, port);
}

static int authority_open(void *object, struct msg_call *call,
                          const struct tcp_connect_authority_open_params *in,
                          struct tcp_connect_authority_open_results *out)
{
	struct holder *h = object;

	return service_open(call, SOCKET_TCP, h->policy, in->wake_index, in->wake_bits,
	                    &out->socket_index, &out->channel);
}

const struct tcp_connect_authority_ops connect_authority_ops = {
        .connect = authority_connect,
        .open = authority_open,
};

static int authority_listen(void *object, struct msg_call *call,
                            struct tcp_listen_authority_listen_results *out)
{
	struct holder *h = object;

	return service_listen(call, h->policy, h->port, &out->listener_index);
}

const struct tcp_listen_authority_ops listen_authority_ops = {
        .listen = authority_listen,
};
