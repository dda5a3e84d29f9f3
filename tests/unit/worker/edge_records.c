/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control plane's half of edge.h, a process of its own as in life: a configuration from standard input, and to
 * standard output the full transaction of it, BEGIN to COMMIT. Backends are all up, one hop away.
 */
#include <stdio.h>
#include <string.h>

#include "controlplane/config.h"
#include "controlplane/transaction.h"

enum { PORT_INDEX = 7, MTU = 1500, BACKENDS_MAX = 64 };

static bool
lookup(const void *context, const struct addr *addr, struct neighbour *out)
{
	(void)context, (void)addr;
	*out = (struct neighbour){.ifindex = PORT_INDEX, .mtu = MTU, .mac = {2, 0, 0, 0, 0, 9}};
	return true;
}

static struct compiled *
compiled_of(const struct model *model)
{
	static const struct abi_port port = {.ifindex = PORT_INDEX, .mtu = MTU, .mac = {2, 0, 0, 0, 0, 1}};
	bool yes[BACKENDS_MAX], no[BACKENDS_MAX] = {false};
	struct compile_input input = {.model = model,
				      .usable = yes,
				      .reachable = yes,
				      .drained = no,
				      .lookup = lookup,
				      .ports = &port,
				      .n_ports = 1};
	struct compiled *image = NULL;
	struct compile *compile;

	memset(yes, true, sizeof(yes));
	if (model_backends(model) <= BACKENDS_MAX && compile_new(&compile) == 0) {
		if (compile_tables(compile, &input, &image) != 0)
			image = NULL;
		compile_free(compile);
	}
	return image;
}

int
main(void)
{
	static char text[1 << 16];
	static struct config_errors errors;
	size_t len = fread(text, 1, sizeof(text), stdin);
	struct compiled *image;
	struct transaction t;
	struct model *model;
	bool is_whole;

	if (config_parse("edge.yaml", text, len, &model, &errors) != 0) {
		config_errors_print(&errors, stderr);
		return 1;
	}
	image = compiled_of(model);
	model_free(model);
	if (!image)
		return 1;
	t = transaction_of(NULL, image);
	transaction_seal(&t, 1, 0);
	is_whole = !t.failed && fwrite(t.records, sizeof(*t.records), t.n, stdout) == t.n;
	transaction_fini(&t);
	compiled_free(image);
	return is_whole && fflush(stdout) == 0 ? 0 : 1;
}
