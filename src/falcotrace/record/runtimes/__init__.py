"""What container runtimes know of containers: found in their files while a recording goes on.

`table.py` says which runtimes there are, in which places they keep what they know, and who reads
it; `watch.py` asks as soon as the kernel names a container; `container_log.py` keeps the answers
in the recording's folder, and `containers.py` gives them to whoever makes columns.
"""
