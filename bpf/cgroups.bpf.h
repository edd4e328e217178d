/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/**
 * Control groups of a thread: described once for each css_set, the kernel's own sharing of them.
 */
#ifndef FALCOTRACE_CGROUPS_BPF_H
#define FALCOTRACE_CGROUPS_BPF_H

#include "path.bpf.h"

#define FT_SUBSYSTEMS 16 /* at least as many as any kernel has (CGROUP_SUBSYS_COUNT) */

static __always_inline struct cgroup_subsys_state *subsystem_state(struct css_set *set, u32 i)
{
	struct cgroup_subsys_state *state = NULL;

	if (i < bpf_core_field_size(set->subsys) / sizeof(void *))
		bpf_probe_read_kernel(&state, sizeof(state), (void **)&set->subsys + i);
	return state;
}

/* The address of a freed set may be reused; the serial numbers of its groups are not. */
static __always_inline u64 digest_serials(struct css_set *set)
{
	u64 digest = BPF_CORE_READ(set, dfl_cgrp, kn, id);

	for (u32 i = 0; i < FT_SUBSYSTEMS; i++) {
		struct cgroup_subsys_state *state = subsystem_state(set, i);
		if (state)
			digest = digest * 0x9E3779B97F4A7C15ull + BPF_CORE_READ(state, serial_nr);
	}
	return digest;
}

/* Appends "subsystem=path" and a NUL. */
static __always_inline void append_subsystem(struct ft_scratch *scratch,
					     struct cgroup_subsys_state *state)
{
	append_kernel_string(scratch, BPF_CORE_READ(state, ss, name), 32);
	u8 *to = next_string(scratch);
	if (!to)
		return;
	*to = '=';
	scratch->len += 1;
	walk_cgroup(scratch, (u64)BPF_CORE_READ(state, cgroup, kn));
	append_path(scratch);
	to = next_string(scratch);
	if (!to)
		return;
	*to = 0;
	scratch->len += 1;
}

/** Makes an FT_CGROUPS sample of the set; returns its number, 0 if the sample was lost. */
__noinline u64 describe_cgroups(u64 css_set, u64 serials, u32 flags)
{
	struct css_set *set = (void *)css_set;
	struct ft_cgroup_set known = {.serials = serials};
	struct ft_scratch *scratch = claim_scratch();

	if (!scratch) {
		count_made(FT_CGROUPS);
		count_lost(FT_CGROUPS);
		return 0;
	}
	struct ft_cgroups *sample = (void *)scratch->sample;
	scratch->len = sizeof(*sample);
	known.cgroups_id = FT_NEW_ID(last_cgroups_id);
	fill_header(&sample->header, FT_CGROUPS, flags);
	sample->cgroups_id = known.cgroups_id;
	sample->default_id = BPF_CORE_READ(set, dfl_cgrp, kn, id);
	sample->cgroups_flags = 0;
	for (u32 i = 0; i < FT_SUBSYSTEMS; i++) {
		struct cgroup_subsys_state *state = subsystem_state(set, i);
		if (state)
			append_subsystem(scratch, state);
	}
	sample->paths_len = scratch->len - sizeof(*sample);
	walk_cgroup(scratch, (u64)BPF_CORE_READ(set, dfl_cgrp, kn));
	sample->default_len = append_path(scratch);
	if (submit_scratch(scratch, FT_CGROUPS))
		return 0;
	if (bpf_map_update_elem(&cgroup_sets, &css_set, &known, BPF_ANY))
		FT_COUNT(map_full);
	return known.cgroups_id;
}

static __always_inline u64 identify_cgroups(u64 css_set, u32 flags)
{
	u64 serials = digest_serials((void *)css_set);
	struct ft_cgroup_set *known = bpf_map_lookup_elem(&cgroup_sets, &css_set);

	if (known && known->serials == serials)
		return known->cgroups_id;
	return describe_cgroups(css_set, serials, flags);
}

#endif
