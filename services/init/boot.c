/* SPDX-License-Identifier: MIT */
/*
 * What is to be started, as the boot archive says: read and checked before anything of it is used.
 */
#include <capos/log.h>
#include <capos/schema/kernel_client.h>

#include "init.h"

#define DEVICES_MAX       128
#define NETWORK_ARGS_SIZE 1024
/* Each volume is named to itself and to the files service. */
#define VOLUME_ARGS_SIZE (PLAN_VOLUMES_MAX * (2 * PLAN_VOLUME_PATH_MAX + 64))

static uint32_t list_devices(struct pci_device *devices)
{
	struct capos_call call = INIT_CALL();
	struct device_manager_list_results results;
	uint32_t n = 0;
	int result = device_manager_list(INIT_CAP(DEVICES), &results, &call);

	if (result) {
		log_line("the list of devices: %s", cap_error_text(result));
		return 0;
	}
	for (uint32_t i = 0; i < results.devices.count && n < DEVICES_MAX; i++)
		if (!pci_device_get(&results.devices, i, &devices[n]))
			n++;
	return n;
}

static void open_archive(void)
{
	struct capos_call call = INIT_CALL();
	struct memory_object_size_results results;
	const char *why;
	void *address;
	int result = memory_object_size(INIT_CAP(BOOT), &results, &call);

	if (!result)
		result = cap_memory_map(INIT_CAP(BOOT), 0, results.size, CAP_RIGHT_READ, &address);
	if (result)
		init_fail(EXIT_SYSTEM, "the boot archive: %s", cap_error_text(result));
	if (archive_open(&init.archive, address, results.size, &why))
		init_fail(EXIT_SYSTEM, "the boot archive is corrupt: %s", why);
}

void boot_read_plan(void)
{
	static struct pci_device devices[DEVICES_MAX];
	struct archive_file file;

	open_archive();
	if (archive_find(&init.archive, "etc/manifest", &file))
		init_fail(EXIT_SYSTEM, "there is no etc/manifest in the boot archive");
	if (!archive_intact(&file))
		init_fail(EXIT_SYSTEM, "etc/manifest is corrupt in the boot archive");
	/* What is wrong is reported when there is a console. */
	(void)plan_read_manifest(&init.plan, file.data, file.size);
	(void)plan_resolve(&init.plan, &init.archive, devices, list_devices(devices));
}

static void add_network_arguments(void)
{
	static char text[NETWORK_ARGS_SIZE];
	const struct network_config *config =
	        init.request.has_network ? &init.request.network : &init.plan.network;
	uint32_t service, export;

	if (!plan_find_export(&init.plan, NETWORK_MANAGER_INTERFACE, NULL, &service, &export))
		return;
	if (plan_network_arguments(&init.plan.services[service], config, text, sizeof(text)))
		init_fail(EXIT_SYSTEM, "the network's configuration is malformed or too long");
}

static void add_volume_arguments(void)
{
	static char text[VOLUME_ARGS_SIZE];

	if (plan_volume_arguments(&init.plan, &init.request, &init.archive, text, sizeof(text)))
		init_fail(EXIT_SYSTEM, "%s", init.plan.problem);
}

void boot_read_request(void)
{
	struct archive_file file;

	if (archive_find(&init.archive, "etc/program", &file))
		init_fail(EXIT_SYSTEM, "there is no etc/program in the boot archive");
	if (!archive_intact(&file))
		init_fail(EXIT_SYSTEM, "etc/program is corrupt in the boot archive");
	if (plan_read_request(&init.request, file.data, file.size))
		init_fail(EXIT_SYSTEM, "%s", init.request.problem);
	add_network_arguments();
	add_volume_arguments();
}
