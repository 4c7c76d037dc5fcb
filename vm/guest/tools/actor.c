// SPDX-License-Identifier: GPL-2.0
/*
 * actor: does what the explorer's steps say (suites/explorer/), a line each on
 * stdin, so that a step costs no process. Nothing stays open between lines but
 * the snapshots' names.
 *
 * An answer is "ERRNO RESULT BYTES\n" and so many bytes behind it. Places and
 * counts are sectors; a sum is XXH32 of a sector.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/blk-filter.h>
#include <linux/blkpg.h>
#include <linux/blksnap.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "sector.h"
#include "xxh32.h"

#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))
#define ALIGNMENT	4096
#define SLOTS		16
#define WORDS_MAX	128
#define THREADS_MAX	16
#define MAP_MAX		(1U << 20)
/* A write or read that ended early without an error. */
#define E_SHORT		9999
#define TMPFS_FOLDER	"/tmp/actor-tmpfs"
#define REFERENCES	"/sys/module/blksnap/refcnt"
#define POLL_US		2000
#define POLLS_MAX	5000

/* The answer in the making. */
struct answer {
	int error;
	long result;
	unsigned char *bytes;
	size_t nr_bytes;
};

static struct blksnap_uuid slots[SLOTS];
static char line[65536];

static int fail(struct answer *answer)
{
	answer->error = errno;
	return -1;
}

/* @nr more bytes of the answer. */
static unsigned char *more(struct answer *answer, size_t nr)
{
	unsigned char *at;

	answer->bytes = realloc(answer->bytes, answer->nr_bytes + nr + 1);
	if (!answer->bytes)
		abort();
	at = answer->bytes + answer->nr_bytes;
	memset(at, 0, nr);
	answer->nr_bytes += nr;
	return at;
}

static void *aligned(size_t nr)
{
	void *data = aligned_alloc(ALIGNMENT, (nr + ALIGNMENT) &
					      ~(size_t)(ALIGNMENT - 1));

	if (!data)
		abort();
	return data;
}

static unsigned long long number(const char *word)
{
	return strtoull(word, NULL, 0);
}

static struct blksnap_uuid *slot_of(const char *word)
{
	return &slots[number(word) % SLOTS];
}

/* Opens, calls, closes. */
static int call(struct answer *answer, const char *path, unsigned long cmd,
		void *argument)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return fail(answer);
	ret = ioctl(fd, cmd, argument);
	if (ret < 0)
		fail(answer);
	else
		answer->result = ret;
	close(fd);
	return ret;
}

static int ctl(struct answer *answer, const char *path, unsigned int cmd,
	       void *option, size_t len)
{
	struct blkfilter_ctl argument = {
		.name = BLKSNAP_FILTER, .cmd = cmd, .optlen = len,
		.opt = (uintptr_t)option,
	};

	return call(answer, path, BLKFILTER_CTL, &argument);
}

/* Data. */

/* write PATH DEVICE FROM COUNT VERSION direct|buffered */
static void do_write(char **words, struct answer *answer)
{
	bool direct = !strcmp(words[5], "direct");
	unsigned long long from = number(words[2]), count = number(words[3]);
	int fd = open(words[0], O_WRONLY | O_CLOEXEC | (direct ? O_DIRECT : 0));
	struct sector *data;
	ssize_t ret;

	if (fd < 0) {
		fail(answer);
		return;
	}
	data = aligned(count * SECTOR_SIZE);
	for (unsigned long long i = 0; i < count; i++)
		sector_make(&data[i], number(words[1]), from + i,
			    number(words[4]));
	ret = pwrite(fd, data, count * SECTOR_SIZE, from * SECTOR_SIZE);
	if (ret < 0)
		fail(answer);
	else if ((unsigned long long)ret != count * SECTOR_SIZE)
		answer->error = E_SHORT;
	else if (!direct && fsync(fd))
		fail(answer);
	free(data);
	close(fd);
}

/* sums PATH FROM COUNT direct|buffered; a COUNT of 0 is up to the end */
static void do_sums(char **words, struct answer *answer)
{
	bool direct = !strcmp(words[3], "direct");
	unsigned long long from = number(words[1]), count = number(words[2]);
	int fd = open(words[0], O_RDONLY | O_CLOEXEC | (direct ? O_DIRECT : 0));
	__u64 size = 0;
	struct sector *data;
	ssize_t ret;

	if (fd < 0) {
		fail(answer);
		return;
	}
	if (!count) {
		if (ioctl(fd, BLKGETSIZE64, &size)) {
			fail(answer);
			close(fd);
			return;
		}
		count = size / SECTOR_SIZE - from;
	}
	data = aligned(count * SECTOR_SIZE);
	ret = pread(fd, data, count * SECTOR_SIZE, from * SECTOR_SIZE);
	if (ret < 0) {
		fail(answer);
	} else if ((unsigned long long)ret != count * SECTOR_SIZE) {
		answer->error = E_SHORT;
	} else {
		unsigned char *sums = more(answer, count * sizeof(__u32));

		for (unsigned long long i = 0; i < count; i++) {
			__u32 sum = xxh32((void *)&data[i], SECTOR_WORDS);

			memcpy(sums + i * sizeof(sum), &sum, sizeof(sum));
		}
	}
	free(data);
	close(fd);
}

static void erase(char **words, struct answer *answer, unsigned long cmd)
{
	__u64 range[2] = { number(words[1]) * SECTOR_SIZE,
			   number(words[2]) * SECTOR_SIZE };
	int fd = open(words[0], O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		fail(answer);
		return;
	}
	if (ioctl(fd, cmd, range))
		fail(answer);
	close(fd);
}

/* zero PATH FROM COUNT */
static void do_zero(char **words, struct answer *answer)
{
	erase(words, answer, BLKZEROOUT);
}

/* discard PATH FROM COUNT */
static void do_discard(char **words, struct answer *answer)
{
	erase(words, answer, BLKDISCARD);
}

struct job {
	char **words;
	struct answer answer;
	pthread_t thread;
	pthread_barrier_t *start;
};

static void *run_job(void *arg)
{
	struct job *job = arg;

	pthread_barrier_wait(job->start);
	if (!strcmp(job->words[0], "write"))
		do_write(job->words + 1, &job->answer);
	else
		do_sums(job->words + 1, &job->answer);
	return NULL;
}

/*
 * threads / write ... / sums ... : all at once. The bytes are each thread's
 * error and number of sums, and then its sums.
 */
static void do_threads(char **words, struct answer *answer)
{
	struct job jobs[THREADS_MAX] = {};
	pthread_barrier_t start;
	unsigned int nr = 0;

	for (; *words; words++)
		if (!strcmp(*words, "/") && words[1] && nr < THREADS_MAX)
			jobs[nr++].words = words + 1;
	pthread_barrier_init(&start, NULL, nr);
	for (unsigned int i = 0; i < nr; i++) {
		jobs[i].start = &start;
		if (pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]))
			abort();
	}
	for (unsigned int i = 0; i < nr; i++) {
		struct answer *one = &jobs[i].answer;
		__u32 head[2] = { one->error, one->nr_bytes / sizeof(__u32) };
		unsigned char *at;

		pthread_join(jobs[i].thread, NULL);
		head[0] = one->error;
		head[1] = one->nr_bytes / sizeof(__u32);
		at = more(answer, sizeof(head) + one->nr_bytes);
		memcpy(at, head, sizeof(head));
		if (one->nr_bytes)
			memcpy(at + sizeof(head), one->bytes, one->nr_bytes);
		free(one->bytes);
	}
	pthread_barrier_destroy(&start);
}

/* The filter and its map. */

/* attach PATH */
static void do_attach(char **words, struct answer *answer)
{
	struct blkfilter_name name = { .name = BLKSNAP_FILTER };

	call(answer, words[0], BLKFILTER_ATTACH, &name);
}

/* detach PATH */
static void do_detach(char **words, struct answer *answer)
{
	struct blkfilter_name name = { .name = BLKSNAP_FILTER };

	call(answer, words[0], BLKFILTER_DETACH, &name);
}

/* map PATH OFFSET LENGTH: the bytes read */
static void do_map(char **words, struct answer *answer)
{
	struct blksnap_cbtmap piece = {
		.offset = number(words[1]), .length = number(words[2]),
	};
	size_t room = piece.length < MAP_MAX ? piece.length : MAP_MAX;
	unsigned char *map = calloc(1, room + 1);
	int ret;

	piece.buffer = (uintptr_t)map;
	ret = ctl(answer, words[0], blkfilter_ctl_blksnap_cbtmap, &piece,
		  sizeof(piece));
	if (ret > 0)
		memcpy(more(answer, ret), map, ret);
	free(map);
}

/*
 * look PATH: error and struct blksnap_cbtinfo, error and struct
 * blksnap_snapshotinfo, error and the whole map.
 */
static void do_look(char **words, struct answer *answer)
{
	struct blksnap_cbtinfo info = {};
	struct blksnap_snapshotinfo part = {};
	struct blksnap_cbtmap piece = { .length = MAP_MAX };
	struct answer one = {};
	__u32 error;
	unsigned char *map;
	int ret;

	ctl(&one, words[0], blkfilter_ctl_blksnap_cbtinfo, &info, sizeof(info));
	error = one.error;
	memcpy(more(answer, sizeof(error)), &error, sizeof(error));
	memcpy(more(answer, sizeof(info)), &info, sizeof(info));

	one = (struct answer){};
	ctl(&one, words[0], blkfilter_ctl_blksnap_snapshotinfo, &part,
	    sizeof(part));
	error = one.error;
	memcpy(more(answer, sizeof(error)), &error, sizeof(error));
	memcpy(more(answer, sizeof(part)), &part, sizeof(part));

	one = (struct answer){};
	map = calloc(1, MAP_MAX);
	piece.buffer = (uintptr_t)map;
	ret = ctl(&one, words[0], blkfilter_ctl_blksnap_cbtmap, &piece,
		  sizeof(piece));
	error = one.error;
	memcpy(more(answer, sizeof(error)), &error, sizeof(error));
	if (ret > 0)
		memcpy(more(answer, ret), map, ret);
	free(map);
}

/* mark PATH FROM COUNT ... */
static void do_mark(char **words, struct answer *answer)
{
	struct blksnap_sectors ranges[WORDS_MAX];
	struct blksnap_cbtdirty dirty = {
		.dirty_sectors = (uintptr_t)ranges,
	};

	for (char **at = words + 1; at[0] && at[1]; at += 2)
		ranges[dirty.count++] = (struct blksnap_sectors){
			.offset = number(at[0]), .count = number(at[1]),
		};
	ctl(answer, words[0], blkfilter_ctl_blksnap_cbtdirty, &dirty,
	    sizeof(dirty));
}

/* Snapshots. */

static int open_storage(const char *kind, const char *where,
			struct answer *answer)
{
	int flags = O_RDWR | O_EXCL | O_CLOEXEC;
	char options[64];
	int fd;

	if (!strcmp(kind, "tmpfs")) {
		mkdir(TMPFS_FOLDER, 0700);
		snprintf(options, sizeof(options), "size=%sk", where);
		if (mount("actor", TMPFS_FOLDER, "tmpfs", 0, options))
			return fail(answer);
		fd = open(TMPFS_FOLDER, flags | O_TMPFILE, 0600);
		/* It is there as long as its file is. */
		umount2(TMPFS_FOLDER, MNT_DETACH);
	} else if (!strcmp(kind, "ext4")) {
		fd = open(where, flags | O_TMPFILE, 0600);
	} else {
		fd = open(where, flags);
	}
	return fd < 0 ? fail(answer) : fd;
}

/* create SLOT LIMIT block|tmpfs|ext4 PATH|KIB|FOLDER */
static void do_create(char **words, struct answer *answer)
{
	struct blksnap_snapshot_create create = {
		.diff_storage_limit_sect = number(words[1]),
	};
	int fd = open_storage(words[2], words[3], answer);

	if (fd < 0)
		return;
	create.diff_storage_fd = fd;
	if (!call(answer, BLKSNAP_CTL_PATH, IOCTL_BLKSNAP_SNAPSHOT_CREATE,
		  &create))
		memcpy(slot_of(words[0])->b, create.id, sizeof(create.id));
	close(fd);
}

/* add SLOT PATH */
static void do_add(char **words, struct answer *answer)
{
	struct blksnap_snapshotadd add;

	memcpy(add.id, slot_of(words[0])->b, sizeof(add.id));
	ctl(answer, words[1], blkfilter_ctl_blksnap_snapshotadd, &add,
	    sizeof(add));
}

/* take SLOT */
static void do_take(char **words, struct answer *answer)
{
	call(answer, BLKSNAP_CTL_PATH, IOCTL_BLKSNAP_SNAPSHOT_TAKE,
	     slot_of(words[0]));
}

/* destroy SLOT */
static void do_destroy(char **words, struct answer *answer)
{
	call(answer, BLKSNAP_CTL_PATH, IOCTL_BLKSNAP_SNAPSHOT_DESTROY,
	     slot_of(words[0]));
}

/* collect ROOM: the number, and each one's slot or 255 */
static void do_collect(char **words, struct answer *answer)
{
	struct blksnap_uuid ids[SLOTS] = {};
	struct blksnap_snapshot_collect collect = {
		.count = number(words[0]) % SLOTS, .ids = (uintptr_t)ids,
	};

	call(answer, BLKSNAP_CTL_PATH, IOCTL_BLKSNAP_SNAPSHOT_COLLECT,
	     &collect);
	answer->result = collect.count;
	for (__u32 i = 0; !answer->error && i < collect.count; i++) {
		unsigned char *slot = more(answer, 1);

		for (*slot = 0; *slot < SLOTS; ++*slot)
			if (!memcmp(&slots[*slot], &ids[i], sizeof(ids[i])))
				break;
	}
}

/* event SLOT: major, minor, error, code, and nanoseconds since the epoch */
static void do_event(char **words, struct answer *answer)
{
	struct blksnap_snapshot_event event = {};
	struct blksnap_event_corrupted corrupted;
	__s32 found[4];

	memcpy(event.id, slot_of(words[0])->b, sizeof(event.id));
	if (call(answer, BLKSNAP_CTL_PATH, IOCTL_BLKSNAP_SNAPSHOT_WAIT_EVENT,
		 &event) < 0)
		return;
	memcpy(&corrupted, event.data, sizeof(corrupted));
	found[0] = corrupted.dev_id_mj;
	found[1] = corrupted.dev_id_mn;
	found[2] = corrupted.err_code;
	found[3] = event.code;
	memcpy(more(answer, sizeof(found)), found, sizeof(found));
}

/* The machine. */

/* numbers PATH: major and minor */
static void do_numbers(char **words, struct answer *answer)
{
	struct stat status;
	__u32 found[2];

	if (stat(words[0], &status)) {
		fail(answer);
		return;
	}
	found[0] = major(status.st_rdev);
	found[1] = minor(status.st_rdev);
	memcpy(more(answer, sizeof(found)), found, sizeof(found));
}

/* part DISK add|del|resize FROM COUNT: the first partition */
static void do_part(char **words, struct answer *answer)
{
	struct blkpg_partition part = {
		.start = number(words[2]) * SECTOR_SIZE,
		.length = number(words[3]) * SECTOR_SIZE, .pno = 1,
	};
	struct blkpg_ioctl_arg argument = {
		.op = !strcmp(words[1], "add") ? BLKPG_ADD_PARTITION :
		      !strcmp(words[1], "del") ? BLKPG_DEL_PARTITION :
						 BLKPG_RESIZE_PARTITION,
		.datalen = sizeof(part), .data = &part,
	};

	call(answer, words[0], BLKPG, &argument);
}

/* load FILE PARAMETER=VALUE ... */
static void do_load(char **words, struct answer *answer)
{
	int fd = open(words[0], O_RDONLY | O_CLOEXEC);
	char parameters[512] = "";

	if (fd < 0) {
		fail(answer);
		return;
	}
	for (char **at = words + 1; *at; at++) {
		strncat(parameters, *at, 100);
		strcat(parameters, " ");
	}
	if (syscall(SYS_finit_module, fd, parameters, 0))
		fail(answer);
	close(fd);
}

static long references(void)
{
	FILE *file = fopen(REFERENCES, "re");
	long nr = -1;

	if (file) {
		if (fscanf(file, "%ld", &nr) != 1)
			nr = -1;
		fclose(file);
	}
	return nr;
}

/*
 * unload wait|now: a filter whose device has gone lets go of the module in its
 * own time, which is waited for
 */
static void do_unload(char **words, struct answer *answer)
{
	if (!strcmp(words[0], "wait"))
		for (int i = 0; i < POLLS_MAX && references() > 0; i++)
			usleep(POLL_US);
	if (syscall(SYS_delete_module, "blksnap", O_NONBLOCK))
		fail(answer);
}

/* forget: the names of all snapshots */
static void do_forget(char **words, struct answer *answer)
{
	(void)words;
	(void)answer;
	memset(slots, 0, sizeof(slots));
}

static const struct {
	const char *name;
	int nr_words;
	void (*run)(char **words, struct answer *answer);
} commands[] = {
	{ "write", 6, do_write },	{ "sums", 4, do_sums },
	{ "zero", 3, do_zero },		{ "discard", 3, do_discard },
	{ "threads", 1, do_threads },	{ "attach", 1, do_attach },
	{ "detach", 1, do_detach },	{ "map", 3, do_map },
	{ "look", 1, do_look },		{ "mark", 1, do_mark },
	{ "create", 4, do_create },	{ "add", 2, do_add },
	{ "take", 1, do_take },		{ "destroy", 1, do_destroy },
	{ "collect", 1, do_collect },	{ "event", 1, do_event },
	{ "numbers", 1, do_numbers },	{ "part", 4, do_part },
	{ "load", 1, do_load },		{ "unload", 1, do_unload },
	{ "forget", 0, do_forget },
};

static bool run_line(char **words, int nr_words)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		struct answer answer = {};

		if (strcmp(words[0], commands[i].name) ||
		    nr_words - 1 < commands[i].nr_words)
			continue;
		commands[i].run(words + 1, &answer);
		printf("%d %ld %zu\n", answer.error, answer.result,
		       answer.nr_bytes);
		if (answer.nr_bytes)
			fwrite(answer.bytes, 1, answer.nr_bytes, stdout);
		fflush(stdout);
		free(answer.bytes);
		return true;
	}
	return false;
}

int main(void)
{
	while (fgets(line, sizeof(line), stdin)) {
		char *words[WORDS_MAX + 1] = {};
		int nr = 0;

		for (char *word = strtok(line, " \n"); word && nr < WORDS_MAX;
		     word = strtok(NULL, " \n"))
			words[nr++] = word;
		if (nr && !run_line(words, nr)) {
			fprintf(stderr, "actor: no such step: %s\n", words[0]);
			return 2;
		}
	}
	return 0;
}
