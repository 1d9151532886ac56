/* SPDX-License-Identifier: MIT */
/*
 * The files of /proc/net: the sockets of this world, as each of its processes says them, and the
 * routes that a program with the network may use.  Counters and neighbours belong to the machine,
 * and no program is given them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <capos/format.h>
#include <capos/schema/network_client.h>
#include <capos/schema/process_client.h>
#include <capos/start.h>

#include "core/core.h"
#include "file/file.h"
#include "process/proc.h"
#include "process/process.h"
#include "process/report.h"

/* As Linux numbers them in these files. */
enum { STATE_ESTABLISHED = 1, STATE_CLOSE = 7, STATE_LISTEN = 10 };
enum { UNIX_UNCONNECTED = 1, UNIX_CONNECTED = 3 };
#define UNIX_ACCEPTS 0x10000u /* flag: it listens */

#define CONFIG_WAIT_NS 200000000ull /* an address that is not there yet is not waited for */
#define ROUTE_UP       1u
#define ROUTE_GATEWAY  2u

/* ---- What a process says of a socket ---- */

static int option_of(struct file *f, int option)
{
	int value = 0;
	unsigned length = sizeof(value);

	return f->ops->socket->getopt(f, SOL_SOCKET, option, &value, &length) ? 0 : value;
}

static bool name_of(struct file *f, bool peer, struct sockaddr_storage *name)
{
	unsigned length = sizeof(*name);

	memset(name, 0, sizeof(*name));
	return !f->ops->socket->getname(f, peer, (struct sockaddr *)name, &length);
}

static void inet_text(struct file *f, unsigned long inode, char *out, size_t size)
{
	struct sockaddr_storage local, peer;
	const struct sockaddr_in *l = (struct sockaddr_in *)&local,
	                         *p = (struct sockaddr_in *)&peer;
	bool listens = option_of(f, SO_ACCEPTCONN), connected = name_of(f, true, &peer);
	int waiting = 0;

	(void)name_of(f, false, &local);
	if (!connected)
		memset(&peer, 0, sizeof(peer));
	if (!f->ops->ioctl || f->ops->ioctl(f, FIONREAD, &waiting) || listens)
		waiting = 0;
	fmt_snprintf(out, size,
	             "%08X:%04X %08X:%04X %02X 00000000:%08X 00:00000000 00000000     0        0 "
	             "%lu 1 0000000000000000",
	             l->sin_addr.s_addr, ntohs(l->sin_port), p->sin_addr.s_addr, ntohs(p->sin_port),
	             listens     ? STATE_LISTEN
	             : connected ? STATE_ESTABLISHED
	                         : STATE_CLOSE,
	             (unsigned)waiting, inode);
}

static void unix_text(struct file *f, unsigned long inode, char *out, size_t size)
{
	struct sockaddr_storage local, peer;
	const struct sockaddr_un *l = (struct sockaddr_un *)&local;

	(void)name_of(f, false, &local);
	fmt_snprintf(out, size, "0000000000000000: 00000002 00000000 %08X %04X %02X %lu%s%.108s",
	             option_of(f, SO_ACCEPTCONN) ? UNIX_ACCEPTS : 0, option_of(f, SO_TYPE),
	             name_of(f, true, &peer) ? UNIX_CONNECTED : UNIX_UNCONNECTED, inode,
	             l->sun_path[0] ? " " : "", l->sun_path);
}

const char *proc_socket(struct file *f, char *out, size_t size)
{
	struct stat st = {.st_ino = 0};

	if (!f->ops->socket)
		return NULL;
	if (f->ops->stat)
		(void)f->ops->stat(f, &st);
	if (option_of(f, SO_DOMAIN) == AF_UNIX) {
		unix_text(f, st.st_ino, out, size);
		return "net/unix";
	}
	inet_text(f, st.st_ino, out, size);
	if (option_of(f, SO_TYPE) == SOCK_STREAM)
		return "net/tcp";
	if (option_of(f, SO_TYPE) == SOCK_RAW)
		return "net/raw";
	return option_of(f, SO_PROTOCOL) == IPPROTO_UDP ? "net/udp" : "net/icmp";
}

/* ---- The files ---- */

struct making {
	const char *name; /* of the file, and of the records that go in it */
	struct made_text *text;
	unsigned lines;
};

/* Whether the file has the line already: relatives have sockets in common. */
static bool has_line(const struct made_text *t, const char *line)
{
	return t->bytes && memmem(t->bytes, t->used, line, strlen(line));
}

static int add_line(const char *name, const char *line, void *context)
{
	struct making *m = context;

	if (strcmp(name, m->name) || has_line(m->text, line))
		return 0;
	if (strcmp(name, "net/unix"))
		made_print(m->text, "%4u: ", m->lines++);
	made_print(m->text, "%s\n", line);
	return 0;
}

static int add_own(int fd, struct file *f, bool close_on_exec, void *context)
{
	char line[256];
	const char *name = proc_socket(f, line, sizeof(line));

	(void)fd, (void)close_on_exec;
	return name ? add_line(name, line, context) : 0;
}

static int add_process(const struct process_info *p, void *context)
{
	if (p->number == process_id())
		return fd_each(add_own, context);
	if (p->state == PROCESS_INFO_STATE_RUNNING && p->number != 1)
		(void)report_get(p->number, add_line,
		                 context); /* who does not answer is left out */
	return 0;
}

static void routes(struct made_text *t)
{
	_Alignas(8) uint8_t buffer[512];
	struct capos_call call = {
	        .buffer = buffer, .size = sizeof(buffer), .timeout_ns = CONFIG_WAIT_NS};
	struct network_manager_get_config_results c;
	uint32_t address, mask, gateway = 0;

	made_print(t, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\t"
	              "Window\tIRTT\n");
	if (!start_cap("network") || network_manager_get_config(start_cap("network"), &c, &call) ||
	    c.addr.len != 4 || c.netmask.len != 4)
		return;
	memcpy(&address, c.addr.ptr, 4);
	memcpy(&mask, c.netmask.ptr, 4);
	if (c.gateway.len == 4)
		memcpy(&gateway, c.gateway.ptr, 4);
	if (gateway)
		made_print(t, "eth0\t00000000\t%08X\t%04X\t0\t0\t0\t00000000\t0\t0\t0\n", gateway,
		           ROUTE_UP | ROUTE_GATEWAY);
	made_print(t, "eth0\t%08X\t00000000\t%04X\t0\t0\t0\t%08X\t0\t0\t0\n", address & mask,
	           ROUTE_UP, mask);
}

int proc_net(const char *name, struct made_text *text)
{
	struct making m = {.name = name, .text = text};
	int result = 0;

	if (!strcmp(name, "net/route")) {
		routes(text);
		return 0;
	}
	if (!strcmp(name, "net/unix"))
		made_print(text, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	else
		made_print(text, "  sl  local_address rem_address   st tx_queue rx_queue tr "
		                 "tm->when retrnsmt   uid  timeout inode ref pointer\n");
	/* No socket is of IPv6. */
	if (name[strlen(name) - 1] != '6')
		result = proc_each(add_process, &m);
	return result;
}
