/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/eal.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { ARGUMENTS_MAX = 64, ARGUMENT_LEN = 512 };

struct arguments {
	int n;
	char *list[ARGUMENTS_MAX];
	char text[ARGUMENTS_MAX][ARGUMENT_LEN];
};

static void
add(struct arguments *a, const char *text)
{
	snprintf(a->text[a->n], ARGUMENT_LEN, "%s", text);
	a->list[a->n] = a->text[a->n];
	a->n++;
}

/* "1,4-6" to a list of CPUs. 0 of them: the text is wrong. */
static unsigned
cpus_parse(const char *text, unsigned *cpus, unsigned max)
{
	unsigned n = 0;

	while (*text) {
		char *end;
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (end == text)
			return 0;
		if (*end == '-') {
			text = end + 1;
			last = strtoul(text, &end, 10);
			if (end == text || last < first)
				return 0;
		}
		for (; first <= last && n < max; first++)
			cpus[n++] = (unsigned)first;
		if (*end != '\0' && *end != ',')
			return 0;
		text = *end ? end + 1 : end;
	}
	return n;
}

static unsigned
cpus_allowed(unsigned *cpus, unsigned max)
{
	cpu_set_t set;
	unsigned n = 0;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 0;
	for (unsigned cpu = 0; cpu < CPU_SETSIZE && n < max; cpu++) {
		if (CPU_ISSET(cpu, &set))
			cpus[n++] = cpu;
	}
	return n;
}

/* lcore 0 is the main one on the first CPU; workers go over the others in turn, and share when there are more of them. */
static int
add_lcores(struct arguments *a, const struct options *o)
{
	unsigned cpus[128];
	unsigned n = o->lcores ? cpus_parse(o->lcores, cpus, ARRAY_LEN(cpus)) : cpus_allowed(cpus, ARRAY_LEN(cpus));
	unsigned others = n > 1 ? n - 1 : 1;
	char text[ARGUMENT_LEN];
	int len;

	if (n == 0) {
		fprintf(stderr, "nearcast-dataplane: --lcores %s: write CPUs as 0-3,8\n", o->lcores ? o->lcores : "");
		return -1;
	}
	len = snprintf(text, sizeof(text), "0@%u", cpus[0]);
	for (unsigned w = 0; w < o->n_workers && len < (int)sizeof(text); w++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, ",%u@%u", w + 1,
				cpus[n > 1 ? 1 + w % others : 0]);
	add(a, "--lcores");
	add(a, text);
	return 0;
}

static bool
hugepages_are_free(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	unsigned long n_free = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "HugePages_Free: %lu", &n_free) == 1)
			break;
	}
	if (file)
		fclose(file);
	return n_free > 0;
}

static void
add_memory(struct arguments *a, const struct options *o)
{
	bool huge = o->hugepages == OPTIONS_HUGE_ON || (o->hugepages == OPTIONS_HUGE_AUTO && hugepages_are_free());
	char text[32];

	if (huge) {
		add(a, "--in-memory");
	} else {
		add(a, "--no-huge");
		add(a, "--no-shconf");
		snprintf(text, sizeof(text), "%u", o->memory_mib);
		add(a, "-m");
		add(a, text);
	}
	log_info("memory: %s", huge ? "hugepages" : "plain pages");
}

static void
add_devices(struct arguments *a, const struct options *o)
{
	bool any = false;

	for (unsigned i = 0; i < o->n_ports; i++) {
		if (o->ports[i].kind != OPTIONS_PCI)
			continue;
		add(a, "-a");
		add(a, o->ports[i].address);
		any = true;
	}
	if (!any)
		add(a, "--no-pci");
}

int
eal_init(const struct options *options)
{
	struct arguments *a = calloc(1, sizeof(*a));
	int err = -1;

	if (!a)
		return -1;
	add(a, "nearcast-dataplane");
	add(a, "--no-telemetry");
	add(a, "--file-prefix");
	add(a, options->file_prefix);
	add(a, "--log-level");
	add(a, options->log_level >= LOG_DEBUG ? "info" : "warning");
	add_memory(a, options);
	add_devices(a, options);
	if (add_lcores(a, options) == 0) {
		err = rte_eal_init(a->n, a->list) < 0 ? -1 : 0;
		if (err)
			log_error("DPDK doesn't start: %s (see the lines above)", rte_strerror(rte_errno));
	}
	free(a);
	return err;
}
