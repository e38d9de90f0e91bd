"""`sztab generate [--check]`."""

import click
import orjson

from ops import generate as generating


@click.command("generate")
@click.option("--check", is_flag=True, help="Write nothing; exit status 1 if a document is not current.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def generate(context: click.Context, *, check: bool, as_json: bool) -> None:
    """Write the generated documents of this checkout: schemas, API descriptions, handbook pages."""
    made = generating.documents()
    changed = generating.differing(made) if check else generating.write(made)
    if as_json:
        click.echo(
            orjson.dumps({"documents": len(made), "changed": [str(path) for path in changed], "written": not check})
        )
    elif check:
        for path in changed:
            click.echo(f"{path} is not current; run: sztab generate", err=True)
    else:
        click.echo("\n".join(f"wrote {path}" for path in changed) or f"all {len(made)} documents are current")
    if check and changed:
        context.exit(1)
