"""Guards of canaries: who is answered by which version, when a step is taken, and whose rows a window is compared by."""

from tests.mutations.mutation import LIBRARY, Mutation, service

_HASH, _FOLD = "tests/unit/rows/test_canary_hash.py::", "tests/unit/registry/test_canary.py::"
_RULE, _MEASURED = "tests/unit/registry/test_canary_rule.py::", "tests/unit/monitoring/test_canary.py::"
_ROUTING = "tests/unit/predictor/test_canary.py::"
_PREDICTOR = service("predictor")

CANARY = (
    Mutation(
        "canary-hash-is-another-than-the-splits",
        "The canary's hash is over another text than the split's, so that its entities are no more held out than others.",
        f"{LIBRARY}/rows/canary_hash.py",
        '_SEPARATOR.join((_DOMAIN, model.encode(), str(version).encode(), b""))',
        'model.encode() + b"\\x1f"',
        (
            f"{_HASH}test_the_bucket_is_the_published_hash_of_domain_model_version_and_entity",
            f"{_HASH}test_being_the_canarys_says_nothing_of_being_held_out",
        ),
    ),
    Mutation(
        "canary-keeps-rows-in-their-places",
        "Rows of a batch that two versions answered are put back into their places.",
        f"{_PREDICTOR}/scored_rows.py",
        "back = np.argsort(np.concatenate(order))",
        "back = np.arange(n)",
        (f"{_ROUTING}test_each_row_is_answered_by_its_side_in_its_place_and_says_by_which_rule",),
    ),
    Mutation(
        "canary-is-kept-on-disk",
        "A start from disk answers each entity by the version that answered it before.",
        f"{_PREDICTOR}/serving.py",
        "        canary=canary,\n    )",
        "        canary=None,\n    )",
        (f"{_ROUTING}test_a_start_from_disk_answers_every_entity_as_before",),
    ),
    Mutation(
        "start-waits-for-the-canary",
        "A start does not give a canary's entities to the champion while the canary is being loaded.",
        f"{_PREDICTOR}/model.py",
        "return serving.canary_epoch < model.canary_epoch",
        "return False",
        (f"{_ROUTING}test_a_start_waits_for_it_rather_than_give_its_entities_to_the_champion",),
    ),
    Mutation(
        "champion-s-move-ends-a-canary",
        "A canary is one beside a champion: a move of the champion ends it.",
        f"{LIBRARY}/registry/state.py",
        "newest.step > 0 and newest.champion_epoch == self.champion_epoch",
        "newest.step > 0",
        (f"{_FOLD}test_every_move_of_the_champion_ends_it_and_it_does_not_come_back",),
    ),
    Mutation(
        "canary-steps-back-at-an-alarm",
        "A canary whose loss is shown to be higher than the champion's is stepped back.",
        f"{LIBRARY}/registry/canary_rule.py",
        "if harm.lower > command.tolerance:",
        "if False:",
        (f"{_FOLD}test_a_loss_alarm_steps_it_back_with_the_figures_on_record",),
    ),
    Mutation(
        "canary-s-looks-are-paid-for",
        "A canary is looked at after every window, and at most alpha of those that do no harm are ever stepped back.",
        f"{LIBRARY}/registry/canary_rule.py",
        "1 - alpha / (look * (look + 1))",
        "1 - alpha",
        (f"{_RULE}test_of_canaries_that_do_no_harm_at_most_alpha_are_ever_stepped_back",),
    ),
    Mutation(
        "canary-step-takes-rows",
        "A step is not over before enough labelled rows of the canary were compared.",
        f"{LIBRARY}/registry/canary_rule.py",
        "if seen < needed or rows < rules.min_rows:",
        "if seen < needed:",
        (f"{_RULE}test_the_step_that_measured_windows_lead_to",),
    ),
    Mutation(
        "one-canary-at-a-time",
        "While a canary is under way, no other version begins one.",
        f"{LIBRARY}/registry/canaries.py",
        "if now is not None and now.version != version:",
        "if False:",
        (f"{_FOLD}test_one_at_a_time_and_a_candidate_of_the_gate_waits_for_its_end",),
    ),
    Mutation(
        "canary-s-rows-are-in-no-sketch",
        "A window is compared by the champion's rows, however many a canary has answered.",
        f"{LIBRARY}/monitoring/counting.py",
        "versions = np.where(by_canary, UNSCORED, versions)",
        "pass",
        (f"{_MEASURED}test_rows_that_a_canary_answered_are_in_no_versions_counts_however_many_they_are",),
    ),
    Mutation(
        "canary-is-compared-in-its-own-time",
        "A step's rows are compared with the champion's rows beside that step.",
        f"{LIBRARY}/monitoring/canary.py",
        "(rule.kind, rule.epoch) == (kind, epoch)",
        "rule.kind == kind",
        (f"{_MEASURED}test_each_record_is_compared_with_the_champion_of_its_own_time",),
    ),
)
