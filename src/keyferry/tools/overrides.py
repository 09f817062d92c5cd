"""The settings of `[dialect]`: which prompt or flag of which tool each of them words otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keyferry.config import DEFAULTS
from keyferry.terminal.overrides import Overrides
from keyferry.tools.ckdemo import dialect as ckdemo
from keyferry.tools.cloudhsm_cli import dialect as cloudhsm_cli
from keyferry.tools.cmu import dialect as cmu
from keyferry.tools.key_mgmt_util import dialect as key_mgmt_util

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyferry.config import Config

PROMPTS: Final = {
    "ckdemo_prompt": ("ckdemo", (ckdemo.MAIN,)),
    "ckdemo_slot_prompt": ("ckdemo", (ckdemo.SLOT,)),
    "ckdemo_pin_prompt": ("ckdemo", (ckdemo.PIN,)),
    "cmu_password_prompt": ("cmu", (cmu.PASSWORD, cmu.PASSWORD_AGAIN)),
    "key_mgmt_util_password_prompt": ("key_mgmt_util", (key_mgmt_util.PASSWORD,)),
    "cloudhsm_cli_prompt": ("cloudhsm-cli", (cloudhsm_cli.COMMAND,)),
    "cloudhsm_cli_password_prompt": ("cloudhsm-cli", (cloudhsm_cli.PASSWORD,)),
}
FLAGS: Final = {
    "cmu_slot_flag": "cmu",
    "cmu_handle_flag": "cmu",
    "cmu_label_flag": "cmu",
    "cmu_input_file_flag": "cmu",
    "key_mgmt_util_hidden_password_flag": "key_mgmt_util",
    "key_mgmt_util_not_extractable_flag": "key_mgmt_util",
    "key_mgmt_util_no_header_flag": "key_mgmt_util",
    "key_mgmt_util_id_flag": "key_mgmt_util",
}
"""The documented words of both are the settings' defaults."""


def wordings(config: Config) -> Mapping[str, Overrides]:
    """By tool, what this site's clients word otherwise; nothing where a setting is as documented."""
    prompts: dict[str, dict[str, str]] = {}
    flags: dict[str, dict[str, str]] = {}
    for key, (tool, asked) in PROMPTS.items():
        if (words := config.text("dialect", key)) != DEFAULTS["dialect"][key]:
            prompts.setdefault(tool, {}).update({prompt.name: words for prompt in asked})
    for key, tool in FLAGS.items():
        if (word := config.text("dialect", key)) != (documented := str(DEFAULTS["dialect"][key])):
            flags.setdefault(tool, {})[documented] = word
    return {tool: Overrides(prompts.get(tool, {}), flags.get(tool, {})) for tool in prompts.keys() | flags.keys()}
