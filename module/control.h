/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blksnap: control device, the door to snapshots.
 */
#ifndef BLKSNAP_CONTROL_H
#define BLKSNAP_CONTROL_H

int control_init(void);
void control_exit(void);

#endif /* BLKSNAP_CONTROL_H */
