#!/bin/bash
# Ordinary work, of which no rule may say a word. Needs a folder to work in ($1), gcc, git, tar, $PYTHON.
set -e
cd "$1"
mkdir site tree
printf 'hello\n' > site/index.html
head -c 20000 /dev/urandom > site/blob

"$PYTHON" - <<'P'
import functools, http.server, sqlite3, socket, threading, urllib.request

handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="site")
handler.func.log_message = lambda *_: None
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"
assert urllib.request.urlopen(f"{base}/").read() == b"hello\n"
assert len(urllib.request.urlopen(f"{base}/blob").read()) == 20000
server.shutdown()

one, other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("127.0.0.1", 0))
other.sendto(b"datagram", one.getsockname())
assert one.recvfrom(20)[0] == b"datagram"

database = sqlite3.connect("table.db")
database.execute("create table t (a, b)")
database.execute("insert into t values (1, 2), (3, 4)")
database.commit()
assert database.execute("select sum(b) from t").fetchone() == (6,)
P

printf '#include <stdio.h>\nint main(void) { puts("compiled"); return 0; }\n' > hello.c
gcc -O1 -o hello hello.c
./hello | grep -q compiled

export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_CONFIG_NOSYSTEM=1 HOME="$PWD"
git init -q repository
(cd repository; for i in 1 2 3; do echo $i > file$i; git add .; git commit -qm "commit $i"; done; git status -s; git log --oneline | wc -l) > git.out
git clone -q repository clone

for i in 1 2 3 4; do head -c 3000 /dev/urandom > tree/file$i; done
tar czf tree.tgz tree; tar tzf tree.tgz | sort | tail -1 > last; mkdir out; tar xzf tree.tgz -C out
find tree -type f | sort | xargs -n1 basename | tr a b > names
mv hello hello2; ln -s hello2 short; ln hello2 hard; chmod 700 hard; rm -f short hard
mkdir -p m/n; rmdir m/n; touch 'with space' $'uni\xc3\xa9'
cat /etc/hosts /etc/passwd | sort | uniq | wc -l > counted; ls -la /etc > listing; date > log; sed -i s/1/2/ counted
