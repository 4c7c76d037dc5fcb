// SPDX-License-Identifier: GPL-2.0
/*
 * tsc-rate: how fast the time stamp counter of this host counts, in kHz, on stdout.
 *
 * Pairs of counter and clock are taken at both ends of an interval. A pair is exact to the width of the two counter
 * reads around the clock's; of many pairs the narrowest is kept, so that a busy host, which takes the CPU away in
 * between, does not matter. The interval is lengthened until the widths are nothing to it.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define PAIRS		500
#define STEP_NS		50000000	/* 50 ms */
#define STEPS_MAX	100
/* The widths are at most this part of the interval: 100 ppm. */
#define EXACT		10000

struct pair {
	uint64_t ticks;		/* earliest that they can be */
	uint64_t width;		/* and how much more they may be */
	uint64_t ns;
};

static uint64_t read_ticks(void)
{
	uint64_t ticks;

	_mm_lfence();
	ticks = __rdtsc();
	_mm_lfence();
	return ticks;
}

static struct pair narrowest_pair(void)
{
	struct pair best = { .width = UINT64_MAX };
	int i;

	for (i = 0; i < PAIRS; i++) {
		struct timespec now;
		struct pair p;

		p.ticks = read_ticks();
		clock_gettime(CLOCK_MONOTONIC_RAW, &now);
		p.width = read_ticks() - p.ticks;
		p.ns = now.tv_sec * 1000000000ull + now.tv_nsec;
		if (p.width < best.width)
			best = p;
	}
	return best;
}

int main(void)
{
	const struct timespec step = { .tv_nsec = STEP_NS };
	struct pair first = narrowest_pair();
	int i;

	for (i = 0; i < STEPS_MAX; i++) {
		struct pair last;
		double ticks;

		nanosleep(&step, NULL);
		last = narrowest_pair();
		/* From the middle of one pair to the middle of the other. */
		ticks = last.ticks - first.ticks + last.width / 2.0 - first.width / 2.0;
		if (last.ticks > first.ticks && (first.width + last.width) * EXACT <= ticks) {
			printf("%.0f\n", ticks * 1e6 / (last.ns - first.ns));
			return 0;
		}
	}
	fprintf(stderr, "tsc-rate: the counter and the clock cannot be read together, or the counter does not count evenly\n");
	return 1;
}
