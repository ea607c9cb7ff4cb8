"""The profile that rows of a version which is served elsewhere are compared with."""

import msgspec

from driftloop.contracts.watched import Watched, reference_key
from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.statistics.histograms import Counter
from driftloop.statistics.profile import SCORE, Profile
from driftloop.stored import ObjectReader, read_verified, sha256_of


def watched_profile(store: ObjectReader, model: str, known_as: str, watched: Watched) -> tuple[str, Counter]:
    """Its digest and its counter. Without a reference rows are counted and not compared, under the digest ``known_as``.

    A reference that was chosen for an earlier version holds its scores, which are not those of this one: they are left out.
    Raises IntegrityError when the reference is gone or damaged, TransientError.
    """
    reference = watched.reference
    if reference is None:
        return known_as, Counter(Profile.lost())
    key = reference_key(model, reference.profile)
    try:
        profile = Profile.decode(read_verified(store, key, reference.profile))
    except ObjectNotFound as exc:
        raise IntegrityError(f"{key} is missing") from exc
    if reference.served_as == watched.served_as:
        return reference.profile, Counter(profile)
    columns = {name: column for name, column in profile.columns.items() if name != SCORE}
    without = msgspec.structs.replace(profile, columns=columns, calibration=None, held_out_loss=msgspec.UNSET)
    return sha256_of(without.encode()), Counter(without)
