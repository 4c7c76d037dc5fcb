// SPDX-License-Identifier: GPL-2.0
/*
 * blkio: what tests do to block devices in a guest, one operation a run.
 *
 * Offsets and lengths are in bytes, decimal or 0x. A path "fd:N" is the open
 * descriptor N. A failed call is a JSON line on stderr and exit 1, wrong usage
 * is text on stderr and exit 2.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/aio_abi.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <linux/types.h>
#include <scsi/sg.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "sector.h"
#include "xxh32.h"

#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))

#define EXIT_FAILED	1
#define EXIT_USAGE	2

/* Bytes of a read, and of a write of fill. */
#define PIECE_SIZE	0x100000U
/* Bytes of a write at most; more data is several writes. */
#define WRITE_SIZE	0x1000000U
/* For O_DIRECT on any device. */
#define ALIGNMENT	4096
/* I/Os and vectors of aio at most. */
#define AIO_MAX		512
#define AIO_VECTORS	1024
/* Bytes of a huge page. */
#define HUGE_SIZE	0x200000UL
/* Bytes of a write of pair. */
#define PAIR_SIZE	4096
/*
 * Where ioctl has its buffer, so that the buffer may hold pointers into
 * itself. What follows its last page is not mapped.
 */
#define IOCTL_ADDRESS	0x100000000000UL
/* The same for a 32-bit caller, above where the kernel may put the heap, at random. */
#define COMPAT_ADDRESS	0x70000000UL
#define IOCTL_FILLER	0xAA

/* Options of all commands; each command names those that it takes. */
struct options {
	bool direct, sync, dsync, nowait, rdonly, write, excl, compat, protect;
	bool catch, huge;
	bool has_device, has_version, has_pointer, has_count, has_vector;
	bool has_fail_nth, has_offset;
	__u64 device, version, pointer, count, vector, fail_nth, offset;
};

/**
 * struct command - one subcommand
 *
 * @name: First word.
 * @arguments: What follows it, for the help.
 * @options: Letters of the options it takes, see long_options.
 * @min: Words that follow it, at least.
 * @max: Words at most.
 * @run: Does it; returns the exit status.
 */
struct command {
	const char *name;
	const char *arguments;
	const char *options;
	int min;
	int max;
	int (*run)(char **words, int count, const struct options *options);
};

/* Helpers that end the program. */

static noreturn void usage(const char *format, ...)
{
	va_list arguments;

	fputs("blkio: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("; see --help\n", stderr);
	exit(EXIT_USAGE);
}

static void put_string(FILE *out, const char *text)
{
	if (!text) {
		fputs("null", out);
		return;
	}
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

/* Reports errno of @call, which was about @subject. */
static noreturn void fail(const char *call, const char *subject)
{
	int number = errno;
	char message[512];

	snprintf(message, sizeof(message), "%s %s: %s", call, subject,
		 strerror(number));
	fflush(stdout);
	fputs("{\"error\":", stderr);
	put_string(stderr, strerrorname_np(number));
	fprintf(stderr, ",\"errno\":%d,\"call\":", number);
	put_string(stderr, call);
	fputs(",\"message\":", stderr);
	put_string(stderr, message);
	fputs("}\n", stderr);
	exit(EXIT_FAILED);
}

static __u64 parse_number(const char *text)
{
	bool is_hex = text[0] == '0' && (text[1] | 0x20) == 'x';
	const char *digits = is_hex ? text + 2 : text;
	__u64 number;
	char *end;

	errno = 0;
	number = strtoull(digits, &end, is_hex ? 16 : 10);
	/* strtoull() would take blanks and signs as well. */
	if (!isxdigit((unsigned char)*digits) || *end || errno)
		usage("%s is no number", text);
	return number;
}

static __u64 parse_sectors(const char *text)
{
	__u64 bytes = parse_number(text);

	if (bytes % SECTOR_SIZE)
		usage("%s is no multiple of %d", text, SECTOR_SIZE);
	return bytes;
}

static int open_path(const char *path, int flags, const struct options *options)
{
	int fd;

	if (!strncmp(path, "fd:", 3))
		return parse_number(path + 3);
	if (options->direct)
		flags |= O_DIRECT;
	if (options->sync)
		flags |= O_SYNC;
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		fail("open", path);
	return fd;
}

static void *allocate(size_t size)
{
	void *buffer;

	errno = posix_memalign(&buffer, ALIGNMENT, size);
	if (errno)
		fail("posix_memalign", "buffer");
	return buffer;
}

/* Memory for the data of an I/O, of huge pages if @options say so. */
static void *allocate_io(size_t size, const struct options *options)
{
	void *buffer;

	if (!options->huge)
		return allocate(size);
	size = (size + HUGE_SIZE - 1) / HUGE_SIZE * HUGE_SIZE;
	buffer = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (buffer == MAP_FAILED)
		fail("mmap", "huge pages");
	return buffer;
}

static void put_bytes(const void *data, size_t length)
{
	if (fwrite(data, 1, length, stdout) != length)
		fail("write", "stdout");
}

/* Reads all of it. The end of the device within it is a failure, ENODATA. */
static void read_piece(int fd, const char *path, __u8 *buffer, size_t length,
		       __u64 offset)
{
	size_t done = 0;

	while (done < length) {
		ssize_t ret = pread(fd, buffer + done, length - done,
				    offset + done);

		if (!ret)
			errno = ENODATA;
		if (ret <= 0)
			fail("pread", path);
		done += ret;
	}
}

static void write_piece(int fd, const char *path, const __u8 *data,
			size_t length, __u64 offset, int flags)
{
	while (length) {
		struct iovec vector = {
			.iov_base = (void *)data,
			.iov_len = length,
		};
		ssize_t ret = pwritev2(fd, &vector, 1, offset, flags);

		if (!ret)
			errno = ENOSPC;
		if (ret <= 0)
			fail(flags ? "pwritev2" : "pwrite", path);
		data += ret;
		offset += ret;
		length -= ret;
	}
}

/*
 * Makes what may fail in the kernel fail for the Nth time in this task, which
 * fault injection must be there for; nothing if @nth is 0.
 * Return: the number that was left.
 */
static __u64 set_fail_nth(__u64 nth)
{
	static const char path[] = "/proc/thread-self/fail-nth";
	char text[24] = "";
	static int fd = -1;
	ssize_t length;
	__u64 left;

	if (fd < 0)
		fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail("open", path);
	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		fail("read", path);
	left = strtoull(text, NULL, 10);
	/* Nothing but this call between here and the one that is to fail. */
	length = snprintf(text, sizeof(text), "%llu", nth);
	if (write(fd, text, length) != length)
		fail("write", path);
	return left;
}

static void fault_begin(const struct options *options)
{
	if (!options->has_fail_nth)
		return;
	set_fail_nth(0);
	set_fail_nth(options->fail_nth);
}

/* Ends what fault_begin() began; the answer has @ret, or errno if that is negative, and goes on. */
static void fault_end(const struct options *options, long ret)
{
	int number = ret < 0 ? errno : 0;
	bool injected = options->has_fail_nth && !set_fail_nth(0) &&
			options->fail_nth;

	printf("{\"ret\":%ld,\"errno\":%d,\"error\":", ret, number);
	put_string(stdout, number ? strerrorname_np(number) : NULL);
	printf(",\"injected\":%s", injected ? "true" : "false");
}

static void ignore_signal(int number)
{
	(void)number;
}

/* SIGTERM interrupts the call, and the program goes on. */
static void catch_signals(const struct options *options)
{
	const struct sigaction action = { .sa_handler = ignore_signal };

	if (options->catch && sigaction(SIGTERM, &action, NULL))
		fail("sigaction", "SIGTERM");
}

/* Reading. */

/* One call, which may fail, and a sum over what it has read. */
static int read_once(int fd, __u8 *buffer, size_t length, __u64 offset,
		     const struct options *options)
{
	ssize_t ret;

	if (length > PIECE_SIZE || length % SECTOR_SIZE)
		usage("this is read in one piece of whole sectors");
	memset(buffer, 0x55, length);
	catch_signals(options);
	fault_begin(options);
	ret = pread(fd, buffer, length, offset);
	fault_end(options, ret);
	printf(",\"sum\":%u}\n",
	       ret > 0 ? xxh32((__u32 *)buffer, ret / sizeof(__u32)) : 0);
	return 0;
}

static int run_read(char **words, int count, const struct options *options)
{
	__u64 offset = parse_number(words[1]);
	__u64 left = parse_number(words[2]);
	int fd = open_path(words[0], O_RDONLY, options);
	size_t room = options->huge ? HUGE_SIZE : PIECE_SIZE;
	__u8 *buffer = allocate_io(room, options);

	(void)count;
	if (options->has_fail_nth || options->catch)
		return read_once(fd, buffer, left, offset, options);
	while (left) {
		size_t length = left < room ? left : room;

		read_piece(fd, words[0], buffer, length, offset);
		put_bytes(buffer, length);
		offset += length;
		left -= length;
	}
	return 0;
}

static __u64 size_of(int fd, const char *path)
{
	off_t size = lseek(fd, 0, SEEK_END);

	if (size < 0)
		fail("lseek", path);
	if (size % SECTOR_SIZE) {
		errno = EINVAL;
		fail("size", path);
	}
	return size;
}

static int run_sums(char **words, int count, const struct options *options)
{
	static __u32 sums[PIECE_SIZE / SECTOR_SIZE];
	__u64 offset = 0;
	__u64 left = 0;
	__u32 *buffer = allocate(PIECE_SIZE);
	int fd;

	if (count == 2)
		usage("sums takes OFF and LEN, or neither");
	if (count == 3) {
		offset = parse_sectors(words[1]);
		left = parse_sectors(words[2]);
	}
	fd = open_path(words[0], O_RDONLY, options);
	if (count == 1)
		left = size_of(fd, words[0]);
	while (left) {
		size_t length = left < PIECE_SIZE ? left : PIECE_SIZE;
		size_t sectors = length / SECTOR_SIZE;

		read_piece(fd, words[0], (__u8 *)buffer, length, offset);
		for (size_t i = 0; i < sectors; i++)
			sums[i] = xxh32(buffer + i * SECTOR_WORDS,
					SECTOR_WORDS);
		put_bytes(sums, sectors * sizeof(sums[0]));
		offset += length;
		left -= length;
	}
	return 0;
}

static int run_size(char **words, int count, const struct options *options)
{
	int fd = open_path(words[0], O_RDONLY, options);
	unsigned int physical;
	__u64 bytes;
	int logical;

	(void)count;
	if (ioctl(fd, BLKGETSIZE64, &bytes))
		fail("BLKGETSIZE64", words[0]);
	if (ioctl(fd, BLKSSZGET, &logical))
		fail("BLKSSZGET", words[0]);
	if (ioctl(fd, BLKPBSZGET, &physical))
		fail("BLKPBSZGET", words[0]);
	printf("{\"bytes\":%llu,\"logical\":%d,\"physical\":%u}\n", bytes,
	       logical, physical);
	return 0;
}

/* Writing. */

/* Return: bytes in @buffer, less than @room only at the end of stdin. */
static size_t read_stdin(__u8 *buffer, size_t room)
{
	size_t done = 0;

	while (done < room) {
		ssize_t ret = read(STDIN_FILENO, buffer + done, room - done);

		if (ret < 0)
			fail("read", "stdin");
		if (!ret)
			break;
		done += ret;
	}
	return done;
}

/* One call, which may fail. */
static int write_once(int fd, __u8 *buffer, size_t room, __u64 offset,
		      int flags, const struct options *options)
{
	struct iovec vector = {
		.iov_base = buffer,
		.iov_len = read_stdin(buffer, room),
	};
	ssize_t ret;

	catch_signals(options);
	fault_begin(options);
	ret = pwritev2(fd, &vector, 1, offset, flags);
	fault_end(options, ret);
	puts("}");
	return 0;
}

static int run_write(char **words, int count, const struct options *options)
{
	__u64 offset = parse_number(words[1]);
	int fd = open_path(words[0], O_WRONLY, options);
	int flags = options->nowait ? RWF_NOWAIT : 0;
	size_t room = options->huge ? HUGE_SIZE : WRITE_SIZE;
	__u8 *buffer = allocate_io(room, options);
	size_t length;

	(void)count;
	if (options->has_fail_nth || options->catch)
		return write_once(fd, buffer, room, offset, flags,
				  options);
	do {
		length = read_stdin(buffer, room);
		write_piece(fd, words[0], buffer, length, offset, flags);
		offset += length;
	} while (length == room);
	return 0;
}

static int run_fill(char **words, int count, const struct options *options)
{
	__u64 offset = parse_sectors(words[1]);
	__u64 left = parse_sectors(words[2]);
	struct sector *sectors = allocate(PIECE_SIZE);
	int fd;

	(void)count;
	if (!options->has_device || !options->has_version)
		usage("fill needs --device and --version");
	if (options->device > UINT32_MAX)
		usage("--device has 32 bits");
	fd = open_path(words[0], O_WRONLY, options);
	while (left) {
		size_t length = left < PIECE_SIZE ? left : PIECE_SIZE;

		for (size_t i = 0; i < length / SECTOR_SIZE; i++)
			sector_make(&sectors[i], options->device,
				    offset / SECTOR_SIZE + i, options->version);
		write_piece(fd, words[0], (__u8 *)sectors, length, offset, 0);
		offset += length;
		left -= length;
	}
	return 0;
}

static int range_call(char **words, const struct options *options,
		      unsigned long request, const char *call)
{
	__u64 range[2] = { parse_number(words[1]), parse_number(words[2]) };

	if (ioctl(open_path(words[0], O_WRONLY, options), request, range))
		fail(call, words[0]);
	return 0;
}

static int run_discard(char **words, int count, const struct options *options)
{
	(void)count;
	return range_call(words, options, BLKDISCARD, "BLKDISCARD");
}

static int run_zeroout(char **words, int count, const struct options *options)
{
	(void)count;
	return range_call(words, options, BLKZEROOUT, "BLKZEROOUT");
}

static int run_secdiscard(char **words, int count,
			  const struct options *options)
{
	(void)count;
	return range_call(words, options, BLKSECDISCARD, "BLKSECDISCARD");
}

static int run_flush(char **words, int count, const struct options *options)
{
	(void)count;
	if (fsync(open_path(words[0], O_RDONLY, options)))
		fail("fsync", words[0]);
	return 0;
}

/*
 * The I/O that @text asks for, such as w4096+512=238 or r0+512. Its memory is
 * one piece, or vectors of @options->vector bytes, each in pages of its own and
 * behind a sector that is not part of it.
 */
static void aio_prepare(const char *text, const struct options *options,
			int fd, struct iocb *iocb)
{
	char op = text[0], end[2] = "";
	unsigned long long offset, length, byte = 0;
	size_t size, room, lead, nr = 0;
	struct iovec *vectors;
	__u8 *memory;

	if (op == 'w' && sscanf(text, "w%llu+%llu=%llu%1s", &offset, &length,
				&byte, end) != 3)
		usage("%s is not wOFF+LEN=BYTE", text);
	if (op == 'r' && sscanf(text, "r%llu+%llu%1s", &offset, &length,
				end) != 2)
		usage("%s is not rOFF+LEN", text);
	if ((op != 'w' && op != 'r') || !length)
		usage("%s is no I/O", text);

	size = options->has_vector ? options->vector : length;
	lead = options->has_vector ? SECTOR_SIZE : 0;
	if (!size || (length + size - 1) / size > AIO_VECTORS)
		usage("%s has too many vectors", text);
	room = (lead + size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	vectors = allocate(AIO_VECTORS * sizeof(*vectors));
	memory = allocate_io((length + size - 1) / size * room, options);
	memset(memory, 0x55, (length + size - 1) / size * room);
	for (; length; nr++) {
		size_t part = length < size ? length : size;

		vectors[nr].iov_base = memset(memory + nr * room + lead,
					      byte, part);
		vectors[nr].iov_len = part;
		length -= part;
	}

	iocb->aio_lio_opcode = op == 'w' ? IOCB_CMD_PWRITEV : IOCB_CMD_PREADV;
	iocb->aio_fildes = fd;
	iocb->aio_offset = offset;
	iocb->aio_buf = (unsigned long)vectors;
	iocb->aio_nbytes = nr;
	if (op == 'w')
		iocb->aio_rw_flags = (options->sync ? RWF_SYNC : 0) |
				     (options->dsync ? RWF_DSYNC : 0) |
				     (options->nowait ? RWF_NOWAIT : 0);
}

static void put_event(const struct io_event *event)
{
	printf("{\"index\":%llu,", event->data);
	if (event->res < 0) {
		fputs("\"error\":", stdout);
		put_string(stdout, strerrorname_np(-event->res));
	} else {
		printf("\"bytes\":%lld", event->res);
	}
	puts("}");
	if (fflush(stdout))
		fail("write", "stdout");
}

/*
 * Says when all are submitted: from then on the kernel alone decides when they
 * get on. What they come to is in the lines that follow, as it happens.
 */
static int run_aio(char **words, int count, const struct options *options)
{
	const struct options direct = { .direct = true };
	struct iocb iocbs[AIO_MAX] = { };
	struct iocb *list[AIO_MAX];
	aio_context_t context = 0;
	struct io_event event;
	int nr = count - 1;
	int fd = open_path(words[0], O_RDWR, &direct);

	for (int i = 0; i < nr; i++) {
		aio_prepare(words[i + 1], options, fd, &iocbs[i]);
		iocbs[i].aio_data = i;
		list[i] = &iocbs[i];
	}
	if (syscall(SYS_io_setup, AIO_MAX, &context))
		fail("io_setup", words[0]);
	for (int done = 0; done < nr;) {
		long ret = syscall(SYS_io_submit, context, (long)nr - done,
				   list + done);

		if (ret <= 0)
			fail("io_submit", words[0]);
		done += ret;
	}
	printf("{\"submitted\":%d}\n", nr);
	if (fflush(stdout))
		fail("write", "stdout");
	while (nr--) {
		if (syscall(SYS_io_getevents, context, 1L, 1L, &event, NULL) != 1)
			fail("io_getevents", words[0]);
		put_event(&event);
	}
	return 0;
}

/* WRITE(10) of stdin, up to 64 KiB, which no bio of the device carries. */
static int run_sgwrite(char **words, int count, const struct options *options)
{
	__u64 sector = parse_sectors(words[1]) / SECTOR_SIZE;
	int fd = open_path(words[0], O_RDWR, options);
	__u8 *data = allocate(0x10000);
	size_t length = read_stdin(data, 0x10000);
	__u8 command[10] = {
		[0] = 0x2a,
		[2] = sector >> 24, [3] = sector >> 16,
		[4] = sector >> 8, [5] = sector,
		[7] = length / SECTOR_SIZE >> 8, [8] = length / SECTOR_SIZE,
	};
	struct sg_io_hdr header = {
		.interface_id = 'S',
		.dxfer_direction = SG_DXFER_TO_DEV,
		.cmdp = command,
		.cmd_len = sizeof(command),
		.dxferp = data,
		.dxfer_len = length,
		.timeout = 30000,
	};

	(void)count;
	if (ioctl(fd, SG_IO, &header))
		fail("SG_IO", words[0]);
	if (header.info & SG_INFO_CHECK) {
		errno = EIO;
		fail("WRITE(10)", words[0]);
	}
	return 0;
}

static void write_number(int fd, const char *path, __u64 offset, __u8 *block,
			 __u64 number)
{
	for (size_t at = 0; at < PAIR_SIZE; at += SECTOR_SIZE)
		memcpy(block + at, &number, sizeof(number));
	write_piece(fd, path, block, PAIR_SIZE, offset, 0);
}

/*
 * SIGTERM is blocked and asked for between the pairs, so that no write is
 * interrupted and the last number is on both.
 */
static int run_pair(char **words, int count, const struct options *options)
{
	const struct options direct = { .direct = true };
	const struct timespec no_time = { };
	__u64 offset_a = parse_number(words[1]);
	__u64 offset_b = parse_number(words[3]);
	__u8 *block = allocate(PAIR_SIZE);
	__u64 last = 0;
	sigset_t ends;
	int a, b;

	(void)count;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	memset(block, 0, PAIR_SIZE);
	a = open_path(words[0], O_WRONLY, &direct);
	b = open_path(words[2], O_WRONLY, &direct);
	while (!options->has_count || last < options->count) {
		if (sigtimedwait(&ends, NULL, &no_time) > 0)
			break;
		write_number(a, words[0], offset_a, block, last + 1);
		write_number(b, words[2], offset_b, block, last + 1);
		last++;
	}
	printf("{\"last\":%llu}\n", last);
	return 0;
}

/* Everything else. */

static size_t parse_hex(const char *text, __u8 *bytes)
{
	size_t length = strlen(text);

	if (length % 2 || strspn(text, "0123456789abcdefABCDEF") != length)
		usage("%s is no string of hexadecimal bytes", text);
	for (size_t i = 0; i < length / 2; i++) {
		const char digits[3] = { text[2 * i], text[2 * i + 1] };

		bytes[i] = strtoul(digits, NULL, 16);
	}
	return length / 2;
}

static __u8 *map_ioctl_buffer(size_t size, bool is_compat)
{
	unsigned long address = is_compat ? COMPAT_ADDRESS : IOCTL_ADDRESS;
	void *buffer = mmap((void *)address, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			    -1, 0);

	if (buffer == MAP_FAILED)
		fail("mmap", "buffer");
	return buffer;
}

/* As a 32-bit program calls it. Return: 0 or more, or -1 and errno. */
static int compat_ioctl(int fd, __u32 request, __u32 argument)
{
#ifdef __x86_64__
	int ret;

	/* 54 is ioctl in the table of 32-bit calls. */
	asm volatile("int $0x80" : "=a"(ret)
		     : "a"(54), "b"(fd), "c"(request), "d"(argument)
		     : "memory", "r8", "r9", "r10", "r11");
	if (ret >= 0 || ret < -4095)
		return ret;
	errno = -ret;
#else
	(void)fd;
	(void)request;
	(void)argument;
	errno = ENOSYS;
#endif
	return -1;
}

static int run_ioctl(char **words, int count, const struct options *options)
{
	__u64 request = parse_number(words[1]);
	const char *hex = count > 2 ? words[2] : "";
	size_t size = _IOC_SIZE(request);
	unsigned long argument;
	__u8 *buffer = NULL;
	int fd, ret;

	if (request > UINT32_MAX)
		usage("CMD has 32 bits");
	if (options->has_pointer) {
		if (count > 2)
			usage("ioctl takes HEX or --ptr");
		size = 0;
		argument = options->pointer;
	} else {
		if (size < strlen(hex) / 2)
			size = strlen(hex) / 2;
		buffer = map_ioctl_buffer(size ? size : 1, options->compat);
		memset(buffer, IOCTL_FILLER, size);
		parse_hex(hex, buffer);
		argument = (unsigned long)buffer + options->offset;
	}
	if (options->protect && buffer && mprotect(buffer, size, PROT_READ))
		fail("mprotect", "buffer");
	fd = open_path(words[0], options->rdonly ? O_RDONLY : O_RDWR, options);

	catch_signals(options);
	fault_begin(options);
	ret = options->compat ? compat_ioctl(fd, request, argument) :
				ioctl(fd, request, argument);
	fault_end(options, ret);
	fputs(",\"out\":\"", stdout);
	for (size_t i = 0; i < size; i++)
		printf("%02x", buffer[i]);
	puts("\"}");
	return 0;
}

static int run_hold(char **words, int count, const struct options *options)
{
	int flags = options->write ? O_RDWR : O_RDONLY;
	__u8 ignored[256];

	(void)count;
	open_path(words[0], flags | (options->excl ? O_EXCL : 0), options);
	puts("{\"open\":true}");
	if (fflush(stdout))
		fail("write", "stdout");
	while (read_stdin(ignored, sizeof(ignored)))
		;
	return 0;
}

static int run_open(char **words, int count, const struct options *options)
{
	int flags = (options->write ? O_RDWR : O_RDONLY) | O_CLOEXEC;
	int fd;

	(void)count;
	if (options->excl)
		flags |= O_EXCL;
	fault_begin(options);
	fd = open(words[0], flags);
	fault_end(options, fd < 0 ? -1 : 0);
	puts("}");
	return 0;
}

static int run_load(char **words, int count, const struct options *options)
{
	int fd = open_path(words[0], O_RDONLY, options);
	long ret;

	fault_begin(options);
	ret = syscall(SYS_finit_module, fd, count > 1 ? words[1] : "", 0);
	fault_end(options, ret);
	puts("}");
	return 0;
}

static int partition_call(char **words, int count,
			  const struct options *options, int operation,
			  const char *call)
{
	__u64 number = parse_number(words[1]);
	struct blkpg_partition partition = { .pno = number };
	struct blkpg_ioctl_arg argument = {
		.op = operation,
		.datalen = sizeof(partition),
		.data = &partition,
	};

	if (number > INT32_MAX)
		usage("%s is no number of a partition", words[1]);
	if (count > 2) {
		partition.start = parse_number(words[2]);
		partition.length = parse_number(words[3]);
	}
	if (ioctl(open_path(words[0], O_RDONLY, options), BLKPG, &argument))
		fail(call, words[0]);
	return 0;
}

static int run_addpart(char **words, int count, const struct options *options)
{
	return partition_call(words, count, options, BLKPG_ADD_PARTITION,
			      "BLKPG_ADD_PARTITION");
}

static int run_delpart(char **words, int count, const struct options *options)
{
	return partition_call(words, count, options, BLKPG_DEL_PARTITION,
			      "BLKPG_DEL_PARTITION");
}

static int run_resizepart(char **words, int count,
			  const struct options *options)
{
	return partition_call(words, count, options, BLKPG_RESIZE_PARTITION,
			      "BLKPG_RESIZE_PARTITION");
}

/* The command line. */

static const struct command commands[] = {
	{ "read", "DEV OFF LEN [--direct] [--huge] [--catch] [--fail-nth N]",
	  "dutF", 3, 3, run_read },
	{ "write", "DEV OFF [--direct] [--sync] [--nowait] [--huge] [--catch] [--fail-nth N] <DATA",
	  "dsnutF", 2, 2, run_write },
	{ "sums", "DEV [OFF LEN] [--direct]", "d", 1, 3, run_sums },
	{ "fill", "DEV OFF LEN --device N --version V [--direct]", "dDV", 3, 3,
	  run_fill },
	{ "discard", "DEV OFF LEN", "", 3, 3, run_discard },
	{ "zeroout", "DEV OFF LEN", "", 3, 3, run_zeroout },
	{ "secdiscard", "DEV OFF LEN", "", 3, 3, run_secdiscard },
	{ "flush", "DEV", "", 1, 1, run_flush },
	{ "sgwrite", "DEV OFF <DATA", "", 2, 2, run_sgwrite },
	{ "size", "DEV", "", 1, 1, run_size },
	{ "ioctl",
	  "PATH CMD [HEX [--offset OFF] [--protect] | --ptr VALUE] [--rdonly] [--compat] [--catch] [--fail-nth N]",
	  "rPctFOp", 2, 3, run_ioctl },
	{ "aio", "DEV I/O... [--sync] [--dsync] [--nowait] [--huge] [--vector BYTES]",
	  "synuk", 2, AIO_MAX + 1, run_aio },
	{ "pair", "A OFFA B OFFB [--count N]", "C", 4, 4, run_pair },
	{ "hold", "PATH [--write] [--excl]", "we", 1, 1, run_hold },
	{ "open", "PATH [--write] [--excl] [--fail-nth N]", "weF", 1, 1,
	  run_open },
	{ "load", "MODULE [PARAMETERS] [--fail-nth N]", "F", 1, 2, run_load },
	{ "addpart", "DISK NUMBER START LEN", "", 4, 4, run_addpart },
	{ "delpart", "DISK NUMBER", "", 2, 2, run_delpart },
	{ "resizepart", "DISK NUMBER START LEN", "", 4, 4, run_resizepart },
};

static const struct option long_options[] = {
	{ "direct", no_argument, NULL, 'd' },
	{ "sync", no_argument, NULL, 's' },
	{ "dsync", no_argument, NULL, 'y' },
	{ "nowait", no_argument, NULL, 'n' },
	{ "rdonly", no_argument, NULL, 'r' },
	{ "write", no_argument, NULL, 'w' },
	{ "excl", no_argument, NULL, 'e' },
	{ "compat", no_argument, NULL, 'c' },
	{ "protect", no_argument, NULL, 'p' },
	{ "catch", no_argument, NULL, 't' },
	{ "huge", no_argument, NULL, 'u' },
	{ "device", required_argument, NULL, 'D' },
	{ "version", required_argument, NULL, 'V' },
	{ "ptr", required_argument, NULL, 'P' },
	{ "count", required_argument, NULL, 'C' },
	{ "vector", required_argument, NULL, 'k' },
	{ "fail-nth", required_argument, NULL, 'F' },
	{ "offset", required_argument, NULL, 'O' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void take_value(bool *is_given, __u64 *value)
{
	*is_given = true;
	*value = parse_number(optarg);
}

static void take_option(int letter, struct options *options)
{
	switch (letter) {
	case 'd':
		options->direct = true;
		break;
	case 's':
		options->sync = true;
		break;
	case 'y':
		options->dsync = true;
		break;
	case 'n':
		options->nowait = true;
		break;
	case 'r':
		options->rdonly = true;
		break;
	case 'w':
		options->write = true;
		break;
	case 'e':
		options->excl = true;
		break;
	case 'c':
		options->compat = true;
		break;
	case 'p':
		options->protect = true;
		break;
	case 't':
		options->catch = true;
		break;
	case 'u':
		options->huge = true;
		break;
	case 'D':
		take_value(&options->has_device, &options->device);
		break;
	case 'V':
		take_value(&options->has_version, &options->version);
		break;
	case 'P':
		take_value(&options->has_pointer, &options->pointer);
		break;
	case 'C':
		take_value(&options->has_count, &options->count);
		break;
	case 'k':
		take_value(&options->has_vector, &options->vector);
		break;
	case 'F':
		take_value(&options->has_fail_nth, &options->fail_nth);
		break;
	case 'O':
		take_value(&options->has_offset, &options->offset);
		break;
	}
}

static int run_command(const struct command *command, int argc, char **argv)
{
	struct options options = { };
	int letter;

	opterr = 0;
	while ((letter = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (letter == 'h') {
			printf("blkio %s %s\n", command->name,
			       command->arguments);
			return 0;
		}
		if (letter == ':')
			usage("%s takes a value", argv[optind - 1]);
		if (letter == '?' || !strchr(command->options, letter))
			usage("%s does not take %s", command->name,
			      argv[optind - 1]);
		take_option(letter, &options);
	}
	argc -= optind;
	if (argc < command->min || argc > command->max)
		usage("%s takes %s", command->name, command->arguments);
	return command->run(argv + optind, argc, &options);
}

static void print_help(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("blkio %s %s\n", commands[i].name,
		       commands[i].arguments);
	puts("\nOffsets and lengths are in bytes, decimal or 0x.");
	puts("A path \"fd:N\" is the open descriptor N.");
	puts("With --huge the memory is huge pages, which /proc/sys/vm/nr_hugepages must have.");
	puts("With --fail-nth the Nth of what may fail within the call does; it is one call then, as with --catch.");
	printf("The buffer of ioctl is at 0x%lx, with --compat at 0x%lx, 0x%x where HEX ends.\n",
	       IOCTL_ADDRESS, COMPAT_ADDRESS, IOCTL_FILLER);
}

int main(int argc, char **argv)
{
	int status;

	if (argc < 2)
		usage("which command?");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_help();
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		status = run_command(&commands[i], argc - 1, argv + 1);
		/* A result that did not get out is no success. */
		if (fflush(stdout) || ferror(stdout))
			fail("write", "stdout");
		return status;
	}
	usage("%s is no command", argv[1]);
}
