"""river's ADWIN (Bifet and Gavaldà 2007) on the champion's errors, row after row; labels are known when their window ends.

Drift towards smaller errors is none to answer, as in river's own forests. A detector begins anew with each model.
"""

from importlib.metadata import version

from given import Fires, Given, answer
from river.drift import ADWIN


def trigger(given: Given) -> Fires:
    detectors: dict[int, ADWIN] = {}

    def fires(w: int, fitted: int) -> str | None:
        detector = detectors.setdefault(fitted, ADWIN())
        found = None
        for error in given.outputs(fitted, w - 1)["errors"]:
            before = detector.estimation
            detector.update(float(error))
            if detector.drift_detected and detector.estimation > before:
                found = f"error {before:.3g} → {detector.estimation:.3g}"
        return found

    return fires


if __name__ == "__main__":
    answer(f"river {version('river')}", trigger)
