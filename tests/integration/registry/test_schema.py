"""The OpenAPI document keeps its word, whatever is sent."""

from hypothesis import HealthCheck, given, settings
from tests.integration.registry.registry_process import make_world, registry


def test_answers_are_the_documented_ones_and_never_a_crash(kafka_bootstrap, s3, tmp_path):
    # a second of CPU that not every worker needs that collects this file
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

    checks = [not_a_server_error, status_code_conformance, content_type_conformance]
    world = make_world(kafka_bootstrap, s3, "unused")
    with registry(world, tmp_path) as running:
        url = str(running.client.base_url).rstrip("/")
        api = schemathesis.openapi.from_url(f"{url}/openapi.json")
        operations = [found.ok() for found in api.get_all_operations()]
        for operation in operations:

            @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy())
            def answers_as_documented(case):
                case.call_and_validate(base_url=url, checks=checks)

            answers_as_documented()
    assert len(operations) == 17
