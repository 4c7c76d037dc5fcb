/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnap: image, the block device through which the state of a device at the
 * cut is read, and may be written.
 */
#ifndef BLKSNAP_IMAGE_H
#define BLKSNAP_IMAGE_H

#include <linux/types.h>

struct block_device;
struct diff_area;
struct image;

int image_init(void);
void image_exit(void);

/*
 * Make the image of a prepared area of @bdev, and take a reference of it. Its I/O
 * waits until image_open_gate(). Context: may sleep. Return: 0 or an errno, the
 * image in area->image and its name in area->image_name.
 */
int image_create(struct diff_area *area, struct block_device *bdev);

/* The cut has come and the writes from before it are done: I/O may start. */
void image_open_gate(struct diff_area *area);

/*
 * Remove the image. Its users get I/O errors from now on; no I/O of it is
 * running on return. Context: may sleep.
 */
void image_remove(struct diff_area *area);

/* Whether the device is an image. */
bool image_is(struct block_device *bdev);

#endif /* BLKSNAP_IMAGE_H */
