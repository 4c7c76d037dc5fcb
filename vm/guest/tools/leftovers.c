// SPDX-License-Identifier: GPL-2.0
/*
 * leftovers: what a guest holds that it did not hold before.
 *
 *	leftovers --note FILE		notes what there is
 *	leftovers FILE [MODULE]		tells what there is beyond that, one line each: "kind: what"
 *
 * When nothing is left, MODULE is unloaded if it is there, and what is left after that
 * is told too: caches, threads and memory are a module's own until it goes.
 *
 * One run of one program, for it comes after each test and a shell needs many forks
 * for it. Leftovers are an answer (exit 0); trouble of its own is a line on stderr and
 * exit 1.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH_BYTES	600
#define TEXT_BYTES	256
/* More than any module of ours has. */
#define MODULE_TEXT_BYTES_MAX	0x100000
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
/* The same, much faster: see suites/fixtures/kmemleak-setup/. */
#define KMEMLEAK_QUIET	"/sys/kernel/debug/kmemleak_quiet"
#define PAGE_STACKS	"/sys/kernel/debug/page_owner_stacks/show_stacks"

struct set {
	char **lines;
	size_t count;
};

/* What is there now, and what was there when it was noted. */
static struct set found, noted;
/* Tasks of that time have lower numbers. */
static long noted_pid;
/* Where the code of the module was; 0 if it was not loaded. The note keeps it for the next look. */
static unsigned long module_text;
#define MODULE_TEXT_NOTE	"text of the module: "

static noreturn void fail(const char *what)
{
	fprintf(stderr, "leftovers: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void set_add(struct set *set, char *line)
{
	set->lines = reallocarray(set->lines, set->count + 1, sizeof(*set->lines));
	if (!line || !set->lines)
		fail("memory");
	set->lines[set->count++] = line;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Of a set that has been sorted. */
static bool set_has(const struct set *set, const char *line)
{
	return bsearch(&line, set->lines, set->count, sizeof(line), compare);
}

__attribute__((format(printf, 1, 2)))
static void note(const char *format, ...)
{
	va_list arguments;
	char *line;

	va_start(arguments, format);
	if (vasprintf(&line, format, arguments) < 0)
		fail("memory");
	va_end(arguments);
	set_add(&found, line);
}

/* Reads the first line of a small file; false when there is none. */
__attribute__((format(printf, 2, 3)))
static bool read_line(char text[TEXT_BYTES], const char *format, ...)
{
	char path[PATH_BYTES];
	va_list arguments;
	ssize_t got;
	int fd;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = read(fd, text, TEXT_BYTES - 1);
	close(fd);
	if (got < 0)
		return false;
	text[got] = 0;
	text[strcspn(text, "\n")] = 0;
	return true;
}

/* Calls @visit for each entry of @dir, if that is there. */
static void each_entry(const char *dir, void (*visit)(const char *dir, const char *name))
{
	struct dirent *entry;
	DIR *stream = opendir(dir);

	if (!stream)
		return;
	while ((entry = readdir(stream)))
		if (entry->d_name[0] != '.')
			visit(dir, entry->d_name);
	closedir(stream);
}

/* What somebody uses. */

static void note_holder(const char *dir, const char *name)
{
	note("holder: %s/%s", dir, name);
}

/*
 * Of disks and partitions alike. Loop devices stay when they are free; any other has a
 * reason to be there.
 */
static void note_device(const char *dir, const char *name)
{
	char path[PATH_BYTES], text[TEXT_BYTES];
	int fd;

	if (read_line(text, "%s/%s/loop/backing_file", dir, name))
		note("loop device: /dev/%s is %s", name, text);
	else if (read_line(text, "%s/%s/dm/name", dir, name))
		note("device-mapper device: %s", text);
	else if (strncmp(name, "loop", 4) && !read_line(text, "%s/%s/partition", dir, name))
		note("block device: %s", name);
	if (read_line(text, "%s/%s/filter", dir, name) && *text)
		note("filter: %s on %s", text, name);
	snprintf(path, sizeof(path), "%s/%s/holders", dir, name);
	each_entry(path, note_holder);

	/*
	 * Nothing in sysfs says that somebody has a device to himself. One without sectors
	 * is not opened: a stopped array that is about to go would be made anew by that.
	 */
	if (!read_line(text, "%s/%s/size", dir, name) || !strcmp(text, "0"))
		return;
	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	else if (errno == EBUSY)
		note("claimed device: %s", path);
}

static long names_below;

static void count_names(const char *dir);

static void count_name(const char *dir, const char *name)
{
	char path[PATH_BYTES];
	struct stat stat;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (lstat(path, &stat))
		return;
	names_below++;
	if (S_ISDIR(stat.st_mode))
		count_names(path);
}

static void count_names(const char *dir)
{
	each_entry(dir, count_name);
}

/*
 * A file without a name that the kernel has open shows in no list of open files. It
 * does in what its file system has handed out: a tmpfs counts an inode for each name,
 * and one for its root. File systems on devices need no such count: they cannot be
 * unmounted before the file is closed.
 */
static void note_nameless(const char *dir)
{
	struct statvfs usage;
	long nameless;

	if (statvfs(dir, &usage) || !usage.f_files)
		return;
	names_below = 1;
	count_names(dir);
	nameless = (long)(usage.f_files - usage.f_ffree) - names_below;
	if (nameless > 0)
		note("open file without a name: %ld on %s", nameless, dir);
}

static void note_mounts(void)
{
	FILE *table = setmntent("/proc/self/mounts", "r");
	struct mntent *mount;

	if (!table)
		fail("mounts");
	while ((mount = getmntent(table))) {
		note("mount: %s on %s", mount->mnt_fsname, mount->mnt_dir);
		if (!strcmp(mount->mnt_type, "tmpfs"))
			note_nameless(mount->mnt_dir);
	}
	endmntent(table);
}

/*
 * Of this module all references, for while it is loaded nobody but its users should
 * have any.
 */
static void note_references(const char *module)
{
	char text[TEXT_BYTES];

	if (read_line(text, "/sys/module/%s/refcnt", module) && strcmp(text, "0"))
		note("module reference: %s has %s", module, text);
}

/* What a module has to itself, and must have given back when it is gone. */

/*
 * A name with a colon is none, but what several merged caches have in common; a link
 * is a merged cache's own name, which the kernel leaves there when the cache goes.
 * Caches of guests are not merged, see base.config.
 */
static void note_cache(const char *dir, const char *name)
{
	char path[PATH_BYTES];
	struct stat stat;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (*name != ':' && !lstat(path, &stat) && S_ISDIR(stat.st_mode))
		note("slab cache: %s", name);
}

/*
 * Tasks of later than the note. A workqueue shows as the thread that rescues it
 * (kworker/R-NAME); the other kworkers are the kernel's and come and go.
 */
static void note_task(const char *dir, const char *name)
{
	char text[TEXT_BYTES];
	long pid = atol(name);

	if (pid <= noted_pid || pid == getpid() || !read_line(text, "%s/%s/comm", dir, name))
		return;
	if (strncmp(text, "kworker/", 8))
		note("task: %s", text);
	else if (!strncmp(text, "kworker/R-", 10))
		note("workqueue: %s", text + 10);
}

/* Of character and block devices, such as "252 device-mapper". */
static void note_device_numbers(void)
{
	FILE *devices = fopen("/proc/devices", "re");
	char line[TEXT_BYTES];
	char name[TEXT_BYTES];
	int major;

	while (devices && fgets(line, sizeof(line), devices))
		if (sscanf(line, "%d %255s", &major, name) == 2)
			note("device number: %d %s", major, name);
	if (devices)
		fclose(devices);
}

static long last_pid(void)
{
	char text[TEXT_BYTES];

	if (!read_line(text, "/proc/loadavg"))
		fail("/proc/loadavg");
	return atol(strrchr(text, ' '));
}

static void ask_kmemleak(const char *command)
{
	int fd = open(KMEMLEAK_QUIET, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		fd = open(KMEMLEAK, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, command, strlen(command)) < 0)
		fail(KMEMLEAK);
	close(fd);
}

/* Appends a call of a trace: "function+offset", or, of a module that is gone, the place in its code. */
static void add_call(char *leak, size_t size, const char *call)
{
	unsigned long address = strtoul(call, NULL, 0);
	size_t used = strlen(leak);

	if (!strncmp(call, "0x", 2) && module_text && address >= module_text &&
	    address - module_text < MODULE_TEXT_BYTES_MAX)
		snprintf(leak + used, size - used, " < .text+0x%lx", address - module_text);
	else
		snprintf(leak + used, size - used, " < %s", call);
}

/*
 * One line for each lost object: its size, and by what calls it was allocated. An object
 * counts as lost in a scan that does not find it and finds it unchanged since the one
 * before. Both come when the module has gone: until then its own data may point to it.
 */
static void note_leaks(void)
{
	char line[PATH_BYTES], leak[4 * PATH_BYTES] = "";
	bool is_trace = false;
	unsigned long size;
	FILE *report;
	char *call;

	report = fopen(KMEMLEAK, "re");
	while (report && fgets(line, sizeof(line), report)) {
		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, "unreferenced object %*s (size %lu):", &size) == 1) {
			if (*leak)
				note("%s", leak);
			snprintf(leak, sizeof(leak), "leak: %lu bytes", size);
		}
		/* "    function+offset [module]", older kernels with "[<address>] " before. */
		is_trace = is_trace ? !strncmp(line, "    ", 4) : !!strstr(line, " backtrace");
		if (!is_trace || strncmp(line, "    ", 4) || !*leak)
			continue;
		call = strstr(line, ">] ");
		add_call(leak, sizeof(leak), call ? call + 3 : line + 4);
	}
	if (*leak)
		note("%s", leak);
	if (report)
		fclose(report);
}

/* Calls between whoever wants pages and page_owner. */
static bool is_allocator(const char *call)
{
	static const char *const starts[] = {
		"save_stack", "__set_page_owner", "prep_new_page", "post_alloc_hook",
		"get_page_from_freelist", "__alloc_pages", "alloc_pages", "__get_free_pages",
		"get_free_pages", "get_zeroed_page", "folio_alloc", "__folio_alloc",
		"mempool_",
	};

	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		if (!strncmp(call, starts[i], strlen(starts[i])))
			return true;
	}
	return false;
}

/*
 * One line for each trace by which code that is gone has got pages that nobody has freed:
 * kmemleak knows nothing of pages. Its address has no name any more. Pages that the
 * kernel got on behalf of a module, for a cache of objects or of a file, are the kernel's.
 */
static void note_pages(void)
{
	char line[PATH_BYTES], trace[4 * PATH_BYTES] = "";
	bool has_caller = false, is_gone = false;
	FILE *stacks = fopen(PAGE_STACKS, "re");
	long pages;

	while (stacks && fgets(line, sizeof(line), stacks)) {
		line[strcspn(line, "\n")] = 0;
		if (*line == ' ') {
			if (!has_caller && !is_allocator(line + 1)) {
				has_caller = true;
				is_gone = !strncmp(line + 1, "0x", 2);
			}
			if (has_caller)
				add_call(trace, sizeof(trace), line + 1);
		} else if (sscanf(line, "nr_base_pages: %ld", &pages) == 1) {
			if (is_gone)
				note("pages: %ld%s", pages, trace);
			has_caller = is_gone = false;
			*trace = 0;
		}
	}
	if (stacks)
		fclose(stacks);
}

static void look_at_users(const char *module)
{
	each_entry("/sys/class/block", note_device);
	note_mounts();
	if (module)
		note_references(module);
}

static void look_at_remains(void)
{
	each_entry("/sys/kernel/slab", note_cache);
	each_entry("/proc", note_task);
	note_device_numbers();
}

/* Prints what is there and was not; returns how much that is. */
static size_t tell(void)
{
	size_t told = 0;

	for (size_t i = 0; i < found.count; i++) {
		if (set_has(&noted, found.lines[i]))
			continue;
		puts(found.lines[i]);
		told++;
	}
	found.count = 0;
	return told;
}

static void write_note(const char *path)
{
	FILE *out;

	/* The file itself is on a tmpfs that is counted. */
	out = fopen(path, "we");
	if (!out)
		fail(path);
	look_at_users(NULL);
	look_at_remains();
	note_pages();
	fprintf(out, "%ld\n", last_pid());
	for (size_t i = 0; i < found.count; i++)
		fprintf(out, "%s\n", found.lines[i]);
	if (fclose(out))
		fail(path);
}

static void read_note(const char *path)
{
	FILE *in = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t got;

	if (!in || getline(&line, &room, in) < 0)
		fail(path);
	noted_pid = atol(line);
	while ((got = getline(&line, &room, in)) > 0) {
		line[got - 1] = 0;
		if (sscanf(line, MODULE_TEXT_NOTE "%lx", &module_text) != 1)
			set_add(&noted, strdup(line));
	}
	qsort(noted.lines, noted.count, sizeof(*noted.lines), compare);
	free(line);
	fclose(in);
}

static void unload(const char *module, const char *note_path)
{
	char text[TEXT_BYTES];
	FILE *out;

	if (read_line(text, "/sys/module/%s/sections/.text", module)) {
		module_text = strtoul(text, NULL, 0);
		out = fopen(note_path, "ae");
		if (!out || fprintf(out, MODULE_TEXT_NOTE "%lx\n", module_text) < 0 || fclose(out))
			fail(note_path);
	}
	if (syscall(SYS_delete_module, module, O_NONBLOCK) && errno != ENOENT)
		note("module: %s cannot be unloaded: %s", module, strerrorname_np(errno));
}

int main(int argc, char **argv)
{
	const char *module = argc > 2 ? argv[2] : NULL;
	size_t told;

	if (argc == 3 && !strcmp(argv[1], "--note")) {
		write_note(argv[2]);
		/* What is lost by now, others have lost. */
		ask_kmemleak("scan");
		ask_kmemleak("scan");
		ask_kmemleak("clear");
		return 0;
	}
	if (argc < 2 || argc > 3) {
		fputs("leftovers: takes --note FILE, or FILE [MODULE]\n", stderr);
		return 2;
	}
	read_note(argv[1]);
	look_at_users(module);
	told = tell();
	if (told == 0 && module) {
		unload(module, argv[1]);
		told = tell();
	}
	if (told == 0) {
		/* They take seconds, in which goes what is on its way. */
		ask_kmemleak("scan");
		ask_kmemleak("scan");
		look_at_remains();
		note_leaks();
		note_pages();
		tell();
	}
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
