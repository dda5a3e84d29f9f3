/* SPDX-License-Identifier: BSD-2-Clause */
/* nearcast-dataplane: brings the parts up, launches the workers, then serves the control plane on the main lcore. */
#include <errno.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "dataplane/eal.h"
#include "dataplane/mailbox.h"
#include "dataplane/meter.h"
#include "dataplane/telemetry.h"
#include "dataplane/worker.h"

enum { ROUND_MS = 50 };

struct dataplane {
	struct options options;
	struct ports ports;
	struct region_counters counters;
	struct rte_rcu_qsbr *rcu;
	struct flowtable *flows[ABI_WORKERS_MAX];
	struct tables *tables;
	struct mailbox *mailbox;
	struct worker_shared shared;
	struct guard_shared guard;
	struct talkers *talkers;
	struct meter *meter;
	struct lists *lists;
	struct captures *captures;
	struct worker *workers[ABI_WORKERS_MAX];
};

/* The program's one static object: a signal handler has no other way to say that it's time to end. */
static volatile sig_atomic_t stop_asked;

static void
on_signal(int signal_number)
{
	stop_asked = signal_number;
}

static int
vip_add(void *context, const struct prefix *prefix)
{
	struct ports *ports = context;
	int err = 0;

	for (unsigned i = 0; i < ports->n; i++) {
		if (ports->list[i].has_steering && !err)
			err = steering_vip_add(&ports->list[i].steering, prefix);
	}
	return err;
}

static void
vip_remove(void *context, const struct prefix *prefix)
{
	struct ports *ports = context;

	for (unsigned i = 0; i < ports->n; i++) {
		if (ports->list[i].has_steering)
			steering_vip_remove(&ports->list[i].steering, prefix);
	}
}

static unsigned
bucket_bits(unsigned entries)
{
	unsigned bits = FLOWTABLE_BITS_MIN;

	while (bits < FLOWTABLE_BITS_MAX && (1U << bits) * FLOWTABLE_WAYS < entries)
		bits++;
	return bits;
}

static int
rcu_open(struct dataplane *d)
{
	size_t size = rte_rcu_qsbr_get_memsize(d->options.n_workers);

	d->rcu = rte_zmalloc("rcu", size, RTE_CACHE_LINE_SIZE);
	return d->rcu && rte_rcu_qsbr_init(d->rcu, d->options.n_workers) == 0 ? 0 : -ENOMEM;
}

/* The first snapshot has no VIP: workers always have one, and what comes before the tables is the kernel's. */
static int
tables_open(struct dataplane *d)
{
	struct tables_config config = {.n_workers = d->options.n_workers,
				       .counters = &d->counters,
				       .rcu = d->rcu,
				       .flows = d->flows,
				       .hooks = {&d->ports, vip_add, vip_remove}};
	struct wanted *none = calloc(1, sizeof(*none));
	int err = -ENOMEM;

	d->tables = tables_new(&config);
	if (d->tables && none)
		err = tables_publish(d->tables, none, clock_now_ns());
	if (err)
		wanted_free(none);
	return err;
}

static int
memory_open(struct dataplane *d)
{
	int err = region_counters_new(&d->counters, d->options.n_workers);

	for (unsigned i = 0; !err && i < d->options.n_workers; i++) {
		d->flows[i] = flowtable_new(bucket_bits(d->options.flow_entries), SOCKET_ID_ANY);
		if (!d->flows[i])
			err = -ENOMEM;
	}
	if (!err)
		err = rcu_open(d);
	if (err)
		log_error("no memory for tables and counters: %s: raise --memory", strerror(-err));
	return err;
}

static int
mailbox_open(struct dataplane *d)
{
	struct mailbox_config config = {.path = d->options.socket,
					.tables = d->tables,
					.lists = d->lists,
					.captures = d->captures,
					.counters = &d->counters,
					.n_workers = d->options.n_workers,
					.n_ports = d->ports.n};
	int err = mailbox_new(&config, &d->mailbox);

	if (err)
		log_error("socket %s: %s%s", d->options.socket, strerror(-err),
			  err == -EADDRINUSE ? ": another dataplane listens there" : "");
	return err;
}

static void
tell(void *context, const union abi_record *event)
{
	const struct dataplane *d = context;

	mailbox_tell(d->mailbox, event);
}

static void
grace(void *context)
{
	tables_grace(context);
}

static int
guard_open(struct dataplane *d)
{
	struct talkers_config talkers = {.shared = &d->shared.samples, .context = d, .tell = tell};
	struct meter_config config = {.counters = &d->counters, .guard = &d->guard, .context = d, .tell = tell};
	struct lists_config lists = {.grace = grace, .context = d->tables};
	int err = guard_shared_init(&d->guard, LIMIT_BITS_DEFAULT, KNOWN_BITS_DEFAULT);

	config.talkers = d->talkers = talkers_new(&talkers);
	if (!err && (!d->talkers || !(d->meter = meter_new(&config)) || !(d->lists = lists_new(&lists))))
		err = -ENOMEM;
	if (!err)
		d->guard.lists = lists_handle(d->lists);
	if (err)
		log_error("no memory or no random numbers for the guard: %s", strerror(-err));
	return err;
}

static int
captures_prepare(struct dataplane *d)
{
	struct captures_config config = {.counters = &d->counters,
					 .n_workers = d->options.n_workers,
					 .tsc_hz = rte_get_tsc_hz(),
					 .grace = grace,
					 .context = d->tables};

	d->captures = captures_new(&config);
	return d->captures ? 0 : -ENOMEM;
}

static int
workers_start(struct dataplane *d)
{
	const struct worker_code *code = worker_code(NULL);
	unsigned lcore, index = 0;

	d->shared = (struct worker_shared){.ports = &d->ports,
					   .counters = &d->counters,
					   .rcu = d->rcu,
					   .current = tables_current(d->tables),
					   .flows = d->flows,
					   .captures = captures_handle(d->captures),
					   .guard = &d->guard,
					   .n_workers = d->options.n_workers,
					   .is_adaptive = d->options.is_adaptive,
					   .reply_pps = d->options.reply_pps,
					   .start_tsc = rte_rdtsc(),
					   .start_ns = clock_now_ns()};
	for (; index < d->options.n_workers; index++) {
		d->workers[index] = worker_new(&d->shared, index);
		if (!d->workers[index])
			return -ENOMEM;
	}
	log_info("%u workers run the code for %s", d->options.n_workers, code->name);
	index = 0;
	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		if (index < d->options.n_workers && rte_eal_remote_launch(code->run, d->workers[index++], lcore) != 0)
			return -EAGAIN;
	}
	return 0;
}

static void
workers_stop(struct dataplane *d)
{
	atomic_store_explicit(&d->shared.stop, true, memory_order_relaxed);
	rte_eal_mp_wait_lcore();
	for (unsigned i = 0; i < d->options.n_workers; i++)
		worker_free(d->workers[i]);
}

static int
dataplane_open(struct dataplane *d)
{
	int err = ports_open(&d->ports, &d->options);

	if (!err)
		err = memory_open(d);
	if (!err)
		err = tables_open(d);
	if (!err)
		err = guard_open(d);
	if (!err)
		err = captures_prepare(d);
	if (err)
		return err;
	telemetry_init(&d->counters, &d->ports);
	err = workers_start(d);
	return err ? err : mailbox_open(d);
}

static void
dataplane_close(struct dataplane *d)
{
	mailbox_free(d->mailbox);
	workers_stop(d);
	tables_free(d->tables);
	meter_free(d->meter);
	talkers_free(d->talkers);
	lists_free(d->lists);
	captures_free(d->captures);
	guard_shared_fini(&d->guard);
	rte_free(d->rcu);
	for (unsigned i = 0; i < d->options.n_workers; i++)
		flowtable_free(d->flows[i]);
	ports_close(&d->ports);
	region_counters_free(&d->counters);
}

/* What the scans of payloads and the filters have come to. */
static void
scans_tell(const struct dataplane *d)
{
	struct abi_counters_header *header = region_header(&d->counters);
	uint64_t scanned = 0, unscanned = 0;

	for (unsigned i = 0; i < d->options.n_workers; i++) {
		const struct signature_counters *c = &d->workers[i]->guard.scan.counters;

		scanned += atomic_load_explicit(&c->scanned, memory_order_relaxed);
		unscanned += atomic_load_explicit(&c->unscanned, memory_order_relaxed);
	}
	atomic_store_explicit(&header->scanned, scanned, memory_order_relaxed);
	atomic_store_explicit(&header->unscanned, unscanned, memory_order_relaxed);
	for (unsigned i = 0; i < ABI_SIGNATURES_MAX; i++)
		atomic_store_explicit(&header->rule_hits[i], tables_rule_hits(d->tables, i), memory_order_relaxed);
	for (unsigned i = 0; i < ABI_FILTERS_MAX; i++)
		atomic_store_explicit(&header->filter_hits[i], tables_filter_hits(d->tables, i), memory_order_relaxed);
}

static void
each_second(struct dataplane *d, uint64_t now_ns)
{
	uint32_t now_s = worker_now_s(&d->shared, rte_rdtsc());
	uint32_t changed = telemetry_ports(&d->counters, &d->ports);

	for (unsigned i = 0; i < d->ports.n; i++) {
		if (changed >> i & 1)
			mailbox_port_changed(d->mailbox, i, region_ports(&d->counters)[i].is_up);
	}
	if (tables_tick(d->tables, now_ns, now_s))
		mailbox_settled(d->mailbox);
	scans_tell(d);
	captures_tick(d->captures, now_ns);
	if (guard_upkeep(&d->guard, guard_ns(&d->workers[0]->guard, rte_rdtsc()), now_s) != 0)
		log_warning("no random numbers: the source checks keep their key");
}

static void
serve(struct dataplane *d)
{
	uint64_t next_ns = 0;

	while (!stop_asked) {
		uint64_t now_ns = clock_now_ns();

		telemetry_beat(&d->counters, now_ns);
		if (now_ns >= next_ns) {
			each_second(d, now_ns);
			next_ns = now_ns + CLOCK_NS_PER_S;
		}
		for (unsigned i = 0; i < d->options.n_workers; i++)
			talkers_take(d->talkers, d->workers[i]->samples);
		meter_tick(d->meter, tables_guards(d->tables), now_ns, worker_now_s(&d->shared, rte_rdtsc()));
		mailbox_run(d->mailbox, ROUND_MS);
	}
}

int
main(int argc, char **argv)
{
	static struct dataplane d;
	enum options_result parsed = options_parse(argc, argv, &d.options);
	struct sigaction action = {.sa_handler = on_signal};
	int err;

	if (parsed != OPTIONS_RUN)
		return parsed == OPTIONS_DONE ? EXIT_SUCCESS : 2;
	log_init("nearcast-dataplane", d.options.log_level);
	signal(SIGPIPE, SIG_IGN);
	if (eal_init(&d.options) != 0)
		return EXIT_FAILURE;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	d.counters.memfd = -1;
	err = dataplane_open(&d);
	if (!err) {
		log_notice("%u workers on %u ports; waiting for the control plane at %s", d.options.n_workers, d.ports.n,
			   d.options.socket);
		serve(&d);
		log_notice("%s: ending", strsignal(stop_asked));
	}
	dataplane_close(&d);
	rte_eal_cleanup();
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
