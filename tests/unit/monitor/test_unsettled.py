from driftloop_monitor.unsettled import Unsettled


class Hand:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_worker_that_stays_in_a_rebalance_is_given_up_after_the_limit() -> None:
    clock = Hand()
    unsettled = Unsettled(60, clock)
    clock.now = 60
    assert not unsettled.too_long(settled=False)
    clock.now = 61
    assert unsettled.too_long(settled=False)


def test_only_time_without_a_break_counts() -> None:
    clock = Hand()
    unsettled = Unsettled(60, clock)
    for now, settled in ((50, False), (55, True), (110, False)):
        clock.now = now
        assert not unsettled.too_long(settled=settled)
    clock.now = 116
    assert unsettled.too_long(settled=False)
