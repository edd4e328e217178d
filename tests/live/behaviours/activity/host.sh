#!/bin/bash
# What rules look for on a host; harmless, and undone. Needs a folder to work in ($1), root, gcc's probe in it, $PYTHON.
cd "$1" || exit 1
quietly() { "$@" >/dev/null 2>&1 </dev/null; }

quietly head -1 /etc/shadow

printf 'x\n' > /etc/falcotrace-test.conf; rm -f /etc/falcotrace-test.conf
printf 'x\n' > /usr/bin/falcotrace-test; rm -f /usr/bin/falcotrace-test
printf 'x\n' > /dev/falcotrace-test; rm -f /dev/falcotrace-test

ln -s /etc/shadow link-to-shadow; rm -f link-to-shadow

cp /bin/bash httpd
quietly ./httpd -c 'sh -c "id; true"; true'

./probe memory /bin/true
quietly ./probe redirect

cp /bin/true /dev/shm/falcotrace-test; /dev/shm/falcotrace-test; rm -f /dev/shm/falcotrace-test

printf '# nothing\n' > /etc/cron.d/falcotrace-test; rm -f /etc/cron.d/falcotrace-test

person=/home/falcotrace-test
mkdir -p $person/.ssh
printf 'no key\n' > $person/.ssh/id_ed25519
quietly head -1 $person/.ssh/id_ed25519
printf 'no key\n' > $person/.ssh/authorized_keys
printf 'ls\n' > $person/.bash_history; rm -f $person/.bash_history
rm -rf $person

# A network of its own, so that nothing leaves the machine.
quietly unshare -n bash -c '
  ip link set lo up && ip addr add 203.0.113.5/32 dev lo
  "$PYTHON" -c "
import socket
listener = socket.create_server((\"203.0.113.5\", 3333))
open(\"ready\", \"w\").close()
listener.accept()
" &
  while ! [ -e ready ]; do sleep 0.02; done
  bash -c "exec 5<>/dev/tcp/203.0.113.5/3333"
  wait'
exit 0
