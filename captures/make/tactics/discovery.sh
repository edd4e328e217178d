#!/bin/bash
# Discovery: somebody does not know this machine yet. Beside it, people who do, with the same tools.

# The intruder, on the host. The scanner is nc under another name; it does ask for ports.

host_scan_the_network() {
  cp /usr/bin/nc.openbsd /usr/local/bin/nmap
  nmap -z -w 1 192.0.2.1 20-25 || true
}

host_ops_search_for_privileged_programs() {
  find /usr/local /opt -xdev -perm -4000 -type f
  find /usr/local /opt -xdev -type f -perm /u=s
  getcap -r /opt
}

host_ask_the_cloud() {
  curl -s -m 1 http://169.254.169.254/latest/meta-data/iam/security-credentials/ || true
}

host_run_enumeration_script() {
  printf '#!/bin/bash\nid\ncat /etc/passwd\n' > /tmp/linpeas.sh
  chmod 755 /tmp/linpeas.sh
  /tmp/linpeas.sh
  bash /tmp/linpeas.sh
}

host_look_for_guards() {
  pgrep -l auditd || true
  ps aux | grep -i -E 'falco|osquery|wazuh' || true
}

host_read_known_hosts() {
  cat /home/ops/.ssh/known_hosts
  python3 /opt/tactic.py
}

host_explore_the_domain() {
  cp /opt/tactic.py /tmp/GetUserSPNs.py
  python3 /tmp/GetUserSPNs.py -request example.com/ops
}

# The intruder, in the container: through its server, and in a shell.

internet_run_commands() {
  exec 3<> /dev/tcp/172.18.0.2/8080
  printf 'GET /cgi-bin/status?look_around HTTP/1.0\r\n\r\n' >&3
  cat <&3
}

served_look_around() {
  id
  whoami
  ss -t -n
}

container_explore_the_cluster() {
  curl -s -k -m 1 https://172.18.0.1:6443/api/v1/namespaces/default/secrets || true
}

container_read_connections() {
  cat /proc/net/tcp
  bash -c 'while read -r line; do echo "$line"; done < /proc/self/net/arp'
}

# Ordinary work.

internet_ask() {
  exec 3<> /dev/tcp/172.18.0.2/8080
  printf 'GET /cgi-bin/status?say_what_is HTTP/1.0\r\n\r\n' >&3
  cat <&3
}

served_say_what_is() {
  date
  hostname
}

host_check_a_port() {
  nc -z -w 1 packages.example.org 443
}

host_ops_search_for_files() {
  find /opt -type f -perm -755
  find /srv -name '*.conf'
  getcap /usr/bin/nc.openbsd
}

host_check_hardening() {
  find /opt -xdev -perm -4000
}

host_set_up_in_the_cloud() {
  printf '#!/bin/bash\ncurl -s -m 1 http://169.254.169.254/latest/user-data || true\n' > /usr/local/bin/cloud-init
  chmod 755 /usr/local/bin/cloud-init
  cloud-init
}

host_tty_look_around() {
  ls -l /tmp/linpeas.sh
  id
  whoami
  netstat -t -n
  ss -t -n
  ps aux | grep auditd
  grep -c . /proc/net/dev
}

host_look_for_own_programs() {
  pgrep -l sleep || true
}

host_log_in_elsewhere() {
  ssh -o BatchMode=yes -o ConnectTimeout=1 packages.example.org true || true
}

host_back_up_homes() {
  tar -c -f /var/backups/home.tar -C / home
}

container_ask_the_application() {
  curl -s -m 1 http://172.18.0.2:8080/index.html
  cat /proc/net/dev
}

"$1"
