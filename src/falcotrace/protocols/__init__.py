"""Decodes what programs said over the network: DNS, HTTP, TLS. Bytes in, small typed values out.

Every byte was chosen by whoever was recorded: nothing here raises on it, the work is bounded by the
bytes that are given, and what was cut off gives what is whole. Nothing is known of captures here.
"""
