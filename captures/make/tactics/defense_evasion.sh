#!/bin/bash
# Defense evasion: somebody hides, or blinds who would see. Beside it, what looks like it.

# The intruder, as root on the host.

host_hide_files() {
  mkdir /tmp/.x /dev/shm/.. 2>/dev/null || mkdir /tmp/.x
  cp /usr/bin/sleep /tmp/.x/kworker
  cp /opt/tactic.sh /dev/.cache
  /tmp/.x/kworker 0.1
}

host_empty_logs() {
  truncate -s 0 /var/log/auth.log
  : > /var/log/syslog
  rm -f /var/log/wtmp
  ln -sf /dev/null /var/log/lastlog
  journalctl --vacuum-time=1s || true
}

host_stop_watchers() {
  systemctl stop auditd || true
  systemctl disable rsyslog.service || true
  cp /usr/bin/sleep /usr/local/sbin/auditd
  /usr/local/sbin/auditd 20 &
  sleep 0.2
  pkill -9 auditd
  wait || true
}

host_lower_guards() {
  iptables -F || true
  sysctl -w kernel.randomize_va_space=0 || true
  echo 0 > /proc/sys/kernel/yama/ptrace_scope || true
  mkdir -p /etc/selinux /etc/audit/rules.d
  echo SELINUX=disabled > /etc/selinux/config
  echo '-D' > /etc/audit/rules.d/audit.rules
}

host_hide_a_process() {
  cp /usr/bin/sleep /tmp/.x/upower
  (exec -a '[kworker/0:1]' /tmp/.x/upower 1) &
  /tmp/.x/upower 2 &
  mkdir -p /tmp/empty
  mount --bind /tmp/empty "/proc/$!"
  umount "/proc/$!"
  wait
}

host_run_and_remove() {
  /opt/tactic
  python3 /opt/tactic.py
}

host_set_times_back() {
  touch -r /usr/bin/true /tmp/.x/kworker
  touch -d '2021-03-04 05:06:07' /usr/local/sbin/auditd
}

host_keep_no_history() {
  HISTFILE=/dev/null bash -c 'id; true'
  HISTSIZE=0 bash -c 'id; true'
  rm -f /root/.bash_history
}

host_preload() {
  LD_PRELOAD=/tmp/.x/hook.so /usr/bin/true || true
}

host_make_immutable() {
  echo '* * * * * root /tmp/.x/kworker' > /tmp/.x/job
  chattr +i /tmp/.x/job || true
  chattr -i /tmp/.x/job || true
}

host_decode_a_script() {
  echo aWQK > /tmp/.x/script
  bash -c 'base64 -d /tmp/.x/script | bash'
}

# Ordinary work.

host_cron_rotate_logs() {
  echo a line >> /var/log/kern.log
  cp /opt/tactic.sh /opt/logrotate
  /opt/logrotate rotate_logs
}

rotate_logs() {
  mv /var/log/kern.log /var/log/kern.log.1
  : > /var/log/kern.log
  gzip -f /var/log/kern.log.1
  pkill -HUP rsyslogd || true
}

host_ask_about_services() {
  systemctl status rsyslog || true
  systemctl restart orders || true
  sleep 5 &
  kill -9 $!
  wait || true
  systemctl kill -s HUP rsyslog || true
  journalctl --vacuum-time=2weeks || true
  iptables -L -n || true
  sysctl kernel.randomize_va_space
}

host_keep_times() {
  echo a > /tmp/a
  cp -p /tmp/a /tmp/b
  touch /tmp/a
  tar -c -f /tmp/t.tar -C / srv
  mkdir -p /tmp/out
  tar -x -f /tmp/t.tar -C /tmp/out
}

host_tty_work() {
  HISTCONTROL=ignoredups bash -c 'ls; true'
}

host_mount_a_folder() {
  mkdir -p /mnt/data
  mount -t tmpfs tmpfs /mnt/data
  umount /mnt/data
}

host_preload_a_known_library() {
  LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libeatmydata.so /usr/bin/true || true
  LD_PRELOAD=libfaketime.so.1 /usr/bin/true || true
}

host_decode_data() {
  echo aWQK | base64 -d > /tmp/decoded
  tr a-z A-Z < /tmp/decoded
}

host_replace_program() {
  cp /usr/bin/true /srv/tool
  /srv/tool
  rm /srv/tool
}

host_install_package() {
  mkdir -p /tmp/stage/DEBIAN /tmp/stage/etc/audit/rules.d /tmp/stage/srv/.hidden
  echo '# orders' > /tmp/stage/etc/audit/rules.d/orders.rules
  printf 'Package: orders\nVersion: 1.0\nArchitecture: all\nMaintainer: build <build@example.com>\nDescription: takes orders\n' > /tmp/stage/DEBIAN/control
  dpkg-deb --build --root-owner-group /tmp/stage /tmp/orders.deb
  dpkg --install /tmp/orders.deb
}

"$1"
