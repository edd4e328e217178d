/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/**
 * Sockets: addresses, role, and whether either changed since the last description.
 */
#ifndef FALCOTRACE_SOCKET_BPF_H
#define FALCOTRACE_SOCKET_BPF_H

#include "scratch.bpf.h"

static __always_inline struct sock *sock_of(u64 file)
{
	struct socket *socket = BPF_CORE_READ((struct file *)file, private_data);

	return BPF_CORE_READ(socket, sk);
}

static __always_inline u64 mix(u64 digest, u64 value)
{
	digest = (digest ^ value) * 0x9E3779B97F4A7C15ull;
	return digest ^ digest >> 29;
}

static __always_inline bool is_listening(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN;
}

/* Both addresses and ports, and whether it listens: what a socket's name is made of. */
static __always_inline u64 digest_naming(struct sock *sk)
{
	u32 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	u64 digest = mix(family, is_listening(sk));
	u64 address[2] = {};

	if (family == AF_UNIX) {
		struct unix_sock *unix_sock = (void *)sk;
		digest = mix(digest, (u64)BPF_CORE_READ(unix_sock, addr));
		return mix(digest, (u64)BPF_CORE_READ(unix_sock, peer));
	}
	if (family != AF_INET && family != AF_INET6)
		return digest;
	digest = mix(digest, (u64)BPF_CORE_READ(sk, __sk_common.skc_num) << 16 |
				     BPF_CORE_READ(sk, __sk_common.skc_dport));
	digest = mix(digest, (u64)BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr) << 32 |
				     BPF_CORE_READ(sk, __sk_common.skc_daddr));
	if (family == AF_INET6) {
		bpf_core_read(address, sizeof(address), &sk->__sk_common.skc_v6_rcv_saddr);
		digest = mix(mix(digest, address[0]), address[1]);
		bpf_core_read(address, sizeof(address), &sk->__sk_common.skc_v6_daddr);
		digest = mix(mix(digest, address[0]), address[1]);
	}
	return digest;
}

/* Can traffic alone still change the addresses or the role? */
static __always_inline bool is_settled(struct sock *sk, u32 role)
{
	u32 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family != AF_INET && family != AF_INET6)
		return true;
	if (BPF_CORE_READ(sk, sk_type) == SOCK_STREAM)
		return BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_ESTABLISHED ||
		       is_listening(sk);
	return role && BPF_CORE_READ(sk, __sk_common.skc_num);
}

static __always_inline void fill_inet(struct ft_file *sample, struct sock *sk)
{
	u16 port = BPF_CORE_READ(sk, __sk_common.skc_dport);

	sample->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	sample->remote_port = __builtin_bswap16(port);
	if (sample->family == AF_INET6) {
		bpf_core_read(sample->local, sizeof(sample->local),
			      &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(sample->remote, sizeof(sample->remote),
			      &sk->__sk_common.skc_v6_daddr);
		return;
	}
	bpf_core_read(sample->local, sizeof(u32), &sk->__sk_common.skc_rcv_saddr);
	bpf_core_read(sample->remote, sizeof(u32), &sk->__sk_common.skc_daddr);
}

/* Appends the name at which a unix socket is bound; false if it has none. */
static __always_inline bool append_unix_name(struct ft_scratch *scratch, struct ft_file *sample,
					     struct unix_sock *sock)
{
	struct unix_address *address = BPF_CORE_READ(sock, addr);
	u32 len = BPF_CORE_READ(address, len) - sizeof(u16);
	u8 *to = next_string(scratch);
	const char *path = ((struct sockaddr_un *)&address->name)->sun_path;

	if (!address || !to || !len || len > sizeof(((struct sockaddr_un *)0)->sun_path))
		return false;
	u8 first = 0;
	bpf_probe_read_kernel(&first, 1, path);
	if (first) {
		sample->name_len = append_kernel_string(
			scratch, path, sizeof(((struct sockaddr_un *)0)->sun_path) + 1);
		return sample->name_len;
	}
	/* The abstract namespace: any bytes after a NUL, unix(7). */
	len -= 1;
	if (!len)
		return false;
	barrier_var(len); /* see submit_scratch() */
	if (len > 127)
		return false;
	bpf_probe_read_kernel(to, len, path + 1);
	scratch->len += len;
	sample->name_len = len;
	sample->file_flags |= FT_FILE_ABSTRACT;
	return true;
}

static __always_inline void fill_unix(struct ft_scratch *scratch, struct ft_file *sample,
				      struct sock *sk)
{
	struct unix_sock *sock = (void *)sk;
	struct unix_sock *peer = (void *)BPF_CORE_READ(sock, peer);

	sample->peer = (u64)peer;
	sample->peer_pid = BPF_CORE_READ(sk, sk_peer_pid, numbers[0].nr);
	sample->peer_uid = BPF_CORE_READ(sk, sk_peer_cred, euid.val);
	if (!append_unix_name(scratch, sample, sock) && peer &&
	    append_unix_name(scratch, sample, peer))
		sample->file_flags |= FT_FILE_PEER_NAME;
}

static __always_inline void fill_socket(struct ft_scratch *scratch, struct ft_file *sample,
					struct sock *sk)
{
	sample->sock = (u64)sk;
	sample->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	sample->socket_type = BPF_CORE_READ(sk, sk_type);
	sample->protocol = BPF_CORE_READ(sk, sk_protocol);
	sample->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	sample->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (is_listening(sk))
		sample->file_flags |= FT_FILE_LISTENING;
	if (sample->family == AF_UNIX)
		fill_unix(scratch, sample, sk);
	else if (sample->family == AF_INET || sample->family == AF_INET6)
		fill_inet(sample, sk);
}

#endif
