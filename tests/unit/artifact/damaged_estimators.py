"""Changed bytes of each library's files, loaded and scored with, in a process of its own: a crash ends that alone.

Prints for each library how many of so many changed files were refused before the library saw them, refused by it, and scored with.
"""

import random
import sys

from tests.unit.artifact import estimators

from driftloop.artifact.estimators.libraries import BY_NAME
from driftloop.artifact.estimators.library import Fitted
from driftloop.errors import IntegrityError

ONLY = sys.argv[3:]
NUMBERS = [b"0", b"-1", b"1", b"7", b"99", b"2147483647", b"-2147483648", b"4294967295", b"1e308", b"nan", b"inf", b""]


def changed(data: bytes, random_: random.Random) -> bytes:
    """A few bytes changed, a number replaced by another, a piece doubled, moved or cut out, or the end cut off."""
    found = bytearray(data)
    at = random_.randrange(len(found))
    match random_.randrange(6):
        case 0:
            for _ in range(random_.choice([1, 1, 2, 8])):
                found[random_.randrange(len(found))] = random_.randrange(256)
        case 1:
            digits = [i for i in range(max(0, at - 200), min(len(found), at + 200)) if 48 <= found[i] <= 57]
            if digits:
                begin = end = random_.choice(digits)
                while end < len(found) and 48 <= found[end] <= 57:
                    end += 1
                found[begin:end] = random_.choice(NUMBERS)
        case 2:
            found[at : at + 4] = random_.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\1\0\0\0", b"\0\1\0\0"])
        case 3:
            del found[at : at + random_.choice([1, 4, 40])]
        case 4:
            found[at:at] = found[at : at + random_.choice([1, 4, 40])]
        case 5:
            del found[at:]
    return bytes(found)


def main(times: int, seed: int) -> None:
    for name in ONLY or sorted(BY_NAME):
        library, counts = BY_NAME[name], {"checked": 0, "refused": 0, "scored": 0}
        for case in estimators.cases(name):
            fitted = library.read(case.fitted())
            for number in range(times):
                data = changed(fitted.data, random.Random(f"{seed} {case.name} {number}"))
                sys.stderr.write(f"{case.name} {number}\n")  # the last line names the one that crashed
                hostile = Fitted(data, fitted.n_features, fitted.classes)
                try:
                    library.check(hostile)
                except IntegrityError:
                    counts["checked"] += 1
                    continue
                try:
                    model = library.build(type(case.estimator), {}, hostile, 1)
                    getattr(model, "predict_proba", model.predict)(case.frame)
                    counts["scored"] += 1
                except Exception:  # noqa: BLE001  the library's own, of whatever type: a refusal
                    counts["refused"] += 1
        sys.stdout.write(" ".join([name, *(f"{what}={count}" for what, count in counts.items())]) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
