"""Guards against who calls: sizes, hosts, other pages, archives, terminals."""

from tests.mutations.mutation import LIBRARY, Mutation, service

_PREDICTOR = service("predictor")
_REGISTRY = service("registry")
_UNIT = "tests/unit"
_HTTP = f"{_UNIT}/service/test_bounded_http.py::"
_BOUNDS = f"{_UNIT}/predictor/test_invocations.py::"
_GUARD = f"{_UNIT}/service/test_http_guard.py::"
_REFUSED = f"{_UNIT}/registry/test_refused.py::"

CALLS = (
    Mutation(
        "a-project-is-remembered",
        "A second project in the registry takes nobody's services away.",
        f"{LIBRARY}/service/project.py",
        "        if self.before is not None and self.before in refs:",
        "        if False:",
        (f"{_UNIT}/service/test_project_choice.py::test_the_named_one_then_the_one_of_before_then_the_only_one",),
    ),
    Mutation(
        "rules-are-the-archives",
        "The gate's rules come from the verified archive and never from the caller.",
        f"{_REGISTRY}/registration.py",
        "            if value != rules[name]:",
        "            if False:",
        ("tests/integration/registry/test_http.py::test_caller_who_says_other_rules_than_the_archive_is_refused",),
    ),
    Mutation(
        "a-foreign-zip-is-refused",
        "An archive that something else has zipped is not registered.",
        f"{_REGISTRY}/stored_models.py",
        "    if found.foreign_archive is not None:",
        "    if False:",
        ("tests/integration/registry/test_http.py::test_archive_that_something_else_has_zipped_is_refused_with_the_way_out",),
    ),
    Mutation(
        "refused-calls-leave-no-record",
        "A call that is refused or changes nothing leaves no record.",
        f"{LIBRARY}/registry/dry_run.py",
        "    if change.model is None:",
        "    if False:",
        (f"{_REFUSED}test_a_call_that_is_refused_or_changes_nothing_needs_no_record",),
    ),
    Mutation(
        "aliases-are-bounded",
        "A model has sixteen aliases at most.",
        f"{LIBRARY}/registry/dry_run.py",
        "MAX_ALIASES = 16",
        "MAX_ALIASES = 1600",
        (f"{_REFUSED}test_callers_may_make_sixteen_aliases_of_a_model_and_move_those_that_there_are",),
    ),
    Mutation(
        "rows-are-counted-before-they-are-made",
        "The rows of a call are counted before anything is made of them.",
        f"{_PREDICTOR}/invocations.py",
        "    if len(values) > MAX_ROWS:",
        "    if len(values) > MAX_ROWS and not split:",
        (f"{_BOUNDS}test_rows_are_counted_before_anything_is_made_of_them",),
    ),
    Mutation(
        "unknown-names-are-not-repeated",
        "Column names that the stream does not know are not repeated in every row.",
        f"{_PREDICTOR}/invocations.py",
        "for i, name in enumerate(split.columns) if name in known]",
        "for i, name in enumerate(split.columns)]",
        (f"{_BOUNDS}test_long_name_of_an_unknown_column_is_not_repeated_in_every_row",),
    ),
    Mutation(
        "a-body-needs-its-type",
        "A page cannot send a body without a content type.",
        f"{_PREDICTOR}/http.py",
        "    if content_type != JSON:",
        "    if content_type not in (JSON, ''):",
        (f"{_UNIT}/predictor/test_http.py::test_body_without_a_content_type_is_refused",),
    ),
    Mutation(
        "other-hosts-are-refused",
        "A service answers nobody who calls it by another name.",
        f"{LIBRARY}/service/http_guard.py",
        "    if caller.host is not None and not _is_ours(caller.host, names):",
        "    if False:",
        (f"{_GUARD}test_host_that_is_another_is_refused",),
    ),
    Mutation(
        "other-pages-change-nothing",
        "A page of another origin changes nothing.",
        f"{LIBRARY}/service/http_guard.py",
        "    if caller.site in _OTHER_SITES or (caller.origin",
        "    if caller.site in () or (False and caller.origin",
        (f"{_GUARD}test_page_of_another_origin_changes_nothing",),
    ),
    Mutation(
        "bodies-have-a-bound-together",
        "The bodies that are in hand together have a bound.",
        f"{LIBRARY}/service/bounded_bodies.py",
        "        if self._in_hand - mine + size > MAX_BYTES_IN_HAND:",
        "        if False:",
        (f"{_HTTP}test_bodies_of_all_calls_together_have_a_bound_and_are_given_back",),
    ),
    Mutation(
        "bodies-have-a-time",
        "A body that does not come is given up.",
        f"{LIBRARY}/service/bounded_bodies.py",
        "            async with asyncio.timeout(BODY_SECONDS):",
        "            async with asyncio.timeout(BODY_SECONDS + 30):",
        (f"{_HTTP}test_body_that_does_not_come_is_408",),
    ),
    Mutation(
        "terminals-are-not-steered",
        "What others wrote steers no terminal.",
        f"{LIBRARY}/cli/output.py",
        'c if c.isprintable() or c == "\\n" else',
        "c if True else",
        (f"{_UNIT}/cli/test_terminal.py::test_refusal_is_cleaned", f"{_UNIT}/cli/test_terminal.py::test_line_that_is_said_is_cleaned"),
    ),
    Mutation(
        "too-few-replicas-are-refused",
        "A topic with fewer replicas than told is refused.",
        f"{LIBRARY}/adapters/kafka_replicas.py",
        "    if told is not None and fewest < told:",
        "    if False:",
        (f"{_UNIT}/adapters/test_kafka_replicas.py::test_fewer_replicas_than_told_are_refused_with_the_way_out",),
    ),
)
