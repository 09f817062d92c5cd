from __future__ import annotations

WORDED_OTHERWISE = "does this client word a prompt or a flag otherwise? set its words in `[dialect]` of keyferry.toml"
"""What to do where a tool does not know what the vendor documents, or asks what nobody knows."""

UNKNOWN_SCREEN = (
    f"{WORDED_OTHERWISE}; a tool version that is not known yet? `keyferry transcript sanitize RECORD -o FILE` takes "
    "out what names your site; look FILE through and send it to us"
)
"""What to do about a screen that is not understood."""
