"""Reference data from files: YAML into frozen models, every mistake at once, a digest that names the version."""

import hashlib
from typing import Any, TypeVar

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import Code, Misconfigured

M = TypeVar("M", bound=BaseModel)


class Shape(BaseModel):
    """Base of every shape of a reference file: unknown keys are mistakes, values never change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read_yaml(text: str, where: str) -> Any:
    """The data of a YAML text. Misconfigured names the line of the first syntax mistake; `where` is the file's name."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise refused([f"{where}{line}: not YAML"]) from None


def checked(model: type[M], data: Any, where: str) -> M:
    """The data as a model. Misconfigured lists every mistake with its path and what is allowed there."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise refused(
            [f"{where}: {'.'.join(str(part) for part in one['loc']) or '(whole)'}: {one['msg']}" for one in found],
        ) from None


def refused(mistakes: list[str]) -> Misconfigured:
    """One error that names all the mistakes."""
    return Misconfigured(Code.CONFIGURATION_INVALID, "; ".join(mistakes))


def digest(data: Any) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of the data's canonical JSON: names a version of reference data."""
    return hashlib.sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
