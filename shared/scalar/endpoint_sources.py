"""Finds where a release's endpoints and credentials really live, and which edits there give it others. Only reads.

A value can stand in a line of the properties, in the Deployment's pod template, or in a key of a ConfigMap or Secret that the
pods take as environment; all four occur with the vendor's charts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from shared.model.errors import Forbidden, InvalidRequest, NotReady
from shared.model.kubernetes import KubernetesObject
from shared.model.plan import Release
from shared.model.secret_text import SecretText
from shared.scalar.cluster_reader import ClusterReader
from shared.scalar.endpoint_edits import TITLES, Edit, ObjectEdits, RewritePlan, referenced_objects
from shared.scalar.endpoint_variables import EnvironmentPlaces, VariablePlace
from shared.scalar.java_properties import Entry, entries, escape_value, rewrite_property
from shared.scalar.mounted_properties import PropertiesPlace, find_properties
from shared.scalar.object_owners import owners_of
from shared.scalar.placeholders import Reference, is_placeholder, split_value, write_value
from shared.scalar.workload import find_deployment


def find_sources(reader: ClusterReader, release: Release, wanted: Mapping[str, SecretText]) -> RewritePlan:
    """The edits after which the release's properties have the values `wanted`, by full name of the property: for example
    `scalar.db.contact_points`, or `scalar.db.multi_storage.storages.<name>.password`. Values that are there already need none,
    so this can be called again after a rewrite that was interrupted.

    Raises:
        NotReady: the release, its properties file or one of the properties was not found; or a value cannot be changed without
            changing something else, too. The message names the property.
        InvalidRequest: a value that no properties file can hold unchanged.
        Unreachable, Throttled, Forbidden: the cluster; reading Secrets is a right of its own.
    """
    _check_values(wanted)
    product, deployment = find_deployment(reader, release)
    place = find_properties(deployment, product)
    source = f"{TITLES['configmaps']} {place.config_map}, key {place.key}"
    environment = EnvironmentPlaces(reader, deployment, place.container)
    config_map = environment.fetch("configmaps", place.config_map) or {}
    text = (config_map.get("data") or {}).get(place.key)
    if text is None:
        raise NotReady(f"{release.key}: {source} does not exist.", hint="Bring it back with helm upgrade.")
    try:
        written = {entry.key: entry for entry in entries(text)}
    except ValueError as error:
        raise NotReady(f"{release.key}: {source} is not a properties file: {error}.", hint="Correct it.") from error
    found = _Found(release, source, place, environment, text, written)
    for name, value in wanted.items():
        found.add(name, value.reveal())
    changes = found.changes()
    others = _other_readers(reader, deployment) if changes else {}
    return RewritePlan(
        release=release,
        product=product,
        deployment=deployment["metadata"]["name"],
        objects=tuple(_object_edits(key, edits, environment, deployment, place, others) for key, edits in changes.items()),
        properties_text=_rewritten(text, changes.get(("configmaps", place.config_map), ()), place.key),
        notes=tuple(found.notes),
    )


class _Place(NamedTuple):
    """Where a value stands; `line` names the property when it is a line of the properties file."""

    kind: str
    name: str
    key: str
    line: str = ""


class _Found:
    """Edits by place, as they are found for one property after the other; also those that change nothing."""

    def __init__(
        self,
        release: Release,
        source: str,
        place: PropertiesPlace,
        environment: EnvironmentPlaces,
        text: str,
        written: Mapping[str, Entry],
    ) -> None:
        self._release, self._source, self._place = release, source, place
        self._environment, self._text, self._written = environment, text, written
        self._edits: dict[_Place, Edit] = {}
        self.notes: list[str] = []

    def add(self, name: str, value: str) -> None:
        if name not in self._written:
            raise NotReady(
                f"{self._release.key}: {self._source} has no property {name}, so there is nothing to rewrite.",
                hint="Add it to the properties in the chart's values: a default, or a property that several storages share, "
                "cannot be changed for one of them.",
            )
        place, old, new = self._change(name, value)
        known = self._edits.get(place)
        if known and known.new.reveal() != new:
            raise NotReady(
                f"{self._release.key}: {name} and {known.properties[0]} both take their values from {_title(place)}, "
                "but are to get different ones.",
                hint="Give each property a variable of its own in the chart's values.",
            )
        properties = (*known.properties, name) if known else (name,)
        self._edits[place] = Edit(place.key, SecretText(old), SecretText(new), properties, line=bool(place.line))

    def changes(self) -> dict[tuple[str, str], tuple[Edit, ...]]:
        """The edits that change something, by kind and name of the object.

        Raises NotReady when one would change a property that nobody wants to change.
        """
        found: dict[tuple[str, str], tuple[Edit, ...]] = defaultdict(tuple)
        for place, edit in self._edits.items():
            if edit.old != edit.new:
                if not place.line:
                    self._check_shared(place, edit)
                found[place.kind, place.name] += (edit,)
        return dict(found)

    def _change(self, name: str, value: str) -> tuple[_Place, str, str]:
        """Where to change something so that the property has the value, and what is and what will be written there."""
        entry = self._written[name]
        parts = split_value(entry.raw)
        references = [part for part in parts if isinstance(part, Reference)]
        variables = {part: self._environment.find(part.variable) for part in references if part.variable}
        if len(references) == 1 and (variable := variables.get(references[0])):
            inner = _between(parts, value)
            if inner is not None:
                new = escape_value(inner) if references[0].is_template else inner
                return _Place(variable.kind, variable.name, variable.key), variable.value, _written_at(variable, new)
        if secret := next((part for part, found in variables.items() if found and found.is_secret), None):
            raise NotReady(
                f"{self._release.key}: property {name} puts its value together from {len(references)} placeholder(s), and the "
                f"new value does not fit: {secret.variable} is secret and would end up in {self._source}.",
                hint="Take the whole value of the property from one key of a Secret in the chart's values.",
            )
        line = _Place("configmaps", self._place.config_map, self._place.key, name)
        as_it_stands = self._text[entry.start : entry.end]
        if not references and "".join(str(part) for part in parts).strip() == value:
            return line, as_it_stands, as_it_stands
        if references:
            self._note_replaced(name, references)
        return line, as_it_stands, write_value(value)

    def _note_replaced(self, name: str, references: Iterable[Reference]) -> None:
        texts = " and ".join(reference.text for reference in references)
        self.notes.append(
            f"Property {name} of {self._source} is replaced as a whole: {texts} names nothing that could be set to give it the "
            "new value."
        )

    def _check_shared(self, place: _Place, edit: Edit) -> None:
        for other, entry in self._written.items():
            if other in edit.properties:
                continue
            for part in split_value(entry.raw):
                if isinstance(part, Reference) and part.variable and self._is_at(part.variable, place):
                    raise NotReady(
                        f"{self._release.key}: {edit.properties[0]} takes its value from {_title(place)}, which also gives "
                        f"{other}; changing one would change the other.",
                        hint="Give each property a variable or a value of its own in the chart's values.",
                    )

    def _is_at(self, variable: str, place: _Place) -> bool:
        try:
            found = self._environment.find(variable)
        except (Forbidden, NotReady):
            return False  # not of an object that is to be changed: those could be read
        return found is not None and (found.kind, found.name, found.key) == place[:3]


def _title(place: _Place) -> str:
    return f"{'variable' if place.kind == 'deployments' else 'key'} {place.key} of {TITLES[place.kind]} {place.name}"


def _check_values(wanted: Mapping[str, SecretText]) -> None:
    for name, value in wanted.items():
        text = value.reveal()
        if is_placeholder(text) or "\0" in text or text != text.strip():
            raise InvalidRequest(
                f"The new value of {name} has a placeholder, a NUL character or white space at an end: servers would read "
                "something else.",
                hint="Give the plain value.",
            )


def _between(parts: tuple[str | Reference, ...], value: str) -> str | None:
    """What the one placeholder among `parts` has to give so that the whole is `value`; None when that is impossible."""
    at = next(index for index, part in enumerate(parts) if isinstance(part, Reference))
    before = "".join(part for part in parts[:at] if isinstance(part, str)).lstrip()
    after = "".join(part for part in parts[at + 1 :] if isinstance(part, str)).rstrip()
    fits = value.startswith(before) and value.endswith(after) and len(before) + len(after) <= len(value)
    return value[len(before) : len(value) - len(after)] if fits else None


def _written_at(place: VariablePlace, value: str) -> str:
    """The kubelet replaces $(OTHER) in the pod template, and takes $$ for one $."""
    if place.kind == "deployments" and ("$(" in value or "$$" in value):
        return value.replace("$", "$$")
    return value


def _rewritten(text: str, edits: Iterable[Edit], key: str) -> SecretText | None:
    """The properties file as it will be; None when none of its lines changes."""
    lines = [edit for edit in edits if edit.line and edit.key == key]
    for edit in lines:
        text = rewrite_property(text, edit.properties[0], edit.new.reveal())
    return SecretText(text) if lines else None


def _other_readers(reader: ClusterReader, deployment: KubernetesObject) -> dict[tuple[str, str], list[str]]:
    """Names of the namespace's other Deployments by the ConfigMaps and Secrets that they read."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for item in reader.list("deployments", deployment["metadata"]["namespace"], {}).items:
        if item["metadata"]["name"] != deployment["metadata"]["name"]:
            for key in referenced_objects(item):
                found[key].append(item["metadata"]["name"])
    return found


def _object_edits(
    key: tuple[str, str],
    edits: tuple[Edit, ...],
    environment: EnvironmentPlaces,
    deployment: KubernetesObject,
    place: PropertiesPlace,
    others: Mapping[tuple[str, str], list[str]],
) -> ObjectEdits:
    kind, name = key
    item = deployment if kind == "deployments" else environment.fetch(kind, name) or {}
    if item.get("immutable"):
        raise NotReady(
            f"{TITLES[kind]} {name} is immutable, so {', '.join(edits[0].properties)} cannot be changed in it.",
            hint="Release the new values with helm upgrade, which makes a new one, or take `immutable` out and create it anew.",
        )
    return ObjectEdits(
        kind=kind,
        name=name,
        resource_version=item["metadata"]["resourceVersion"],
        edits=edits,
        owners=owners_of(item),
        also_used_by=tuple(sorted(others.get(key, ()))),
        container=place.container["name"] if kind == "deployments" else "",
    )
