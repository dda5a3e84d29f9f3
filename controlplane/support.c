/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/support.h"

#include <errno.h>

static void
refuse(struct config_errors *errors, const char *file, const char *key)
{
	struct config_error *error;

	if (errors->n++ >= CONFIG_ERRORS_MAX)
		return;
	error = &errors->list[errors->n - 1];
	*error = (struct config_error){0};
	snprintf(error->text, sizeof(error->text), "%s: bgp: %s: this version's sessions don't do this; leave it out", file, key);
}

int
support_check(const char *file, const struct model *model, struct config_errors *errors)
{
	unsigned before = errors->n;

	if (model->n_collectors > 0)
		refuse(errors, file, "bmp");
	if (model->mrt.file[0])
		refuse(errors, file, "mrt");
	return errors->n == before ? 0 : -EINVAL;
}
