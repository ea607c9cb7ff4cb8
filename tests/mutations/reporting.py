"""A pytest plugin for runs over mutated code: which tests went red, and with what. `-p tests.mutations.reporting`."""

import json
import os
from typing import Any

VARIABLE = "DRIFTLOOP_MUTATION_REPORT"  # names the file to write


class RedTests:
    """Keeps what each of them said, by node id."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and report.when != "teardown":
            crash = getattr(report.longrepr, "reprcrash", None)
            self._said.setdefault(report.nodeid, str(crash.message if crash else report.longrepr))

    def pytest_sessionfinish(self) -> None:
        with open(os.environ[VARIABLE], "w") as file:
            json.dump(self._said, file)


def pytest_configure(config: Any) -> None:
    config.pluginmanager.register(RedTests(), "red-tests")
