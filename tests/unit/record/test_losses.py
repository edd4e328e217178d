"""The loss account of the footer."""

from falcotrace.record.layout import SampleType
from falcotrace.record.losses import loss_account
from falcotrace.record.session import Losses


def test_account_in_words() -> None:
    """Events that were lost are counted by CPU and cause; lost descriptions are named."""
    made = dict.fromkeys(SampleType, 10)
    lost = dict.fromkeys(SampleType, 0) | {
        SampleType.EVENT: 3,
        SampleType.EXIT: 1,
        SampleType.FILE: 2,
    }
    kernel = Losses(
        made=made,
        lost=lost,
        lost_by_cpu=(1, 3),
        faults=5,
        cut_paths=0,
        cut_parts=1,
        map_full=9,
        no_state=0,
    )
    account = loss_account(kernel)
    assert account.is_known
    assert (account.made_count, account.lost_count) == (30, 4)
    assert account.by_cpu == [1, 3]
    assert sum(account.by_cause.values()) == 4
    assert account.incomplete["open files not described"] == 2
    assert account.incomplete["texts cut at a limit"] == 1
    assert not any("kernel paths" in text for text in account.incomplete)
