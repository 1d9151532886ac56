/* SPDX-License-Identifier: MIT */
/*
 * The files of /etc by which programs know users, services and protocols, and time zones.
 */
#include <arpa/inet.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "posix_tap.h"

static void users(void)
{
	struct passwd *user = getpwuid(getuid());
	struct group *group;

	ok(user && strcmp(user->pw_name, "root") == 0 && strcmp(user->pw_dir, "/root") == 0 &&
	           access(user->pw_shell, X_OK) == 0,
	   "this user has a name, a home and a shell");
	user = getpwnam("nobody");
	ok(user && user->pw_uid == 65534, "nobody is a user");
	group = user ? getgrgid(user->pw_gid) : NULL;
	ok(group && strcmp(group->gr_name, "nogroup") == 0, "with a group");
	group = getgrnam("tty");
	ok(group && group->gr_gid == 5, "tty is a group");
	ok(!getpwnam("no such user") && !getgrnam("no such group"), "others are unknown");
}

static void services(void)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
	struct servent *service = getservbyname("http", "tcp");
	struct protoent *protocol;

	ok(service && service->s_port == htons(80), "a service has a port");
	service = getservbyname("domain", "udp");
	ok(service && service->s_port == htons(53), "for each protocol");
	service = getservbyname("www", "tcp");
	ok(service && service->s_port == htons(80), "and other names");
	service = getservbyport(htons(443), "tcp");
	ok(service && strcmp(service->s_name, "https") == 0, "a port has a service");
	ok(!getservbyname("no-such-service", "tcp"), "others are unknown");
	ok(getaddrinfo(NULL, "https", &hints, &found) == 0 &&
	           ((struct sockaddr_in *)found->ai_addr)->sin_port == htons(443),
	   "getaddrinfo knows services");
	protocol = getprotobyname("udp");
	ok(protocol && protocol->p_proto == 17, "a protocol has a number");
	protocol = getprotobynumber(58);
	ok(protocol && strcmp(protocol->p_name, "ipv6-icmp") == 0, "a number has a protocol");
}

/* The hour of a second of July in that zone; posix_databases is also run with zones of the host. */
static int hour_in(const char *zone)
{
	time_t second = 1720000800; /* 2024-07-03 10:00:00 UTC */

	setenv("TZ", zone, 1);
	tzset();
	return localtime(&second)->tm_hour;
}

static void zones(int from_host)
{
	ok(hour_in("UTC0") == 10, "a time zone in POSIX's notation");
	ok(hour_in("CET-1CEST,M3.5.0,M10.5.0/3") == 12, "with summer time");
	if (!from_host)
		return;
	ok(hour_in("Europe/Berlin") == 12, "a time zone by its name");
	ok(hour_in("America/New_York") == 6, "another");
}

int main(int argc, char **argv)
{
	users();
	services();
	zones(argc > 1 && strcmp(argv[1], "zones") == 0);
	return tap_finish();
}
