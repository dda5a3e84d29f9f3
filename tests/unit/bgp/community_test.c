/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "bgp/community.h"

static const struct {
	const char *text;
	uint32_t standard;
	uint64_t extended;
	struct path_large large;
} rows[] = {
	{.text = "65000:1", .standard = 0xfde80001},
	{.text = "0:0", .standard = 0},
	{.text = "65535:65535", .standard = 0xffffffff},
	{.text = "graceful-shutdown", .standard = 0xffff0000},
	{.text = "blackhole", .standard = 0xffff029a},
	{.text = "no-export", .standard = 0xffffff01},
	{.text = "no-llgr", .standard = 0xffff0007},
	{.text = "rt:65000:4294967295", .extended = 0x0002fde8ffffffff},
	{.text = "ro:192.0.2.1:7", .extended = 0x0103c00002010007},
	{.text = "rt:4200000000:65535", .extended = 0x0202fa56ea00ffff},
	{.text = "0x8006000000000000", .extended = 0x8006000000000000},
	{.text = "0x0202000000010002", .extended = 0x0202000000010002}, /* its AS would fit two octets */
	{.text = "65000:1:2", .large = {65000, 1, 2}},
	{.text = "4294967295:4294967295:4294967295", .large = {UINT32_MAX, UINT32_MAX, UINT32_MAX}},
};

Test(community, is_what_its_text_says_and_reads_back)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		char text[COMMUNITY_TEXT_MAX];
		struct path path;

		path_init(&path);
		cr_assert_eq(community_parse(rows[i].text, &path), 0, "%s", rows[i].text);
		if (path.n_extended) {
			cr_expect_eq(path.extended[0], rows[i].extended, "%s", rows[i].text);
			community_format_extended(path.extended[0], text);
		} else if (path.n_large) {
			cr_expect_eq(memcmp(&path.large[0], &rows[i].large, sizeof(rows[i].large)), 0, "%s", rows[i].text);
			community_format_large(&path.large[0], text);
		} else {
			cr_expect_eq(path.communities[0], rows[i].standard, "%s", rows[i].text);
			community_format(path.communities[0], text);
		}
		cr_expect_str_eq(text, rows[i].text);
	}
}

Test(community, refuses_what_is_none)
{
	static const char *const texts[] = {
		"", ":", "1", "1:", ":1", "65536:1", "1:65536", "1:2:", "1:2:3:4", "1:2:4294967296", "-1:1", " 1:1", "1:1 ",
		"rt:", "rt:1", "rt:1:", "rt::1", "rt:65000:4294967296", "rt:192.0.2.1:65536", "ro:4200000000:65536",
		"rt:fe80::1:1", "xx:1:1", "0x1", "0x00000000000000001", "0xg000000000000000", "No-Export", "no-exports",
		"99999999999:1:1",
	};

	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		struct path path, before;

		path_init(&path);
		before = path;
		cr_expect_eq(community_parse(texts[i], &path), -EINVAL, "%s", texts[i]);
		cr_expect_eq(memcmp(&path, &before, sizeof(path)), 0, "%s", texts[i]);
	}
}

Test(community, says_when_there_is_no_room)
{
	struct path path;
	char text[16];

	path_init(&path);
	for (unsigned i = 0; i < PATH_COMMUNITIES_MAX; i++) {
		snprintf(text, sizeof(text), "1:2:%u", i);
		cr_assert_eq(community_parse(text, &path), 0);
	}
	cr_expect_eq(community_parse("1:2:99", &path), -ENOSPC);
	cr_expect_eq(community_parse("1:2:3", &path), 0, "it is there already");
}
