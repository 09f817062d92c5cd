"""Whole files, without pathlib: loading it is a good part of a tool's start."""

from __future__ import annotations


def read(name: str) -> bytes:
    with open(name, "rb") as file:
        return file.read()


def write(name: str, data: bytes) -> None:
    """Over an older file of this name."""
    with open(name, "wb") as file:
        file.write(data)
