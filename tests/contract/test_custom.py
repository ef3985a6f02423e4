"""Custom resources: served once defined, held to their schema, gone with their definition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.target import Answer, Api, Json, eventually

pytestmark = pytest.mark.call("CustomResourceDefinitions and their objects")
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SPEC: Json = {
    "type": "object",
    "required": ["addresses"],
    "properties": {
        "addresses": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "mode": {"type": "string", "enum": ["layer2", "bgp"]},
        "autoAssign": {"type": "boolean", "default": True},
        "port": {"x-kubernetes-int-or-string": True},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "community": {"type": "string", "pattern": "^[0-9]+:[0-9]+$"},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "either": {
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        "rule": {"type": "integer", "x-kubernetes-validations": [{"rule": "self % 2 == 0"}]},
    },
}


@dataclass(frozen=True, slots=True)
class Widgets:
    """A kind of the test's own."""

    api: Api
    group: str
    space: str

    @property
    def definition(self) -> str:
        return f"{DEFINITIONS}/widgets.{self.group}"

    def path(self, version: str = "v1") -> str:
        return f"/apis/{self.group}/{version}/namespaces/{self.space}/widgets"

    def body(self, **spec: Any) -> Json:
        head = {"apiVersion": f"{self.group}/v1", "kind": "Widget", "metadata": {"name": "w"}}
        return {**head, "spec": {"addresses": ["192.0.2.0/24"], **spec}}

    def post(self, **spec: Any) -> Answer:
        return self.api.call("POST", self.path(), self.body(**spec))


def version(name: str, *, served: bool = True) -> Json:
    status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": SPEC, "status": status}}
    return {
        "name": name,
        "served": served,
        "storage": name == "v1",
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }


@pytest.fixture
def widgets(api: Api, space: str) -> Iterator[Widgets]:
    found = Widgets(api, f"{space}.rackroll.io", space)
    names = {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"}
    versions = [version("v1"), version("v1beta1"), version("v1alpha1", served=False)]
    spec = {"group": found.group, "names": names, "scope": "Namespaced", "versions": versions}
    made = api.call("POST", DEFINITIONS, {"metadata": {"name": f"widgets.{found.group}"}, "spec": spec})
    assert made.code == 201, made
    eventually(lambda: api.get(found.path()).code == 200)
    yield found
    api.call("DELETE", found.definition)


def causes(answer: Answer) -> list[str]:
    """The fields that are named. A server that has rules says of no field that they were not judged then."""
    assert (answer.code, answer["reason"]) == (422, "Invalid"), answer
    return sorted({cause["field"] for cause in answer["details"]["causes"]} - {"<nil>"})


def test_a_definition_says_when_it_is_served(widgets: Widgets) -> None:
    found = widgets.api.get(widgets.definition)
    rows = {row["type"]: row["status"] for row in found["status"]["conditions"]}
    assert (rows["Established"], rows["NamesAccepted"]) == ("True", "True")
    assert found["status"]["storedVersions"] == ["v1"]
    assert found["status"]["acceptedNames"]["plural"] == "widgets"


def test_its_kind_is_discovered(widgets: Widgets) -> None:
    rows = eventually(lambda: widgets.api.get(f"/apis/{widgets.group}/v1").body.get("resources"))
    assert {row["name"]: row["kind"] for row in rows} == {"widgets": "Widget", "widgets/status": "Widget"}


def test_versions_are_views_of_one_object(widgets: Widgets) -> None:
    assert widgets.post(size=3).code == 201
    eventually(lambda: widgets.api.get(widgets.path("v1beta1")).code == 200)
    other = widgets.api.get(f"{widgets.path('v1beta1')}/w")
    assert (other["apiVersion"], other["spec"]["size"]) == (f"{widgets.group}/v1beta1", 3)
    assert widgets.api.get(widgets.path("v1alpha1")).code == 404


def test_its_status_is_written_beside_it(widgets: Widgets) -> None:
    made = widgets.post(size=1)
    assert (made.code, made["metadata"]["generation"]) == (201, 1)
    path = f"{widgets.path()}/w"
    told = widgets.api.patch(f"{path}/status", {"status": {"ok": True}, "spec": {"size": 9}}, "merge")
    assert (told["status"], told["spec"]["size"], told["metadata"]["generation"]) == ({"ok": True}, 1, 1)
    changed = widgets.api.patch(path, {"status": {"ok": False}, "spec": {"size": 2}}, "merge")
    assert (changed["status"], changed["spec"]["size"], changed["metadata"]["generation"]) == (
        {"ok": True},
        2,
        2,
    )


def test_what_the_schema_does_not_know_is_dropped(widgets: Widgets) -> None:
    made = widgets.post(sise=3, free={"any": {"thing": 1}}, labels={"a": "b"})
    assert made.code == 201
    assert 'unknown field \\"spec.sise\\"' in made.headers.get("Warning", "")
    assert made["spec"] == {
        "addresses": ["192.0.2.0/24"],
        "autoAssign": True,
        "free": {"any": {"thing": 1}},
        "labels": {"a": "b"},
    }


def test_a_strict_client_is_told_of_it(widgets: Widgets) -> None:
    refused = widgets.api.call("POST", widgets.path(), widgets.body(sise=3), fieldValidation="Strict")
    assert (refused.code, refused["reason"]) == (400, "BadRequest")
    assert 'unknown field "spec.sise"' in refused["message"]


def test_an_apply_of_it_is_refused(widgets: Widgets) -> None:
    path = f"{widgets.path()}/w"
    refused = widgets.api.patch(path, widgets.body(sise=3), "apply", fieldManager="one")
    assert refused.code == 500
    assert ".spec.sise: field not declared in schema" in refused["message"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"size": "big"}, "spec.size"),
        ({"size": 0}, "spec.size"),
        ({"size": 10}, "spec.size"),
        ({"mode": "layer3"}, "spec.mode"),
        ({"community": "none"}, "spec.community"),
        ({"port": [1]}, "spec.port"),
        ({"labels": {"a": 1}}, "spec.labels.a"),
        ({"addresses": []}, "spec.addresses"),
        ({"addresses": [7]}, "spec.addresses[0]"),
    ],
)
def test_what_the_schema_forbids_is_invalid(widgets: Widgets, spec: Json, field: str) -> None:
    assert causes(widgets.post(**spec)) == [field]


def test_what_the_schema_requires_is_missed(widgets: Widgets) -> None:
    body = widgets.body()
    del body["spec"]["addresses"]
    assert causes(widgets.api.call("POST", widgets.path(), body)) == ["spec.addresses"]
    assert widgets.post().code == 201
    assert causes(widgets.api.patch(f"{widgets.path()}/w", {"spec": {"addresses": None}}, "merge")) == [
        "spec.addresses"
    ]


def test_an_apply_is_held_to_the_schema_and_gets_its_defaults(widgets: Widgets) -> None:
    path = f"{widgets.path()}/w"
    made = widgets.api.patch(path, widgets.body(size=3), "apply", fieldManager="one")
    assert (made.code, made["spec"]["autoAssign"]) == (201, True)
    assert causes(widgets.api.patch(path, widgets.body(size=0), "apply", fieldManager="one")) == ["spec.size"]


def test_two_that_apply_meet_their_conflicts_here_too(widgets: Widgets) -> None:
    path = f"{widgets.path()}/w"
    widgets.api.patch(path, widgets.body(size=3), "apply", fieldManager="one")
    refused = widgets.api.patch(path, widgets.body(size=4), "apply", fieldManager="two")
    assert (refused.code, refused["details"]["causes"][0]["field"]) == (409, ".spec.size")


def test_a_strategic_patch_is_not_for_custom_kinds(widgets: Widgets) -> None:
    widgets.post()
    assert widgets.api.patch(f"{widgets.path()}/w", {"spec": {"size": 2}}, "strategic").code == 415


@pytest.mark.differs(
    "simulated", "oneOf, anyOf, not and CEL rules of a custom resource's schema are not judged"
)
@pytest.mark.parametrize("spec", [{"either": {"a": "1", "b": "2"}}, {"rule": 3}])
def test_alternatives_and_rules_are_judged(widgets: Widgets, spec: Json) -> None:
    assert widgets.post(**spec).code == 422


def test_a_definition_takes_its_objects_with_it(widgets: Widgets) -> None:
    widgets.post()
    assert widgets.api.call("DELETE", widgets.definition).code == 200
    eventually(lambda: widgets.api.get(widgets.definition).code == 404, 60)
    eventually(lambda: widgets.api.get(widgets.path()).code == 404)


def test_a_definition_is_named_after_its_kind(api: Api, space: str) -> None:
    spec = {
        "group": f"{space}.rackroll.io",
        "names": {"kind": "Widget", "plural": "widgets"},
        "scope": "Namespaced",
        "versions": [version("v1")],
    }
    refused = api.call(
        "POST", DEFINITIONS, {"metadata": {"name": f"things.{space}.rackroll.io"}, "spec": spec}
    )
    assert causes(refused) == ["metadata.name"]
