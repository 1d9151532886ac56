/* SPDX-License-Identifier: MIT */
/*
 * Reads the manifest and the program's request.  Every name, number and reference is checked here,
 * and the first thing that is wrong is reported by name; what is read afterwards needs no checks.
 */
#include <stdarg.h>
#include <string.h>

#include <capos/log.h>
#include <capos/schema/process.h>
#include <capos/schema/service.h>
#include <capos/schema/terminal.h>

#include "plan.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Keeps the first problem.  Always CAP_EINVAL. */
__attribute__((format(printf, 2, 3))) static int problem(char *text, const char *format, ...)
{
	va_list args;

	if (!text[0]) {
		va_start(args, format);
		fmt_vsnprintf(text, PLAN_PROBLEM_SIZE, format, args);
		va_end(args);
	}
	return CAP_EINVAL;
}

/* A text with a NUL inside would mean different things to different readers. */
static bool plain(const struct msg_text *text)
{
	return strlen(text->ptr) == text->len;
}

static const struct {
	const char *name;
	uint64_t id;
} interfaces[] = {
        {"Nic", NIC_INTERFACE},
        {"NetworkManager", NETWORK_MANAGER_INTERFACE},
        {"TcpListenAuthority", TCP_LISTEN_AUTHORITY_INTERFACE},
        {"TcpConnectAuthority", TCP_CONNECT_AUTHORITY_INTERFACE},
        {"TcpListener", TCP_LISTENER_INTERFACE},
        {"TcpSocket", TCP_SOCKET_INTERFACE},
        {"UdpSocket", UDP_SOCKET_INTERFACE},
        {"RawSocket", RAW_SOCKET_INTERFACE},
        {"DnsResolver", DNS_RESOLVER_INTERFACE},
        {"ByteStream", BYTE_STREAM_INTERFACE},
        {"Directory", DIRECTORY_INTERFACE},
        {"File", FILE_INTERFACE},
        {"ProcessWorld", PROCESS_WORLD_INTERFACE},
        {"TerminalSession", TERMINAL_SESSION_INTERFACE},
        {"TerminalMaker", TERMINAL_MAKER_INTERFACE},
};

uint64_t plan_interface_id(const char *name)
{
	for (uint32_t i = 0; i < COUNT(interfaces); i++)
		if (strcmp(interfaces[i].name, name) == 0)
			return interfaces[i].id;
	return 0;
}

static const struct {
	const char *name;
	enum plan_kernel kernel;
	uint64_t interface;
} kernel_names[] = {
        {"boot", PLAN_KERNEL_BOOT, MEMORY_OBJECT_INTERFACE},
        {"spawner", PLAN_KERNEL_SPAWNER, PROCESS_SPAWNER_INTERFACE},
        {"log", PLAN_KERNEL_LOG, LOG_INTERFACE},
        {"timer", PLAN_KERNEL_TIMER, TIMER_INTERFACE},
        {"entropy", PLAN_KERNEL_ENTROPY, ENTROPY_SOURCE_INTERFACE},
        {"power", PLAN_KERNEL_POWER, POWER_CONTROL_INTERFACE},
        {"systemStatus", PLAN_KERNEL_SYSTEM_STATUS, SYSTEM_STATUS_INTERFACE},
        {"code", PLAN_KERNEL_CODE, CODE_MAKER_INTERFACE},
        {"labels", PLAN_KERNEL_LABELS, LABELLER_INTERFACE},
};

uint64_t plan_kernel_interface(enum plan_kernel kernel)
{
	if (kernel >= COUNT(kernel_names))
		return DEVICE_MANAGER_INTERFACE;
	return kernel_names[kernel].interface;
}

/* ---- Services ---- */

static int find_service(const struct plan *plan, const char *name, size_t length)
{
	for (uint32_t i = 0; i < plan->nservices; i++) {
		const char *candidate = plan->services[i].name;

		if (strlen(candidate) == length && memcmp(candidate, name, length) == 0)
			return (int)i;
	}
	return -1;
}

static int find_export(const struct plan_service *service, const char *name)
{
	for (uint32_t i = 0; i < service->nexports; i++)
		if (strcmp(service->exports[i].name, name) == 0)
			return (int)i;
	return -1;
}

static int read_exports(char *why, struct plan_service *s, const struct msg_list *list)
{
	if (list->count > PLAN_EXPORTS_MAX)
		return problem(why, "manifest: service %s: more than %d exports", s->name,
		               PLAN_EXPORTS_MAX);
	for (uint32_t i = 0; i < list->count; i++) {
		struct export e;
		uint64_t id;

		if (export_get(list, i, &e) || !plain(&e.name) || !plain(&e.interface))
			return problem(why, "manifest: service %s: export %u is malformed", s->name,
			               i);
		if (!e.name.len)
			return problem(why, "manifest: service %s: export %u has no name", s->name,
			               i);
		if (find_export(s, e.name.ptr) >= 0)
			return problem(why, "manifest: service %s: two exports named %s", s->name,
			               e.name.ptr);
		id = plan_interface_id(e.interface.ptr);
		if (!id)
			return problem(why, "manifest: service %s: export %s: unknown interface %s",
			               s->name, e.name.ptr, e.interface.ptr);
		s->exports[s->nexports++] =
		        (struct plan_export){.name = e.name.ptr, .interface = id, .word = e.word};
	}
	return CAP_OK;
}

static int read_args(char *why, struct plan_service *s, const struct msg_list *list)
{
	if (list->count > PLAN_ARGS_MAX)
		return problem(why, "manifest: service %s: more than %d arguments", s->name,
		               PLAN_ARGS_MAX);
	for (uint32_t i = 0; i < list->count; i++) {
		struct msg_text text;

		if (msg_list_text(list, i, &text) || !plain(&text))
			return problem(why, "manifest: service %s: argument %u is malformed",
			               s->name, i);
		s->args[s->nargs++] = text.ptr;
	}
	return CAP_OK;
}

/* Name, path, arguments and exports; what a service holds is read when all of them are known. */
static int read_service(struct plan *plan, const struct msg_list *list, uint32_t index)
{
	struct plan_service *s = &plan->services[plan->nservices];
	char *why = plan->problem;
	struct service message;

	if (service_get(list, index, &message) || !plain(&message.name) || !plain(&message.path))
		return problem(why, "manifest: service %u is malformed", index);
	if (!message.name.len || strchr(message.name.ptr, '.'))
		return problem(why, "manifest: service %u: \"%s\" is no name for a service", index,
		               message.name.ptr);
	if (find_service(plan, message.name.ptr, message.name.len) >= 0)
		return problem(why, "manifest: two services named %s", message.name.ptr);
	*s = (struct plan_service){.name = message.name.ptr,
	                           .path = message.path.ptr,
	                           .optional = message.optional,
	                           .memory_limit_pages = message.memory_limit_pages,
	                           .restart = (enum service_restart)message.restart,
	                           .restart_limit = message.restart_limit,
	                           .index = index};
	plan->nservices++;
	if (message.restart > SERVICE_RESTART_LIMITED)
		s->faulty |= problem(why, "manifest: service %s: %u is no way to restart", s->name,
		                     message.restart) != CAP_OK;
	if (!message.path.len || message.path.ptr[0] == '/')
		s->faulty |= problem(why, "manifest: service %s: \"%s\" is no path in the archive",
		                     s->name, s->path) != CAP_OK;
	s->faulty |= read_args(why, s, &message.args) != CAP_OK;
	s->faulty |= read_exports(why, s, &message.serves) != CAP_OK;
	return CAP_OK;
}

/* ---- Holdings ---- */

/* Who holds what the manifest gives the program. */
static const char program_holder[] = "program";

static int read_kernel_holding(char *why, const char *holder, struct plan_holding *h,
                               const struct msg_text *name)
{
	for (uint32_t i = 0; plain(name) && i < COUNT(kernel_names); i++) {
		if (strcmp(kernel_names[i].name, name->ptr) == 0) {
			h->kernel = kernel_names[i].kernel;
			return CAP_OK;
		}
	}
	return problem(why, "manifest: %s: the kernel has no capability named %s", holder,
	               name->ptr);
}

static int read_service_holding(struct plan *plan, const char *holder, struct plan_holding *h,
                                const struct msg_text *name)
{
	const char *dot = plain(name) ? strchr(name->ptr, '.') : NULL;
	int service, export;

	if (!dot)
		return problem(plan->problem, "manifest: %s: \"%s\" is not SERVICE.EXPORT", holder,
		               name->ptr);
	service = find_service(plan, name->ptr, (size_t)(dot - name->ptr));
	if (service < 0)
		return problem(plan->problem, "manifest: %s: %s: there is no service %.*s", holder,
		               name->ptr, (int)(dot - name->ptr), name->ptr);
	export = find_export(&plan->services[service], dot + 1);
	if (export < 0)
		return problem(plan->problem, "manifest: %s: %s: service %s exports no %s", holder,
		               name->ptr, plan->services[service].name, dot + 1);
	h->service = (uint32_t)service;
	h->export = (uint32_t) export;
	return CAP_OK;
}

static int read_process_holding(struct plan *plan, const char *holder, struct plan_holding *h,
                                const struct msg_text *name)
{
	int service = plain(name) ? find_service(plan, name->ptr, name->len) : -1;

	if (holder != program_holder)
		return problem(plan->problem, "manifest: %s: a process is for the program alone",
		               holder);
	if (service < 0)
		return problem(plan->problem, "manifest: %s: there is no service %s", holder,
		               name->ptr);
	h->service = (uint32_t)service;
	return CAP_OK;
}

static int read_device_holding(char *why, const char *holder, struct plan_holding *h,
                               const struct holding *message)
{
	struct plan_device *d = &h->device;

	d->vendor = message->device.vendor;
	d->index = message->device.index;
	d->dma_limit_pages = message->device.dma_limit_pages;
	if (message->device.ids.count < 1 || message->device.ids.count > PLAN_IDS_MAX)
		return problem(why, "manifest: %s: device %s: 1 to %d device ids expected", holder,
		               h->name, PLAN_IDS_MAX);
	for (uint32_t i = 0; i < message->device.ids.count; i++)
		if (msg_list_u16(&message->device.ids, i, &d->ids[d->nids++]))
			return problem(why, "manifest: %s: device %s: malformed ids", holder,
			               h->name);
	return CAP_OK;
}

static int read_holding(struct plan *plan, const char *holder, struct plan_holding *h,
                        const struct holding *message)
{
	h->name = message->name.ptr;
	h->source = (enum holding_which)message->which;
	switch (message->which) {
	case HOLDING_KERNEL:
		return read_kernel_holding(plan->problem, holder, h, &message->kernel);
	case HOLDING_SERVICE:
		return read_service_holding(plan, holder, h, &message->service);
	case HOLDING_DEVICE:
		return read_device_holding(plan->problem, holder, h, message);
	case HOLDING_PROCESS:
		return read_process_holding(plan, holder, h, &message->process);
	default:
		return problem(plan->problem, "manifest: %s: holding %s is of unknown kind %u",
		               holder, h->name, message->which);
	}
}

/* A device is three capabilities of the holder. */
static uint32_t capabilities(const struct plan_holding *holdings, uint32_t n)
{
	uint32_t total = 0;

	for (uint32_t i = 0; i < n; i++)
		total += holdings[i].source == HOLDING_DEVICE ? 3 : 1;
	return total;
}

static int read_holdings(struct plan *plan, const char *holder, const struct msg_list *list,
                         struct plan_holding *holdings, uint32_t *n, uint32_t most)
{
	char *why = plan->problem;

	if (list->count > PLAN_HOLDINGS_MAX)
		return problem(why, "manifest: %s: more than %u holdings", holder, most);
	for (uint32_t i = 0; i < list->count; i++) {
		struct holding message;
		int result;

		if (holding_get(list, i, &message) || !plain(&message.name))
			return problem(why, "manifest: %s: holding %u is malformed", holder, i);
		if (!message.name.len || strcmp(message.name.ptr, "serve") == 0)
			return problem(why, "manifest: %s: holding %u: \"%s\" is no name for it",
			               holder, i, message.name.ptr);
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(holdings[j].name, message.name.ptr) == 0)
				return problem(why, "manifest: %s: two holdings named %s", holder,
				               message.name.ptr);
		memset(&holdings[i], 0, sizeof(holdings[i]));
		result = read_holding(plan, holder, &holdings[i], &message);
		if (result)
			return result;
		*n = i + 1;
	}
	if (capabilities(holdings, *n) > most)
		return problem(why, "manifest: %s: more than %u capabilities", holder, most);
	return CAP_OK;
}

/* What init gives a program besides the manifest: network, resolver, directory, signals.  A
 * terminal stands in place of the console's streams. */
#define PROGRAM_EXTRA 4

int plan_read_manifest(struct plan *plan, const void *message, uint64_t length)
{
	struct manifest manifest;

	memset(plan, 0, sizeof(*plan));
	if (length > UINT32_MAX)
		return problem(plan->problem, "manifest: too long");
	msg_reader_init(&plan->reader, message, (uint32_t)length);
	if (length < 8 || manifest_read(&plan->reader, &manifest))
		return problem(plan->problem, "manifest: not a well-formed message");
	if (manifest.services.count > PLAN_SERVICES_MAX)
		return problem(plan->problem, "manifest: more than %d services", PLAN_SERVICES_MAX);
	plan->network = manifest.network;
	for (uint32_t i = 0; i < manifest.services.count; i++)
		(void)read_service(plan, &manifest.services, i); /* what is wrong is in problem */
	for (uint32_t i = 0; i < plan->nservices; i++) {
		struct plan_service *s = &plan->services[i];
		struct service again;

		if (service_get(&manifest.services, s->index, &again))
			return problem(plan->problem, "manifest: service %s is malformed", s->name);
		s->faulty |= read_holdings(plan, s->name, &again.holds, s->holdings, &s->nholdings,
		                           PLAN_HOLDINGS_MAX) != CAP_OK;
	}
	read_holdings(plan, program_holder, &manifest.program, plan->program, &plan->nprogram,
	              PLAN_HOLDINGS_MAX - PROGRAM_EXTRA + 1);
	return plan->problem[0] ? CAP_EINVAL : CAP_OK;
}

/* ---- The program's request ---- */

static int read_texts(char *why, const char *what, const struct msg_list *list, uint32_t most,
                      const char **out, uint32_t *n)
{
	if (list->count > most)
		return problem(why, "program: more than %u %ss", most, what);
	for (uint32_t i = 0; i < list->count; i++) {
		struct msg_text text;

		if (msg_list_text(list, i, &text) || !plain(&text))
			return problem(why, "program: %s %u is malformed", what, i);
		out[i] = text.ptr;
		*n = i + 1;
	}
	return CAP_OK;
}

static int read_grant(char *why, uint32_t index, const struct network_grant *g)
{
	switch (g->which) {
	case NETWORK_GRANT_ALL:
	case NETWORK_GRANT_UDP:
	case NETWORK_GRANT_ICMP:
		return CAP_OK;
	case NETWORK_GRANT_CONNECT:
		if (!g->connect.host.len || !plain(&g->connect.host))
			return problem(why, "program: grant %u: connect needs a host", index);
		return CAP_OK;
	case NETWORK_GRANT_LISTEN:
		if (!g->listen)
			return problem(why, "program: grant %u: listen needs a port", index);
		return CAP_OK;
	default:
		return problem(why, "program: grant %u is of unknown kind %u", index, g->which);
	}
}

static int read_grants(struct plan_request *r, const struct program_request *message)
{
	const struct msg_list *list = &message->grants;

	if (message->ordinary_network) {
		r->grants[r->ngrants++] = (struct network_grant){.which = NETWORK_GRANT_ALL};
		return CAP_OK;
	}
	if (list->count > PLAN_GRANTS_MAX)
		return problem(r->problem, "program: more than %d grants", PLAN_GRANTS_MAX);
	for (uint32_t i = 0; i < list->count; i++) {
		struct network_grant grant;

		if (network_grant_get(list, i, &grant))
			return problem(r->problem, "program: grant %u is malformed", i);
		if (read_grant(r->problem, i, &grant))
			return CAP_EINVAL;
		r->grants[r->ngrants++] = grant;
	}
	return CAP_OK;
}

static int check_env(struct plan_request *r)
{
	for (uint32_t i = 0; i < r->nenv; i++)
		if (!strchr(r->env[i], '=') || r->env[i][0] == '=')
			return problem(r->problem, "program: variable \"%s\" is not NAME=VALUE",
			               r->env[i]);
	return CAP_OK;
}

int plan_read_request(struct plan_request *r, const void *message, uint64_t length)
{
	struct program_request request;
	char *why = r->problem;

	memset(r, 0, sizeof(*r));
	if (length > UINT32_MAX)
		return problem(r->problem, "program: the request is too long");
	msg_reader_init(&r->reader, message, (uint32_t)length);
	if (length < 8 || program_request_read(&r->reader, &request))
		return problem(r->problem, "program: the request is not a well-formed message");
	r->list_capabilities = request.list_capabilities;
	r->resolve = request.resolve || request.ordinary_network;
	r->has_network = request.has_network;
	r->terminal = request.terminal;
	r->columns = request.columns;
	r->rows = request.rows;
	r->directory = request.directory.ptr;
	if (request.directory.len && !plain(&request.directory))
		return problem(r->problem, "program: the working directory is malformed");
	r->network = request.network;
	if (read_texts(why, "argument", &request.args, PLAN_REQUEST_MAX, r->args, &r->nargs) ||
	    read_texts(why, "variable", &request.env, PLAN_REQUEST_MAX, r->env, &r->nenv) ||
	    check_env(r) ||
	    read_texts(why, "output", &request.outputs, PLAN_REQUEST_MAX, r->outputs,
	               &r->noutputs) ||
	    read_texts(why, "volume", &request.volumes, PLAN_VOLUMES_MAX, r->volumes,
	               &r->nvolumes) ||
	    read_grants(r, &request))
		return CAP_EINVAL;
	if (!r->list_capabilities && (!r->nargs || !r->args[0][0]))
		return problem(r->problem, "program: the request names no program");
	return CAP_OK;
}
