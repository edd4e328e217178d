#!/bin/sh
# What happens in shop_network: a shop's page is asked for by name, a page that is not there, and a
# connection with TLS that its server does not take.
/usr/local/sbin/dnsd &
httpd -f -p 127.0.0.1:80 -h /srv/www &
nc -l -p 443 > /dev/null &
sleep 1
wget -q -O /dev/null http://shop.example/prices.html
wget -q -O /dev/null http://shop.example/orders/17
timeout 2 wget -q -O /dev/null --no-check-certificate https://pay.shop.example/
kill %1 %2
