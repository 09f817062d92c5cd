#!/usr/bin/env python3
"""Proves that the record of a Keyferry run is whole: python3 verify.py [RUN] [--head HEX]

Take this file from the release, not from the run; read it; FORMAT.md specifies what it checks. It ends with 0 (complete
and intact), 7 (intact, but never completed) or 6 (wrong). Without a head noted elsewhere it finds half changes only.
"""

import argparse
import hashlib
import json
import pathlib
import re
from typing import Any

Table = dict[Any, Any]
COMMANDS = {  # that a migration may give to each tool
    "key_mgmt_util": "listUsers|log(in|out)HSM|find(Single)?Key|getAttribute|genRSAKeyPair|exportPubKey|unWrapKey|exit",
    "ckdemo": "Open Session|Login|Token Info|Set attribute|Find object|Display Object|Encrypt file|Wrap key|Options|"
    "Quit demo",
    "cloudhsm-cli": "interactive|log(in|out)|user list|cluster hsm-info|key (list|generate-file|unwrap rsa-oaep)|"
    "key generate-asymmetric-pair rsa|quit",
    "cmu": "list|getAttribute|import",
    "vtl": "listSlots",
}
STATES = ("verified", "skipped", "failed", "needs_operator")


def demand(holds: object, place: str, why: str) -> None:
    if not holds:
        raise ValueError(f"{place}: {why}")


def link(domain: str, kind: str, before: str, body: bytes) -> str:
    return hashlib.sha256(f"{domain}\n{kind}\n".encode() + bytes.fromhex(before) + body).hexdigest()


def dump(value: object, **how: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), **how).encode() + b"\n"


def load(path: pathlib.Path, **how: Any) -> Any:
    """Of each line its place, its JSON and its bytes, which must be that JSON's; less a last line that is cut."""
    with open(path, "rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(2**24), b""), 1):
            if not line.endswith(b"\n"):
                return
            try:
                value = json.loads(line)
                demand(dump(value, **how) == line, "", "")
            except (ValueError, RecursionError):
                raise ValueError(f"{path.name}: line {number}: not as a line is written") from None
            yield f"{path.name}: line {number}", value, line


class Run:
    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self.files, self.sessions, self.moved, self.states = folder, Table(), Table(), Table(), Table()
        self.extractable, self.wrapped, self.arrived, self.removed = Table(), Table(), Table(), Table()
        self.open, self.menu, self.tools, self.migration = list[str](), list[str](), set[Any](), False
        self.run_id = self.plan = self.key = None
        for path in sorted(folder.rglob("*")):
            name, plain = str(path.relative_to(folder)), path.is_file() and not path.is_symlink()
            demand(plain or name in ("sessions", "files", "signatures"), name, "no plain file, or a folder too many")
            if plain:
                with open(path, "rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                demand(not name.startswith("signatures/") or digest[:16] in name, name, "not as it was signed")
                self.files[name] = {"size": path.stat().st_size, "sha256": digest}

    def verify(self) -> str | None:
        """Gives the run's head, or None where the record was never completed."""
        told = None
        if self.files.pop("manifest.json", None):
            [(_place, told, _line)] = load(self.folder / "manifest.json", sort_keys=True)
        journal = self.read_journal(told)
        for name in self.sessions:
            self.read_session(name)
        for name, hashes in self.moved.items():
            there = self.files.get(f"files/{name}", {"sha256": self.removed.get(name)})["sha256"]
            demand(set(hashes.values()) == {there}, f"files/{name}", "not the file that was moved")
        demand(self.plan in (None, self.files.get("plan.json", {}).get("sha256")), "plan.json", "not the run's plan")
        if told is None:
            left = not all(session["end"] for session in self.sessions.values())
            left = left or (self.folder / "journal.jsonl").stat().st_mode & 0o222 != 0
            demand(left, "manifest.json", "is missing, although the run completed its record")
            self.open.append("there is no manifest.json")
            return None
        files = {name: self.files[name] for name in self.files if not name.startswith("signatures/")}
        for name in sorted(files.keys() | told["files"].keys()):
            demand(files.get(name) == told["files"].get(name), name, "not as when the run ended: changed, gone or new")
        ours = {"schema": "keyferry.manifest/1", "run_id": self.run_id, "keyferry": told["keyferry"]}
        ours |= {"journal": journal, "sessions": [*self.sessions.values()], "files": files, "plan": self.plan}
        ours |= {"tools": [dict(tool) for tool in sorted(self.tools)], "totals": self.plan and self.totals()}
        ours |= {"moved": [{"file": name, **hashes} for name, hashes in self.moved.items()]}
        head = link("keyferry-run/1", "manifest", journal["head"], dump(ours, sort_keys=True))
        demand(ours | {"head": head} == told, "manifest.json: line 1", "not what the journal and the sessions come to")
        return head

    def totals(self) -> Table:
        return {"planned": len(self.states)} | {state: [*self.states.values()].count(state) for state in STATES}

    def read_journal(self, told: Any) -> Table:
        head, count, end = hashlib.sha256(b"keyferry-journal/1").hexdigest(), 0, told and told["journal"]
        for place, entry, line in load(self.folder / "journal.jsonl"):
            demand(entry.get("seq") == count + 1, place, "not the line that was written here")
            before = f"journal.jsonl: line {max(1, count)}"
            demand(entry.get("prev") == head, before, "not what the next line continues")
            head, count = hashlib.sha256(line).hexdigest(), count + 1
            self.take(entry, entry.get("key"), place)
        demand(end in (None, {"count": count, "head": head}), f"journal.jsonl: line {count}", "not the last line")
        return {"count": count, "head": head}

    def take(self, line: Table, key: Any, place: str) -> None:
        """What a line of the journal says, and whether it may say so behind the lines before it."""
        match line["kind"], line.get("act"):
            case "begin", _:
                self.run_id, self.migration = line["run_id"], bool(line["order"])
            case "opened", _:
                self.sessions[line["file"]] = {"file": line["file"], "header": line["header"], "end": None}
            case (("closed" | "torn"), _):
                self.sessions[line["file"]].update(end=line["kind"], head=line["head"], count=line["count"])
            case (("described" | "key"), _):
                self.states[key] = line["state"]
                self.extractable.setdefault(key, line.get("extractable"))
            case "planned", _:
                self.plan = line["sha256"]
            case "end", _:
                left = self.wrapped and "planned" in self.states.values()
                demand(line["totals"] == self.totals() and not left, place, "the totals do not balance")
            case (("intent" | "done"), "wrap"):
                demand(self.extractable.get(key), place, f"key {key} was not described as extractable before")
                self.wrapped[key] = line.get("sha256")
                self.moved.pop(f"{key}.wrapped", None)
            case "done", "move" if isinstance(key, int):
                self.arrived[key] = line["sha256"]
                demand(self.wrapped.get(key) == line["sha256"], place, f"not what was wrapped of key {key}")
            case (("intent" | "done"), "unwrap"):
                demand(key in self.arrived, place, f"no wrapped file of key {key} was moved before")
            case "done", "export":
                self.key = line["sha256"]
            case "intent", "import":
                demand(line["sha256"] == self.key, place, "the imported public key is not the exported one")
            case "done", "compare":
                demand(set(line["places"].values()) == {self.key}, place, "Classic has another public key")
            case "done", "remove":
                self.removed[line["file"]] = line["sha256"]
        if line["kind"] == "done" and "host" in line:
            before = {} if line["act"] in ("wrap", "fetch") else self.moved.get(line["file"], {})
            self.moved[line["file"]] = before | {line["host"]: line["sha256"]}

    def read_session(self, name: str) -> None:
        """One recording: its chain, its anchors in the journal, and the commands that were typed."""
        demand(name in self.files, name, "is missing")
        known, header, new = self.sessions[name], Table(), list[str]()
        head, count, screen, complete = "0" * 64, 0, "", False
        for count, (place, value, line) in enumerate(load(self.folder / name, ensure_ascii=False)):
            demand(not complete, place, "stands behind the closing record")
            code, text = value[1:] if header else ("header", "")
            if code == "h":
                told, ours = text.removesuffix(" end"), " ".join([str(count - 1), head, *new])
                demand(told == ours, place, "not what was written since the chain record before it")
                complete = told != text
            head = link("keyferry-transcript/1", code, head, line[:-1])
            new = [] if code == "h" else [*new, head[:8]]
            if not header:
                header, self.menu = value, []
                self.tools.add(tuple((field, header[field]) for field in ("tool", "host", "path", "sha256")))
                same = header["run_id"] == self.run_id and head == known["header"]
                demand(same, place, "not the session that the journal says was opened")
            for command in [text.strip()] if code == "i" else header["argv"][1:2] if code == "header" else []:
                self.typed(header["tool"], command, screen, place)
            screen = "" if code == "i" else screen + text if code == "o" else screen
        ends = {None: (None, None), "torn": (head, count), "closed": (head, count - 1 if complete else None)}
        demand(header and (known.get("head"), known.get("count")) == ends[known["end"]], name, "not the journal's end")
        self.open += [] if complete or known["end"] else [f"{name} was not completed"]

    def typed(self, tool: str, line: str, screen: str, place: str) -> None:
        """Only commands of the procedure may be given, or answers to questions."""
        known: Any = tool == "ckdemo" or line.isdecimal() or re.match(rf"(?:{COMMANDS[tool]}|)(?: |$)", line)
        if tool == "ckdemo" and re.search(r"Enter your choice.*: *$", screen):
            entry = rf"(?im)\(\s*(\d+)\)\s*(?:{COMMANDS[tool]})(?=\s\s|\s*\(\s*\d|\s*$)"
            self.menu = self.menu or re.findall(entry, screen)
            known = line in self.menu
        demand(known or not self.migration, place, f"{line!r} is no command of a migration")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent)
    parser.add_argument("--head", help="the run's head as it was noted elsewhere")
    try:
        head = (run := Run((asked := parser.parse_args()).run)).verify()
        demand(asked.head in (None, head), "manifest.json", f"the run's head is {head}, not the one given")
    except (ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        print(f"WRONG: {error}")
        raise SystemExit(6) from None
    print(f"run {run.run_id}: {'incomplete' if run.open else 'complete'} and intact", *run.open, sep="\n")
    print(f"head: {head}" if asked.head else "unsigned: whoever can rewrite everything can forge everything")
    raise SystemExit(7 if run.open else 0)
