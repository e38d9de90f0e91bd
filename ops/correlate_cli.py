"""`sztab correlate`: how good the linking is, measured on what real dispatchers decided; and better weights."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click
import orjson
import yaml

from connectors.file.mapping import Mapping, load
from ops import kafka, reference
from ops.correlating import labels as decisions
from ops.correlating import measuring, sampling
from ops.correlating.evaluating import Asked, Evaluation, as_json, evaluate
from ops.correlating.expecting import expect_and_learn
from ops.correlating.learning import KEEPABLE, examples, learn, looking, written
from ops.correlating.page import page
from ops.correlating.playing import LINKED
from ops.correlating.records import INTAKE, read
from ops.correlating.truth import Reach, pairs, truth_of
from ops.invocation import run, settings_of
from ops.moments import milliseconds
from ops.reading import Reading
from ops.settings import Settings
from schemas.envelope import legible
from schemas.errors import Code, Misconfigured
from schemas.incident import Fact
from schemas.topics import FACTS
from schemas.wire import parse
from streams import match_weights
from streams.normalise import processor

HEAD: Final = """\
# Weights of correlation, learnt by `sztab correlate learn`: {count} pairs of calls within reach, {joined} of them
# {said}, before {until}.
# In bits; what each part means stands in `streams/weights/built_in.yaml`.
"""
FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
BOTH: Final = "Both columns of a pair: one for each --pairs."
NEW_FILE: Final = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Calls:
    """Which calls, what dispatchers made of them, and how far apart partners are looked for."""

    files: list[tuple[Path, Mapping]]
    pairs: list[tuple[str, str]]
    reach: Reach


@click.group()
def correlate() -> None:
    """Measure and learn the linking of reports."""


def _calls(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that name calls and what dispatchers made of them; the command gets them as `calls`."""
    reach = click.FloatRange(min=0, min_open=True)
    options = (
        click.option("--incidents", "files", type=FILE, multiple=True, required=True, help="Calls (repeatable)."),
        click.option("--mapping", "mappings", multiple=True, required=True, help="What each file's columns mean."),
        click.option("--pairs", type=FILE, multiple=True, help="CSV of pairs that dispatchers joined (repeatable)."),
        click.option("--columns", multiple=True, default=("survivor_id,duplicate_id",), show_default=True, help=BOTH),
        click.option("--metres", type=reach, default=5_000.0, show_default=True, help="How far off partners are."),
        click.option("--minutes", type=reach, default=60.0, show_default=True, help="How much earlier partners are."),
    )

    @wraps(command)
    def told(
        *arguments: Any,
        files: tuple[Path, ...],
        mappings: tuple[str, ...],
        pairs: tuple[Path, ...],
        columns: tuple[str, ...],
        metres: float,
        minutes: float,
        **others: Any,
    ) -> Any:
        if len(files) != len(mappings):
            raise click.UsageError("as many --mapping as --incidents")
        read = [_pairs(*one) for one in zip(pairs, _each(columns, len(pairs), "columns", "pairs"), strict=True)]
        named = list(zip(files, map(load, mappings), strict=True))
        calls = Calls(named, [pair for some in read for pair in some], Reach(metres, minutes))
        return command(*arguments, calls=calls, **others)

    for option in reversed(options):
        told = option(told)
    return told


def _each(told: tuple[str, ...], count: int, option: str, of: str) -> tuple[str, ...]:
    """One value for each; a single one stands for all."""
    if len(told) not in {1, count}:
        raise click.UsageError(f"as many --{option} as --{of}, or one")
    return told if len(told) == count else told * count


@correlate.command("evaluate")
@_calls
@click.option("--weights", type=FILE, help="Weights to judge instead of the built-in ones.")
@click.option("--split", help="Judge what comes from this time on (ISO 8601); the rule is tuned on what was before.")
@click.option("--seed", default=1, show_default=True, help="Of the bootstrap.")
@click.option("--resamples", type=click.IntRange(min=0), default=measuring.RESAMPLES, show_default=True)
@click.option("--json", "as_object", is_flag=True, help="One JSON object, for programs.")
@click.option("--html", type=NEW_FILE, help="Write curves, worst misses and worst links here.")
@click.option("--sample", type=NEW_FILE, help="Write 50 links and 50 suggestions that no label confirms, to be read.")
@click.option("--judged", type=FILE, help="Such a sample with yes or no in its column `same`: the true false links.")
@click.pass_context
def evaluation(
    context: click.Context,
    /,
    *,
    calls: Calls,
    weights: Path | None,
    split: str | None,
    seed: int,
    resamples: int,
    as_object: bool,
    html: Path | None,
    sample: Path | None,
    judged: Path | None,
) -> None:
    """Play real calls through the real step and hold its decisions against those of dispatchers.

    A decision uses only what was known then. "Found" is a call whose best incident holds an earlier call of its true
    cluster; --metres and --minutes say which partners are looked for at all. Links that labels do not confirm are
    counted as false: an upper bound, for labels are a lower one.
    """
    settings, said = settings_of(context), sampling.read(judged) if judged else {}
    asked = Asked(
        files=calls.files,
        pairs=calls.pairs,
        weights=weights.read_text("utf-8") if weights else None,
        split_ms=milliseconds(split, "split") if split else None,
        reach=calls.reach,
        seed=seed,
        resamples=resamples,
    )
    found = evaluate(asked, reference.catalogue_of(settings), reference.references(settings).normalise)
    if html is not None:
        html.write_text(page(found), "utf-8")
    if sample is not None:
        sample.write_text(sampling.written(sampling.draw(found, seed)), "utf-8")
    if as_object:
        click.echo(orjson.dumps({**as_json(found), **({"read": _read_json(found, said)} if said else {})}))
    else:
        click.echo("\n".join((_table(found), *_read_lines(found, said))))


@correlate.command("learn")
@_calls
@click.option("--until", multiple=True, required=True, help="Learn from earlier calls alone (ISO 8601): one per file.")
@click.option("--base", type=FILE, help="Weights whose other numbers are kept; the built-in ones by default.")
@click.option("--keep", type=click.Choice(KEEPABLE), multiple=True, help="Fit this part, but write the base's.")
@click.option("--name", required=True, help="Name of the new weights.")
@click.option("--out", type=NEW_FILE, required=True, help="Where to write them.")
@click.pass_context
def learning(
    context: click.Context,
    /,
    *,
    calls: Calls,
    until: tuple[str, ...],
    base: Path | None,
    keep: tuple[str, ...],
    name: str,
    out: Path,
) -> None:
    """Fit weights to what dispatchers joined before a time, and write them as a file that a person can read.

    Without --pairs nobody said which calls are one: then the weights are learnt by expectation maximisation, beginning
    with those of the base. Several files are learnt from together. Costs, shared ids and careful kinds stay as the
    base has them: judge the result (`evaluate --weights`) on what came later before it is used.
    """
    settings = settings_of(context)
    catalogue = reference.catalogue_of(settings)
    before = [milliseconds(one, "until") for one in _each(until, len(calls.files), "until", "incidents")]
    told = read(calls.files, processor(INTAKE, reference.references(settings).normalise))
    start = looking(yaml.safe_load(base.read_text("utf-8") if base else match_weights.built_in_text()), calls.reach)
    weights = match_weights.load(yaml.safe_dump(start), catalogue, name)
    found = examples(told.heard, truth_of(calls.pairs), calls.reach, weights, before)
    if calls.pairs:
        joined, said = sum(one.joined for one in found), "joined by dispatchers"
        if not 0 < joined < len(found):
            raise _nothing(len(found), joined)
        shape = learn(found, start, catalogue, name, keep)
    else:
        if not found:
            raise _nothing(0, 0)
        shape, joined = expect_and_learn(found, start, catalogue, name, keep, _turn)
        said = "expected to be one (nobody said)"
    text = written(shape)
    match_weights.load(text, catalogue, name)
    head = HEAD.format(count=len(found), joined=round(joined), said=said, until=", ".join(until))
    out.write_text(head + text, "utf-8")
    click.echo(f"{out}: learnt from {len(found)} pairs of calls, {joined:.0f} of them {said}")


def _nothing(count: int, joined: float) -> Misconfigured:
    return Misconfigured(Code.CONFIGURATION_INVALID, f"{count} pairs, {joined:.0f} joined: nothing to learn from")


def _turn(number: int, joined: float) -> None:
    click.echo(f"round {number}: {joined:.0f} pairs expected to be one", err=True)


@correlate.command("labels")
@click.option("--out", type=NEW_FILE, required=True, help="CSV file to write.")
@click.pass_context
def labels(context: click.Context, /, *, out: Path) -> None:
    """Write down what officers decided about links: confirmed, rejected, undone, kept, linked by hand.

    From all facts that are kept, real ones alone; without personal data. Facts leave with their retention, this file
    stays: for the next learning.
    """
    found = run(_decided(settings_of(context)))
    out.write_text(decisions.written(found), "utf-8")
    counts = Counter(one.decided.value for one in found)
    click.echo(f"{out}: {len(found)} decisions" + "".join(f", {count} {how}" for how, count in sorted(counts.items())))


async def _decided(settings: Settings) -> list[decisions.Label]:
    folded = decisions.Labels()
    found: list[decisions.Label | None] = []
    async for _, records in Reading(kafka.cluster(settings), [FACTS]).on():
        found += [folded.take(parse(Fact, one.value), legible(one.headers, "mode") or "") for one in records]
    return [one for one in found if one is not None]


def _pairs(file: Path, columns: str) -> list[tuple[str, str]]:
    first, _, second = columns.partition(",")
    return pairs(file, (first.strip(), second.strip()))


def _read_json(found: Evaluation, said: dict[str, sampling.Reading]) -> dict[str, object]:
    return {
        kind: {
            "read": one.read,
            "unsure": one.unsure,
            "false": {"value": one.false.value, "low": one.false.low, "high": one.false.high},
            "false_per_1000_calls": round(_unconfirmed(found, kind) * one.false.value, 2),
        }
        for kind, one in said.items()
    }


def _read_lines(found: Evaluation, said: dict[str, sampling.Reading]) -> list[str]:
    return [
        f"{kind}: {one.read} read, {one.false.value:.0%} of them two matters ({one.false.low:.0%} to"
        f" {one.false.high:.0%}): {_unconfirmed(found, kind) * one.false.value:.1f} truly false per 1,000 calls,"
        f" {_unconfirmed(found, kind):.1f} by labels"
        for kind, one in said.items()
        if one.read
    ]


def _unconfirmed(found: Evaluation, kind: str) -> float:
    """Decisions of this kind that no label confirms, per 1,000 calls."""
    stage = found.automatic if kind == LINKED else found.suggested
    return 1000 * (stage.calls - stage.right) / max(1, found.calls)


def _table(found: Evaluation) -> str:
    """The figures for people."""
    lines = [f"{found.calls} calls judged, {found.partners} with an earlier partner, weights {found.version}"]
    lines.append("labelled-false per 1,000   found (95 %)            best rule finds")
    for budget in measuring.BUDGETS:
        one, rule = found.shares[str(budget)], found.rules[str(budget)]
        words = f"{rule.metres:g} m, {rule.minutes:g} min{', same category' if rule.same else ''}" if rule else "none"
        lines.append(
            f"{budget:>10}             {one.value:6.1%} ({one.low:.1%} to {one.high:.1%})"
            f"   {found.rule_shares[str(budget)]:6.1%} ({words})"
        )
    area = found.shares["average_precision"]
    lines.append(f"average precision {area.value:.3f} ({area.low:.3f} to {area.high:.3f})")
    for name, stage in (("automatic", found.automatic), ("suggested", found.suggested)):
        words = f"{stage.calls} calls, {stage.right} right, {stage.found_share:.1%} found"
        lines.append(f"{name} from {stage.bits:g} bits: {words}")
    lines.append(
        f"suggestions {found.suggestions_per_hour:.1f} an hour, {found.suggestions_right.value:.1%} right;"
        f" B-cubed precision {found.b_cubed[0]:.4f}, recall {found.b_cubed[1]:.4f}"
    )
    speed = found.speed
    lines.append(
        f"{speed.seconds_p50 * 1000:.2f} ms a call (p99 {speed.seconds_p99 * 1000:.2f}),"
        f" {speed.looked_at_mean:.1f} incidents looked at (p99 {speed.looked_at_p99:g})"
    )
    return "\n".join(lines)
