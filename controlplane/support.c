/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/support.h"

#include <errno.h>

static void
refuse(struct config_errors *errors, const char *file, const char *peer, const char *key)
{
	struct config_error *error;

	if (errors->n++ >= CONFIG_ERRORS_MAX)
		return;
	error = &errors->list[errors->n - 1];
	*error = (struct config_error){0};
	snprintf(error->text, sizeof(error->text), "%s: %s%s%s: this version's sessions don't do this; leave it out", file, peer,
		 *peer ? ": " : "", key);
}

static void
peer_check(const char *file, const struct model_peer *peer, struct config_errors *errors)
{
	if (peer->bfd.enabled)
		refuse(errors, file, peer->session.name, "bfd");
}

int
support_check(const char *file, const struct model *model, struct config_errors *errors)
{
	unsigned before = errors->n;

	for (unsigned i = 0; i < model->n_peers; i++)
		peer_check(file, &model->peers[i], errors);
	if (model->n_collectors > 0)
		refuse(errors, file, "bgp", "bmp");
	if (model->mrt.file[0])
		refuse(errors, file, "bgp", "mrt");
	return errors->n == before ? 0 : -EINVAL;
}
