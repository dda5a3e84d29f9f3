/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP and HTTPS: connect, then one GET over a bufferevent; http_reply.c judges what comes back as it comes. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/http_reply.h"
#include "controlplane/probe_internal.h"

static bool
is_tls(const struct probe *probe)
{
	return probe->check.kind == MODEL_CHECK_HTTPS;
}

/* RFC 9110 7.2: the port is left out when it is the scheme's own; an IPv6 literal stands in brackets. */
static void
host_format(const struct probe *probe, char *text, size_t size)
{
	uint16_t usual = is_tls(probe) ? 443 : 80;
	bool is_v6 = probe->backend.family == ADDR_V6;
	char addr[ADDR_TEXT_MAX], port[8] = "";

	if (probe->check.host[0]) {
		snprintf(text, size, "%s", probe->check.host);
		return;
	}
	if (probe->check.port != usual)
		snprintf(port, sizeof(port), ":%u", probe->check.port);
	snprintf(text, size, "%s%s%s%s", is_v6 ? "[" : "", addr_format(&probe->backend, addr), is_v6 ? "]" : "", port);
}

static void
request_send(struct probe *probe)
{
	const char *path = probe->check.path[0] ? probe->check.path : "/";
	char host[256];

	host_format(probe, host, sizeof(host));
	evbuffer_add_printf(bufferevent_get_output(probe->stream),
			    "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: nearcast/" NEARCAST_VERSION
			    "\r\nAccept: */*\r\nConnection: close\r\n\r\n",
			    path, host);
}

/* False: the probe goes on. */
static bool
judge(struct probe *probe, bool ended)
{
	struct evbuffer *input = bufferevent_get_input(probe->stream);
	size_t len = evbuffer_get_length(input);
	const char *bytes = (const char *)evbuffer_pullup(input, -1);
	char reason[HTTP_REASON_MAX];

	/* The reader stops at this much, so no more will come. */
	if (len >= HTTP_REPLY_MAX)
		ended = true;
	switch (http_reply_judge(&probe->check, bytes ? bytes : "", len, ended, reason)) {
	case HTTP_PASSED:
		probe_pass(probe);
		return true;
	case HTTP_FAILED:
		probe_fail(probe, "%s", reason);
		return true;
	case HTTP_MORE:
		break;
	}
	return false;
}

static void
on_read(struct bufferevent *stream, void *context)
{
	(void)stream;
	judge(context, false);
}

static void
fail_tls(struct probe *probe, unsigned long error)
{
	SSL *ssl = bufferevent_openssl_get_ssl(probe->stream);
	long verdict = SSL_get_verify_result(ssl);
	const char *text = ERR_reason_error_string(error);

	if (probe->check.tls_verify && verdict != X509_V_OK)
		probe_fail(probe, "certificate: %s", X509_verify_cert_error_string(verdict));
	else
		probe_fail(probe, "tls: %s", text ? text : "closed amid the handshake");
}

static void
on_event(struct bufferevent *stream, short what, void *context)
{
	struct probe *probe = context;
	int error = EVUTIL_SOCKET_ERROR();

	if (what & BEV_EVENT_CONNECTED)
		return;
	if (is_tls(probe) && !SSL_is_init_finished(bufferevent_openssl_get_ssl(stream))) {
		fail_tls(probe, bufferevent_get_openssl_error(stream));
		return;
	}
	/* An unclean end still leaves what came before it, which may decide. */
	if (evbuffer_get_length(bufferevent_get_input(stream)) == 0 && (what & BEV_EVENT_ERROR) && error)
		probe_fail_errno(probe, error);
	else
		judge(probe, true);
}

/* The name to be certified: the Host without its port and brackets, else the backend's address. */
static void
tls_name(const struct probe *probe, char *name, size_t size)
{
	const char *host = probe->check.host;

	if (host[0] == '\0')
		addr_format(&probe->backend, name);
	else if (host[0] == '[')
		snprintf(name, size, "%.*s", (int)strcspn(host + 1, "]"), host + 1);
	else
		snprintf(name, size, "%.*s", (int)strcspn(host, ":"), host);
}

static bool
tls_set_up(struct probe *probe, SSL *ssl)
{
	struct addr literal;
	char name[256];
	bool is_literal, ok;

	tls_name(probe, name, sizeof(name));
	is_literal = addr_parse(name, &literal) == 0;
	/* RFC 6066 3: SNI takes no literal addresses. */
	ok = is_literal || SSL_set_tlsext_host_name(ssl, name) == 1;
	if (!probe->check.tls_verify) {
		SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
		return ok;
	}
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	if (is_literal)
		return ok && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	return ok && SSL_set1_host(ssl, name) == 1;
}

static struct bufferevent *
tls_stream_new(struct probe *probe)
{
	struct prober *prober = probe->prober;
	struct bufferevent *stream = NULL;
	SSL *ssl;

	if (!prober->tls) {
		prober->tls = SSL_CTX_new(TLS_client_method());
		if (!prober->tls)
			return NULL;
		/* Without the system's certificates, verification fails and says so. */
		(void)SSL_CTX_set_default_verify_paths(prober->tls);
	}
	ssl = SSL_new(prober->tls);
	if (ssl && tls_set_up(probe, ssl))
		stream = bufferevent_openssl_socket_new(prober->base, probe->fd, ssl, BUFFEREVENT_SSL_CONNECTING,
							BEV_OPT_CLOSE_ON_FREE);
	if (!stream)
		SSL_free(ssl);
	return stream;
}

static void
on_connected(evutil_socket_t fd, short what, void *context)
{
	struct probe *probe = context;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error) {
		probe_fail_errno(probe, error);
		return;
	}
	probe->stream = is_tls(probe) ? tls_stream_new(probe)
				      : bufferevent_socket_new(probe->prober->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!probe->stream) {
		probe_fail(probe, "the connection can't be set up");
		return;
	}
	probe->fd = -1;
	bufferevent_setcb(probe->stream, on_read, NULL, on_event, probe);
	bufferevent_setwatermark(probe->stream, EV_READ, 0, HTTP_REPLY_MAX);
	request_send(probe);
	bufferevent_enable(probe->stream, EV_READ | EV_WRITE);
}

int
probe_http_start(struct probe *probe)
{
	return probe_connect(probe, on_connected);
}
