/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of nearcast-dataplane, checked as far as it can be without touching the system. */
#ifndef DATAPLANE_OPTIONS_H
#define DATAPLANE_OPTIONS_H

#include "abi/layout.h"
#include "base/log.h"

enum options_kind { OPTIONS_AF_XDP, OPTIONS_PCI, OPTIONS_VDEV };
enum options_xdp_mode { OPTIONS_XDP_AUTO, OPTIONS_XDP_NATIVE, OPTIONS_XDP_GENERIC };
enum options_hugepages { OPTIONS_HUGE_AUTO, OPTIONS_HUGE_OFF, OPTIONS_HUGE_ON };

struct options_port {
	char name[16];
	enum options_kind kind;
	char interface[16];  /* af_xdp */
	char address[32];    /* pci */
	char arguments[256]; /* vdev: driver name and its arguments, as DPDK takes them */
	char exception[16];  /* kernel interface to make for what isn't ours; "": none */
	enum options_xdp_mode mode;
	unsigned queues;
};

struct options {
	const char *socket;
	const char *steer_object;
	const char *file_prefix;
	const char *lcores; /* CPUs, "1,2-3": the first for the main lcore, the others for workers in turn; NULL: all */
	unsigned n_workers;
	unsigned memory_mib;
	unsigned flow_entries;
	unsigned reply_pps;
	bool is_adaptive;
	enum options_hugepages hugepages;
	enum log_level log_level;
	unsigned n_ports;
	struct options_port ports[ABI_PORTS_MAX];
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_WRONG /* told on standard error */ };

enum options_result options_parse(int argc, char **argv, struct options *options);

#endif
