/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: nearcast-dataplane --port NAME=KIND,... [options]\n"
	"Takes packets for the VIPs off the ports and sends them to backends, as the control plane's tables say.\n"
	"\n"
	"  --port NAME=af_xdp,iface=IF[,queues=N][,mode=auto|native|generic]\n"
	"  --port NAME=pci,address=0000:01:00.0[,queues=N][,exception=TAP]\n"
	"  --port NAME=vdev,args=DRIVER[,DPDK arguments]   (args= comes last)\n"
	"                       up to 16 ports; exception=TAP makes a kernel interface for what isn't a VIP's\n"
	"  --workers N          one thread each, queues are dealt to them in turn (1)\n"
	"  --lcores CPUS        CPUs to use, as 0-3,8: the first for the main thread (those the process may use)\n"
	"  --idle poll|adaptive sleep when nothing comes (adaptive)\n"
	"  --hugepages auto|on|off   (auto: when the kernel has free ones)\n"
	"  --memory MIB         packet buffers and tables (256)\n"
	"  --flow-entries N     of each worker's flow table (1048576)\n"
	"  --reply-rate PPS     most ICMP and RST answers a second of each worker (1000)\n"
	"  --socket PATH        where the control plane connects (" ABI_DATAPLANE_SOCKET ")\n"
	"  --steer-object FILE  the XDP program (/usr/lib/nearcast/steer.bpf.o)\n"
	"  --file-prefix NAME   apart from other DPDK programs on this machine (nearcast)\n"
	"  --log-level L        error, warning, notice, info or debug (info)\n"
	"  --version, --help\n";

static int
wrong(const char *option, const char *value, const char *hint)
{
	fprintf(stderr, "nearcast-dataplane: %s %s: %s\n", option, value, hint);
	return -1;
}

static int
number(const char *option, const char *text, unsigned min, unsigned max, unsigned *out)
{
	char *end, hint[64];
	unsigned long value = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || value < min || value > max) {
		snprintf(hint, sizeof(hint), "give a number from %u to %u", min, max);
		return wrong(option, text, hint);
	}
	*out = (unsigned)value;
	return 0;
}

static int
word(const char *option, const char *text, const char *const *words, unsigned *out)
{
	char hint[96] = "give one of";

	for (unsigned i = 0; words[i]; i++) {
		if (strcmp(words[i], text) == 0) {
			*out = i;
			return 0;
		}
		snprintf(hint + strlen(hint), sizeof(hint) - strlen(hint), " %s", words[i]);
	}
	return wrong(option, text, hint);
}

static int
copy(char *to, size_t size, const char *option, const char *value)
{
	if (value[0] == '\0' || strlen(value) >= size)
		return wrong(option, value, "empty or too long");
	strcpy(to, value);
	return 0;
}

static int
port_setting(struct options_port *port, const char *key, const char *value)
{
	static const char *const modes[] = {"auto", "native", "generic", NULL};
	unsigned mode;

	if (strcmp(key, "iface") == 0)
		return copy(port->interface, sizeof(port->interface), "--port iface", value);
	if (strcmp(key, "address") == 0)
		return copy(port->address, sizeof(port->address), "--port address", value);
	if (strcmp(key, "exception") == 0)
		return copy(port->exception, sizeof(port->exception), "--port exception", value);
	if (strcmp(key, "queues") == 0)
		return number("--port queues", value, 1, 64, &port->queues);
	if (strcmp(key, "mode") == 0) {
		if (word("--port mode", value, modes, &mode) != 0)
			return -1;
		port->mode = (enum options_xdp_mode)mode;
		return 0;
	}
	return wrong("--port", key, "no such setting: use iface, address, args, queues, mode or exception");
}

static int
port_complete(const struct options_port *port, const char *text)
{
	if (port->kind == OPTIONS_AF_XDP && !port->interface[0])
		return wrong("--port", text, "af_xdp needs iface=INTERFACE");
	if (port->kind == OPTIONS_PCI && !port->address[0])
		return wrong("--port", text, "pci needs address=DOMAIN:BUS:DEVICE.FUNCTION (see dpdk-devbind.py --status)");
	if (port->kind == OPTIONS_VDEV && !port->arguments[0])
		return wrong("--port", text, "vdev needs args=DRIVER[,arguments]");
	return 0;
}

/* NAME=KIND[,key=value]...; args= takes the rest of the line, commas and all. */
static int
port_parse(struct options *options, const char *text)
{
	static const char *const kinds[] = {"af_xdp", "pci", "vdev", NULL};
	struct options_port *port = &options->ports[options->n_ports];
	char line[512], *rest = line, *name, *kind, *part;
	unsigned index;

	if (options->n_ports == ABI_PORTS_MAX || strlen(text) >= sizeof(line))
		return wrong("--port", text, "too many ports, or too long");
	*port = (struct options_port){.queues = 1};
	strcpy(line, text);
	name = strsep(&rest, "=");
	if (!rest || copy(port->name, sizeof(port->name), "--port name", name) != 0)
		return wrong("--port", text, "write NAME=KIND,...");
	kind = strsep(&rest, ",");
	if (word("--port kind", kind, kinds, &index) != 0)
		return -1;
	port->kind = (enum options_kind)index;
	while (rest && *rest) {
		if (strncmp(rest, "args=", 5) == 0) {
			if (copy(port->arguments, sizeof(port->arguments), "--port args", rest + 5) != 0)
				return -1;
			break;
		}
		part = strsep(&rest, ",");
		name = strsep(&part, "=");
		if (port_setting(port, name, part ? part : "") != 0)
			return -1;
	}
	options->n_ports++;
	return port_complete(port, text);
}

static int
option_take(struct options *o, int option, const char *value)
{
	static const char *const idles[] = {"poll", "adaptive", NULL};
	static const char *const huges[] = {"auto", "off", "on", NULL};
	static const char *const levels[] = {"error", "warning", "notice", "info", "debug", NULL};
	unsigned index = 0;
	int err = 0;

	switch (option) {
	case 'p':
		return port_parse(o, value);
	case 'w':
		return number("--workers", value, 1, ABI_WORKERS_MAX, &o->n_workers);
	case 'm':
		return number("--memory", value, 64, 1U << 20, &o->memory_mib);
	case 'f':
		return number("--flow-entries", value, 1U << 19, 1U << 27, &o->flow_entries);
	case 'r':
		return number("--reply-rate", value, 0, 100000000, &o->reply_pps);
	case 'i':
		err = word("--idle", value, idles, &index);
		o->is_adaptive = index == 1;
		return err;
	case 'g':
		err = word("--hugepages", value, huges, &index);
		o->hugepages = (enum options_hugepages)index;
		return err;
	case 'l':
		err = word("--log-level", value, levels, &index);
		o->log_level = (enum log_level)index;
		return err;
	case 'c':
		o->lcores = value;
		return 0;
	case 's':
		o->socket = value;
		return 0;
	case 'o':
		o->steer_object = value;
		return 0;
	case 'x':
		o->file_prefix = value;
		return 0;
	default:
		fputs(usage, stderr);
		return -1;
	}
}

enum options_result
options_parse(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{"port", required_argument, NULL, 'p'},		{"workers", required_argument, NULL, 'w'},
		{"lcores", required_argument, NULL, 'c'},	{"idle", required_argument, NULL, 'i'},
		{"hugepages", required_argument, NULL, 'g'},	{"memory", required_argument, NULL, 'm'},
		{"flow-entries", required_argument, NULL, 'f'}, {"reply-rate", required_argument, NULL, 'r'},
		{"socket", required_argument, NULL, 's'},	{"steer-object", required_argument, NULL, 'o'},
		{"file-prefix", required_argument, NULL, 'x'},	{"log-level", required_argument, NULL, 'l'},
		{"version", no_argument, NULL, 'V'},		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	*options = (struct options){.socket = ABI_DATAPLANE_SOCKET,
				    .steer_object = "/usr/lib/nearcast/steer.bpf.o",
				    .file_prefix = "nearcast",
				    .n_workers = 1,
				    .memory_mib = 256,
				    .flow_entries = 1U << 20,
				    .reply_pps = 1000,
				    .is_adaptive = true,
				    .log_level = LOG_INFO};
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (option == 'V' || option == 'h') {
			fputs(option == 'V' ? "nearcast-dataplane " NEARCAST_VERSION "\n" : usage, stdout);
			return OPTIONS_DONE;
		}
		if (option_take(options, option, optarg) != 0)
			return OPTIONS_WRONG;
	}
	if (optind < argc || options->n_ports == 0) {
		fprintf(stderr, "nearcast-dataplane: %s%s\n", optind < argc ? "unexpected argument " : "no --port given",
			optind < argc ? argv[optind] : "");
		fputs(usage, stderr);
		return OPTIONS_WRONG;
	}
	return OPTIONS_RUN;
}
