/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket: a Unix stream socket that speaks JSON-RPC 2.0, one object a line, requests and results alike.
 *
 *   {"jsonrpc":"2.0","id":1,"method":"backend.drain","params":{"backend":"web/s1"}}
 *   {"jsonrpc":"2.0","id":1,"result":{"backend":"web/s1","drained":true}}
 *   {"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"..."}}
 *
 * method          params                    result
 * status          -                         {node, version, uptime_s, generation, dataplane {connected, generation,
 *                                            workers}, config {file, loaded_s, error}, slots {moving, settling}, flows,
 *                                            draining}
 * services        -                         [{name, vip, protocol, port, pool, packets, bytes, openings, dropped,
 *                                            guard, announced}]
 * backends        -                         [{pool, name, address, weight, share_percent, health, reason, admin,
 *                                            packets, bytes, openings}]
 * vips            -                         [{name, prefix, state, reason}]
 * bgp             -                         [{peer, range, address, as, state, since_s, hold_s, advertised, updates_sent,
 *                                            flaps, last_error}]; range: that it came from, "" of a configured one
 * bgp.listen      -                         {addresses, port, and connections that came in, by what came of them: accepted,
 *                                            unknown, limited, far, full, failed}
 * bfd             -                         [{peer, address, kind, state, remote_state, health, holds_bgp, since_s, transmit_ms,
 *                                            receive_ms, detection_ms, multiplier, sent, received, refused, auth, diag,
 *                                            remote_diag, discriminator, remote_discriminator, downs, failures, reason}];
 *                                            figures are at most a second old
 * bgp.monitors    -                         [{monitor, kind, to, state, since_s, queue, sent, bytes, drops, lost, rotations,
 *                                            error}]: what doesn't apply is null
 * workers         -                         [{worker, heartbeat_ms, every counter of ABI_WORKER_COUNTERS}]
 * ports           -                         [{port, interface, link, mtu, rx_packets, rx_missed, tx_packets,
 *                                            kernel_unicast, kernel_multicast, kernel_broadcast}]
 * drops           -                         [{reason, packets, services {NAME: packets}, text}]
 * attacks         -                         [{id, service, state, vector, vector_percent, begun_s, lasted_s, meters, peak_pps,
 *                                            peak_kbps, packets, stopped_percent, by, top, talkers [{of, value, packets,
 *                                            share_percent, error_percent}]}], the newest first
 * talkers         {service}                 [{service, of, value, share_percent, error_percent}]; without service: of all
 * lists           -                         [{prefix, action, source, in_force, left_s, comment}], 10,000 at most; left_s 0:
 *                                            for good
 * signatures      -                         [{name, protocol, action, hits, known_by}]
 * filters         -                         [{id, origin, service, action, packets_s, bytes_s, filter, left_s, hits}], in the
 *                                            order in which they run; origin: configuration, by hand, or bgp/PEER
 * imports         -                         [{peer, kind, rule, action, state, reason, hits, since_s, told_s}]: what BGP
 *                                            peers told; state: used, stale, long-lived stale, refused, not applied
 * filter.add      {expression or object     {id}: section: of the object ("filter"); service: else all; action: drop,
 *                  and section, service,     count or sample; for: a duration
 *                  action, for}
 * filter.remove   {id}                      {id}
 * list.add        {prefix, action, class,   {prefix}: an entry by hand, in place of one of the same prefix; action: drop,
 *                  for, comment}             allow, limit; class with limit; for: a duration; the last three may be left out
 * list.remove     {prefix}                  {prefix}
 * capture         {ends, reason, sampled,   {packets, missed, octets, ended}, at its end, by count, time, size or client; before
 *                  service, expression,      it, as notifications of the method `captured`, {octets}: what comes next of a
 *                  sample, count, seconds,   pcapng file, in base64. ends: dropped, passed or all; reason: as `drops` has them;
 *                  snap}                     sampled: only what met a rule with the action sample; sample: 1 in so many
 * capture.stop    -                         {}: of the client's own capture, which is answered then
 * reload          -                         {generation}
 * backend.drain   {backend: "POOL/NAME"}    {backend, drained}; backend.undrain alike
 * node.drain      -                         {draining}; node.undrain alike
 * bgp.flowspec    -                         [{rule, action, to, peers, told, left_s, communities}]: asked of routers; told: peers
 *                                            that know
 *   .announce      {rule, bytes_s,           {rule, to, until}: one of bytes_s, packets_s (0: drop), sample; to: a peer, else all
 *                  packets_s, sample, to,    with FlowSpec; for: a duration; anyway: its destination may be anybody's
 *                  for, anyway}
 *   .withdraw      {rule}                    {rule, announced}
 * bgp.blackhole   -                         the same with prefix in place of rule
 *   .announce      {prefix, to, for,         {prefix, to, until}: communities: besides blackhole and no-export, with commas
 *                  communities}
 *   .withdraw      {prefix}                  {prefix, announced}
 * wait            {for, timeout_s}          {met}: for: dataplane, generation, settled, established, announced, drained
 *
 * A request without an id is a notification and has no answer. Batches are not taken. A client whose answers pile up
 * isn't listened to until it has read them; one that ends its direction is answered what is due, but waits for nothing.
 */
#ifndef ABI_CONTROL_H
#define ABI_CONTROL_H

#define CONTROL_SOCKET_DEFAULT "/run/nearcast/control.sock"

enum {
	CONTROL_LINE_MAX = 1 << 20, /* octets of a request, newline included */
	CONTROL_CLIENTS_MAX = 64,
};

enum control_code {
	CONTROL_REFUSED = 1, /* understood, but it can't be done: the message says why */
	CONTROL_PARSE_ERROR = -32700, /* JSON-RPC 2.0, 5.1 */
	CONTROL_INVALID_REQUEST = -32600,
	CONTROL_NO_METHOD = -32601,
	CONTROL_INVALID_PARAMS = -32602,
	CONTROL_INTERNAL = -32603,
};

#endif
