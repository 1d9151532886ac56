/* SPDX-License-Identifier: MIT */
/*
 * Data of this machine that programs expect of any system and the image does not carry, put
 * into the guest where they look for it. It is an option and not in the image, since it takes
 * more memory than it is worth to most: the time zones 5 MiB, the certificates 0.2 MiB.
 */
#include "tools/capos/hostdata.h"

#include <unistd.h>

/* Of the paths, the first that exists on this machine becomes `guest`. */
static const char *put_first(struct settings *s, const char *const *paths, const char *guest,
                             const char *missing)
{
	if (s->nfiles == LIST_MAX)
		return "there are too many files";
	for (; *paths; paths++) {
		if (access(*paths, R_OK) != 0)
			continue;
		s->files[s->nfiles++] =
		        (struct host_file){.host_path = *paths, .guest_path = guest};
		return NULL;
	}
	return missing;
}

const char *set_zoneinfo(struct settings *s, const char *value)
{
	static const char *const paths[] = {"/usr/share/zoneinfo", NULL};

	(void)value;
	return put_first(s, paths, "/usr/share/zoneinfo",
	                 "this machine has no /usr/share/zoneinfo (package tzdata)");
}

const char *set_certificates(struct settings *s, const char *value)
{
	/* Of Debian, Fedora and Alpine. */
	static const char *const paths[] = {"/etc/ssl/certs/ca-certificates.crt",
	                                    "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
	                                    NULL};

	(void)value;
	return put_first(s, paths, "/etc/ssl/certs/ca-certificates.crt",
	                 "this machine has no certificates (package ca-certificates)");
}
