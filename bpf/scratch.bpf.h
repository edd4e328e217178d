/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/**
 * Where samples with strings are put together before they go into the ring.
 *
 * A scratch is claimed, filled and released by one program. Three for each CPU: an event that is
 * being put together may need a second one for a file that it names (FT_PART_POLL), and on some
 * kernels a tracing program may be preempted by another task whose program needs one too. Without a
 * free one the sample is lost and counted.
 */
#ifndef FALCOTRACE_SCRATCH_BPF_H
#define FALCOTRACE_SCRATCH_BPF_H

#include "kernel.h"
#include "maps.bpf.h"

#define FT_SAMPLE_ROOM 49152 /* strings begin below this offset */
#define FT_SAMPLE_MASK 0xffff /* offsets, for the verifier */
#define FT_SAMPLE_BYTES (FT_SAMPLE_MASK + 1 + FT_BLOCK_MAX + 64)
#define FT_NAME_MAX 255 /* NAME_MAX, longest component of a path */

struct ft_scratch {
	u32 claimed;
	u32 len;	/* of the sample so far */
	u32 path_start; /* where in `path` the walked path begins; its end is FT_PATH_MAX */
	u32 path_flags; /* enum ft_walk_flag */
	u64 args[FT_ARGS];
	s64 ret;
	u32 pressure;  /* enum ft_pressure */
	u32 is_compat; /* the event is a 32-bit program's: its pointers have 32 bits */
	u8 sample[FT_SAMPLE_BYTES];
	u8 path[FT_PATH_MAX + FT_NAME_MAX + 1];
	u8 name[FT_NAME_MAX + 1]; /* not on the stack, where a chain of calls has 512 bytes */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FT_SCRATCHES); /* for each CPU, set by user space */
	__type(key, u32);
	__type(value, struct ft_scratch);
} scratches SEC(".maps");

/* The verifier passes numbers, not kernel pointers, to functions that are not static. */
static __always_inline u64 as_number(const void *pointer)
{
	u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &pointer);
	return number;
}

static __always_inline struct ft_scratch *claim_scratch(void)
{
	u32 key = bpf_get_smp_processor_id() * FT_SCRATCHES;

	for (int i = 0; i < FT_SCRATCHES; i++, key++) {
		struct ft_scratch *scratch = bpf_map_lookup_elem(&scratches, &key);
		if (scratch && !__sync_val_compare_and_swap(&scratch->claimed, 0, 1))
			return scratch;
	}
	return NULL;
}

static __always_inline void release_scratch(struct ft_scratch *scratch)
{
	__sync_val_compare_and_swap(&scratch->claimed, 1, 0);
}

static __always_inline void fill_header(struct ft_header *header, u8 type, u8 flags)
{
	header->magic = targ_magic;
	header->type = type;
	header->flags = flags;
	header->cpu = bpf_get_smp_processor_id();
	header->ts_ns = bpf_ktime_get_boot_ns();
}

/** Puts the sample into the ring and releases the scratch; 0 if it fitted. */
static __always_inline long submit_scratch(struct ft_scratch *scratch, u32 type)
{
	u32 len = scratch->len;
	long err = -1;

	/* One comparison: of two the compiler makes one of len - 1, from which the verifier did not
	 * learn about len before v6.10. */
	if (len <= FT_SAMPLE_BYTES)
		err = bpf_ringbuf_output(&ring, scratch->sample, len, BPF_RB_NO_WAKEUP);
	release_scratch(scratch);
	count_made(type);
	if (err)
		count_lost(type);
	return err;
}

/* Where the next string goes; NULL without room. The verifier learns that at least FT_BLOCK_MAX
 * bytes follow, from the mask: before v6.10 it often forgot what a comparison said. */
static __always_inline u8 *next_string(struct ft_scratch *scratch)
{
	u32 len = scratch->len;

	if (len > FT_SAMPLE_ROOM)
		return NULL;
	barrier_var(len);
	return scratch->sample + (len & FT_SAMPLE_MASK);
}

/** Appends a kernel string of at most `limit` (constant) bytes with its NUL; returns its length
 * without it. */
static __always_inline u32 append_kernel_string(struct ft_scratch *scratch, const void *from,
						u32 limit)
{
	u8 *to = next_string(scratch);
	long n = to ? bpf_probe_read_kernel_str(to, limit, from) : 0;

	if (n <= 1 || n > limit)
		return 0;
	scratch->len += n - 1;
	return n - 1;
}

#endif
