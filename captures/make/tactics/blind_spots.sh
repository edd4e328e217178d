#!/bin/bash
# Blind spots: calls by which others are blinded, or which hide what is done. Beside it, programs that
# are known for these calls. Those are the same small program under their names, or Debian's own.

# The intruder, as root on the host.

host_use_a_ring() {
  /opt/tactic ring
}

host_take_control_of_a_process() {
  /opt/tactic attach
}

host_write_into_a_process() {
  /opt/tactic write
  /opt/tactic write_file
}

host_make_a_file_in_memory() {
  python3 /opt/tactic.py
}

host_load_into_the_kernel() {
  /opt/tactic bpf
  /opt/tactic module
}

host_handle_page_faults() {
  /opt/tactic faults
}

host_open_counters() {
  /opt/tactic counters
}

host_make_another_kernel_ready() {
  /opt/tactic kernel
}

host_change_instruments() {
  mkdir -p /sys/kernel/tracing
  echo 0 > /sys/kernel/tracing/tracing_on
}

host_take_a_descriptor() {
  /opt/tactic descriptor
}

host_answer_calls() {
  /opt/tactic listener
}

container_use_a_ring() {
  /opt/tactic ring
}

container_load_a_module() {
  /opt/tactic module
}

# Ordinary work.

host_measure_disks() {
  cp /opt/tactic /usr/local/bin/fio
  fio ring
}

host_debug_own_program() {
  strace -o /tmp/trace -e trace=openat cat /etc/hostname
  sleep 3 &
  strace -o /tmp/trace -e trace=none -p $! &
  sleep 0.3
  kill %2 %1
  wait || true
}

host_restore_memory() {
  cp /opt/tactic /usr/local/sbin/criu
  criu write
}

host_run_scripts() {
  python3 -c 'open("/tmp/report", "w").close()'
}

host_list_what_is_loaded() {
  bpftool prog list > /tmp/programs || true
  grep -c . /proc/filesystems
}

host_start_a_module_for_a_service() {
  cp /opt/tactic /usr/local/sbin/systemd-modules
  systemd-modules module
}

host_move_a_machine() {
  cp /opt/tactic /usr/local/bin/qemu-system-x86
  qemu-system-x86 faults
}

host_profile() {
  cp /opt/tactic /usr/local/bin/perf
  perf counters
}

host_prepare_for_crashes() {
  printf '#!/bin/bash\n/opt/tactic kernel\n' > /usr/local/sbin/kdump-config
  chmod 755 /usr/local/sbin/kdump-config
  kdump-config load
}

host_read_instruments() {
  cat /sys/kernel/tracing/tracing_on
}

host_restore_a_process() {
  criu descriptor
}

host_confine_itself() {
  /opt/tactic confine
}

"$1"
