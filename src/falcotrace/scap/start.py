"""The state before the first event: processes, descriptors and users that the capture lists.

In: metadata of a section. Out: filled tables.

Source: libs 48dfd53c, userspace/libsinsp/sinsp.cpp, `import_*`; STATE of threads read from /proc.
"""

from falcotrace.events.text import to_text
from falcotrace.scap.accounts import Account, Accounts
from falcotrace.scap.cgroups import cgroups_of, container_id_of
from falcotrace.scap.descriptor import imported, set_imported_roles
from falcotrace.scap.descriptor_events import DescriptorEvents
from falcotrace.scap.interfaces import Interfaces
from falcotrace.scap.metadata import Metadata, ProcessEntry
from falcotrace.scap.opens import O_CLOEXEC
from falcotrace.scap.parameters import texts_of
from falcotrace.scap.threads import CLONE_THREAD, MOST_THREADS, Thread, ThreadTable


def start_state(
    metadata: Metadata, threads: ThreadTable, accounts: Accounts, descriptors: DescriptorEvents
) -> None:
    """Fill the tables from a section's metadata."""
    for user in metadata.users:
        account = Account(to_text(user.name), to_text(user.home), to_text(user.shell))
        accounts.put_user("", user.uid, account)
    for group in metadata.groups:
        accounts.put_group("", group.gid, to_text(group.name))
    made = {entry.tid: _thread(entry, metadata) for entry in metadata.processes[:MOST_THREADS]}
    for thread in made.values():
        threads.register(thread)
    for thread in made.values():
        main = made.get(thread.pid)
        shares = main is not None and main is not thread and thread.flags & CLONE_THREAD
        thread.descriptors = main.descriptors if shares and main else descriptors.empty_table()
        threads.link(thread)
        threads.follow(thread)
    _import_descriptors(metadata, threads, descriptors)


def _import_descriptors(
    metadata: Metadata, threads: ThreadTable, descriptors: DescriptorEvents
) -> None:
    interfaces = Interfaces.of(metadata.interfaces)
    entries = [
        (tid, entry, made)
        for tid, listed in metadata.descriptors.items()
        for entry in listed
        if threads.get(tid) is not None and (made := imported(entry, interfaces)) is not None
    ]
    descriptors_made = set_imported_roles([made for _, _, made in entries])
    for (tid, entry, _), made in zip(entries, descriptors_made, strict=True):
        is_closing = bool(entry.flags & O_CLOEXEC)
        descriptors.put_imported(tid, entry.fd, made, is_closing=is_closing)


def _thread(entry: ProcessEntry, metadata: Metadata) -> Thread:
    cwd = to_text(entry.cwd)
    cgroups = cgroups_of(entry.cgroups)
    boot_time_ns = metadata.machine.boot_time_ns
    return Thread(
        tid=entry.tid,
        pid=entry.pid,
        is_listed=True,
        ptid=entry.ptid,
        vtid=entry.vtid,
        vpid=entry.vpid,
        sid=entry.sid,
        vpgid=entry.vpgid,
        pgid=entry.pgid,
        comm=to_text(entry.comm),
        exe=to_text(entry.exe),
        exepath=to_text(entry.exepath),
        args=texts_of(entry.args),
        env=texts_of(entry.env),
        cwd=cwd if not cwd or cwd.endswith("/") else f"{cwd}/",
        root=to_text(entry.root),
        cgroups=cgroups,
        container_id=container_id_of(cgroups),
        fd_limit=entry.fdlimit,
        flags=entry.flags,
        uid=entry.uid,
        gid=entry.gid,
        login_uid=entry.loginuid,
        tty=entry.tty,
        cap_inheritable=entry.cap_inheritable,
        cap_permitted=entry.cap_permitted,
        cap_effective=entry.cap_effective,
        is_exe_writable=entry.exe_writable,
        is_exe_upper_layer=entry.exe_upper_layer,
        is_exe_lower_layer=entry.exe_lower_layer,
        is_exe_from_memfd=entry.exe_from_memfd,
        exe_ino=entry.exe_ino,
        exe_ino_ctime_ns=entry.exe_ino_ctime_ns,
        exe_ino_mtime_ns=entry.exe_ino_mtime_ns,
        pidns_start_ns=entry.pidns_init_start_ns + boot_time_ns
        if entry.pidns_init_start_ns
        else boot_time_ns,
        usage=(
            entry.major_fault_count,
            entry.minor_fault_count,
            entry.vm_size_kb,
            entry.vm_rss_kb,
            entry.vm_swap_kb,
        ),
    )
