/* SPDX-License-Identifier: MIT */
/*
 * Holds the manifest against the machine: a service is started when its file is in the archive and
 * intact and its devices are there.  One that is optional and lacks something is left out, and with
 * it every optional service that holds something of it; any other holder of something of it is not
 * given that.
 */
#include <stdarg.h>
#include <string.h>

#include <capos/log.h>
#include <capos/schema/service.h>

#include "plan.h"

__attribute__((format(printf, 2, 3))) static int problem(struct plan *plan, const char *format, ...)
{
	va_list args;

	if (!plan->problem[0]) {
		va_start(args, format);
		fmt_vsnprintf(plan->problem, sizeof(plan->problem), format, args);
		va_end(args);
	}
	return CAP_EINVAL;
}

static bool device_matches(const struct plan_device *wanted, const struct pci_device *device)
{
	if (device->vendor != wanted->vendor)
		return false;
	for (uint32_t i = 0; i < wanted->nids; i++)
		if (wanted->ids[i] == device->device)
			return true;
	return false;
}

static bool find_device(struct plan_device *wanted, const struct pci_device *devices,
                        uint32_t ndevices)
{
	uint32_t seen = 0;

	for (uint32_t i = 0; i < ndevices; i++) {
		if (!device_matches(wanted, &devices[i]) || seen++ != wanted->index)
			continue;
		wanted->address = devices[i].address;
		return true;
	}
	return false;
}

static void resolve_devices(struct plan *plan, struct plan_service *s,
                            const struct pci_device *devices, uint32_t ndevices)
{
	for (uint32_t i = 0; i < s->nholdings; i++) {
		struct plan_holding *h = &s->holdings[i];

		if (h->source != HOLDING_DEVICE || find_device(&h->device, devices, ndevices))
			continue;
		h->missing = true;
		s->enabled = false;
		if (!s->optional)
			problem(plan, "service %s: there is no device %x:%x", s->name,
			        h->device.vendor, h->device.ids[0]);
	}
}

static void resolve_image(struct plan *plan, struct plan_service *s, const struct archive *archive)
{
	if (archive_find(archive, s->path, &s->image) || s->image.type != CAPOS_ARCHIVE_FILE) {
		s->enabled = false;
		problem(plan, "service %s: %s is not in the boot archive", s->name, s->path);
	} else if (!archive_intact(&s->image)) {
		s->enabled = false;
		problem(plan, "service %s: %s is corrupt in the boot archive", s->name, s->path);
	}
}

/* Marks what is held of services that are not started.  True when that leaves out one service
 * more. */
static bool mark_missing(struct plan *plan, struct plan_service *s, struct plan_holding *holdings,
                         uint32_t n)
{
	bool changed = false;

	for (uint32_t i = 0; i < n; i++) {
		struct plan_holding *h = &holdings[i];

		if ((h->source != HOLDING_SERVICE && h->source != HOLDING_PROCESS) || h->missing ||
		    plan->services[h->service].enabled)
			continue;
		h->missing = true;
		if (s && s->optional && s->enabled) {
			s->enabled = false;
			changed = true;
		}
	}
	return changed;
}

static void propagate(struct plan *plan)
{
	bool changed;

	do {
		changed = false;
		for (uint32_t i = 0; i < plan->nservices; i++)
			changed |=
			        mark_missing(plan, &plan->services[i], plan->services[i].holdings,
			                     plan->services[i].nholdings);
	} while (changed);
	mark_missing(plan, NULL, plan->program, plan->nprogram);
}

int plan_resolve(struct plan *plan, const struct archive *archive, const struct pci_device *devices,
                 uint32_t ndevices)
{
	for (uint32_t i = 0; i < plan->nservices; i++) {
		struct plan_service *s = &plan->services[i];

		s->enabled = !s->faulty;
		if (s->enabled)
			resolve_devices(plan, s, devices, ndevices);
		if (s->enabled)
			resolve_image(plan, s, archive);
	}
	propagate(plan);
	return plan->problem[0] ? CAP_EINVAL : CAP_OK;
}

bool plan_find_export(const struct plan *plan, uint64_t interface, const char *name,
                      uint32_t *service, uint32_t *export)
{
	for (uint32_t i = 0; i < plan->nservices; i++) {
		const struct plan_service *s = &plan->services[i];

		for (uint32_t j = 0; s->enabled && j < s->nexports; j++) {
			if ((interface && s->exports[j].interface != interface) ||
			    (name && strcmp(s->exports[j].name, name) != 0))
				continue;
			*service = i;
			*export = j;
			return true;
		}
	}
	return false;
}

/* ---- The network's configuration, as arguments ---- */

struct arguments {
	struct plan_service *service;
	char *text;
	uint32_t size;
};

static int add_argument(struct arguments *a, const char *key, const char *value)
{
	int length;

	if (a->service->nargs == PLAN_ARGS_MAX)
		return CAP_ETOOBIG;
	length = fmt_snprintf(a->text, a->size, "%s=%s", key, value);
	if ((uint32_t)length >= a->size)
		return CAP_ETOOBIG;
	a->service->args[a->service->nargs++] = a->text;
	a->service->args[a->service->nargs] = NULL;
	a->text += length + 1;
	a->size -= (uint32_t)length + 1;
	return CAP_OK;
}

static int add_static(struct arguments *a, const struct network_config *c)
{
	const struct msg_list *servers = &c->static_.name_servers;
	int result = add_argument(a, "config", "static");

	if (!result)
		result = add_argument(a, "address", c->static_.addr.ptr);
	if (!result)
		result = add_argument(a, "netmask", c->static_.netmask.ptr);
	if (!result)
		result = add_argument(a, "gateway", c->static_.gateway.ptr);
	for (uint32_t i = 0; !result && i < servers->count; i++) {
		struct msg_text server;

		result = msg_list_text(servers, i, &server);
		if (!result)
			result = add_argument(a, "nameserver", server.ptr);
	}
	return result;
}

int plan_network_arguments(struct plan_service *service, const struct network_config *config,
                           char *text, uint32_t size)
{
	struct arguments a = {.service = service, .text = text, .size = size};
	int result;

	switch (config->which) {
	case NETWORK_CONFIG_DHCP:
		result = add_argument(&a, "config", "dhcp");
		break;
	case NETWORK_CONFIG_STATIC:
		result = add_static(&a, config);
		break;
	case NETWORK_CONFIG_NONE:
		result = add_argument(&a, "config", "none");
		break;
	default:
		return CAP_EMESSAGE;
	}
	if (!result && config->host_name.len)
		result = add_argument(&a, "hostname", config->host_name.ptr);
	return result;
}

/* ---- Volumes, as arguments ---- */

static const char volume_export[] = "volume";

/* The number-th service that is a volume, started or not; NULL: there are not so many. */
static struct plan_service *volume_service(struct plan *plan, uint32_t number, uint32_t *index)
{
	for (uint32_t i = 0; i < plan->nservices; i++) {
		struct plan_service *s = &plan->services[i];

		if (s->nexports != 1 || s->exports[0].interface != DIRECTORY_INTERFACE ||
		    strcmp(s->exports[0].name, volume_export) != 0 || number--)
			continue;
		*index = i;
		return s;
	}
	return NULL;
}

static int check_volume_path(struct plan *plan, const char *path, const struct archive *archive)
{
	size_t length = strlen(path);
	char prefix[PLAN_VOLUME_PATH_MAX + 1];
	struct archive_file file;

	if (path[0] != '/' || !path[1] || length > PLAN_VOLUME_PATH_MAX)
		return problem(plan, "a volume cannot be mounted at \"%s\"", path);
	for (size_t i = 1; i <= length; i++) {
		if (path[i] && path[i] != '/')
			continue;
		memcpy(prefix, path + 1, i - 1);
		prefix[i - 1] = 0;
		if (!archive_find(archive, prefix, &file) && file.type != CAPOS_ARCHIVE_DIRECTORY)
			return problem(plan,
			               "a volume cannot be mounted at %s: /%s is no directory",
			               path, prefix);
	}
	return CAP_OK;
}

/* Tells the services that hold it where it is. */
static int tell_holders(struct plan *plan, struct arguments *a, uint32_t volume, const char *path)
{
	int result = CAP_OK;

	for (uint32_t i = 0; i < plan->nservices; i++) {
		struct plan_service *s = &plan->services[i];

		for (uint32_t j = 0; j < s->nholdings && !result; j++) {
			a->service = s;
			if (s->holdings[j].source == HOLDING_SERVICE &&
			    s->holdings[j].service == volume)
				result = add_argument(a, s->holdings[j].name, path);
		}
	}
	return result;
}

int plan_volume_arguments(struct plan *plan, const struct plan_request *request,
                          const struct archive *archive, char *text, uint32_t size)
{
	struct arguments a = {.text = text, .size = size};

	for (uint32_t i = 0; i < request->nvolumes; i++) {
		const char number[] = {(char)('1' + i), 0}, *path = request->volumes[i];
		uint32_t index;
		int result = check_volume_path(plan, path, archive);

		if (result)
			return result;
		a.service = volume_service(plan, i, &index);
		if (!a.service || !a.service->enabled)
			return problem(plan, "the machine has no device for the volume at %s",
			               path);
		result = add_argument(&a, "at", path);
		if (!result)
			result = add_argument(&a, "number", number);
		if (!result)
			result = tell_holders(plan, &a, index, path);
		if (result)
			return problem(plan, "volumes: the arguments are too many or too long");
	}
	/* A device that the request says nothing of has no use: its driver is not started. */
	for (uint32_t i = request->nvolumes, index; i < PLAN_VOLUMES_MAX; i++) {
		struct plan_service *s = volume_service(plan, i, &index);

		if (s)
			s->enabled = false;
	}
	propagate(plan);
	return CAP_OK;
}
_Static_assert(PLAN_VOLUMES_MAX <= 9, "a volume's number is a digit");
