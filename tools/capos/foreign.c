/* SPDX-License-Identifier: MIT */
/*
 * Options that tools for containers and emulators have and capos has not: what to use instead.
 */
#include "tools/capos/foreign.h"

#include <string.h>

#define BACKGROUND "the machine ends with this command: run the command in the background (&)"
#define PUBLISH    "use --publish HOSTPORT:GUESTPORT"
#define MOUNT      "use --volume HOST:GUEST for a directory, and --file HOST:GUEST for a copy"
#define PROCESSORS "a machine has one processor"
#define RIGHTS     "user 0 has no rights but the program's: --allow names those to the network"
#define USER       "a program starts as user 0; `chpst -u USER PROGRAM` runs one as another user"
#define SILENT     "capos writes nothing but errors unless --verbose is given: leave it out"

static const struct {
	const char *name;
	char letter; /* '\0': none */
	const char *instead;
} foreign_options[] = {
        {"detach", 'd', BACKGROUND},
        {"daemonize", 0, BACKGROUND},
        {"network", 0, "use --net for the network card, and --allow for the program's rights"},
        {"port", 0, PUBLISH},
        {"expose", 0, PUBLISH},
        {"mount", 0, MOUNT},
        {"tmpfs", 0, "all files are in the machine's memory, and all directories are writable"},
        {"cpus", 0, PROCESSORS},
        {"smp", 0, PROCESSORS},
        {"user", 'u', USER},
        {"privileged", 0, RIGHTS},
        {"cap-add", 0, RIGHTS},
        {"cap-drop", 0, RIGHTS},
        {"entrypoint", 0, "name the program after the options: capos run -- PROGRAM [ARG...]"},
        {"quiet", 'q', SILENT},
};

const char *foreign_option(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(foreign_options) / sizeof(foreign_options[0]); i++) {
		if (strlen(foreign_options[i].name) == length &&
		    memcmp(foreign_options[i].name, name, length) == 0)
			return foreign_options[i].instead;
	}
	return NULL;
}

const char *foreign_letter(char letter)
{
	for (size_t i = 0; i < sizeof(foreign_options) / sizeof(foreign_options[0]); i++) {
		if (letter != '\0' && foreign_options[i].letter == letter)
			return foreign_options[i].instead;
	}
	return NULL;
}
