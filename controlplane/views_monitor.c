/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/views_monitor.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "controlplane/node.h"

static json_t *
view_collector(const struct collector *collector)
{
	const struct model_collector *config = collector_config(collector);
	struct collector_status status = collector_status(collector);
	char text[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX + 16];

	snprintf(to, sizeof(to), config->address.family == ADDR_V6 ? "[%s]:%u" : "%s:%u", addr_format(&config->address, text),
		 config->port);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:n, s:n, s:s}", "monitor", config->name, "kind",
			 "bmp", "to", to, "state", status.is_connected ? "connected" : "waits", "since_s",
			 (json_int_t)((clock_now_ns() - status.since_ns) / CLOCK_NS_PER_S), "queue",
			 (json_int_t)status.queue, "sent", (json_int_t)status.messages, "bytes",
			 (json_int_t)status.octets, "drops", (json_int_t)status.drops, "lost", "rotations", "error",
			 status.error);
}

static json_t *
view_mrt(const struct model_mrt *config, const struct mrt_file_status *status)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:n, s:n, s:I, s:I, s:n, s:I, s:I, s:s}", "monitor", "mrt", "kind", "mrt",
			 "to", config->file, "state", status->error ? "fails" : "writes", "since_s", "queue", "sent",
			 (json_int_t)(status->records - status->lost), "bytes", (json_int_t)status->octets, "drops",
			 "lost", (json_int_t)status->lost, "rotations", (json_int_t)status->rotations, "error",
			 status->error ? strerror(status->error) : "");
}

json_t *
view_monitors(const struct node *node)
{
	struct mrt_file_status status;
	const struct model_mrt *mrt = monitor_mrt(node->monitor, &status);
	json_t *list = json_array();

	for (unsigned i = 0; i < MODEL_COLLECTORS_MAX; i++) {
		const struct collector *collector = monitor_collector(node->monitor, i);

		if (collector)
			json_array_append_new(list, view_collector(collector));
	}
	if (mrt)
		json_array_append_new(list, view_mrt(mrt, &status));
	return list;
}

static uint64_t
value_connected(const struct collector_status *status)
{
	return status->is_connected;
}

static uint64_t
value_queue(const struct collector_status *status)
{
	return status->queue;
}

static uint64_t
value_messages(const struct collector_status *status)
{
	return status->messages;
}

static uint64_t
value_drops(const struct collector_status *status)
{
	return status->drops;
}

static const struct {
	const char *name;
	const char *type;
	const char *help;
	uint64_t (*value)(const struct collector_status *status);
} collector_families[] = {
	{"bmp_connected", "gauge", "1 while the BMP collector is connected.", value_connected},
	{"bmp_queue_bytes", "gauge", "Octets that wait for the BMP collector.", value_queue},
	{"bmp_messages_total", "counter", "BMP messages for the collector.", value_messages},
	{"bmp_drops_total", "counter", "Connections to the BMP collector that ended.", value_drops},
};

static void
mrt_family(struct evbuffer *out, const char *name, const char *type, const char *help, uint64_t value)
{
	evbuffer_add_printf(out, "# HELP nearcast_%s %s\n# TYPE nearcast_%s %s\nnearcast_%s %llu\n", name, help, name, type, name,
			    (unsigned long long)value);
}

static void
mrt_metrics(struct evbuffer *out, const struct mrt_file_status *status)
{
	mrt_family(out, "mrt_records_total", "counter", "MRT records to be written.", status->records);
	mrt_family(out, "mrt_lost_total", "counter", "MRT records that could not be written.", status->lost);
	mrt_family(out, "mrt_bytes_total", "counter", "Octets of MRT that were written.", status->octets);
	mrt_family(out, "mrt_rotations_total", "counter", "Times that the MRT file turned over.", status->rotations);
	mrt_family(out, "mrt_failing", "gauge", "1 while the MRT file can't be written.", status->error != 0);
}

void
monitor_metrics(struct evbuffer *out, const struct node *node)
{
	struct mrt_file_status mrt;

	for (unsigned i = 0; i < ARRAY_LEN(collector_families); i++) {
		const char *name = collector_families[i].name;

		evbuffer_add_printf(out, "# HELP nearcast_%s %s\n# TYPE nearcast_%s %s\n", name, collector_families[i].help, name,
				    collector_families[i].type);
		for (unsigned k = 0; k < MODEL_COLLECTORS_MAX; k++) {
			const struct collector *collector = monitor_collector(node->monitor, k);
			struct collector_status status;

			if (!collector)
				continue;
			status = collector_status(collector);
			evbuffer_add_printf(out, "nearcast_%s{collector=\"%s\"} %llu\n", name,
					    collector_config(collector)->name,
					    (unsigned long long)collector_families[i].value(&status));
		}
	}
	if (monitor_mrt(node->monitor, &mrt))
		mrt_metrics(out, &mrt);
}
