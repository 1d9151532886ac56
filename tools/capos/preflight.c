/* SPDX-License-Identifier: MIT */
/*
 * The checks before a machine is started.  Each asks the host for the very thing that the emulator
 * will ask for, and gives it back at once: so the emulator can still fail when another process is
 * faster, and then its own words are shown.
 */
#include "tools/capos/preflight.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

static void check_port(const struct forward *forward)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	                              .sin_port = htons(forward->host_port),
	                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int yes = 1;
	int fd = socket(AF_INET, (forward->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("cannot make a socket: %s", strerror(errno));
	/* As the emulator does: connections that ended a moment ago do not matter.  For UDP that
	 * would share the port with its owner. */
	if (!forward->udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		if (errno == EADDRINUSE)
			die("the host's %s port %u is in use", forward->udp ? "UDP" : "TCP",
			    forward->host_port);
		die("the host's %s port %u cannot be published: %s", forward->udp ? "UDP" : "TCP",
		    forward->host_port, strerror(errno));
	}
	close(fd);
}

static void check_tap(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

	if (strlen(name) >= IFNAMSIZ)
		die("--net tap:%s: the name of a network interface is at most %d bytes", name,
		    IFNAMSIZ - 1);
	if (if_nametoindex(name) == 0)
		die("--net tap:%s: there is no such network interface (ip tuntap add %s mode tap)",
		    name, name);
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("--net tap:%s: /dev/net/tun: %s", name, strerror(errno));
	memcpy(request.ifr_name, name, strlen(name));
	if (ioctl(fd, TUNSETIFF, &request) != 0) {
		if (errno == EINVAL)
			die("--net tap:%s: that interface is not a tap device", name);
		if (errno == EBUSY)
			die("--net tap:%s: another process has that tap device open", name);
		die("--net tap:%s: %s", name, strerror(errno));
	}
	close(fd);
}

/* A file that is to be written: it can be, or its directory lets it be made. */
static void check_writable(const char *option, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			die("%s %s: it is a directory", option, path);
		if (access(path, W_OK) != 0)
			die("%s %s: %s", option, path, strerror(errno));
		return;
	}
	if (errno != ENOENT)
		die("%s %s: %s", option, path, strerror(errno));
	char *parent = must(strdup(path));
	char *slash = strrchr(parent, '/');
	if (slash)
		slash[slash == parent] = '\0';
	const char *directory = slash ? parent : ".";
	if (stat(directory, &st) != 0 || access(directory, W_OK | X_OK) != 0)
		die("%s %s: the directory %s: %s", option, path, directory, strerror(errno));
	free(parent);
}

static void check_outputs(const struct settings *s)
{
	for (size_t i = 0; i < s->noutputs; i++) {
		char *path = must(strdup(s->outputs[i].host_path));
		struct stat st;
		size_t length = strlen(path);
		while (length > 1 && path[length - 1] == '/')
			path[--length] = '\0';
		if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
			check_writable("--output", path);
		else if (access(path, W_OK | X_OK) != 0)
			die("--output %s: %s", path, strerror(errno));
		free(path);
	}
}

static bool is_in_volume(const struct volume *v, const char *path)
{
	size_t length = strlen(v->guest_path);

	return strncmp(path, v->guest_path, length) == 0 &&
	       (path[length] == '/' || path[length] == '\0');
}

/* What is put where a volume is would be hidden by it; what is there is on the host already. */
static void check_beside_volumes(const struct settings *s, const char *option,
                                 const struct host_file *files, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < s->nvolumes; j++)
			if (is_in_volume(&s->volumes[j], files[i].guest_path))
				die("%s: %s is in the volume of %s", option, files[i].guest_path,
				    s->volumes[j].host_path);
}

static void check_volumes(const struct settings *s)
{
	check_beside_volumes(s, "--file", s->files, s->nfiles);
	check_beside_volumes(s, "--output", s->outputs, s->noutputs);
	for (size_t i = 0; i < s->nvolumes; i++) {
		const char *path = s->volumes[i].host_path;
		struct stat st;

		if (stat(path, &st) != 0)
			die("--volume %s: %s", path, strerror(errno));
		if (!S_ISDIR(st.st_mode))
			die("--volume %s: %s (--file puts a file into the guest)", path,
			    strerror(ENOTDIR));
		if (access(path, R_OK | X_OK) != 0)
			die("--volume %s: %s", path, strerror(errno));
	}
}

void preflight(const struct settings *settings)
{
	for (size_t i = 0; i < settings->nforwards; i++)
		check_port(&settings->forwards[i]);
	if (settings->net == NET_TAP)
		check_tap(settings->tap);
	if (settings->accel == ACCEL_KVM && access("/dev/kvm", R_OK | W_OK) != 0)
		die("--accel kvm: /dev/kvm: %s", strerror(errno));
	if (settings->log)
		check_writable("--log", settings->log);
	if (settings->pcap)
		check_writable("--pcap", settings->pcap);
	check_outputs(settings);
	check_volumes(settings);
}
