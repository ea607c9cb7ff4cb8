"""`python -m tests.mutations`: a table of guards and the tests that notice; exit code 1 when one goes unnoticed, 2 when one is stale."""

import argparse
import fnmatch
import sys
import time
from collections.abc import Sequence

from tests.mutations.catalogue import PARTS
from tests.mutations.document import document
from tests.mutations.mutation import Mutation, stale
from tests.mutations.trial import ROOT, Copy, Tried, attempt, copy_of_the_tree

UNNOTICED, STALE = 1, 2


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutations", description="Take guards out, one at a time, and see which test notices."
    )
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this mutation; may hold * and be given several times")
    parser.add_argument("--unit", action="store_true", help="those only that unit tests notice: no broker, no store")
    parser.add_argument("--list", action="store_true", help="names and guards, and which are stale; runs nothing")
    parser.add_argument("--document", action="store_true", help="docs/mutations.md, to standard output")
    arguments = parser.parse_args()
    if arguments.document:
        sys.stdout.write(document(PARTS))
        return 0
    named = [m for part in PARTS.values() for m in part if not arguments.only or any(fnmatch.fnmatch(m.name, o) for o in arguments.only)]
    chosen = [m for m in named if not arguments.unit or all(test.startswith("tests/unit/") for test in m.tests)]
    if not chosen:
        parser.error(f"no{' unit' if arguments.unit else ''} mutation is called {', '.join(arguments.only) or 'anything'}")
    outdated = {m.name: problems for m in chosen if (problems := stale(m, ROOT))}
    for mutation in chosen if arguments.list else ():
        _say(f"{mutation.name:<44} {mutation.guard}")
    for name, problems in outdated.items():
        _say(f"{name:<44} STALE: {'; '.join(problems)}")
    if arguments.list:
        return STALE if outdated else 0
    return _run([m for m in chosen if m.name not in outdated], len(outdated))


def _run(mutations: Sequence[Mutation], outdated: int) -> int:
    began = time.monotonic()
    with copy_of_the_tree() as copy:
        if not _green_without_mutation(copy, mutations):
            return UNNOTICED
        tried = []
        for mutation in mutations:
            tried.append(attempt(copy, mutation))
            _show(tried[-1])
    noticed = sum(each.verdict == "noticed" for each in tried)
    _say(f"{noticed} of {len(tried)} noticed, {outdated} stale, {(time.monotonic() - began) / 60:.1f} minutes")
    return STALE if outdated else 0 if noticed == len(tried) else UNNOTICED


def _green_without_mutation(copy: Copy, mutations: Sequence[Mutation]) -> bool:
    """A test that is red anyway notices everything."""
    ran = copy.run(sorted({test for mutation in mutations for test in mutation.tests}))
    _say(f"without a mutation: {ran.problem or (f'{len(ran.red)} red' if ran.red else 'all green')}, {ran.seconds:.0f} s")
    for test, said in ran.red.items():
        _say(f"    {test}: {said.partition(chr(10))[0]}")
    return ran.problem is None and not ran.red


def _show(tried: Tried) -> None:
    _say(f"{tried.mutation.name:<44} {tried.verdict}, {tried.seconds:.0f} s{f': {tried.problem}' if tried.problem else ''}")
    for test, said in tried.noticed.items():
        _say(f"    {test}\n        {said[:160]}")
    for test in tried.missed:
        _say(f"    green: {test}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
