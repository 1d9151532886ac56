/* SPDX-License-Identifier: MIT */
/*
 * The plan of a boot: what the manifest and the program's request say, checked and resolved.
 * manifest.c fills it from the messages, plan.c holds it against the devices and files that there
 * are.  Pure: no IPC, no memory but the caller's.
 *
 * Texts point into the messages, which stay mapped and unchanged as long as the plan is in use.
 */
#ifndef INIT_PLAN_H
#define INIT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include <capos/archive_reader.h>
#include <capos/schema/kernel.h>
#include <capos/schema/manifest.h>
#include <capos/schema/network.h>

#define PLAN_SERVICES_MAX 16
/* With "serve", the account and the image they fit one message's capabilities. */
#define PLAN_HOLDINGS_MAX 13
#define PLAN_EXPORTS_MAX  8
#define PLAN_IDS_MAX      8
#define PLAN_ARGS_MAX     24
#define PLAN_REQUEST_MAX  512 /* arguments, and variables, of a program */
#define PLAN_GRANTS_MAX   64
#define PLAN_VOLUMES_MAX  8
/* Of where a volume is mounted; it goes into the arguments of two services. */
#define PLAN_VOLUME_PATH_MAX 255
#define PLAN_PROBLEM_SIZE    240

/* The capabilities that init has from the kernel, in the order of its CAP_GIVEN(). */
enum plan_kernel {
	PLAN_KERNEL_BOOT,
	PLAN_KERNEL_SPAWNER,
	PLAN_KERNEL_LOG,
	PLAN_KERNEL_TIMER,
	PLAN_KERNEL_ENTROPY,
	PLAN_KERNEL_POWER,
	PLAN_KERNEL_SYSTEM_STATUS,
	PLAN_KERNEL_CODE,
	PLAN_KERNEL_LABELS,
	PLAN_KERNEL_DEVICES, /* not to be had by name: init opens single devices for others */
	PLAN_KERNEL_COUNT,
};

struct plan_device {
	uint16_t vendor, index;
	uint16_t ids[PLAN_IDS_MAX];
	uint32_t nids;
	uint32_t dma_limit_pages;
	uint16_t address; /* set by plan_resolve */
};

struct plan_holding {
	const char *name;
	enum holding_which source;
	enum plan_kernel kernel;
	uint32_t service, export; /* indices; a process has no export */
	struct plan_device device;
	bool missing; /* plan_resolve: the device or the service is not there */
};

struct plan_export {
	const char *name;
	uint64_t interface;
	uint64_t word;
};

struct plan_service {
	const char *name, *path;
	const char *args[PLAN_ARGS_MAX + 1]; /* after argv[0]; NULL-terminated */
	uint32_t nargs;
	struct plan_holding holdings[PLAN_HOLDINGS_MAX];
	uint32_t nholdings;
	struct plan_export exports[PLAN_EXPORTS_MAX];
	uint32_t nexports;
	bool optional;
	uint64_t memory_limit_pages;
	enum service_restart restart;
	uint32_t restart_limit;
	uint32_t index;            /* in the manifest's list */
	bool faulty;               /* the manifest has a problem with this service */
	bool enabled;              /* plan_resolve: it is to be started */
	struct archive_file image; /* plan_resolve */
};

struct plan {
	struct plan_service services[PLAN_SERVICES_MAX];
	uint32_t nservices;
	struct plan_holding program[PLAN_HOLDINGS_MAX];
	uint32_t nprogram;
	struct network_config network;
	char problem[PLAN_PROBLEM_SIZE]; /* the first one found, or "" */
	struct msg_reader reader;        /* of the manifest; network's lists use it */
};

/* What the program's request says.  List elements of grants are read anew: network_grant_get. */
struct plan_request {
	const char *args[PLAN_REQUEST_MAX + 1]; /* NULL-terminated */
	const char *env[PLAN_REQUEST_MAX + 1];
	/* Files and directories to send to the host after the end. */
	const char *outputs[PLAN_REQUEST_MAX + 1];
	const char *volumes[PLAN_VOLUMES_MAX + 1]; /* where they are mounted */
	uint32_t nargs, nenv, noutputs, nvolumes;
	const char *directory; /* where it starts; "" is the root */
	struct network_grant grants[PLAN_GRANTS_MAX];
	uint32_t ngrants;
	bool resolve;
	bool list_capabilities;
	bool terminal; /* it is given one in place of its standard streams */
	uint16_t columns, rows;
	bool has_network;
	struct network_config network;
	char problem[PLAN_PROBLEM_SIZE];
	struct msg_reader reader;
};

/* Reads and checks.  CAP_OK, or CAP_EINVAL with problem set: services that are not faulty may still
 * be started, so that the problem can be reported. */
int plan_read_manifest(struct plan *plan, const void *message, uint64_t length);
int plan_read_request(struct plan_request *request, const void *message, uint64_t length);

/* Decides which services are started, with which files and devices.  CAP_OK, or CAP_EINVAL with
 * problem set. */
int plan_resolve(struct plan *plan, const struct archive *archive, const struct pci_device *devices,
                 uint32_t ndevices);

/* The first enabled service's export of this interface (0: any) and name (NULL: any). */
bool plan_find_export(const struct plan *plan, uint64_t interface, const char *name,
                      uint32_t *service, uint32_t *export);

/* Appends to the service's arguments what the configuration says; text: where they are built, at
 * least size bytes that live as long as the plan.  CAP_OK, CAP_ETOOBIG, or CAP_EMESSAGE. */
int plan_network_arguments(struct plan_service *service, const struct network_config *config,
                           char *text, uint32_t size);

/* The type id of an interface that services export, by name; 0: unknown. */
uint64_t plan_interface_id(const char *name);

/* What each service is told of the request's volumes, as arguments; text as above.  CAP_OK, or
 * CAP_EINVAL with the plan's problem set. */
int plan_volume_arguments(struct plan *plan, const struct plan_request *request,
                          const struct archive *archive, char *text, uint32_t size);

/* Type ids of what the kernel gives, by enum plan_kernel. */
uint64_t plan_kernel_interface(enum plan_kernel kernel);

#endif
