"""Typed views of samples in one buffer."""

import numpy as np

from falcotrace.record.layout import EVENT, HEADER, SampleType
from falcotrace.record.samples import block_of, gather
from unit.record.made_samples import Stream


def test_samples_of_several_batches() -> None:
    """Types, order and positions are those of the whole stream."""
    batches = []
    stream = Stream()
    for number in (1, 2):
        stream.call("getuid", ret=number)
        stream.image(number, argv=[b"a", b""], env=[b"E=1"])
        batches.append(stream.batch())
    block = block_of(batches, 5000)
    assert block.count == 4
    assert block.fixed(SampleType.EVENT)["ret"].tolist() == [1, 2]
    assert block.fixed(SampleType.IMAGE)["image_id"].tolist() == [1, 2]
    assert block.fixed(SampleType.FILE).tolist() == []
    events, images = (
        block.positions(kind).tolist() for kind in (SampleType.EVENT, SampleType.IMAGE)
    )
    assert 5000 < events[0] < images[0] < events[1] < images[1]


def test_strings_behind_the_fixed_part() -> None:
    """Each begins where the one before it ends; blocks hold items that end with a NUL."""
    stream = Stream()
    stream.image(1, b"/bin/x", [b"a", b"", b"\xff"], [], b"x")
    block = block_of([stream.batch()], 0)
    fixed = block.fixed(SampleType.IMAGE)
    filename, exepath, interpreter, argv, env = (
        tuple(span[0].tolist()) for span in block.string_spans(SampleType.IMAGE, fixed)
    )
    assert (block.text(*filename), block.text(*exepath), block.text(*interpreter)) == (
        "x",
        "/bin/x",
        "",
    )
    assert block.items(*argv) == ("a", "", "\U0010feff")
    assert block.items(*env) == ()


def test_text_and_items_end_at_nul() -> None:
    """A text stops at its first NUL; the last item may lack its own."""
    stream = Stream()
    stream.file(1, b"/a\0b")
    block = block_of([stream.batch()], 0)
    start = block.data.tobytes().index(b"/a\0b")
    assert block.text(start, 4) == "/a"
    assert block.items(start, 4) == ("/a", "b")


def test_gather_at_any_offset() -> None:
    """Records need not be aligned; none is an empty array of the type."""
    data = np.arange(200, dtype=np.uint8)
    found = gather(data, np.array([1, 3]), HEADER)
    assert found["magic"].tolist() == [0x04030201, 0x06050403]
    assert gather(data, np.array([], np.int64), EVENT).dtype == EVENT
