"""Two environments side by side: what differs between them, in words. Values in, values out."""

from collections.abc import Iterable, Mapping
from typing import Any

from driftloop.contracts.values import Difference

_PLAIN = {"python": "Python", "implementation": "implementation", "system": "system", "hash_seed": "hash seed"}
_POOL = {"version": "version of {}", "architecture": "kernel of {}", "num_threads": "threads of {}"}


def differences(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Of two environments as ``training.environment`` describes them. Fields that it does not know are compared as they are."""
    found = [*_flat(recorded, now, _PLAIN)]
    for field, word in (("packages", "package"), ("threads", "setting")):
        ours, theirs = recorded.get(field) or {}, now.get(field) or {}
        found += _flat(ours, theirs, {name: f"{word} {name}" for name in sorted({*ours, *theirs})})
    found += _features(recorded.get("cpu_features") or (), now.get("cpu_features") or ())
    found += _pools(recorded.get("thread_pools") or (), now.get("thread_pools") or ())
    known = {*_PLAIN, "packages", "threads", "cpu_features", "thread_pools"}
    return tuple(found + _flat(recorded, now, {name: name for name in sorted({*recorded, *now} - known)}))


def _flat(recorded: Mapping[str, Any], now: Mapping[str, Any], names: Mapping[str, str]) -> list[Difference]:
    return [
        Difference(what=what, recorded=_text(recorded.get(name)), now=_text(now.get(name)))
        for name, what in names.items()
        if recorded.get(name) != now.get(name)
    ]


def _features(recorded: Iterable[str], now: Iterable[str]) -> list[Difference]:
    lost, gained = sorted(set(recorded) - set(now)), sorted(set(now) - set(recorded))
    if not lost and not gained:
        return []
    return [Difference(what="CPU features", recorded=" ".join(lost) or None, now=" ".join(gained) or None)]


def _pools(recorded: Iterable[Mapping[str, Any]], now: Iterable[Mapping[str, Any]]) -> list[Difference]:
    """BLAS and OpenMP, by their interface; there may be several of one, such as numpy's and scipy's own."""
    ours, theirs = _by_interface(recorded), _by_interface(now)
    found = []
    for interface in sorted({*ours, *theirs}):
        for field, what in _POOL.items():
            was, is_now = ([_text(pool.get(field)) or "–" for pool in side.get(interface, ())] for side in (ours, theirs))
            if was != is_now:
                found.append(Difference(what=what.format(interface), recorded=", ".join(was) or None, now=", ".join(is_now) or None))
    return found


def _by_interface(pools: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    by: dict[str, list[Mapping[str, Any]]] = {}
    for pool in pools:
        by.setdefault(str(pool.get("internal_api")), []).append(pool)
    return by


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
