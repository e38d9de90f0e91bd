"""The docstrings beneath the fields of a class, read from its source: what the generated pages say of each setting."""

import ast
import inspect
import textwrap
from functools import cache


@cache
def attribute_docs(owner: type) -> dict[str, str]:
    """Field name -> its docstring on one line, those of base classes included; a class without source gives none."""
    found: dict[str, str] = {}
    for one in reversed(owner.__mro__):
        if one.__module__.split(".")[0] in {"builtins", "pydantic", "pydantic_settings"}:
            continue
        try:
            source = textwrap.dedent(inspect.getsource(one))
        except (OSError, TypeError):
            continue
        body = ast.parse(source).body[0]
        if isinstance(body, ast.ClassDef):
            found |= _of(body)
    return found


def _of(body: ast.ClassDef) -> dict[str, str]:
    found: dict[str, str] = {}
    for field, following in zip(body.body, body.body[1:], strict=False):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            text = following.value.value
            if isinstance(text, str):
                found[field.target.id] = " ".join(text.split())
    return found
