"""Guards of model files: what is loaded at all, and what is checked before and after."""

from tests.mutations.mutation import LIBRARY, Mutation

_ARTIFACT = f"{LIBRARY}/artifact"
_SKOPS, _CRAFTED = "tests/unit/artifact/test_skops_file.py::", "tests/unit/artifact/test_crafted_models.py::"
_FILES = "tests/unit/artifact/test_model_files.py::"

MODEL_FILES = (
    Mutation(
        "allow-list-of-types",
        "A model file with types outside the allow-list is not loaded.",
        f"{_ARTIFACT}/skops_file.py",
        "        if types:",
        "        if False:",
        (f"{_SKOPS}test_unknown_types_are_named_and_nothing_is_loaded",),
    ),
    Mutation(
        "compositions-fit-together",
        "A model file with a composition that no recipe makes is not loaded.",
        f"{_ARTIFACT}/skops_file.py",
        "        check_composition(pipeline)\n",
        "",
        ("tests/unit/artifact/test_composition.py::test_a_composition_that_nobody_made_is_refused",),
    ),
    Mutation(
        "unpacked-size-is-bounded",
        "What a model file unpacks to is bounded before it is unpacked.",
        f"{_ARTIFACT}/archive_limits.py",
        "    if unpacked > MAX_UNPACKED_BYTES:",
        "    if False:",
        (f"{_SKOPS}test_the_caps_hold",),
    ),
    Mutation(
        "ratio-is-bounded",
        "A zip bomb is refused from its directory.",
        f"{_ARTIFACT}/archive_limits.py",
        "    if unpacked > MAX_RATIO * packed:",
        "    if False:",
        (f"{_SKOPS}test_a_zip_bomb_is_refused_from_its_directory",),
    ),
    Mutation(
        "entries-come-once",
        "An archive that names an entry twice is refused.",
        f"{_ARTIFACT}/archive_limits.py",
        "len({entry.filename for entry in entries}) != len(entries)",
        "False",
        (f"{_CRAFTED}test_an_entry_that_comes_twice_is_refused_for_readers_differ_in_which_they_take",),
    ),
    Mutation(
        "arrays-are-as-large-as-they-claim",
        "An array that claims more than it has is refused before memory is taken for it.",
        f"{_ARTIFACT}/archive_limits.py",
        "header + items * dtype.itemsize != entry.file_size",
        "False",
        (f"{_SKOPS}test_an_array_that_claims_more_than_it_has_is_refused_before_it_is_allocated",),
    ),
    Mutation(
        "no-pickles-in-arrays",
        "An array of Python objects is refused.",
        f"{_ARTIFACT}/archive_limits.py",
        "    if dtype.hasobject:",
        "    if False:",
        (f"{_SKOPS}test_a_pickle_inside_an_array_is_refused",),
    ),
    Mutation(
        "tree-stays-within-its-nodes",
        "A tree whose children point outside its nodes, or back, is refused.",
        f"{_ARTIFACT}/tree_bounds.py",
        "(children <= parents).any() or (children >= n_nodes).any()",
        "False",
        (f"{_SKOPS}test_a_tree_that_points_outside_is_refused",),
    ),
    Mutation(
        "tree-stays-within-the-features",
        "A tree that splits by a feature that there is not is refused.",
        f"{_ARTIFACT}/tree_bounds.py",
        "(features.astype(np.int64) < 0).any() or (features.astype(np.int64) >= n_features).any()",
        "False",
        (f"{_SKOPS}test_a_tree_that_points_outside_is_refused", f"{_SKOPS}test_a_tree_of_a_forest_that_points_outside_is_refused"),
    ),
    Mutation(
        "tree-is-as-wide-as-its-forest",
        "A tree of another width than its forest is refused.",
        f"{_ARTIFACT}/tree_bounds.py",
        "tree.n_features_in_ != model.n_features_in_",
        "False",
        (f"{_CRAFTED}test_a_tree_of_another_width_than_its_forest_is_refused",),
    ),
    Mutation(
        "numbers-are-not-split-by-category",
        "A tree that splits a number by category is refused.",
        f"{_ARTIFACT}/tree_bounds.py",
        'not categorical[by_category["feature_idx"]].all()',
        "False",
        (f"{_CRAFTED}test_a_tree_that_splits_a_number_by_category_is_refused",),
    ),
    Mutation(
        "stray-trees-are-refused",
        "A tree outside an estimator that is known to use it is refused.",
        f"{_ARTIFACT}/tree_bounds.py",
        "any(id(tree) not in owned for tree in trees)",
        "False",
        (f"{_SKOPS}test_a_tree_that_no_known_estimator_checks_is_refused",),
    ),
    Mutation(
        "version-files-are-the-named-ones",
        "A version's files are the bytes that its manifest names.",
        f"{_ARTIFACT}/model_files.py",
        "return read_verified(store, key, expected.sha256, expected.size)",
        "return store.get(key)",
        (f"{_FILES}test_bytes_that_are_not_the_named_ones_are_refused",),
    ),
    Mutation(
        "version-manifest-is-its-digest",
        "A version's manifest is the one that its digest names.",
        f"{_ARTIFACT}/model_files.py",
        "read_verified(store, model_key(model, digest, MANIFEST), digest)",
        "store.get(model_key(model, digest, MANIFEST))",
        (f"{_FILES}test_bytes_that_are_not_the_named_ones_are_refused",),
    ),
    Mutation(
        "stored-bytes-have-their-digest",
        "Bytes whose digest is another than the one that names them are never used, whoever reads them.",
        f"{LIBRARY}/stored.py",
        "    if problem is not None:",
        "    if False:",
        (
            f"{_FILES}test_bytes_that_are_not_the_named_ones_are_refused",
            "tests/unit/lake/test_snapshot_batches.py::test_a_changed_file_is_refused_before_the_first_row",
            "tests/unit/predictor/test_last_good.py::test_a_kept_model_in_whose_place_another_good_one_was_put_is_not_served",
        ),
    ),
    Mutation(
        "version-manifest-comes-last",
        "A version's manifest is stored after all that it names.",
        f"{_ARTIFACT}/model_files.py",
        "    for name in files_of(manifest):\n"
        "        store.put(model_key(manifest.model, digest, name), contents[name])\n"
        "    store.put(model_key(manifest.model, digest, MANIFEST), data)\n",
        "    store.put(model_key(manifest.model, digest, MANIFEST), data)\n"
        "    for name in files_of(manifest):\n"
        "        store.put(model_key(manifest.model, digest, name), contents[name])\n",
        ("tests/unit/artifact/test_store_order.py::test_a_crash_between_two_files_leaves_no_manifest",),
    ),
    Mutation(
        "libraries-files-are-read-by-us-first",
        "A file of another library is looked through before its library sees it.",
        f"{_ARTIFACT}/estimators/stored.py",
        "    fitted = Fitted(data, about.fitted.n_features, None if classes is None else np.asarray(classes))\n    library.check(fitted)\n",
        "    fitted = Fitted(data, about.fitted.n_features, None if classes is None else np.asarray(classes))\n",
        ("tests/unit/artifact/test_estimators.py::test_what_a_file_says_of_an_estimator_has_to_agree_with_its_model",),
    ),
    Mutation(
        "libraries-types-are-never-trusted",
        "Types of libraries that have files of their own are not loaded from a skops file, whoever trusts them.",
        f"{_ARTIFACT}/skops_file.py",
        'allowed = [*TRUSTED, *(name for name in trusted if name.partition(".")[0] not in BY_NAME)]',
        "allowed = [*TRUSTED, *trusted]",
        ("tests/unit/artifact/test_estimators.py::test_types_of_these_libraries_are_not_trusted_in_a_skops_file_whoever_says_so",),
    ),
    Mutation(
        "parameters-of-libraries-are-an-allow-list",
        "A parameter that names a file, a device or a function is not stored, and not loaded.",
        f"{_ARTIFACT}/estimators/library.py",
        "    if name not in library.parameters:\n",
        "    if False:\n",
        ("tests/unit/artifact/test_estimators.py::test_a_parameter_that_names_a_file_a_device_or_a_function_is_refused_before_the_fit",),
    ),
    Mutation(
        "tables-of-categories-stay-within-themselves",
        "A table of categories of CatBoost that points outside itself is refused before CatBoost follows it.",
        f"{_ARTIFACT}/estimators/flatbuffer.py",
        "        if at < 0 or size < 0 or at + size > len(self._data):\n",
        "        if False:\n",
        ("tests/unit/artifact/test_estimators.py::test_damaged_files_are_errors_and_end_no_process",),
    ),
)
