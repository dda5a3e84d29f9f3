/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/port.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

enum {
	RX_DESCRIPTORS = 2048,
	TX_DESCRIPTORS = 2048,
	MBUFS_A_QUEUE = 8192, /* both rings, what is in flight, and fragments that are held */
	DATA_ROOM = RTE_PKTMBUF_HEADROOM + 2048,
	MBUF_CACHE = 256,
};

/* Joins the driver's name and the number of the port to a device of our own. */
static int
hotplug(const char *bus, const char *device, const char *arguments, uint16_t *ethdev)
{
	int err = rte_eal_hotplug_add(bus, device, arguments);

	if (err)
		return err;
	return rte_eth_dev_get_port_by_name(device, ethdev) == 0 ? 0 : -ENODEV;
}

/* What the af_xdp driver counts: combined channels, and one where the interface has none of that kind. */
static unsigned
interface_queues(const char *interface)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq request = {.ifr_data = (void *)&channels};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return 1;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	err = ioctl(fd, SIOCETHTOOL, &request);
	close(fd);
	return err || channels.combined_count == 0 ? 1 : channels.combined_count;
}

static int
open_af_xdp(struct port *port, unsigned index, const struct options *options)
{
	const struct options_port *o = port->options;
	char arguments[512];

	if (if_nametoindex(o->interface) == 0) {
		log_error("port %s: there is no interface %s", o->name, o->interface);
		return -ENODEV;
	}
	if (access(options->steer_object, R_OK) != 0) {
		log_error("port %s: the XDP program %s can't be read: give --steer-object", o->name,
			  options->steer_object);
		return -errno;
	}
	if (o->queues > interface_queues(o->interface)) {
		log_error("port %s: queues=%u, but %s has %u: ethtool -L %s combined %u, if its driver can", o->name,
			  o->queues, o->interface, interface_queues(o->interface), o->interface, o->queues);
		return -EINVAL;
	}
	port->claim = steering_claim(o->interface);
	if (port->claim == -EADDRINUSE)
		log_error("port %s: another nearcast-dataplane runs on %s", o->name, o->interface);
	if (port->claim == -EBUSY)
		log_error("port %s: %s has another XDP program: ip link set dev %s xdp off", o->name, o->interface,
			  o->interface);
	if (port->claim < 0)
		return port->claim;
	snprintf(port->device, sizeof(port->device), "net_af_xdp%u", index);
	snprintf(arguments, sizeof(arguments), "iface=%s,start_queue=0,queue_count=%u,xdp_prog=%s%s", o->interface,
		 o->queues, options->steer_object, o->mode == OPTIONS_XDP_GENERIC ? ",force_copy=1" : "");
	return hotplug("vdev", port->device, arguments, &port->ethdev);
}

static int
open_vdev(struct port *port)
{
	const char *arguments = strchr(port->options->arguments, ',');
	size_t len = arguments ? (size_t)(arguments - port->options->arguments) : strlen(port->options->arguments);

	if (len >= sizeof(port->device))
		return -ENAMETOOLONG;
	memcpy(port->device, port->options->arguments, len);
	port->device[len] = '\0';
	return hotplug("vdev", port->device, arguments ? arguments + 1 : "", &port->ethdev);
}

/* A pci device was allowed in the EAL's arguments, so it is there when its driver took it. */
static int
open_pci(struct port *port)
{
	if (rte_eth_dev_get_port_by_name(port->options->address, &port->ethdev) == 0)
		return 0;
	log_error("port %s: no DPDK driver has %s: bind it with dpdk-devbind.py --bind=vfio-pci %s", port->options->name,
		  port->options->address, port->options->address);
	return -ENODEV;
}

static int
device_open(struct port *port, unsigned index, const struct options *options)
{
	switch (port->options->kind) {
	case OPTIONS_AF_XDP:
		return open_af_xdp(port, index, options);
	case OPTIONS_PCI:
		return open_pci(port);
	default:
		return open_vdev(port);
	}
}

static uint16_t
at_most(unsigned wanted, uint16_t most)
{
	return (uint16_t)(wanted < most ? wanted : most);
}

/* Hashes flows over the receive queues where the driver can; a flow's packets stay on one worker. */
static void
rss_configure(struct rte_eth_conf *conf, const struct rte_eth_dev_info *info, unsigned queues)
{
	uint64_t wanted = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;

	if (queues < 2 || (info->flow_type_rss_offloads & wanted) == 0)
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & wanted;
}

static int
queues_setup(struct port *port)
{
	int socket = rte_eth_dev_socket_id(port->ethdev);
	uint16_t rx = RX_DESCRIPTORS, tx = TX_DESCRIPTORS;
	int err = rte_eth_dev_adjust_nb_rx_tx_desc(port->ethdev, &rx, &tx);

	for (uint16_t q = 0; !err && q < port->n_rx; q++)
		err = rte_eth_rx_queue_setup(port->ethdev, q, rx, (unsigned)socket, NULL, port->pool);
	for (uint16_t q = 0; !err && q < port->n_tx; q++)
		err = rte_eth_tx_queue_setup(port->ethdev, q, tx, (unsigned)socket, NULL);
	return err;
}

static int
pool_open(struct port *port, unsigned queues)
{
	char name[32];

	snprintf(name, sizeof(name), "port-%s", port->options->name);
	port->pool = rte_pktmbuf_pool_create(name, MBUFS_A_QUEUE * queues * 2 - 1, MBUF_CACHE, 0, DATA_ROOM,
					     rte_eth_dev_socket_id(port->ethdev));
	if (port->pool)
		return 0;
	log_error("port %s: no memory for %u packet buffers: raise --memory", port->options->name,
		  MBUFS_A_QUEUE * queues * 2);
	return -ENOMEM;
}

static int
device_start(struct port *port, const struct options *options)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = {0};
	int err = rte_eth_dev_info_get(port->ethdev, &info);

	if (err)
		return err;
	port->n_rx = at_most(port->options->queues, info.max_rx_queues);
	port->n_tx = port->options->kind == OPTIONS_AF_XDP ? port->n_rx : at_most(options->n_workers, info.max_tx_queues);
	port->has_multi_segs = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (port->has_multi_segs)
		conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	rss_configure(&conf, &info, port->n_rx);
	err = rte_eth_dev_configure(port->ethdev, port->n_rx, port->n_tx, &conf);
	if (!err)
		err = pool_open(port, port->n_rx > port->n_tx ? port->n_rx : port->n_tx);
	if (!err)
		err = queues_setup(port);
	return err ? err : rte_eth_dev_start(port->ethdev);
}

/* The kernel's end of the port: a TAP with the port's MAC, so that the kernel is the host on that wire. */
static int
exception_open(struct port *port, unsigned index)
{
	struct rte_ether_addr mac;
	struct rte_eth_conf conf = {0};
	char arguments[96];
	int err = rte_eth_macaddr_get(port->ethdev, &mac);

	if (err)
		return err;
	snprintf(port->exception_device, sizeof(port->exception_device), "net_tap%u", 100 + index);
	snprintf(arguments, sizeof(arguments), "iface=%s,mac=" RTE_ETHER_ADDR_PRT_FMT, port->options->exception,
		 RTE_ETHER_ADDR_BYTES(&mac));
	err = hotplug("vdev", port->exception_device, arguments, &port->exception);
	if (!err)
		err = rte_eth_dev_configure(port->exception, 1, 1, &conf);
	if (!err)
		err = rte_eth_rx_queue_setup(port->exception, 0, 1024, SOCKET_ID_ANY, NULL, port->pool);
	if (!err)
		err = rte_eth_tx_queue_setup(port->exception, 0, 1024, SOCKET_ID_ANY, NULL);
	return err ? err : rte_eth_dev_start(port->exception);
}

static int
steering_attach(struct port *port)
{
	struct rte_ether_addr mac;
	int err = rte_eth_macaddr_get(port->ethdev, &mac);

	if (!err)
		err = steering_open(&port->steering, port->options->interface,
				    port->options->mode == OPTIONS_XDP_GENERIC, mac.addr_bytes);
	port->has_steering = err == 0;
	return err;
}

static int
port_open(struct port *port, unsigned index, const struct options *options)
{
	int err;

	*port = (struct port){.options = &options->ports[index], .exception = PORT_NO_EXCEPTION, .ethdev = UINT16_MAX,
			       .claim = -1};
	rte_spinlock_init(&port->tx_lock);
	rte_spinlock_init(&port->exception_lock);
	err = device_open(port, index, options);
	if (!err)
		err = device_start(port, options);
	if (!err && port->options->kind == OPTIONS_AF_XDP)
		err = steering_attach(port);
	if (!err && port->options->exception[0])
		err = exception_open(port, index);
	if (err)
		log_error("port %s can't be opened: %s", port->options->name, strerror(-err));
	return err;
}

static void
device_close(uint16_t ethdev, const char *device)
{
	if (ethdev == UINT16_MAX)
		return;
	rte_eth_dev_stop(ethdev);
	rte_eth_dev_close(ethdev);
	if (device[0])
		rte_eal_hotplug_remove("vdev", device);
}

static void
port_close(struct port *port)
{
	if (port->has_steering)
		steering_close(&port->steering);
	device_close(port->exception, port->exception_device);
	device_close(port->ethdev, port->device);
	if (port->claim >= 0)
		close(port->claim);
	rte_mempool_free(port->pool);
}

int
ports_open(struct ports *ports, const struct options *options)
{
	for (ports->n = 0; ports->n < options->n_ports; ports->n++) {
		int err = port_open(&ports->list[ports->n], ports->n, options);

		if (err) {
			ports->n++;
			ports_close(ports);
			return err;
		}
	}
	return 0;
}

void
ports_close(struct ports *ports)
{
	while (ports->n > 0)
		port_close(&ports->list[--ports->n]);
}

bool
port_describe(const struct port *port, struct abi_port *out)
{
	const char *interface = port->options->kind == OPTIONS_AF_XDP ? port->options->interface : port->options->exception;
	uint64_t kernel[STEER_KINDS] = {out->kernel_unicast, out->kernel_multicast, out->kernel_broadcast};
	struct rte_eth_stats stats = {0};
	struct rte_ether_addr mac = {0};
	struct rte_eth_link link = {0};

	snprintf(out->name, sizeof(out->name), "%s", port->options->name);
	snprintf(out->interface, sizeof(out->interface), "%s", interface);
	out->ifindex = interface[0] ? if_nametoindex(interface) : 0;
	if (rte_eth_macaddr_get(port->ethdev, &mac) == 0)
		memcpy(out->mac, mac.addr_bytes, sizeof(out->mac));
	if (rte_eth_dev_get_mtu(port->ethdev, &out->mtu) != 0)
		out->mtu = RTE_ETHER_MTU;
	if (rte_eth_link_get_nowait(port->ethdev, &link) == 0)
		out->is_up = link.link_status == RTE_ETH_LINK_UP;
	if (rte_eth_stats_get(port->ethdev, &stats) == 0) {
		out->rx_packets = stats.ipackets;
		out->rx_missed = stats.imissed;
		out->tx_packets = stats.opackets;
	}
	if (port->has_steering)
		steering_counters(&port->steering, kernel);
	out->kernel_unicast = kernel[STEER_UNICAST];
	out->kernel_multicast = kernel[STEER_MULTICAST];
	out->kernel_broadcast = kernel[STEER_BROADCAST];
	return out->is_up;
}
