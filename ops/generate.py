"""Documents that are made from the code: schemas, API descriptions, handbook pages. Written once, never by hand."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Final

from connectors.registry import CONNECTORS
from ops import handbook_commands, handbook_metrics, handbook_settings, openapi
from schemas import generate as schemas_generate

ROOT: Final = Path(__file__).resolve().parent.parent
SCHEMAS: Final = Path("schemas/generated")
HANDBOOK: Final = Path("ops/handbook")


def documents() -> dict[Path, str]:
    """Path below the checkout -> content, of every generated document."""
    from ops.cli import sztab

    ours = version("sztab")
    made = {SCHEMAS / name: content for name, content in schemas_generate.files(ours).items()}
    made[SCHEMAS / "openapi.json"] = json.dumps(openapi.document(ours), indent=1, ensure_ascii=False) + "\n"
    made[HANDBOOK / "settings.md"] = handbook_settings.settings_page()
    made[HANDBOOK / "connectors.md"] = handbook_settings.connectors_page(CONNECTORS)
    made[HANDBOOK / "commands.md"] = handbook_commands.commands_page(sztab)
    made[HANDBOOK / "metrics.md"] = handbook_metrics.metrics_page()
    made[HANDBOOK / "retention.md"] = handbook_commands.retention_page()
    return made


def differing(made: dict[Path, str], root: Path = ROOT) -> list[Path]:
    """Documents that are not as they should be: changed, missing, or there without being generated any more."""
    wrong = [path for path, content in made.items() if _read(root / path) != content]
    extra = [path.relative_to(root) for path in sorted((root / SCHEMAS).glob("*.json"))]
    return sorted([*wrong, *(path for path in extra if path not in made)])


def write(made: dict[Path, str], root: Path = ROOT) -> list[Path]:
    """Write what differs and remove what is generated no more; the paths that changed."""
    changed = differing(made, root)
    for path in changed:
        if path in made:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(made[path], encoding="utf-8")
        else:
            (root / path).unlink()
    return changed


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
