"""`sztab correlate`: how good the linking is, measured on what real dispatchers decided."""

from pathlib import Path

import click
import orjson

from connectors.file.mapping import load
from ops import reference
from ops.correlating import measuring
from ops.correlating.evaluating import Asked, Evaluation, as_json, evaluate
from ops.correlating.page import page
from ops.correlating.truth import Reach, pairs
from ops.invocation import settings_of
from ops.moments import milliseconds

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def correlate() -> None:
    """Measure the linking of reports."""


@correlate.command("evaluate")
@click.option(
    "--incidents", "files", type=FILE, multiple=True, required=True, help="Calls, plain or gzip (repeatable)."
)
@click.option("--mapping", "mappings", multiple=True, required=True, help="What each file's columns mean, in order.")
@click.option("--pairs", "pairs_file", type=FILE, required=True, help="CSV of pairs that dispatchers joined.")
@click.option("--columns", default="survivor_id,duplicate_id", show_default=True, help="The two columns of a pair.")
@click.option("--weights", type=FILE, help="Weights to judge instead of the built-in ones.")
@click.option("--split", help="Judge what comes from this time on (ISO 8601); the rule is tuned on what was before.")
@click.option("--metres", type=click.FloatRange(min=0, min_open=True), default=5_000.0, show_default=True)
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True)
@click.option("--seed", default=1, show_default=True, help="Of the bootstrap.")
@click.option("--resamples", type=click.IntRange(min=0), default=measuring.RESAMPLES, show_default=True)
@click.option("--json", "as_object", is_flag=True, help="One JSON object, for programs.")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write curves, worst misses and links here."
)
@click.pass_context
def evaluation(
    context: click.Context,
    /,
    *,
    files: tuple[Path, ...],
    mappings: tuple[str, ...],
    pairs_file: Path,
    columns: str,
    weights: Path | None,
    split: str | None,
    metres: float,
    minutes: float,
    seed: int,
    resamples: int,
    as_object: bool,
    html: Path | None,
) -> None:
    """Play real calls through the real step and hold its decisions against those of dispatchers.

    A decision uses only what was known then. "Found" is a call whose best incident holds an earlier call of its true
    cluster; --metres and --minutes say which partners are looked for at all. Links that labels do not confirm are
    counted as false: an upper bound, for labels are a lower one.
    """
    if len(files) != len(mappings):
        raise click.UsageError("as many --mapping as --incidents")
    first, _, second = columns.partition(",")
    settings = settings_of(context)
    asked = Asked(
        files=list(zip(files, map(load, mappings), strict=True)),
        pairs=pairs(pairs_file, (first.strip(), second.strip())),
        weights=weights.read_text("utf-8") if weights else None,
        split_ms=milliseconds(split, "split") if split else None,
        reach=Reach(metres, minutes),
        seed=seed,
        resamples=resamples,
    )
    found = evaluate(asked, reference.catalogue_of(settings), reference.references(settings).normalise)
    if html is not None:
        html.write_text(page(found), "utf-8")
    click.echo(orjson.dumps(as_json(found)) if as_object else _table(found))


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
