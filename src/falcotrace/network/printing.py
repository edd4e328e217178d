"""A stream as lines for a terminal: who said what, escaped, with what is missing."""

from collections.abc import Iterator

from falcotrace.network.streams import Chunk, Stream
from falcotrace.outputs.escape import for_terminal
from falcotrace.outputs.times import iso_time

HEX_BYTES = 16


def stream_lines(stream: Stream, *, is_hex: bool) -> Iterator[str]:
    """Yield the lines of a stream.

    Args:
        stream: what is shown.
        is_hex: contents as hexadecimal numbers beside their text, instead of as text.
    """
    yield for_terminal(_headline(stream))
    for chunk in stream.chunks:
        yield ""
        yield for_terminal(_about(chunk))
        yield from _hex_lines(chunk.data) if is_hex else text_lines(chunk.data)
        if chunk.missing_bytes:
            yield f"  [{chunk.missing_bytes:,} more bytes were not recorded]"
        if chunk.missing_datagrams:
            yield f"  [{chunk.missing_datagrams:,} more datagrams of this call were not recorded]"
    if stream.is_cut:
        yield "[the stream is longer than is shown]"


def text_lines(data: bytes) -> Iterator[str]:
    r"""Contents as text, a line for each; what is no plain text is spelt.

    Example:
        >>> list(text_lines(b"GET / HTTP/1.1\r\n\x1b\xff"))
        ['  GET / HTTP/1.1', '  \\x1b\\xff']
    """
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    for line in lines:
        text = line.removesuffix(b"\r").decode("utf-8", "backslashreplace")
        yield f"  {for_terminal(text)}" if text else ""


def _hex_lines(data: bytes) -> Iterator[str]:
    for start in range(0, len(data), HEX_BYTES):
        part = data[start : start + HEX_BYTES]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        yield f"  {start:06x}  {part.hex(' '):<{HEX_BYTES * 3}} {text}"


def _headline(stream: Stream) -> str:
    socket = stream.socket
    process = socket.process
    where = "" if process.container in {"", "host"} else f" in container {process.container}"
    role = "server" if socket.is_server else "client"
    return (
        f"{socket.transport} {socket.tuple_text}  {role} {process.name} ({process.pid}){where}, "
        f"events {socket.first.num} to {socket.last.num}, "
        f"{socket.sent_bytes:,} bytes sent, {socket.received_bytes:,} received"
    )


def _about(chunk: Chunk) -> str:
    arrow = "-> sent" if chunk.is_sent else "<- received"
    size = len(chunk.data) + chunk.missing_bytes
    return (
        f"{arrow} {size:,} bytes  {iso_time(chunk.place.time_ns)}  event {chunk.place.num}, "
        f"{chunk.process_name} ({chunk.pid})"
    )
