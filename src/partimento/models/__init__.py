"""Model families by name: `models/NAME.py` holds `class Family(Composer)`; entry points `partimento.models` join."""

from ..registry import Registry

_registry = Registry(
    "model family", __name__, __path__, "partimento.models", "Family", skip=("base", "blocks", "layers", "graphs")
)


def family_names() -> tuple[str, ...]:
    """The families that can be asked for."""
    return _registry.names()


def get_family(name: str):
    """The class of the family `name`, built as `Family(fields, **options)`."""
    return _registry.get(name)


__all__ = ["family_names", "get_family"]
