"""liuke config: the JSON Schema of liuke.yaml, made from the code."""

from __future__ import annotations

from console.screen import say_json
from console.session import Session, group

config = group("config", "配置文件的说明。 About liuke.yaml.")


@config.add("schema", example="liuke config schema > liuke.schema.json")
def schema_(session: Session) -> None:
    """输出 liuke.yaml 的 JSON Schema, 供编辑器补全和校验。

    Prints the JSON Schema of liuke.yaml, for editors that complete and check.
    """
    from sync.config_schema import schema

    say_json(schema())
