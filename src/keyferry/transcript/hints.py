from __future__ import annotations

UNKNOWN_SCREEN = (
    "a tool version that is not known yet? `keyferry transcript sanitize RECORD -o FILE` takes out what names "
    "your site; look FILE through and send it to us"
)
"""What to do about a screen that is not understood."""
