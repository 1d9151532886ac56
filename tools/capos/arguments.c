/* SPDX-License-Identifier: MIT */
/*
 * QEMU's command line.  What the guest's machine consists of is said here and nowhere else.
 */
#include "tools/capos/arguments.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <capos/panic.h>

#include "config.h"
#include "tools/capos/clean.h"
#include "tools/capos/options.h"

const char *machine_emulator(void)
{
	const char *emulator = getenv("CAPOS_QEMU");

	return emulator && *emulator != '\0' ? emulator : CAPOS_QEMU;
}

/* ---- The list ---- */

static void add_owned(struct arguments *args, char *item)
{
	if (args->count == ARGUMENTS_MAX - 1)
		die("too many options for the emulator");
	args->items[args->count++] = item;
	args->items[args->count] = NULL;
}

void arguments_add(struct arguments *args, const char *item)
{
	add_owned(args, must(strdup(item)));
}

void arguments_add_option(struct arguments *args, const char *name, const char *format, ...)
{
	va_list values;
	char *value;

	va_start(values, format);
	int length = vasprintf(&value, format, values);
	va_end(values);
	if (length < 0)
		die("no memory");
	arguments_add(args, name);
	add_owned(args, value);
}

void arguments_free(struct arguments *args)
{
	for (size_t i = 0; i < args->count; i++)
		free(args->items[i]);
	args->count = 0;
}

void arguments_show(const struct arguments *args)
{
	fputs("capos: starting", stderr);
	for (size_t i = 0; i < args->count; i++) {
		char *item = must(strdup(args->items[i]));
		clean_line(item);
		fprintf(stderr, " %s", item);
		free(item);
	}
	fputc('\n', stderr);
}

/* ---- The machine ---- */

/* A file name as a value in QEMU's option syntax, where a comma is doubled. */
static char *quote(const char *text)
{
	char *quoted = must(malloc(2 * strlen(text) + 1));
	char *end = quoted;

	for (; *text != '\0'; text++) {
		*end++ = *text;
		if (*text == ',')
			*end++ = ',';
	}
	*end = '\0';
	return quoted;
}

static void add_user_network(struct arguments *args, const struct settings *settings)
{
	char *value = must_format("user,id=net");

	for (size_t i = 0; i < settings->nforwards; i++) {
		const struct forward *f = &settings->forwards[i];
		char *longer = must_format("%s,hostfwd=%s:127.0.0.1:%u-:%u", value,
		                           f->udp ? "udp" : "tcp", f->host_port, f->guest_port);
		free(value);
		value = longer;
	}
	arguments_add_option(args, "-netdev", "%s", value);
	free(value);
	/* It is asked what that network still holds (usernet.c). */
	arguments_add_option(args, "-chardev", "socket,id=monitor,fd=%d", CHILD_FD + LINE_MONITOR);
	arguments_add_option(args, "-mon", "chardev=monitor,mode=control");
}

static void add_network(struct arguments *args, const struct settings *settings)
{
	uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

	switch (settings->net) {
	case NET_NONE:
		return;
	case NET_TAP:
		/* Others may be on that network: the last bytes must differ. */
		if (getrandom(mac + 3, 3, 0) != 3)
			die("the host gives no random bytes: %s", strerror(errno));
		arguments_add_option(args, "-netdev",
		                     "tap,id=net,ifname=%s,script=no,downscript=no%s",
		                     settings->tap, settings->pcap ? ",vnet_hdr=off" : "");
		break;
	case NET_PASST:
		arguments_add_option(args, "-netdev",
		                     "stream,id=net,server=off,addr.type=fd,addr.str=%d",
		                     CHILD_FD + CHILD_NETWORK);
		break;
	case NET_AUTO:
	case NET_USER:
		add_user_network(args, settings);
		break;
	}
	arguments_add_option(args, "-device",
	                     "virtio-net-pci,netdev=net,disable-legacy=on,romfile=,mac="
	                     "%02x:%02x:%02x:%02x:%02x:%02x",
	                     mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	if (settings->pcap) {
		char *file = quote(settings->pcap);
		arguments_add_option(args, "-object", "filter-dump,id=pcap,netdev=net,file=%s",
		                     file);
		free(file);
	}
}

static void add_lines(struct arguments *args)
{
	static const char *const names[LINE_PORT_COUNT] = {"stdin", "stdout", "stderr", "control",
	                                                   "output"};

	arguments_add_option(args, "-device", "virtio-serial-pci,disable-legacy=on,max_ports=8");
	for (int i = 0; i < LINE_PORT_COUNT; i++) {
		arguments_add_option(args, "-chardev", "socket,id=%s,fd=%d", names[i],
		                     CHILD_FD + i);
		arguments_add_option(args, "-device", "virtserialport,chardev=%s,name=capos.%s",
		                     names[i], names[i]);
	}
	arguments_add_option(args, "-chardev", "socket,id=log,fd=%d", CHILD_FD + LINE_SERIAL);
	arguments_add_option(args, "-serial", "chardev:log");
}

/* QEMU itself serves the directory: it follows no symbolic link, and gives what it makes the modes
 * that the guest asks for, and its own user as owner. */
static void add_volumes(struct arguments *args, const struct settings *settings)
{
	for (size_t i = 0; i < settings->nvolumes; i++) {
		const struct volume *v = &settings->volumes[i];
		char *path = quote(v->host_path);

		arguments_add_option(args, "-fsdev",
		                     "local,id=volume%zu,path=%s,security_model=none,"
		                     "multidevs=remap%s",
		                     i, path, v->read_only ? ",readonly=on" : "");
		arguments_add_option(args, "-device",
		                     "virtio-9p-pci,fsdev=volume%zu,mount_tag=volume%zu,"
		                     "disable-legacy=on",
		                     i, i);
		free(path);
	}
}

/* The kernel keeps no registers wider than 16 bytes, and not every program asks whether it does
 * before it uses those that the processor has. */
#define NO_WIDE_VECTORS ",-xsave,-avx,-avx2,-avx512f,-f16c,-fma,-vaes,-vpclmulqdq"

void arguments_build(struct arguments *args, const struct settings *settings, bool kvm,
                     const char *kernel)
{
	arguments_add(args, machine_emulator());
	if (settings->name)
		arguments_add_option(args, "-name", "%s", settings->name);
	arguments_add_option(args, "-machine", "q35,usb=off,sata=off,smbus=off,vmport=off");
	arguments_add_option(args, "-accel", "%s", kvm ? "kvm" : "tcg");
	arguments_add_option(args, "-cpu", "%s" NO_WIDE_VECTORS, kvm ? "host" : "max");
	arguments_add_option(args, "-m", "%uM", settings->memory_mib);
	arguments_add_option(args, "-display", "none");
	arguments_add(args, "-nodefaults");
	arguments_add(args, "-no-user-config");
	arguments_add(args, "-no-reboot");
	arguments_add_option(args, "-device", "isa-debug-exit,iobase=0x%x,iosize=1",
	                     CAPOS_PANIC_PORT);
	arguments_add_option(args, "-kernel", "%s", kernel);
	arguments_add_option(args, "-initrd", "/proc/self/fd/%d", CHILD_FD + CHILD_ARCHIVE);
	add_network(args, settings);
	add_lines(args);
	add_volumes(args, settings);
}

void arguments_print_example(const char *kernel, const char *archive)
{
	printf("It starts by\n"
	       "  qemu-system-x86_64 -machine q35 -cpu max -m %u -nodefaults -display none "
	       "-no-reboot "
	       "\\\n"
	       "    -kernel '%s' -initrd '%s' \\\n"
	       "    -netdev user,id=net -device virtio-net-pci,netdev=net,disable-legacy=on \\\n"
	       "    -device virtio-serial-pci,disable-legacy=on -chardev stdio,id=in,signal=off "
	       "\\\n"
	       "    -chardev file,id=out,path=/dev/stdout,append=on \\\n"
	       "    -chardev file,id=err,path=/dev/stderr,append=on \\\n"
	       "    -device virtserialport,chardev=in,name=capos.stdin \\\n"
	       "    -device virtserialport,chardev=out,name=capos.stdout \\\n"
	       "    -device virtserialport,chardev=err,name=capos.stderr\n"
	       "and with the log and the program's output on the serial line by\n"
	       "  qemu-system-x86_64 -machine q35 -cpu max -m %u -nodefaults -display none "
	       "-no-reboot "
	       "\\\n"
	       "    -kernel '%s' -initrd '%s' \\\n"
	       "    -netdev user,id=net -device virtio-net-pci,netdev=net,disable-legacy=on \\\n"
	       "    -serial stdio\n",
	       MEMORY_DEFAULT, kernel, archive, MEMORY_DEFAULT, kernel, archive);
}
