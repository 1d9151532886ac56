/* SPDX-License-Identifier: MIT */
/*
 * Reads a flat Manifest message from stdin with generated readers and writes it to stdout again
 * with generated builders; tests/unit/schema-roundtrip holds it against the stock `capnp` tool.
 */
#include <stdio.h>
#include <stdlib.h>
#include <capos/abi.h>
#include <capos/schema/manifest.h>

#define MESSAGE_MAX 65536
#define ITEMS_MAX   64

static void check(int result, const char *what)
{
	if (!result)
		return;
	fprintf(stderr, "schema-copy: %s: error %d\n", what, result);
	exit(1);
}

/* Copies of what was read, kept until the message is written. */
static void *keep(size_t count, size_t size)
{
	void *items = calloc(count ? count : 1, size);

	if (!items || count > ITEMS_MAX)
		check(CAP_ENOMEM, "too many items");
	return items;
}

static struct msg_list copy_texts(const struct msg_list *list)
{
	struct msg_text *items = keep(list->count, sizeof(*items));

	for (uint32_t i = 0; i < list->count; i++)
		check(msg_list_text(list, i, &items[i]), "text");
	return (struct msg_list){.count = list->count, .items = items};
}

static struct msg_list copy_ids(const struct msg_list *list)
{
	uint16_t *items = keep(list->count, sizeof(*items));

	for (uint32_t i = 0; i < list->count; i++)
		check(msg_list_u16(list, i, &items[i]), "id");
	return (struct msg_list){.count = list->count, .items = items};
}

static struct msg_list copy_holdings(const struct msg_list *list)
{
	struct holding *items = keep(list->count, sizeof(*items));

	for (uint32_t i = 0; i < list->count; i++) {
		check(holding_get(list, i, &items[i]), "holding");
		if (items[i].which == HOLDING_DEVICE)
			items[i].device.ids = copy_ids(&items[i].device.ids);
	}
	return (struct msg_list){.count = list->count, .items = items};
}

static struct msg_list copy_exports(const struct msg_list *list)
{
	struct export *items = keep(list->count, sizeof(*items));

	for (uint32_t i = 0; i < list->count; i++)
		check(export_get(list, i, &items[i]), "export");
	return (struct msg_list){.count = list->count, .items = items};
}

static struct msg_list copy_services(const struct msg_list *list)
{
	struct service *items = keep(list->count, sizeof(*items));

	for (uint32_t i = 0; i < list->count; i++) {
		check(service_get(list, i, &items[i]), "service");
		items[i].args = copy_texts(&items[i].args);
		items[i].holds = copy_holdings(&items[i].holds);
		items[i].serves = copy_exports(&items[i].serves);
	}
	return (struct msg_list){.count = list->count, .items = items};
}

int main(void)
{
	static _Alignas(8) uint8_t in[MESSAGE_MAX], out[MESSAGE_MAX];
	size_t length = fread(in, 1, sizeof(in), stdin);
	struct msg_reader reader;
	struct msg_builder builder;
	struct manifest manifest;

	msg_reader_init(&reader, in, (uint32_t)length);
	check(manifest_read(&reader, &manifest), "manifest");
	manifest.services = copy_services(&manifest.services);
	manifest.program = copy_holdings(&manifest.program);
	if (manifest.network.which == NETWORK_CONFIG_STATIC)
		manifest.network.static_.name_servers =
		        copy_texts(&manifest.network.static_.name_servers);
	msg_builder_init(&builder, out, sizeof(out));
	check(manifest_write(&builder, &manifest), "writing");
	length = msg_builder_length(&builder);
	return fwrite(out, 1, length, stdout) == length && fflush(stdout) == 0 ? 0 : 1;
}
