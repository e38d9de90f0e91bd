"""The configuration of an installation under attack: nodes, territories, routing. Pure text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from ops.demo.stage import quoted

UNITS: Final = 12
"""Territories of the load: reports of different ones never meet, as in a country."""
WIDE: Final = 6
"""Partitions of the wide topics: enough for both workers, few enough for three brokers on a small machine."""
RECIPIENTS: Final = ("dispatch", "fire", "crisis")
SOURCES: Final = (*(f"cpr-{n + 1}" for n in range(UNITS)), *(f"desk-{n + 1}" for n in range(4)))
ORDINARY: Final = tuple(f"ward-{n + 1}" for n in range(4))
"""Sources that are no emergency ones: back-pressure is for them."""
PANELS: Final = "panels"
"""The source that alarm panels call, at both nodes."""
ACCOUNTS: Final = {
    f"{1000 + 25 * y + x}": (round(51.56 + y * 0.024, 3), round(17.86 + x * 0.023, 3))
    for y in range(16)
    for x in range(25)
}
"""Panels that the register knows, all over the county: account -> latitude and longitude."""
FIRE: Final = frozenset({"cpr-1", "cpr-2", "cpr-3", "desk-1"})
CRISIS: Final = frozenset({"cpr-3", "cpr-4", "desk-2"})
"""Sources whose reports go to these two as well. Routed by source, for which incident a report joins is chance."""
ROUTING: Final = """\
version: 1
recipients:
  dispatch: {title: "Everything", modes: [real]}
  fire: {title: "Some call centres", modes: [real]}
  crisis: {title: "Some others", modes: [real]}
profiles:
  proof:
    title: "What the proof looks at"
    fields: [fact.fact_id, fact.incident_id, change.kind, report.report_id, report.far_id, summary.state]
route:
  name: nobody
  deadline_seconds: 60
  profile: proof
  routes:
    - name: internal
      match:
        kind: [CommandRefused, SupplementsRead, ObservationMade, IncidentDormant, LinkSuggested, SuggestionSettled]
    - name: fire
      match: {source: [FIRE]}
      recipients: [fire]
      continue: true
    - name: crisis
      match: {source: [CRISIS]}
      recipients: [crisis]
      continue: true
    - name: everything
      recipients: [dispatch]
""".replace("FIRE", ", ".join(sorted(FIRE))).replace("CRISIS", ", ".join(sorted(CRISIS)))


def recipients_of(source: str) -> tuple[str, ...]:
    """To whom the routing sends the reports of a source."""
    return ("dispatch", *(["fire"] if source in FIRE else []), *(["crisis"] if source in CRISIS else []))


@dataclass(frozen=True, slots=True)
class Shape:
    """What an installation under attack looks like where a fault needs another than the usual one."""

    session_seconds: float = 6.0
    workers: int = 2
    roles: tuple[str, ...] = ("deliver", "ledger")
    """Beside intake and streams."""
    journal_bytes: int = 256 * 1024 * 1024
    timeout_seconds: float = 5.0
    """How long a recipient may take to answer."""
    images: bool = False
    """The journals stand on a file layer that knows what was fsynced."""
    clocks: bool = False
    """Wall clocks of nodes and workers are faked, by a file for each number."""
    proxied: bool = False
    """Clients reach the brokers through fault proxies, so do brokers each other, and deliver its recipients."""
    small_disk: bool = False
    """One broker's log stands on a small disk of its own. Needs root."""


def written(
    folder: Path,
    node: int,
    prefix: str,
    bootstrap: str,
    receivers: Mapping[str, tuple[str, Sequence[str]]],
    shape: Shape,
    ports: Mapping[int, int],
    panel_port: int,
) -> Path:
    """Write one node's folder; its `sztab.toml`.

    `receivers`: name -> address and keys; `ports`: of the intakes; `panel_port`: where this node hears alarm panels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    units = [f"unit-{number + 1}" for number in range(UNITS)]
    territory = {"units": [{"name": "kmp-kalisz", "teryt": ["3061", "3007"]}, *({"name": one} for one in units)]}
    (folder / "territory.yaml").write_bytes(orjson.dumps({**territory, "default": "kmp-kalisz"}))
    (folder / "routing.yaml").write_text(ROUTING, "utf-8")
    sources = [f'connector = "cpr"\nname = "cpr-{n + 1}"\nunit = "{unit}"' for n, unit in enumerate(units)]
    sources += [f'connector = "desk"\nname = "desk-{n + 1}"\nunit = "{unit}"' for n, unit in enumerate(units[:4])]
    sources += [
        f'connector = "cpr"\nname = "{name}"\nunit = "{units[n]}"\nemergency = false\nlane = "civil"'
        for n, name in enumerate(ORDINARY)
    ]
    sources.append(_panels(panel_port, units[0]))
    recipients = [
        f'connector = "webhook"\nname = "{name}"\nurl = {quoted(url)}\nallowed_networks = ["127.0.0.0/8"]\n'
        f"keys = [{', '.join(quoted(key) for key in keys)}]\ntimeout_seconds = {shape.timeout_seconds}"
        for name, (url, keys) in receivers.items()
    ]
    others = "\n".join(f'intake-{n} = "http://127.0.0.1:{port}"' for n, port in ports.items() if n != node)
    parts = [
        f'data_dir = "data"\nnode = "intake-{node}"',
        f'[installation]\nname = "proof"\nprefix = "{prefix}"',
        f'[kafka]\nbootstrap_servers = "{bootstrap}"\nreplicas = 3\nwide = {WIDE}\nrequest_seconds = 10.0',
        f"[intake]\nport = {ports[node]}",
        f"[ledger.nodes]\n{others}",
        f"[journal]\nmax_bytes = {shape.journal_bytes}",
        f"[streams]\nsession_seconds = {shape.session_seconds}",
        # No officer answers most of them: their deadlines would come as a second load, in some later run.
        "[deadlines]\nunanswered_seconds = 3600",
        '[territory]\nfile = "territory.yaml"',
        '[routing]\nfile = "routing.yaml"',
        '[operation]\nlog_format = "json"',
        *(f"[[sources]]\n{body}" for body in sources),
        *(f"[[recipients]]\n{body}" for body in recipients),
    ]
    file = folder / "sztab.toml"
    file.write_text("\n\n".join(parts) + "\n", "utf-8")
    return file


def _panels(port: int, unit: str) -> str:
    """The listener for panels. Any time stamp is believed: clocks are under attack, and a repeat must be a repeat."""
    accounts = ", ".join(f'"{account}" = {{lat = {lat}, lon = {lon}}}' for account, (lat, lon) in ACCOUNTS.items())
    return (
        f'connector = "sia-dc09"\nname = "{PANELS}"\nunit = "{unit}"\nport = {port}\nlines_per_peer = 500\n'
        f"stamp_behind_seconds = 90000\nstamp_ahead_seconds = 90000\naccounts = {{{accounts}}}"
    )
