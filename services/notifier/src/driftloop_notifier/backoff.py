"""How long to wait before a message is sent again. Pure."""

FIRST_SECONDS = 1.0
MOST_SECONDS = 300.0


def pause(attempts: int, asked: float, chance: float) -> float:
    """Seconds after so many attempts in vain: doubled with each up to the most, of which ``chance`` in [0, 1) leaves half at least, so
    that receivers which come back are not met by all at once; never shorter than the receiver ``asked`` for."""
    longest = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempts - 1, 20))
    return max(asked, float(longest * (0.5 + chance / 2)))
