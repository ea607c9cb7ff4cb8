"""A version's manifest is stored after all that it names: whoever finds one finds the rest."""

import pytest
from tests.unit.artifact.test_model_files import contents, manifest

from driftloop.adapters.memory import MemoryStore
from driftloop.artifact.model_files import FILES, MANIFEST, store_model
from driftloop.errors import TransientError

__all__ = ["contents", "manifest"]  # the fixtures


class Dying(MemoryStore):
    """Takes some objects and no more."""

    def __init__(self, takes: int) -> None:
        super().__init__()
        self._left = takes

    def put(self, key: str, data: bytes) -> None:
        self._left -= 1
        if self._left < 0:
            raise TransientError("the process died here")
        super().put(key, data)


@pytest.mark.parametrize("takes", range(len(FILES) + 1))
def test_a_crash_between_two_files_leaves_no_manifest(contents, manifest, takes: int) -> None:
    store = Dying(takes)
    with pytest.raises(TransientError):
        store_model(store, manifest, contents)
    assert [found.key for found in store.list("models/") if found.key.endswith(MANIFEST)] == []
