"""YAML of rendered documents. CloudFormation returns a template as the text it was given, so it is also read here."""

import json
import re
from typing import Any, Final

import yaml

# PyYAML follows YAML 1.1 and leaves these plain, but YAML 1.2 reads them as numbers and some parsers as booleans.
READ_AS_OTHER_TYPE: Final = re.compile(r"[yYnN]|[-+]?\.?[0-9][0-9a-zA-Z_.+-]*")
UNLIMITED: Final = 1_000_000


class Dumper(yaml.CSafeDumper):
    """Quote text that any YAML version reads as another type; write text of several lines as a block."""


class Loader(yaml.CSafeLoader):
    """Keep dates as text, as in `Version: 2012-10-17`."""

    yaml_implicit_resolvers: Final = {
        sign: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for sign, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


def represent_text(dumper: yaml.Dumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else '"' if READ_AS_OTHER_TYPE.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, represent_text)


def to_yaml(value: object) -> str:
    """Return YAML that always has the same text for the same value. Mappings keep their order."""
    # Through JSON, enums and tuples become plain values, and a value used twice becomes two: YAML would write an alias.
    plain = json.loads(json.dumps(value))
    text: str = yaml.dump(plain, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=UNLIMITED)
    return text


def from_yaml(text: str) -> Any:
    """Return the value of a YAML document.

    Raises:
        ValueError: not YAML, or with tags such as CloudFormation's `!Ref`.
    """
    try:
        return yaml.load(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
