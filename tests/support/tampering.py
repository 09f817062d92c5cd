"""Ways to change the lines of a recording or a journal."""

from __future__ import annotations


def event_edited(lines: list[bytes]) -> list[bytes]:
    return [*lines[:40], lines[40].replace(b'"', b'" ', 1), *lines[41:]]


def typed_line_edited(lines: list[bytes]) -> list[bytes]:
    place = next(number for number, line in enumerate(lines) if number > 40 and b'"i","' in line)
    return [*lines[:place], lines[place].replace(b'"i","', b'"i","9'), *lines[place + 1 :]]


def event_removed(lines: list[bytes]) -> list[bytes]:
    return lines[:40] + lines[41:]


def event_repeated(lines: list[bytes]) -> list[bytes]:
    return lines[:41] + lines[40:]


def two_events_swapped(lines: list[bytes]) -> list[bytes]:
    return [*lines[:40], lines[41], lines[40], *lines[42:]]


def tail_cut(lines: list[bytes]) -> list[bytes]:
    return lines[:-5]


def line_torn(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], lines[-1][:-9]]


def closing_record_removed(lines: list[bytes]) -> list[bytes]:
    return lines[:-1]


def header_edited(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b'"user":"', b'"user":"x'), *lines[1:]]


def redaction_edited(lines: list[bytes]) -> list[bytes]:
    place = next(number for number, line in enumerate(lines) if b'"v","' in line)
    return [*lines[:place], lines[place].replace(b" -", b" 4"), *lines[place + 1 :]]


def secret_renamed(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b"partition PIN", b"another PIN") for line in lines]


def line_added(lines: list[bytes]) -> list[bytes]:
    return [*lines, b'[99.0,"x","0"]\n']


def carriage_returns(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b"\n", b"\r\n") for line in lines]


def byte_order_mark(lines: list[bytes]) -> list[bytes]:
    return [b"\xef\xbb\xbf" + lines[0], *lines[1:]]


def key_doubled(lines: list[bytes]) -> list[bytes]:
    return [b'{"version":2,' + lines[0][1:], *lines[1:]]


def number_otherwise(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b'"version":2,', b'"version":2e0,'), *lines[1:]]


def emptied(_lines: list[bytes]) -> list[bytes]:
    return []
