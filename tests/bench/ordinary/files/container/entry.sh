#!/bin/sh
# The container's first process: settings from the environment, cron, and the server.
set -e
: "${PORT:=8080}"
mkdir -p /data/log
test -f /data/orders.csv || printf '1,lamp\n2,candle\n' > /data/orders.csv
cp /srv/orders.cron /etc/cron.d/orders
chmod 644 /etc/cron.d/orders
cron
exec python3 /srv/server.py "$PORT"
