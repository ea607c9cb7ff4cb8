import msgspec
import pyarrow as pa
import pytest
from tests.unit.artifact import models

from driftloop.adapters.memory import MemoryStore
from driftloop.artifact import skops_file
from driftloop.artifact.model_files import Manifest, load_model, model_key, store_model, stored_files
from driftloop.contracts.schema import Feature
from driftloop.contracts.values import TrainingPins
from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.project.model import archive_key

PINS = TrainingPins(
    snapshot="a" * 64,
    project="b" * 64,
    environment="c" * 64,
    code="0.1.0",
    seed=0,
    threads=2,
    evaluation_window=None,
    champion_version=None,
    champion_epoch=0,
)


@pytest.fixture
def contents():
    return {"model.skops": skops_file.dump(models.boosting()), "profile.json": b"{}", "card.md": b"# card", "lineage.json": b"{}"}


@pytest.fixture
def manifest(contents):
    return Manifest(
        model="buyers",
        request_id="r1",
        schema_fingerprint=models.SCHEMA.fingerprint(),
        recipe="all",
        rows=400,
        pins=PINS,
        measurements=None,
        environment={"python": "3.11"},
        files=stored_files(contents),
    )


def test_a_stored_version_is_loaded_and_scores(contents, manifest):
    store = MemoryStore()
    digest = store_model(store, manifest, contents)
    loaded = load_model(store, "buyers", digest, models.SCHEMA, ())
    assert loaded.scorer.score(models.rows(10))[1].null_count == 0
    assert (loaded.profile_bytes, loaded.manifest, loaded.digest) == (b"{}", manifest, digest)
    assert loaded.profile_digest == manifest.files["profile.json"].sha256


def test_storing_the_same_version_twice_gives_one_folder(contents, manifest):
    store = MemoryStore()
    assert store_model(store, manifest, contents) == store_model(store, manifest, dict(reversed(contents.items())))
    assert len(list(store.list("models/"))) == 5


@pytest.mark.parametrize("file", ["manifest.json", "model.skops", "profile.json"])
@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data[:-1] + b"?", lambda data: b""], ids=["cut", "flipped", "emptied"]
)
def test_bytes_that_are_not_the_named_ones_are_refused(contents, manifest, file, damage):
    store = MemoryStore()
    digest = store_model(store, manifest, contents)
    key = model_key("buyers", digest, file)
    store.put(key, damage(store.get(key)))
    with pytest.raises(IntegrityError, match="not the ones"):
        load_model(store, "buyers", digest, models.SCHEMA, ())


def test_a_missing_file_of_a_version_is_damage_and_a_missing_version_is_not_found(contents, manifest):
    store = MemoryStore()
    digest = store_model(store, manifest, contents)
    store.delete(model_key("buyers", digest, "model.skops"))
    with pytest.raises(IntegrityError, match="missing"):
        load_model(store, "buyers", digest, models.SCHEMA, ())
    with pytest.raises(ObjectNotFound):
        load_model(store, "buyers", "0" * 64, models.SCHEMA, ())


def test_a_version_of_another_schema_is_refused(contents, manifest):
    store = MemoryStore()
    digest = store_model(store, manifest, contents)
    other = msgspec.structs.replace(models.SCHEMA, features=models.SCHEMA.features[:-1])
    with pytest.raises(IntegrityError, match="another schema"):
        load_model(store, "buyers", digest, other, ())


@pytest.mark.parametrize(("model", "digest"), [("../x", "0" * 64), ("buyers", ".."), ("buyers", "0" * 63), ("Buyers\0", "0" * 64)])
def test_a_path_cannot_be_smuggled_in(model, digest):
    with pytest.raises(ValueError, match="no file"):
        load_model(MemoryStore(), model, digest, models.SCHEMA, ())


def test_a_manifest_that_does_not_describe_the_files_is_not_stored(contents, manifest):
    store = MemoryStore()
    with pytest.raises(ValueError, match="does not describe"):
        store_model(store, manifest, contents | {"card.md": b"another"})
    assert not list(store.list(""))


EXTRA = Feature(name="extra", type="number", required=False)


@pytest.fixture
def trained(contents, manifest):
    """A store with a version and the archive of the project that it was trained with; the version's digest."""
    project = models.project()
    store = MemoryStore()
    store.put(archive_key("shop", project.digest()), project.archive())
    pins = msgspec.structs.replace(PINS, project=project.digest())
    return store, store_model(store, msgspec.structs.replace(manifest, pins=pins), contents)


def test_a_version_of_an_earlier_schema_scores_rows_that_have_all_its_features(trained):
    store, digest = trained
    wider = msgspec.structs.replace(models.SCHEMA, features=(EXTRA, *models.SCHEMA.features))
    loaded = load_model(store, "buyers", digest, wider, (), project="shop")
    rows = models.rows(10)
    before = load_model(store, "buyers", digest, models.SCHEMA, ()).scorer.score(rows)
    assert loaded.scorer.score(rows.add_column(0, "extra", pa.nulls(10, pa.float64()))) == before


@pytest.mark.parametrize(
    ("features", "said"),
    [
        (models.SCHEMA.features[1:], "'price' is no longer sent"),
        ((Feature(name="price", type="category"), *models.SCHEMA.features[1:]), "'price' was a number and is a category now"),
    ],
)
def test_a_version_whose_features_are_gone_or_retyped_is_refused(trained, features, said):
    store, digest = trained
    with pytest.raises(IntegrityError, match=said):
        load_model(store, "buyers", digest, msgspec.structs.replace(models.SCHEMA, features=features), (), project="shop")


def test_a_version_of_an_earlier_schema_is_found_when_its_project_was_renamed_since(trained):
    store, digest = trained
    wider = msgspec.structs.replace(models.SCHEMA, features=(EXTRA, *models.SCHEMA.features))
    store.put(archive_key("boutique", "d" * 64), b"the renamed project's own")
    loaded = load_model(store, "buyers", digest, wider, (), project="boutique")
    assert loaded.scorer.schema == models.SCHEMA


def test_an_earlier_schema_is_believed_only_from_the_archive_that_was_pinned(trained):
    store, digest = trained
    wider = msgspec.structs.replace(models.SCHEMA, features=(*models.SCHEMA.features, EXTRA))
    [archive] = store.list("projects/")
    store.put(archive.key, store.get(archive.key) + b"x")
    with pytest.raises(IntegrityError, match="not the ones"):
        load_model(store, "buyers", digest, wider, (), project="shop")
    store.delete(archive.key)
    with pytest.raises(IntegrityError, match="archive is gone"):
        load_model(store, "buyers", digest, wider, (), project="shop")
