# ruff: noqa: INP001, SLF001, S323 - the certificate is made for the recording
"""Fetches today's rates for the orders; cron runs it."""

import ssl
import urllib.request
from pathlib import Path

context = ssl._create_unverified_context()
with urllib.request.urlopen(
    "https://rates.example.com/today", context=context, timeout=5
) as answer:
    Path("/srv/orders/data/rates.csv").write_bytes(answer.read())
with urllib.request.urlopen("http://news.example.org/shipping", timeout=5) as answer:
    Path("/srv/orders/data/news.txt").write_bytes(answer.read())
