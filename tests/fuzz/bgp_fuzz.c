/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: bgp/codec.c bgp/open.c bgp/attributes.c bgp/update.c bgp/update_encode.c bgp/fsm.c bgp/rib_out.c bgp/path.c bgp/path_store.c bgp/hash_index.c bgp/names.c bgp/flowspec.c base/?*.c */
#include "bgp/fsm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is what a peer sends after the connection is up. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct bgp_config config = {.local_as = 65001, .peer_as = 65002, .router_id = 1, .hold_s = 9,
						 .reconnect_s = 1};
	struct rib_out *rib = rib_out_new();
	struct addr local = {.family = ADDR_V4};
	static struct fsm fsm;

	fsm_init(&fsm, &config, rib, 1);
	fsm_start(&fsm, 1);
	fsm_connected(&fsm, 1, &local);
	(void)fsm_input(&fsm, 2, data, size);
	rib_out_free(rib);
	return 0;
}
