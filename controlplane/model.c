/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/model.h"

#include <stdlib.h>

void
model_free(struct model *model)
{
	if (!model)
		return;
	for (unsigned i = 0; i < model->n_pools; i++)
		free(model->pools[i].backends);
	free(model->pools);
	free(model->services);
	for (unsigned i = 0; i < model->n_vips; i++)
		free(model->vips[i].peers);
	free(model->vips);
	free(model->aggregates);
	free(model->dynamic);
	free(model->bogons);
	free(model->reflectors);
	free(model->lists);
	free(model->filters);
	free(model->list_classes);
	free(model->peers);
	free(model->collectors);
	free(model);
}

unsigned
model_backends(const struct model *model)
{
	unsigned n = 0;

	for (unsigned i = 0; i < model->n_pools; i++)
		n += model->pools[i].n_backends;
	return n;
}
