/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnap: version of the module. The major number is the generation of the
 * interface, see struct blksnap_version.
 */
#ifndef BLKSNAP_VERSION_H
#define BLKSNAP_VERSION_H

#define BLKSNAP_VERSION_MAJOR		6
#define BLKSNAP_VERSION_MINOR		0
#define BLKSNAP_VERSION_REVISION	0
#define BLKSNAP_VERSION_BUILD		0
#define BLKSNAP_VERSION_STRING		"6.0.0.0"

#endif /* BLKSNAP_VERSION_H */
