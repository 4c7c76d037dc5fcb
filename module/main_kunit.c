// SPDX-License-Identifier: GPL-2.0
/*
 * blksnap_kunit: the KUnit tests of blksnap's pure parts.
 *
 * X_kunit.c includes X.c, so that it reaches what is static there. This module
 * is thus a second copy of those units, and blksnap itself is not changed for
 * its tests. In a table of cases a comment names the lines of suites/spec.yaml
 * that the cases below it prove, up to the next such comment; suites/kunit/
 * reads the tables, and reports each case as a test of its own.
 */
#include <linux/module.h>

MODULE_DESCRIPTION("KUnit tests of blksnap");
MODULE_LICENSE("GPL");
