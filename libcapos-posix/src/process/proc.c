/* SPDX-License-Identifier: MIT */
/*
 * The paths of /proc: which of them exist, what kind they are of, and where links lead.  A process
 * sees those of its own world, as the process service lists them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <capos/clock.h>
#include <capos/format.h>
#include <capos/schema/process_client.h>

#include "core/core.h"
#include "file/file.h"
#include "process/proc.h"
#include "process/process.h"
#include "process/report.h"
#include "process/world.h"
#include "terminal/terminal.h"

#define LIST_BYTES  16384u
#define INODE_ROOT  1u
#define LINK_SIZE   64 /* of a descriptor's link, whatever it reads, as on Linux */
#define NAMES_OF(a) (sizeof(a) / sizeof((a)[0]))

static const char *const machine_files[] = {"cpuinfo", "filesystems", "loadavg", "meminfo",
                                            "stat",    "uptime",      "version"};
static const char *const ipc_files[] = {"sysvipc/msg", "sysvipc/sem", "sysvipc/shm"};
#define IPC_DIRECTORY "sysvipc"
static const char *const net_files[] = {"net/icmp", "net/raw", "net/raw6", "net/route", "net/tcp",
                                        "net/tcp6", "net/udp", "net/udp6", "net/unix"};
#define NET_DIRECTORY "net"
static const char *const process_files[] = {"cmdline", "comm", "limits", "maps",
                                            "mounts",  "stat", "status", "statm"};
static const char *const process_links[] = {"cwd", "exe", "root"};

static bool is_among(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(names[i], name))
			return true;
	}
	return false;
}
#define IS_AMONG(name, names) is_among(name, names, NAMES_OF(names))

static uint32_t number_of(const char *text, const char **end)
{
	uint32_t number = 0;

	for (*end = text; **end >= '0' && **end <= '9' && number < 100000000; ++*end)
		number = number * 10 + (uint32_t)(**end - '0');
	return number;
}

/* A name of a directory may have slashes behind it. */
static void trim(struct proc_path *p)
{
	size_t length = strlen(p->name);

	if (!length || p->name[length - 1] != '/' || length >= sizeof(p->trimmed))
		return;
	memcpy(p->trimmed, p->name, length + 1);
	while (length && p->trimmed[length - 1] == '/')
		p->trimmed[--length] = 0;
	p->name = p->trimmed;
}

bool proc_parse(const char *path, struct proc_path *out)
{
	const char *end, *after;

	if (strncmp(path, "/proc", 5) || (path[5] && path[5] != '/'))
		return false;
	path += 5;
	while (*path == '/')
		path++;
	*out = (struct proc_path){.name = path};
	out->of_self = !strncmp(path, "self", 4) && (!path[4] || path[4] == '/');
	if (out->of_self) {
		out->number = (uint32_t)process_id();
		end = path + 4;
	} else {
		out->number = *path == '0' ? 0 : number_of(path, &end);
		if (!out->number) {
			trim(out);
			return true;
		}
		if (*end && *end != '/') {
			out->number = 0;
			return true;
		}
	}
	while (*end == '/')
		end++;
	/* Of its threads only the first is known to others; it has the process's files. */
	if (!strncmp(end, "task/", 5) && number_of(end + 5, &after) == out->number &&
	    (!*after || *after == '/')) {
		while (*after == '/')
			after++;
		end = after;
	}
	out->name = end;
	trim(out);
	return true;
}

bool proc_is_own_image(const char *path)
{
	struct proc_path p;

	return proc_parse(path, &p) && p.number == process_id() && !strcmp(p.name, "exe");
}

/* ---- What the service says ---- */

/* Visits all from that number on until visit returns other than 0; that result, or 0. */
static int each_process(uint32_t from, proc_visit *visit, void *context)
{
	void *buffer = pages_map(LIST_BYTES);
	int result = buffer ? 0 : -ENOMEM;

	while (!result && world_exists()) {
		const struct process_member_list_params params = {.from = from};
		struct process_member_list_results results;
		struct capos_call call = {.buffer = buffer, .size = LIST_BYTES};
		struct process_info p;

		do {
			result = process_member_list(world_member(), &params, &results, &call);
		} while (world_again(result));
		result = errno_of(result);
		for (uint32_t i = 0; !result && i < results.processes.count; i++) {
			result = process_info_get(&results.processes, i, &p) ? -EIO
			                                                     : visit(&p, context);
		}
		from = results.next;
		if (!result && !from)
			break;
	}
	if (buffer)
		pages_unmap(buffer, LIST_BYTES);
	return result;
}

int proc_each(proc_visit *visit, void *context)
{
	return each_process(0, visit, context);
}

struct finding {
	uint32_t number;
	struct process_info *out;
	char *name;
};

static int is_found(const struct process_info *p, void *context)
{
	struct finding *f = context;

	if (p->number != f->number)
		return -ENOENT;
	*f->out = *p;
	strncpy(f->name, p->name.ptr, 15);
	f->out->name = (struct msg_text){.ptr = f->name, .len = (uint32_t)strlen(f->name)};
	return 1;
}

int proc_find(uint32_t number, struct process_info *out, char name[16])
{
	struct finding f = {.number = number, .out = out, .name = name};
	int result;

	memset(name, 0, 16);
	result = each_process(number, is_found, &f);
	return result == 1 ? 0 : result ? result : -ENOENT;
}

void proc_load(struct proc_load *out)
{
	_Alignas(8) uint8_t buffer[WORLD_MESSAGE];
	struct capos_call call = {.buffer = buffer, .size = sizeof(buffer)};
	struct process_member_load_results r;

	*out = (struct proc_load){.processes = 1};
	if (!world_exists() || process_member_load(world_member(), &r, &call))
		return;
	*out = (struct proc_load){.average = {r.one, r.five, r.fifteen},
	                          .processes = r.processes,
	                          .last_number = r.last_number,
	                          .cpu_ns = r.cpu_ns};
}

void proc_memory(uint64_t *total, uint64_t *unused)
{
	const struct capos_clock_page *clock = (const struct capos_clock_page *)CAPOS_CLOCK_ADDR;
	struct cap_process process = {.memory_pages = 0};

	(void)cap_process_status(&process); /* without it nothing is in use */
	*total = clock->memory_pages;
	if (process.memory_limit_pages && process.memory_limit_pages < *total)
		*total = process.memory_limit_pages;
	*unused = process.memory_pages < *total ? *total - process.memory_pages : 0;
}

/* ---- Directories ---- */

static unsigned long inode_of(uint32_t number, size_t index)
{
	return (unsigned long)number * 64 + index + 2;
}

/* Its place in the list; n: it is not in it. */
static size_t place_in(const char *name, const char *const *names, size_t n)
{
	size_t i = 0;

	while (i < n && strcmp(name, names[i]))
		i++;
	return i;
}

static unsigned long inode_below(uint32_t number, const char *name)
{
	size_t i = place_in(name, process_files, NAMES_OF(process_files));
	const char *end;

	if (i < NAMES_OF(process_files))
		return inode_of(number, i + 1);
	i = place_in(name, process_links, NAMES_OF(process_links));
	if (i < NAMES_OF(process_links))
		return inode_of(number, i + 16);
	if (!strcmp(name, "fd"))
		return inode_of(number, 32);
	return inode_of(number, strncmp(name, "fd/", 3) ? 0 : 33 + number_of(name + 3, &end));
}

static unsigned long inode_of_machine(const char *name)
{
	size_t i = place_in(name, machine_files, NAMES_OF(machine_files));

	if (!*name)
		return INODE_ROOT;
	if (i < NAMES_OF(machine_files))
		return inode_of(0, i);
	if (!strncmp(name, IPC_DIRECTORY, strlen(IPC_DIRECTORY)))
		i = strcmp(name, IPC_DIRECTORY)
		            ? 35 + place_in(name, ipc_files, NAMES_OF(ipc_files))
		            : 34;
	else if (!strncmp(name, NET_DIRECTORY, strlen(NET_DIRECTORY)))
		i = strcmp(name, NET_DIRECTORY)
		            ? 41 + place_in(name, net_files, NAMES_OF(net_files))
		            : 40;
	else
		i = 32; /* the link "mounts" */
	return inode_of(0, i);
}

/* As the directories list them. */
static unsigned long inode_of_path(const struct proc_path *p, bool follow)
{
	if (p->of_self && !*p->name && !follow)
		return inode_of(0, 33);
	if (!p->number && follow && !strcmp(p->name, "mounts"))
		return inode_below((uint32_t)process_id(), p->name);
	return p->number ? inode_below(p->number, p->name) : inode_of_machine(p->name);
}

static int list_process(const struct process_info *p, void *text)
{
	char name[16];

	fmt_snprintf(name, sizeof(name), "%u", p->number);
	made_entry(text, DT_DIR, inode_of(p->number, 0), name);
	return 0;
}

static int list_machine(struct made_text *text)
{
	made_entry(text, DT_DIR, INODE_ROOT, ".");
	made_entry(text, DT_DIR, INODE_ROOT, "..");
	for (size_t i = 0; i < NAMES_OF(machine_files); i++)
		made_entry(text, DT_REG, inode_of(0, i), machine_files[i]);
	made_entry(text, DT_DIR, inode_of(0, 34), IPC_DIRECTORY);
	made_entry(text, DT_DIR, inode_of(0, 40), NET_DIRECTORY);
	made_entry(text, DT_LNK, inode_of(0, 32), "mounts");
	made_entry(text, DT_LNK, inode_of(0, 33), "self");
	return each_process(0, list_process, text);
}

/* A directory of the machine's files: their names have its own and a slash in front. */
static int list_below(const char *directory, size_t index, const char *const *files, size_t n,
                      struct made_text *text)
{
	made_entry(text, DT_DIR, inode_of(0, index), ".");
	made_entry(text, DT_DIR, INODE_ROOT, "..");
	for (size_t i = 0; i < n; i++)
		made_entry(text, DT_REG, inode_of(0, index + 1 + i),
		           files[i] + strlen(directory) + 1);
	return 0;
}

static int list_files_of(uint32_t number, struct made_text *text)
{
	made_entry(text, DT_DIR, inode_of(number, 0), ".");
	made_entry(text, DT_DIR, INODE_ROOT, "..");
	for (size_t i = 0; i < NAMES_OF(process_files); i++)
		made_entry(text, DT_REG, inode_of(number, i + 1), process_files[i]);
	for (size_t i = 0; i < NAMES_OF(process_links); i++)
		made_entry(text, DT_LNK, inode_of(number, i + 16), process_links[i]);
	made_entry(text, DT_DIR, inode_of(number, 32), "fd");
	made_entry(text, DT_DIR, inode_of(number, 0), "task");
	return 0;
}

static int list_threads(uint32_t number, struct made_text *text)
{
	char name[16];

	fmt_snprintf(name, sizeof(name), "%u", number);
	made_entry(text, DT_DIR, inode_of(number, 0), ".");
	made_entry(text, DT_DIR, inode_of(number, 0), "..");
	made_entry(text, DT_DIR, inode_of(number, 0), name);
	return 0;
}

static int list_descriptor(int fd, struct file *f, bool close_on_exec, void *text)
{
	char name[16];

	(void)f, (void)close_on_exec;
	fmt_snprintf(name, sizeof(name), "%d", fd);
	made_entry(text, DT_LNK, inode_of((uint32_t)process_id(), 33 + (size_t)fd), name);
	return 0;
}

/* A descriptor as a report names it: its digits; NULL: the record is of something else. */
static const char *descriptor_record(const char *name)
{
	return strncmp(name, "fd/", 3) || !name[3] || name[3 + strspn(name + 3, "0123456789")]
	               ? NULL
	               : name + 3;
}

struct listing {
	struct made_text *text;
	uint32_t number;
};

static int list_record(const char *name, const char *target, void *context)
{
	const struct listing *l = context;
	const char *digits = descriptor_record(name), *end;

	(void)target;
	if (digits)
		made_entry(l->text, DT_LNK, inode_of(l->number, 33 + number_of(digits, &end)),
		           digits);
	return 0;
}

/* Of another process: as that process itself says. */
static int list_descriptors(uint32_t number, struct made_text *text)
{
	struct listing l = {.text = text, .number = number};

	made_entry(text, DT_DIR, inode_of(number, 32), ".");
	made_entry(text, DT_DIR, inode_of(number, 0), "..");
	return number == process_id() ? fd_each(list_descriptor, text)
	                              : report_get(number, list_record, &l);
}

/* ---- Links ---- */

static long copy_link(const char *target, char *out, size_t size)
{
	size_t length = strlen(target);

	memcpy(out, target, length < size ? length : size);
	return (long)length;
}

static struct file *descriptor_of(const char *digits)
{
	const char *end;
	int fd = (int)number_of(digits, &end);

	return *end || end == digits ? NULL : fd_file(fd);
}

static long own_link(const char *name, char *target, size_t size)
{
	char path[PATH_BYTES] = "";

	if (descriptor_record(name)) {
		struct file *f = descriptor_of(descriptor_record(name));

		if (!f)
			return -ENOENT;
		report_descriptor(f, path, sizeof(path));
	} else if (!strcmp(name, "exe")) {
		report_image(path);
	} else {
		report_directory(path);
	}
	return path[0] ? copy_link(path, target, size) : -ENOENT;
}

struct asked {
	const char *name;
	char *target;
	size_t size;
	long length;
};

static int find_record(const char *name, const char *target, void *context)
{
	struct asked *a = context;

	if (strcmp(name, a->name))
		return 0;
	a->length = copy_link(target, a->target, a->size);
	return 1;
}

static long link_of_process(const struct proc_path *p, char *target, size_t size)
{
	struct asked a = {.name = p->name, .target = target, .size = size};
	int result;

	if (!descriptor_record(p->name) && !IS_AMONG(p->name, process_links))
		return 0;
	if (!strcmp(p->name, "root"))
		return copy_link("/", target, size);
	if (p->number == process_id())
		return own_link(p->name, target, size);
	result = report_get(p->number, find_record, &a);
	if (result < 0)
		return result;
	return a.length ? a.length : -ENOENT;
}

static long proc_read_link(const char *path, char *target, size_t size)
{
	struct process_info info;
	struct proc_path p;
	char name[16];

	if (!proc_parse(path, &p))
		return 0;
	if (p.of_self && !*p.name) {
		fmt_snprintf(name, sizeof(name), "%u", p.number);
		return copy_link(name, target, size);
	}
	if (!p.number)
		return strcmp(p.name, "mounts") ? 0 : copy_link("self/mounts", target, size);
	if (p.number != process_id() && proc_find(p.number, &info, name))
		return -ENOENT;
	return link_of_process(&p, target, size);
}

/* ---- What a path is ---- */

/* It says how the descriptor is open; of another process's that is not known. */
static mode_t mode_of_descriptor(const struct proc_path *p)
{
	static const mode_t modes[] = {0500, 0300, 0700, 0};
	const struct file *f;

	if (p->number != process_id())
		return S_IFLNK | 0700;
	f = descriptor_of(descriptor_record(p->name));
	if (!f)
		return 1;
	return S_IFLNK | (f->flags & O_PATH ? 0 : modes[f->flags & O_ACCMODE]);
}

/* "cwd", "root", or what is behind one or behind a descriptor. */
static bool is_directory_link(const char *name)
{
	const size_t length = !strncmp(name, "cwd", 3) ? 3 : !strncmp(name, "root", 4) ? 4 : 0;

	if (!strncmp(name, "fd/", 3))
		return name[3 + strspn(name + 3, "0123456789")] == '/';
	return length && (!name[length] || name[length] == '/');
}

/* Its mode; 0: there is none; 1: it may be a file that others put there. */
static mode_t mode_of(const struct proc_path *p, bool follow)
{
	if (!p->number) {
		if (!*p->name || !strcmp(p->name, IPC_DIRECTORY) || !strcmp(p->name, NET_DIRECTORY))
			return S_IFDIR | 0555;
		if (IS_AMONG(p->name, ipc_files) || IS_AMONG(p->name, net_files))
			return S_IFREG | 0444;
		if (!strcmp(p->name, "mounts"))
			return follow ? S_IFREG | 0444 : S_IFLNK | 0777;
		return IS_AMONG(p->name, machine_files) ? S_IFREG | 0444 : 1;
	}
	if (!*p->name)
		return p->of_self && !follow ? S_IFLNK | 0777 : S_IFDIR | 0555;
	if (!strcmp(p->name, "fd"))
		return S_IFDIR | 0500;
	if (!strcmp(p->name, "task"))
		return S_IFDIR | 0555;
	if (descriptor_record(p->name))
		return mode_of_descriptor(p);
	if (IS_AMONG(p->name, process_files))
		return S_IFREG | 0444;
	if (IS_AMONG(p->name, process_links))
		return S_IFLNK | 0777;
	return 1;
}

/* Follows a link that leads out of /proc: 1: it is none; else as stat. */
static int stat_target(const char *path, const struct proc_path *p, struct stat *st)
{
	char target[PATH_BYTES];
	long length;

	if (!IS_AMONG(p->name, process_links) && !descriptor_record(p->name))
		return 1;
	length = proc_read_link(path, target, sizeof(target) - 1);
	if (length <= 0)
		return length ? (int)length : 1;
	target[length] = 0;
	return path_root() ? path_stat(path_root(), target, true, st) : -EACCES;
}

static int proc_stat(const char *path, bool follow, struct stat *st)
{
	struct process_info info = {.number = 0};
	struct proc_path p;
	char name[16];
	mode_t mode;
	int result;

	if (!proc_parse(path, &p))
		return 1;
	info.effective_user = process_identity()->user.effective;
	info.effective_group = process_identity()->group.effective;
	if (p.number && p.number != process_id() && proc_find(p.number, &info, name))
		return -ENOENT;
	mode = mode_of(&p, follow);
	if (mode == 1)
		return 1;
	if (p.number && follow) {
		result = stat_target(path, &p, st);
		if (result <= 0)
			return result;
	}
	*st = (struct stat){.st_ino = inode_of_path(&p, follow),
	                    .st_nlink = S_ISDIR(mode) ? 2 : 1,
	                    .st_mode = mode,
	                    .st_size = descriptor_record(p.name) ? LINK_SIZE : 0,
	                    .st_uid = p.number ? info.effective_user : 0,
	                    .st_gid = p.number ? info.effective_group : 0,
	                    .st_blksize = FILES_BLOCKSIZE,
	                    .st_atim = boot_time(),
	                    .st_mtim = boot_time(),
	                    .st_ctim = boot_time()};
	return 0;
}

/* ---- Opening ---- */

static int make_of_process(const struct proc_path *p, bool *directory, struct made_text *text)
{
	struct process_info info;
	char name[16];
	int result = proc_find(p->number, &info, name);

	if (result)
		return result;
	*directory = !*p->name || !strcmp(p->name, "fd") || !strcmp(p->name, "task");
	if (!*p->name)
		return list_files_of(p->number, text);
	if (!strcmp(p->name, "task"))
		return list_threads(p->number, text);
	if (*directory)
		return list_descriptors(p->number, text);
	return proc_file_of_process(&info, p->name, text);
}

/* ---- /dev/pts ---- */

static void list_terminal(uint32_t number, void *text)
{
	char name[16];

	fmt_snprintf(name, sizeof(name), "%u", number);
	made_entry(text, DT_CHR, 16 + number, name);
}

/* The directory is one of the files service, which has nothing in it.  1: another path. */
static int list_terminals(const char *path, int flags, struct file **out)
{
	struct made_text text = {.bytes = NULL};
	struct stat st;
	int result;

	if (strncmp(path, "/dev/pts", 8) || strspn(path + 8, "/") != strlen(path + 8))
		return 1;
	made_entry(&text, DT_DIR, INODE_ROOT, ".");
	made_entry(&text, DT_DIR, INODE_ROOT, "..");
	made_entry(&text, DT_CHR, 3, "ptmx");
	terminal_each(list_terminal, &text);
	result = stat_at(AT_FDCWD, path, 0, &st);
	if (!result)
		return made_open(&text, &st, flags, out);
	made_drop(&text);
	return result;
}

static int proc_open(const char *path, int flags, struct file **out)
{
	struct made_text text = {.bytes = NULL};
	char target[PATH_BYTES];
	struct proc_path p;
	struct stat st;
	bool directory = false;
	int result;

	if (!proc_parse(path, &p))
		return list_terminals(path, flags, out);
	if (p.number == process_id() && is_directory_link(p.name))
		return 1; /* path_base goes through it */
	if (p.number && (IS_AMONG(p.name, process_links) || descriptor_record(p.name))) {
		long length = proc_read_link(path, target, sizeof(target) - 1);

		if (length < 0)
			return (int)length;
		target[length] = 0;
		/* What another process has open and has no name is not to be had by a path. */
		return *target == '/' ? file_open_path(target, flags, out) : -ENXIO;
	}
	flags &= ~O_TRUNC;
	if (p.number) {
		result = make_of_process(&p, &directory, &text);
	} else if (!*p.name) {
		directory = true;
		result = list_machine(&text);
	} else if (!strcmp(p.name, IPC_DIRECTORY)) {
		directory = true;
		result = list_below(IPC_DIRECTORY, 34, ipc_files, NAMES_OF(ipc_files), &text);
	} else if (!strcmp(p.name, NET_DIRECTORY)) {
		directory = true;
		result = list_below(NET_DIRECTORY, 40, net_files, NAMES_OF(net_files), &text);
	} else if (IS_AMONG(p.name, net_files)) {
		result = proc_net(p.name, &text);
	} else if (!strcmp(p.name, "mounts")) {
		p.number = (uint32_t)process_id();
		result = make_of_process(&p, &directory, &text);
	} else {
		result = proc_file_of_machine(p.name, &text);
	}
	if (!result)
		result = proc_stat(path, true, &st);
	if (result) {
		made_drop(&text);
		return result < 0 ? result : -ENOENT;
	}
	if (flags & O_DIRECTORY && !directory)
		text.error = -ENOTDIR;
	return made_open(&text, &st, flags, out);
}

void proc_start(void)
{
	static const struct made_files files = {
	        .open = proc_open, .stat = proc_stat, .read_link = proc_read_link};

	made_set_files(&files);
}
