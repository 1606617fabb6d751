"""The API under generated requests (schemathesis): no error of the server, and only answers that the description has.

Two minutes of the same, by hand, against a service: SCHEMATHESIS_HOOKS=tests.fixtures.json_lines_fuzzing
    schemathesis run URL/openapi.json -H "Authorization: Bearer TOKEN" --max-time 120
        --exclude-checks positive_data_acceptance,negative_data_rejection
What the schema cannot say is refused (blank labels, words outside of the text, base64 that is no image); any bytes are
lines to the batch route, which answers a bad one with its errors.
"""

import warnings

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from openmie.serve import openapi
from tests.fixtures import json_lines_fuzzing
from tests.fixtures.serving import HEADERS, application, running

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def service():
    app = application()
    with running(app) as (url, _):
        yield url, schemathesis.openapi.from_dict(openapi.describe(app))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_generated_requests_are_answered_as_described(service, mode):
    url, schema = service
    assert json_lines_fuzzing.MEDIA_TYPE in str(schema.raw_schema)
    seen = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.method != "post":
            continue

        @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
        @settings(max_examples=6, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        def ask(case):
            answer = case.call(base_url=url, headers=HEADERS)
            case.validate_response(answer, checks=CHECKS)
            seen.add((case.operation.path, answer.status_code))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ask()
    assert {path for path, _ in seen} == {"/v1/extract", "/v1/extract/batch"} and all(s < 500 for _, s in seen)
