/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole node, but for its main(), in a network namespace of its own: what the control socket's methods and the HTTP
 * server say, with a dataplane made of abi/ alone (it acknowledges every COMMIT) on the same event loop.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <ctype.h>
#include <event2/event.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "controlplane/node.h"

enum { HTTP_PORT = 19464, FAMILIES_MAX = 200 };

static const char config[] =
	"node: {name: edge, dataplane: %1$s/dataplane, control: %1$s/control, http: \"127.0.0.1:19464\",\n"
	"       source: {ipv4: 10.77.0.1}}\n"
	"vips: [{name: v1, prefix: 10.99.0.1}]\n"
	"pools:\n"
	"  - {name: web, backends: [{name: s1, address: 10.77.0.11}, {name: s2, address: 10.77.0.12}]}\n"
	"  - {name: far, encapsulation: l2, backends: [{name: s1, address: 10.77.9.9}]}\n"
	"services:\n"
	"  - {name: http, vip: v1, pool: web, protocol: tcp, port: 80}\n"
	"  - {name: dns, vip: v1, pool: far, protocol: udp, port: 53}\n";

/* No checks: both are healthy, and only ways count. */
static const char ways_config[] =
	"node: {name: edge, dataplane: %1$s/dataplane, control: %1$s/control, http: \"127.0.0.1:19464\",\n"
	"       source: {ipv4: 10.77.0.1}}\n"
	"vips: [{name: v1, prefix: 10.99.0.1}, {name: v2, prefix: 10.99.0.2}]\n"
	"pools:\n"
	"  - {name: two, min_healthy: 2, backends: [{name: s1, address: 10.77.0.11}, {name: s2, address: 10.77.0.12}]}\n"
	"  - {name: open, fail_open: true, backends: [{name: s3, address: 10.77.0.13}]}\n"
	"services:\n"
	"  - {name: http, vip: v1, pool: two, protocol: tcp, port: 80}\n"
	"  - {name: dns, vip: v2, pool: open, protocol: udp, port: 53}\n";

static struct {
	struct event_base *base;
	struct node node;
	char directory[32];
	char path[64];
	int listener;
	int peer;
	uint32_t ifindex; /* of the dataplane's port */
	struct event *accept;
	struct event *commands;
	struct event *beat;
	struct region_rings rings;
	struct region_counters counters;
	struct region_captures captures;
	struct abi_capture capture; /* the last that was asked for or stopped */
	unsigned n_parts;
	uint16_t capture_error; /* of the answer to the next START */
	char text[1 << 20];
} t;

static void
on_beat(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	(void)context;
	atomic_store(&region_header(&t.counters)->heartbeat_ns, clock_now_ns());
}

static void
on_commands(evutil_socket_t fd, short what, void *context)
{
	const uint64_t one = 1;
	union abi_record record;
	uint64_t count;

	(void)what;
	(void)context;
	cr_assert_eq(read(fd, &count, sizeof(count)), sizeof(count));
	while (ring_pop(&t.rings.commands, &record) == 1) {
		union abi_record ack = {.ack = {.type = ABI_ACK, .generation = record.commit.generation}};
		union abi_record captured = {.captured = {.type = ABI_CAPTURED, .token = record.capture.token}};

		if (record.type == ABI_COMMIT)
			cr_assert(ring_push(&t.rings.replies, &ack));
		t.n_parts += record.type == ABI_CAPTURE_PART;
		if (record.type != ABI_CAPTURE)
			continue;
		t.capture = record.capture;
		captured.captured.error = record.capture.op == ABI_CAPTURE_START ? t.capture_error : 0;
		cr_assert(ring_push(&t.rings.replies, &captured));
	}
	cr_assert_eq(write(t.rings.reply_event, &one, sizeof(one)), sizeof(one));
}

static void
on_accept(evutil_socket_t fd, short what, void *context)
{
	static const struct timeval period = {.tv_usec = 100000};
	struct abi_welcome welcome = {.magic = ABI_MAGIC, .version = ABI_VERSION, .n_workers = 2};
	struct abi_hello hello;
	int fds[ABI_WELCOME_FDS];

	(void)what;
	(void)context;
	t.peer = accept(fd, NULL, NULL);
	cr_assert_geq(t.peer, 0);
	cr_assert_eq(region_recv_hello(t.peer, &hello), 0);
	cr_assert_eq(region_rings_new(&t.rings), 0);
	cr_assert_eq(region_counters_new(&t.counters, 2), 0);
	cr_assert_eq(region_captures_new(&t.captures, 2), 0);
	region_header(&t.counters)->n_ports = 1;
	*region_ports(&t.counters) = (struct abi_port){
		.name = "p0", .interface = "edge0", .ifindex = t.ifindex, .mtu = 1500};
	atomic_store(&region_worker(&t.counters, 0)->verdicts[VERDICT_FORWARDED], 41);
	atomic_store(&region_worker(&t.counters, 1)->verdicts[VERDICT_FORWARDED], 1);
	fds[0] = t.rings.memfd;
	fds[1] = t.counters.memfd;
	fds[2] = t.captures.memfd;
	fds[3] = t.rings.command_event;
	fds[4] = t.rings.reply_event;
	cr_assert_eq(region_send_welcome(t.peer, &welcome, fds), 0);
	t.commands = event_new(t.base, t.rings.command_event, EV_READ | EV_PERSIST, on_commands, NULL);
	t.beat = event_new(t.base, -1, EV_PERSIST, on_beat, NULL);
	event_add(t.commands, NULL);
	event_add(t.beat, &period);
}

static int
listen_on(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", t.directory, name);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 4), 0);
	return fd;
}

static void
write_config(const char *format)
{
	FILE *file = fopen(t.path, "we");

	cr_assert_not_null(file);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	fprintf(file, format, t.directory);
#pragma GCC diagnostic pop
	fclose(file);
}

static void
setup(void)
{
	if (unshare(CLONE_NEWNET) != 0)
		cr_skip_test("needs CAP_SYS_ADMIN");
	cr_assert_eq(system("ip link set lo up && ip link add edge0 type veth peer name peer0 && "
			    "ip addr add 10.77.0.1/24 dev edge0 && ip link set edge0 up && ip link set peer0 up && "
			    "ip route add 10.77.9.0/24 via 10.77.0.2 && "
			    "ip neigh add 10.77.0.2 lladdr 02:00:00:00:00:02 nud permanent dev edge0"), 0);
	strcpy(t.directory, "/tmp/node-XXXXXX");
	cr_assert_not_null(mkdtemp(t.directory));
	snprintf(t.path, sizeof(t.path), "%s/config", t.directory);
	write_config(config);
	t.base = event_base_new();
	t.peer = -1;
	t.ifindex = 9999;
	t.listener = listen_on("dataplane");
	t.accept = event_new(t.base, t.listener, EV_READ, on_accept, NULL);
	event_add(t.accept, NULL);
	cr_assert_eq(node_init(&t.node, t.base, t.path), 0);
}

static void
teardown(void)
{
	char command[64];

	if (!t.base)
		return;
	node_fini(&t.node);
	if (t.commands)
		event_free(t.commands);
	if (t.beat)
		event_free(t.beat);
	event_free(t.accept);
	region_rings_free(&t.rings);
	region_counters_free(&t.counters);
	region_captures_free(&t.captures);
	close(t.peer);
	close(t.listener);
	event_base_free(t.base);
	snprintf(command, sizeof(command), "rm -r %s", t.directory);
	cr_expect_eq(system(command), 0);
}

TestSuite(node, .init = setup, .fini = teardown, .timeout = 60);

/* What comes until `end` is in it, or the other side closes. */
static const char *
hear(int fd, const char *end)
{
	static const struct timeval soon = {.tv_usec = 10000};
	size_t len = 0;

	for (;;) {
		ssize_t n;

		event_base_loopexit(t.base, &soon);
		event_base_loop(t.base, EVLOOP_ONCE);
		n = recv(fd, t.text + len, sizeof(t.text) - 1 - len, MSG_DONTWAIT);
		len += n > 0 ? (size_t)n : 0;
		t.text[len] = '\0';
		if (n == 0 || (end && strstr(t.text, end)))
			return t.text;
	}
}

/* Text goes out, and what is heard comes back. */
static const char *
converse(int fd, const char *text, const char *end)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	hear(fd, end);
	close(fd);
	return t.text;
}

/* A new client that has asked for it. */
static int
ask(const char *method, const char *params)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char request[512];

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", t.directory);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	snprintf(request, sizeof(request), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n", method,
		 params);
	cr_assert_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
	return fd;
}

static json_t *
call(const char *method, const char *params)
{
	int fd = ask(method, params);

	hear(fd, "\n");
	close(fd);
	return json_loads(t.text, 0, NULL);
}

static const char *
get(const char *path)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(HTTP_PORT)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char request[256];

	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n", path);
	return converse(fd, request, NULL);
}

static void
wait_served(void)
{
	json_t *reply = call("wait", "{\"for\":\"generation\",\"timeout_s\":20}");

	cr_assert(json_is_true(json_object_get(json_object_get(reply, "result"), "met")));
	json_decref(reply);
}

Test(node, answers_every_method_and_refuses_wrong_parameters)
{
	static const struct {
		const char *method, *params;
		int code;
		const char *holds;
	} rows[] = {
		{"status", "{}", 0, "\"node\": \"edge\""},
		{"services", "{}", 0, "\"name\": \"http\""},
		{"backends", "{}", 0, "encapsulation l2 needs a backend on the link"},
		{"backends", "{}", 0, "no next hop: there is no route, or no neighbour has answered yet"},
		{"vips", "{}", 0, "\"prefix\": \"10.99.0.1/32\""},
		{"bgp", "{}", 0, "\"result\": []"},
		{"bgp.listen", "{}", 0, "\"addresses\": [], \"port\": 0, \"accepted\": 0"},
		{"workers", "{}", 0, "\"worker\": 1"},
		{"ports", "{}", 0, "\"port\": \"p0\""},
		{"drops", "{}", 0, "\"reason\": "},
		{"attacks", "{}", 0, "\"result\": []"},
		{"talkers", "{}", 0, "\"result\": []"},
		{"talkers", "{\"service\":\"dns\"}", 0, "\"result\": []"},
		{"talkers", "{\"service\":\"nobody\"}", -32602, "there is no service nobody"},
		{"wait", "{\"for\":\"dataplane\"}", 0, "\"met\": true"},
		{"wait", "{\"for\":\"established\",\"timeout_s\":0}", 0, "\"met\": false"},
		{"wait", "{\"for\":\"established\",\"timeout_s\":-1}", -32602,
		 "timeout_s is a number of seconds, 0 to 86400"},
		{"wait", "{\"for\":\"established\",\"timeout_s\":1e300}", -32602, "timeout_s is a number"},
		{"wait", "{\"for\":\"established\",\"timeout_s\":\"5\"}", -32602, "timeout_s is a number"},
		{"wait", "{\"for\":\"godot\"}", -32602, "wait for one of dataplane"},
		{"wait", "{}", -32602, "wait for one of dataplane"},
		{"backend.drain", "{\"backend\":\"web/s1\"}", 0, "\"drained\": true"},
		{"backends", "{}", 0, "\"admin\": \"drained\""},
		{"backend.undrain", "{\"backend\":\"web/s1\"}", 0, "\"drained\": false"},
		{"backend.drain", "{\"backend\":\"web/s9\"}", -32602, "there is no backend \\\"web/s9\\\""},
		{"backend.drain", "{\"backend\":7}", -32602, "name it as POOL/NAME"},
		{"node.drain", "{}", 0, "\"draining\": true"},
		{"node.undrain", "{}", 0, "\"draining\": false"},
		{"capture", "{\"ends\":\"lost\"}", -32602, "is not dropped, passed or all"},
		{"capture", "{\"reason\":\"whim\"}", -32602, "by the reason \\\"whim\\\""},
		{"capture", "{\"ends\":\"passed\",\"reason\":\"land\"}", -32602, "no packet is passed by the reason"},
		{"capture", "{\"count\":0}", -32602, "count is a number from 1 to 1000000"},
		{"capture", "{\"seconds\":\"5\"}", -32602, "seconds is a number from 1 to 86400"},
		{"capture", "{\"snap\":2049}", -32602, "snap is a number from 1 to 2048"},
		{"capture", "{\"sample\":-1}", -32602, "sample is a number from 1"},
		{"capture", "{\"service\":\"nobody\"}", -32602, "there is no service nobody"},
		{"capture", "{\"expression\":\"udp and\"}", -32602, "syntax error"},
		{"capture.stop", "{}", 1, "this client has no capture"},
		{"reload", "{}", 0, "\"generation\": 1"},
		{"none", "{}", -32601, "there is no method"},
	};

	wait_served();
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *reply = call(rows[i].method, rows[i].params);
		json_t *code = json_object_get(json_object_get(reply, "error"), "code");
		char *text = json_dumps(reply, 0);

		cr_expect_eq(json_integer_value(code), rows[i].code, "row %u: %s", i, text);
		cr_expect_not_null(strstr(text, rows[i].holds), "row %u: %s", i, text);
		free(text);
		json_decref(reply);
	}
}

static json_t *
result_of(const char *method, const char *params)
{
	json_t *reply = call(method, params), *result = json_incref(json_object_get(reply, "result"));

	json_decref(reply);
	return result;
}

static const char *
text_at(const json_t *list, size_t row, const char *member)
{
	const char *text = json_string_value(json_object_get(json_array_get(list, row), member));

	return text ? text : "";
}

/* A talker of the service, of the attack and now, and the attack's event; then its end. */
Test(node, shows_attacks_and_talkers_that_the_dataplane_tells_of)
{
	const uint64_t one = 1;
	union abi_record attack = {.attack = {.type = ABI_ATTACK,
					      .id = 5,
					      .service = compile_key("dns"),
					      .meters = 1 << ABI_METER_PACKETS,
					      .packets = 1000,
					      .stopped = 990,
					      .reasons = {VERDICT_REFLECTOR},
					      .percents = {100},
					      .vector = ABI_VECTOR_UDP,
					      .vector_port = 123}};
	union abi_record talker = {.talker = {.type = ABI_TALKER,
					      .of = ABI_TALKER_PORT,
					      .attack = 5,
					      .service = compile_key("dns"),
					      .packets = 950,
					      .error = 10,
					      .total = 1000,
					      .number = 123}};
	json_t *list, *talkers;

	wait_served();
	cr_assert(ring_push(&t.rings.events, &talker));
	talker.talker.attack = 0;
	cr_assert(ring_push(&t.rings.events, &talker));
	cr_assert(ring_push(&t.rings.events, &attack));
	cr_assert_eq(write(t.rings.reply_event, &one, sizeof(one)), sizeof(one));
	while (json_array_size(list = result_of("attacks", "{}")) == 0)
		json_decref(list);
	cr_expect_str_eq(text_at(list, 0, "service"), "dns");
	cr_expect_str_eq(text_at(list, 0, "state"), "goes on");
	cr_expect_str_eq(text_at(list, 0, "vector"), "UDP amplification, ntp (port 123)");
	cr_expect_str_eq(text_at(list, 0, "by"), "reflector 100%");
	cr_expect_str_eq(text_at(list, 0, "top"), "port 123 95%");
	talkers = json_object_get(json_array_get(list, 0), "talkers");
	cr_expect_str_eq(text_at(talkers, 0, "value"), "123");
	json_decref(list);
	list = result_of("talkers", "{\"service\":\"dns\"}");
	cr_assert_eq(json_array_size(list), 1);
	cr_expect_str_eq(text_at(list, 0, "of"), "port");
	json_decref(list);
	list = result_of("talkers", "{\"service\":\"http\"}");
	cr_expect_eq(json_array_size(list), 0);
	json_decref(list);
	cr_expect_not_null(strstr(get("/metrics"), "\nnearcast_service_under_attack{service=\"dns\"} 1\n"));
	attack.attack.state = ABI_ATTACK_END;
	cr_assert(ring_push(&t.rings.events, &attack));
	cr_assert_eq(write(t.rings.reply_event, &one, sizeof(one)), sizeof(one));
	while (!strstr(get("/metrics"), "\nnearcast_service_under_attack{service=\"dns\"} 0\n"))
		continue;
	cr_expect_not_null(strstr(get("/metrics"), "\nnearcast_attacks_total 1\n"));
}

/* What the dataplane's worker copies. */
static void
copy(const struct abi_capture_slot *slot)
{
	struct abi_capture_slot *to = capture_ring_claim(&t.captures.rings[1]);

	cr_assert_not_null(to);
	*to = *slot;
	to->token = t.capture.token;
	capture_ring_push(&t.captures.rings[1]);
}

/* Of all notifications that were heard, the octets of the file; returns the last line. */
static const char *
file_of(uint8_t *out, size_t room, size_t *len)
{
	char *line = t.text, *newline;

	*len = 0;
	while ((newline = strchr(line, '\n')) && newline[1]) {
		json_t *told = json_loadb(line, (size_t)(newline - line), 0, NULL);
		const char *text = json_string_value(json_object_get(json_object_get(told, "params"), "octets"));
		long n = text ? base64_decode(text, out + *len, room - *len) : -1;

		cr_assert_geq(n, 0, "%.80s", line);
		*len += (size_t)n;
		json_decref(told);
		line = newline + 1;
	}
	return line;
}

static const struct abi_capture_slot web_slot = {.time_ns = 1, .len = 60, .held = 4, .service = 2,
						 .verdict = VERDICT_REFLECTOR, .octets = "\xca\xfe\xba\xbe"};

Test(node, tells_a_client_the_copies_of_packets_as_a_file_and_what_was_missed)
{
	static uint8_t file[8192];
	const char *last;
	size_t len;
	int fd;

	wait_served();
	atomic_store(&region_services(&t.counters)[2].key, compile_key("http"));
	fd = ask("capture", "{\"ends\":\"dropped\",\"service\":\"http\",\"expression\":\"tcp\",\"count\":3,\"sample\":10}");
	hear(fd, "captured");
	cr_expect_eq(t.capture.op, ABI_CAPTURE_START);
	cr_expect_eq(t.capture.service, compile_key("http"));
	cr_expect_eq(t.capture.nth, 10);
	cr_expect_eq(t.capture.limit, 3);
	cr_expect_eq(t.capture.verdicts[0] >> VERDICT_REFLECTOR & 1, 1);
	cr_expect_eq(t.capture.verdicts[0] >> VERDICT_FORWARDED & 1, 0);
	cr_expect_gt(t.capture.n_insns, 0);
	cr_expect_eq(t.n_parts, (t.capture.n_insns + ABI_FILTER_PART_INSNS - 1) / ABI_FILTER_PART_INSNS);
	copy(&web_slot);
	*capture_ring_claim(&t.captures.rings[1]) = web_slot; /* of a capture that is over */
	capture_ring_push(&t.captures.rings[1]);
	copy(&web_slot);
	atomic_store(&t.captures.rings[1].shared->lost, 5);
	copy(&web_slot);
	copy(&web_slot); /* one more than was asked for */
	last = strstr(hear(fd, "\"result\""), "\"result\"");
	cr_expect_not_null(strstr(last, "\"packets\":3,\"missed\":5,"), "%s", t.text);
	cr_expect_not_null(strstr(last, "\"ended\":\"count\""), "%s", t.text);
	cr_expect_eq(t.capture.op, ABI_CAPTURE_STOP);
	close(fd);
	fd = ask("capture", "{}");
	hear(fd, "captured");
	for (unsigned i = 0; i < 3; i++)
		copy(&web_slot);
	cr_assert_eq(send(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"capture.stop\"}\n", 43, 0), 43);
	hear(fd, "\"result\"");
	last = file_of(file, sizeof(file), &len);
	cr_expect_not_null(strstr(last, "\"packets\":3,\"missed\":0,"), "%s", last);
	cr_expect_not_null(strstr(last, "\"ended\":\"client\""), "%s", last);
	cr_expect_not_null(memmem(file, len, "\xca\xfe\xba\xbe", 4));
	cr_expect_not_null(memmem(file, len, "dropped: reflector, service http", 32));
	close(fd);
}

Test(node, ends_a_capture_that_the_dataplane_refuses_or_breaks)
{
	struct abi_capture_slot bad = web_slot;
	int fd, other;

	wait_served();
	t.capture_error = ENOENT;
	fd = ask("capture", "{\"service\":\"http\"}");
	cr_expect_not_null(strstr(hear(fd, "\n"), "the dataplane refuses it: it has no such service yet"));
	close(fd);
	t.capture_error = 0;
	fd = ask("capture", "{}");
	hear(fd, "captured");
	other = ask("capture", "{}");
	cr_expect_not_null(strstr(hear(other, "\n"), "another capture runs"));
	close(other);
	bad.port = 1; /* there is port 0 alone */
	copy(&bad);
	cr_expect_not_null(strstr(hear(fd, "error"), "the dataplane broke its ring of copies"));
	close(fd);
	fd = ask("capture", "{}");
	hear(fd, "captured");
	close(fd); /* its client has gone */
	while (t.capture.op != ABI_CAPTURE_STOP)
		json_decref(call("status", "{}"));
	fd = ask("capture", "{}");
	hear(fd, "captured");
	event_del(t.commands);
	shutdown(t.peer, SHUT_RDWR);
	cr_expect_not_null(strstr(hear(fd, "error"), "the dataplane has gone"));
	close(fd);
}

Test(node, keeps_what_it_has_when_a_reload_is_refused)
{
	json_t *reply;
	const char *text;

	wait_served();
	write_config("node: {name: edge, nonsense: %s}\n");
	reply = call("reload", "{}");
	text = json_string_value(json_object_get(json_object_get(reply, "error"), "message"));
	cr_assert_not_null(text);
	cr_expect_not_null(strstr(text, ":1:20: unknown key nonsense"), "%s", text);
	cr_expect_str_eq(t.node.model->vips[0].name, "v1");
	json_decref(reply);
	cr_expect_not_null(strstr(get("/metrics"), "\nnearcast_config_valid 0\n"));
}

/* The text format's rules: prometheus.io, "Exposition formats". */
static struct {
	char name[80];
	char type[16];
	bool is_ended;
} families[FAMILIES_MAX];

static unsigned n_families;

static void
take_comment(const char *line)
{
	char kind[8], name[80], rest[16];

	cr_assert_eq(sscanf(line, "# %7s %79s %15s", kind, name, rest), 3, "%s", line);
	if (strcmp(kind, "HELP") == 0) {
		for (unsigned i = 0; i < n_families; i++)
			cr_expect_str_neq(families[i].name, name, "HELP twice");
		cr_assert_lt(n_families, FAMILIES_MAX);
		strcpy(families[n_families++].name, name);
		return;
	}
	cr_expect_str_eq(kind, "TYPE");
	cr_assert_gt(n_families, 0);
	cr_expect_str_eq(families[n_families - 1].name, name, "TYPE stands behind its HELP");
	cr_expect_str_empty(families[n_families - 1].type, "TYPE twice");
	cr_expect(strcmp(rest, "counter") == 0 || strcmp(rest, "gauge") == 0, "%s", line);
	strcpy(families[n_families - 1].type, rest);
}

/* name{label="value",...} number */
static void
take_sample(const char *line)
{
	size_t name = strspn(line, "abcdefghijklmnopqrstuvwxyz_0123456789");
	const char *at = line + name;
	char *end;

	cr_assert_gt(n_families, 0);
	cr_expect(name == strlen(families[n_families - 1].name) &&
		  strncmp(line, families[n_families - 1].name, name) == 0,
		  "a sample outside its family: %s", line);
	if (strcmp(families[n_families - 1].type, "counter") == 0)
		cr_expect(name > 6 && strncmp(at - 6, "_total", 6) == 0, "%s", line);
	while (*at == '{' || *at == ',') {
		size_t label = strspn(++at, "abcdefghijklmnopqrstuvwxyz_");

		cr_assert(label > 0 && strncmp(at + label, "=\"", 2) == 0, "%s", line);
		for (at += label + 2; *at && *at != '"'; at++)
			at += *at == '\\';
		cr_assert_eq(*at, '"', "%s", line);
		at++;
	}
	at += *at == '}';
	cr_assert_eq(*at, ' ', "%s", line);
	cr_expect(isdigit((unsigned char)at[1]), "%s", line);
	strtod(at + 1, &end);
	cr_expect_eq(*end, '\0', "%s", line);
}

Test(node, serves_metrics_in_the_text_format)
{
	const char *body;
	char *save = NULL, *copy;

	wait_served();
	body = strstr(get("/metrics"), "\r\n\r\n");
	cr_expect_eq(strncmp(t.text, "HTTP/1.1 200 ", 13), 0);
	cr_expect_not_null(strstr(t.text, "Content-Type: text/plain; version=0.0.4"));
	cr_assert_not_null(body);
	cr_expect_not_null(strstr(body, "\nnearcast_dataplane_up 1\n"));
	cr_expect_not_null(strstr(body, "\nnearcast_packets_total{verdict=\"forwarded\"} 42\n"));
	cr_expect_not_null(strstr(body, "\nnearcast_backend_up{pool=\"web\",backend=\"s2\"} 1\n"));
	cr_expect_not_null(strstr(body, "_total{worker=\"1\"} 0\n"));
	cr_expect_eq(body[strlen(body) - 1], '\n');
	copy = strdup(body + 4);
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (*line == '#')
			take_comment(line);
		else
			take_sample(line);
	}
	cr_expect_gt(n_families, 10);
	free(copy);
}

Test(node, shows_a_page_and_nothing_else)
{
	wait_served();
	cr_expect_not_null(strstr(get("/"), "<h1>nearcast edge</h1>"));
	cr_expect_not_null(strstr(t.text, "<td>10.99.0.1/32"));
	cr_expect_eq(strncmp(get("/etc"), "HTTP/1.1 404 ", 13), 0);
	cr_expect_eq(strncmp(get("//"), "HTTP/1.1 404 ", 13), 0);
}

/* The cell of a row of a list, as text; valid until the next call. */
static const char *
cell(const char *method, const char *name, const char *column)
{
	static char text[256];
	json_t *reply = call(method, "{}"), *row;
	size_t i;

	*text = '\0';
	json_array_foreach(json_object_get(reply, "result"), i, row)
	{
		const json_t *value = json_object_get(row, column);

		if (strcmp(json_string_value(json_object_get(row, "name")), name) != 0)
			continue;
		if (json_is_string(value))
			snprintf(text, sizeof(text), "%s", json_string_value(value));
		else
			snprintf(text, sizeof(text), "%.0f", json_number_value(value));
	}
	json_decref(reply);
	return text;
}

static const struct {
	const char *what, *command;
	bool v1, v2;
	const char *s1, *s2, *s3; /* shares of their pools */
	const char *http;	  /* the service's reason */
} steps[] = {
	{"no neighbour is known", "true", false, false, "0", "0", "0", "no next hop: there is no route, or no neighbour"},
	{"one of the two that are needed", "ip neigh replace 10.77.0.11 lladdr 02:00:00:00:00:11 nud permanent dev edge0", false,
	 false, "100", "0", "0", "no next hop: there is no route, or no neighbour"},
	{"the one that fails open", "ip neigh replace 10.77.0.13 lladdr 02:00:00:00:00:13 nud permanent dev edge0", false, true,
	 "100", "0", "100", "no next hop"},
	{"both", "ip neigh replace 10.77.0.12 lladdr 02:00:00:00:00:12 nud permanent dev edge0", true, true, "50", "50", "100",
	 ""},
	{"a stale one still counts", "ip neigh replace 10.77.0.12 lladdr 02:00:00:00:00:22 nud stale dev edge0", true, true,
	 "50", "50", "100", ""},
	{"no route", "ip route add unreachable 10.77.0.12/32 && ip route add unreachable 10.77.0.13/32", false, false, "100",
	 "0", "0", "no next hop: there is no route"},
	{"routes again", "ip neigh replace 10.77.0.12 lladdr 02:00:00:00:00:22 nud permanent dev edge0 && "
	 "ip route del unreachable 10.77.0.12/32 && ip route del unreachable 10.77.0.13/32", true, true, "50", "50", "100",
	 ""},
	{"a route by an interface that is no port", "ip link add other0 type veth peer name other1 && "
	 "ip link set other0 up && ip link set other1 up && ip route add 10.77.0.12/32 dev other0 && "
	 "ip neigh replace 10.77.0.12 lladdr 02:00:00:00:00:33 nud permanent dev other0", false, true, "100", "0", "100",
	 "no port of the dataplane"},
};

/* What can be seen of a step once it has come through everything. */
static bool
has_come(unsigned step)
{
	return strcmp(cell("vips", "v1", "state"), steps[step].v1 ? "announced" : "withdrawn") == 0 &&
	       strcmp(cell("vips", "v2", "state"), steps[step].v2 ? "announced" : "withdrawn") == 0 &&
	       strcmp(cell("backends", "s1", "share_percent"), steps[step].s1) == 0 &&
	       strcmp(cell("backends", "s2", "share_percent"), steps[step].s2) == 0 &&
	       strcmp(cell("backends", "s3", "share_percent"), steps[step].s3) == 0 &&
	       strstr(cell("services", "http", "reason"), steps[step].http) != NULL;
}

Test(node, announces_only_what_packets_can_reach)
{
	json_t *reply;

	t.ifindex = if_nametoindex("edge0");
	write_config(ways_config);
	reply = call("reload", "{}");
	cr_assert_not_null(json_object_get(reply, "result"), "%s", json_dumps(reply, 0));
	json_decref(reply);
	for (unsigned i = 0; i < ARRAY_LEN(steps); i++) {
		cr_assert_eq(system(steps[i].command), 0, "%s", steps[i].command);
		for (uint64_t end = clock_now_ns() + 15 * CLOCK_NS_PER_S; !has_come(i) && clock_now_ns() < end;)
			;
		cr_expect(has_come(i), "%s: %s", steps[i].what, cell("services", "http", "reason"));
	}
}
