# ruff: noqa: INP001 - a script for a machine
"""Opens sockets for packets as they come, and sends one echo request to the gateway."""

import socket

with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as icmp:
    icmp.bind(("192.0.2.10", 0))
    icmp.sendto(bytes.fromhex("0800f7ff00000000"), ("192.0.2.1", 0))
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as packets:
    packets.setblocking(False)
