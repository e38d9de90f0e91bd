"""The routing tree as it is read."""

import pytest

from schemas.errors import Misconfigured
from streams import categories
from streams.routing import KINDS, Known, built_in, load

KNOWN = Known(categories=categories.built_in().categories)


def test_all_mistakes_at_once():
    """Names, fields, categories, recipients: everything that is wrong is said, with its path."""
    data = {
        "version": 1,
        "recipients": {"a": {}, "z": {}},
        "profiles": {"p": {"fields": ["report", "summary.nothing"]}},
        "route": {
            "name": "x",
            "match": {"unit": ["u"]},
            "recipients": ["who"],
            "routes": [
                {"name": "x", "profile": "no", "match": {"category": ["none"], "group": ["none"], "kind": ["None"]}},
                {"name": "y", "recipients": ["a"]},
            ],
        },
    }
    with pytest.raises(Misconfigured) as caught:
        load(data, KNOWN._replace(recipients=("a",), units=("v",)))
    for part in (
        "profiles.p.fields: 'report': a whole root",
        "profiles.p.fields: 'summary.nothing': no 'nothing'",
        "recipients.z: is no configured recipient; there are: a",
        "route: 'who' is not among recipients",
        "route.routes.0.name: 'x' stands twice",
        "route.routes.0.profile: no profile 'no'; there are p",
        "route.routes.0.match.category: no 'none'",
        "route.routes.0.match.group: no 'none'",
        "route.routes.0.match.kind: no 'None'",
        "route.match.unit: no 'u'",
        "route.routes.1.profile: names recipients, but no profile holds",
        "the root matches everything",
    ):
        assert part in caught.value.detail


def test_every_kind_of_fact_is_known():
    """Rules may name exactly the kinds of facts that there are."""
    assert {"IncidentOpened", "ReportLinked", "NoticeWithdrawn", "DeliveryRequested"} <= set(KINDS)
    assert len(KINDS) == len(set(KINDS))


def test_the_example_is_valid_and_has_a_version():
    """The built-in tree fits the built-in catalogue; other recipients are another version."""
    assert built_in(KNOWN).version == built_in(KNOWN).version
    assert built_in(KNOWN).version != built_in(KNOWN._replace(recipients=("fire",))).version


def test_the_call_centres_profile_shows_what_its_statuses_are_made_of():
    """Without one of these a call centre would never hear that its form came."""
    shown = set(built_in(KNOWN).profiles["statuses"].fields)
    assert shown >= {
        "report.far_system",
        "report.far_id",
        "report.told.references.id",
        "summary.state",
        "summary.stages.at",
        "summary.references.id",
        "summary.refused_reason",
    }
