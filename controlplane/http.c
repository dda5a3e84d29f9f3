/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/http.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controlplane/metrics.h"
#include "controlplane/node.h"

struct http {
	struct evhttp *server;
	const struct node *node;
};

static void
reply(struct evhttp_request *request, const char *type, struct evbuffer *body)
{
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", type);
	evhttp_send_reply(request, HTTP_OK, "OK", body);
}

static void
on_metrics(struct evhttp_request *request, void *context)
{
	const struct http *http = context;
	struct evbuffer *body = evbuffer_new();

	if (!body)
		return evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
	metrics_write(body, http->node);
	reply(request, "text/plain; version=0.0.4; charset=utf-8", body);
	evbuffer_free(body);
}

static void
on_page(struct evhttp_request *request, void *context)
{
	const struct http *http = context;
	struct evbuffer *body = evbuffer_new();

	if (!body)
		return evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
	metrics_page(body, http->node);
	reply(request, "text/html; charset=utf-8", body);
	evbuffer_free(body);
}

/* "127.0.0.1:9464" or "[::1]:9464", checked by config. */
static int
bind_to(struct evhttp *server, const char *listen)
{
	char host[64];
	const char *colon = strrchr(listen, ':');
	size_t len = colon ? (size_t)(colon - listen) : 0;

	if (!colon || len == 0 || len >= sizeof(host))
		return -1;
	if (listen[0] == '[' && len > 2 && listen[len - 1] == ']') {
		listen++;
		len -= 2;
	}
	memcpy(host, listen, len);
	host[len] = '\0';
	return evhttp_bind_socket(server, host, (uint16_t)strtoul(colon + 1, NULL, 10));
}

struct http *
http_new(const struct node *node)
{
	struct http *http = calloc(1, sizeof(*http));

	if (!http)
		return NULL;
	http->node = node;
	http->server = evhttp_new(node->base);
	if (!http->server || bind_to(http->server, node->model->http_listen) != 0) {
		http_free(http);
		return NULL;
	}
	evhttp_set_allowed_methods(http->server, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_timeout(http->server, 10);
	evhttp_set_max_headers_size(http->server, 8192);
	evhttp_set_max_body_size(http->server, 0);
	evhttp_set_cb(http->server, "/metrics", on_metrics, http);
	evhttp_set_cb(http->server, "/", on_page, http);
	return http;
}

void
http_free(struct http *http)
{
	if (!http)
		return;
	if (http->server)
		evhttp_free(http->server);
	free(http);
}
