#!/bin/bash
# Container escape: somebody inside looks for the way out. All of it fails or stays inside.

# The intruder, in an ordinary container.

container_try_mounts() {
  mount -t ext4 /dev/sda1 /mnt || true
  mount -t proc proc /mnt || true
  mount -t cgroup -o rdma cgroup /mnt || true
}

container_make_devices() {
  mknod /tmp/disk b 8 0 || true
  dd if=/dev/sda of=/tmp/first bs=512 count=1 || true
}

container_ask_the_runtime() {
  nc -l -U /var/run/docker.sock > /tmp/asked &
  sleep 0.3
  curl -s --max-time 1 --unix-socket /var/run/docker.sock http://localhost/containers/json || true
  kill %1 || true
  wait || true
}

container_look_through_proc() {
  cat /proc/1/root/etc/hostname || true
  ls /proc/1/root/root
}

container_make_namespaces() {
  unshare --user --map-root-user --mount true || true
  nsenter --target 1 --mount --uts true || true
}

container_use_system_calls() {
  python3 /opt/tactic.py
}

container_set_helpers_of_the_kernel() {
  echo '|/tmp/helper' > /proc/sys/kernel/core_pattern || true
}

container_follow_a_descriptor() {
  exec 7< /
  cd /proc/self/fd/7
  /usr/bin/id
}

# The intruder, in a container with the host's capabilities.

privileged_use_control_groups() {
  mkdir -p /tmp/group
  mount -t tmpfs tmpfs /tmp/group
  echo /tmp/command > /tmp/group/release_agent
  umount /tmp/group
}

privileged_enter_namespaces() {
  nsenter --target 1 --mount --uts --ipc --net true
}

# Ordinary work.

container_work() {
  id
  ls -l /data
  cat /proc/self/status
  cat /proc/1/cmdline
  mknod /tmp/pipe p
  cd /proc/self
  cat /etc/hostname
}

container_connect_to_a_socket() {
  nc -l -U /tmp/app.sock > /tmp/asked &
  sleep 0.3
  echo hello | nc -q 0 -U /tmp/app.sock || true
  wait || true
}

host_mount() {
  mkdir -p /mnt/data
  mount -t tmpfs tmpfs /mnt/data
  umount /mnt/data
  unshare --mount true
  nsenter --target 1 --mount true
  cat /proc/1/root/etc/hostname
}

"$1"
