"""Proves that the record of a Keyferry run is whole (FORMAT.md): 0 it is intact, 7 intact but incomplete, 6 not.

Take this file from the release, not from the run. It derives each key's handle and outcome from the recordings.
It leaves to `keyferry verify`: attributes and nodes in the journal, shared keys, the source's answers, who signed."""

import argparse
import base64
import hashlib
import json
import os
import pathlib
import re
from typing import Any

Table = dict[Any, Any]
COMMANDS = {  # that a migration may give to each tool
    "key_mgmt_util": "listUsers|log(in|out)HSM|find(Single)?Key|getAttribute|getKeyInfo|genRSAKeyPair|exportPubKey|"
    "unWrapKey|exit",
    "ckdemo": "Open Session|Login|Token Info|Set attribute|Find object|Display Object|Encrypt file|Wrap key|Options|"
    "Quit demo",
    "cloudhsm-cli": "interactive|quit|(help )?(log(in|out)|user list|cluster hsm-info|"
    "key (list|generate-file|unwrap rsa-oaep|generate-asymmetric-pair rsa))",
    "cmu": "list|getAttribute|import",
    "vtl": "listSlots",
}
KINDS = {0x10: "GENERIC_SECRET", 0x15: "DES3", 0x1F: "AES"}
USAGES = ("encrypt", "decrypt", "sign", "verify", "wrap", "unwrap", "derive")
STATES, ROLES = ("verified", "skipped", "failed", "needs_operator"), ("operator", "witness", "approver")
PEM, FOLDERS, CODES = "files/wrapping_public.pem", ("sessions", "files", "signatures", "manifests"), [*"oibsmvfxhr"]


def demand(holds: object, place: str, why: str) -> None:
    if not holds:
        raise ValueError(f"{place}: {why}")


def link(domain: str, kind: str, before: str, body: bytes) -> str:
    return hashlib.sha256(f"{domain}\n{kind}\n".encode() + bytes.fromhex(before) + body).hexdigest()


def dump(value: object, **how: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False, **how).encode() + b"\n"


def load(path: pathlib.Path, torn: bool = False, **how: Any) -> Any:
    """Of each line its place, its JSON and its bytes, which must be that JSON's; the last may be `torn`: left out."""
    with open(path, "rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(2**24), b""), 1):
            if torn and len(line) < 2**24 and not line.endswith(b"\n"):
                return
            try:
                demand(dump(value := json.loads(line), **how) == line, "", "")
            except (ValueError, RecursionError):
                raise ValueError(f"{path.name}: line {number}: not as a line is written") from None
            yield f"{path.name}: line {number}", value, line


def attributes_of_file(data: bytes) -> Table:  # getAttribute's: a name in one line, its value in the next
    text = data.decode("utf-8", "surrogateescape").replace("\0", "").replace("\r", "")
    found = dict(re.findall(r"(?m)^[ \t]*OBJ_ATTR_(\w+)[ \t]*\n([^\n]*)", text))
    number = {name: int(value, 16) for name, value in found.items() if re.fullmatch(r"\s*0[xX][0-9a-fA-F]+\s*", value)}
    kind, size = KINDS.get(number["KEY_TYPE"]), number.get("VALUE_LEN", 0)
    flags: Table = {"token": number.get("TOKEN") == 1, "extractable": number.get("EXTRACTABLE") == 1, "settable": False}
    flags |= {"class": number["CLASS"] == 4, "bits": size * 8 or (192 if kind == "DES3" else None), "type": kind}
    kcv = found.get("KCV", "").strip().lower().removeprefix("0x") or None
    return flags | {"label": found["LABEL"], "id": found["ID"], "kcv": kcv}


def attributes_of_json(key: Table) -> Any:  # of `key list --verbose`; None where some HSM lacks the key
    info, told = key["key-info"], key["attributes"]
    coverage = [info["cluster-coverage"], *(one["key-coverage"] for one in info["key-owners"] + info["shared-users"])]
    if {*coverage} != {"full"} or "inconsistent" in [value for name, value in told.items() if name != "label"]:
        return None
    text = bytes.fromhex(told["id"][2:]).decode("latin-1") if re.fullmatch("0x([0-9a-fA-F]{2})*", told["id"]) else "\0"
    named: Table = {name: told.get(name) for name in (*USAGES, "token", "extractable", "label")}
    named |= {"kcv": told.get("check-value", "").lower().removeprefix("0x") or None, "settable": True}
    named |= {"type": told["key-type"].upper().replace("-", "_").replace("3DES", "DES3")}
    named |= {"class": told["class"] == "secret-key", "bits": 8 * told.get("key-length-bytes", 0)}
    return named | {"id": text if text.isascii() and text.isprintable() else told["id"]}


class Run:
    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self.files, self.sessions, self.moved, self.states = folder, Table(), Table(), Table(), Table()
        self.extractable, self.removed, self.named, self.tools = Table(), Table(), Table(), Table()
        self.open, self.notes, self.earlier, self.rehearsal = list[str](), list[str](), list[str](), False
        self.run_id = self.plan = self.key = self.compared = self.migration = None
        self.kept, self.then, self.remade, self.resumed, self.acts = Table(), Table(), Table(), list[Any](), set[Any]()
        self.made, self.shown, self.ends, self.arrivals, self.skipped = Table(), Table(), Table(), Table(), set[Any]()
        for path in sorted(folder.rglob("*")):
            name, plain = str(path.relative_to(folder)), path.is_file()
            demand(not path.is_symlink() and (plain or (path.is_dir() and name in FOLDERS)), name, "no file of a run")
            if plain:
                with open(path, "rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                signed = name in [f"signatures/{role}-{digest[:16]}.sig" for role in ROLES]
                demand(signed or not name.startswith("signatures/"), name, "not as it was signed")
                self.files[name] = {"size": path.stat().st_size, "sha256": digest}
            if plain and name.startswith("manifests/"):
                [(_place, self.kept[name], _line)] = load(path, sort_keys=True)

    def verify(self) -> str | None:  # the run's head; None where the record was never completed
        written = self.files.pop("manifest.json", None) and load(self.folder / "manifest.json", sort_keys=True)
        [told] = [value for _place, value, _line in written or [("", None, b"")]]
        journal = self.read_journal(told)
        for name in self.sessions:
            self.read_session(name)
        moved = [(f"files/{name}", {*one.values()} - {name}) for name, one in self.moved.items()]
        for name, digests in [*self.named.items(), *moved]:
            there = (self.files.get(name) or self.removed.get(name) or {}).get("sha256")
            demand({there} == digests, name, "not the file that the journal names")
        if self.key and PEM in self.files:
            der = base64.b64decode(re.sub(rb"-----[A-Z ]+-----|\s", b"", (self.folder / PEM).read_bytes()))
            demand(hashlib.sha256(der).hexdigest() == self.key, PEM, "not the public key that was exported")
        self.judge_keys()
        files = {name: self.files[name] for name in self.files if not name.startswith("signatures/")}
        self.notes += [f"{name} is not checked here (docs/audit.md)" for name in self.files.keys() - files.keys()]
        self.notes += ["rehearsal: a tool was emulated, or `keyferry rehearse` started the run"] * self.rehearsal
        if told is None:
            mode, ends = (self.folder / "journal.jsonl").stat().st_mode, [one["end"] for one in self.sessions.values()]
            demand((mode & 0o222 or None in ends) and (self.kept or files == self.files), "manifest.json", "missing")
            for name in sorted(files.keys() - self.sessions.keys()):
                early = not name.endswith(".wrapped") or ("wrap", name.removeprefix("files/")) in self.acts
                early &= not name.startswith("sessions/") or (self.folder / name).read_bytes().count(b"\n") < 2
                demand(early, name, "the journal does not name it: its end was cut off")
            self.check_kept(journal)
            return self.open.append("there is no manifest.json")  # type: ignore[func-returns-value]  # it is None
        for name in sorted(files.keys() | told["files"].keys()):
            demand(files.get(name) == told["files"].get(name), name, "changed, gone or new (a .part is never of it)")
        self.check_kept(None)
        return self.sealed("manifest.json", told, self.story(journal), files)

    def story(self, journal: Table) -> Table:  # what the journal comes to, as a manifest has it
        story: Table = {"schema": "keyferry.manifest/2", "run_id": self.run_id, "plan": self.plan, "journal": journal}
        story |= {"sessions": [*map(dict, self.sessions.values())], "moved": [*map(dict, self.moved.values())]}
        return story | {"totals": self.plan and self.totals()}

    def sealed(self, name: str, told: Table, story: Table, files: Table) -> str:
        tools = sorted({self.tools[one["file"]] for one in story["sessions"]})
        ours = story | {"keyferry": told["keyferry"], "tools": [*map(dict, tools)], "files": files}
        head = link("keyferry-run/2", "manifest", story["journal"]["head"], dump(ours, sort_keys=True))
        demand(ours | {"head": head} == told, f"{name}: line 1", "not what the journal and the sessions come to")
        return head

    def check_kept(self, end: Any) -> None:  # each is of a state that the journal went on from, or that is its end
        ends = {(one["journal"]["count"], one["head"]) for one in self.kept.values() if one["journal"] != end}
        wrong = ends ^ {(count - 1, head) for count, head, _by in self.resumed if head}
        demand(not wrong, "manifests", f"not those that the journal names: {sorted(wrong)}")
        for name, told, last in [(name, told, told["journal"]["count"]) for name, told in self.kept.items()]:
            demand(name == f"manifests/{told['head'][:16]}.json" and name in self.then, name, "of no earlier state")
            self.earlier.append(self.sealed(name, told, self.then[name], told["files"]))
            since = ", ".join(dict.fromkeys(by for count, _head, by in self.resumed if count > last)) or "nothing"
            self.notes.append(f"intact; head {told['head']} is an earlier state, extended since by: {since}")
            for file, measure in told["files"].items():
                gone = measure if self.removed.get(file) == {"sha256": measure["sha256"]} else None
                free = (file, told["plan"]) == ("plan.json", None) or self.remade.get(file, 0) > last
                same = free or file == "journal.jsonl" or self.files.get(file, gone) == measure
                demand(same, file, f"not what {name} lists, or gone")

    def totals(self) -> Table:
        return {"planned": len(self.states)} | {state: [*self.states.values()].count(state) for state in STATES}

    def read_journal(self, told: Any) -> Table:
        now: Table = {"count": 0, "head": hashlib.sha256(b"keyferry-journal/2").hexdigest()}
        for place, entry, line in load(self.folder / "journal.jsonl", torn=told is None):
            demand(entry.get("seq") == now["count"] + 1, place, "not the line that was written here")
            demand(entry.get("prev") == now["head"], f"journal.jsonl: line {max(1, now['count'])}", "not as it was")
            now = {"count": now["count"] + 1, "head": hashlib.sha256(line).hexdigest()}
            self.take(entry, entry.get("key"), place)
            self.then |= {name: self.story(now) for name, kept in self.kept.items() if kept["journal"] == now}
        demand(told is None or told["journal"] == now, f"journal.jsonl: line {now['count']}", "not the last line")
        return now

    def take(self, line: Table, key: Any, place: str) -> None:  # what a line says, if it may say so behind the others
        blob, there, may = f"{key}.wrapped", self.moved.get(f"{key}.wrapped", {}), self.extractable.get(key)
        self.acts |= {line["act"], (line["act"], blob)} if line["kind"] == "intent" else set()
        made, by = line.get("act") in ("wrap", "fetch"), line.get("by") or line.get("steps") or "resume"
        self.remade |= {f"files/{line.get('file', blob)}": line["seq"]} if made else {}
        self.resumed += [(line["seq"], line.get("head"), by)] if line["kind"] == "resumed" else []
        self.skipped |= {key} if (line["kind"], line.get("order")) == ("resolve", "skip") else set()
        match line["kind"], line.get("act"):
            case "begin", _:
                self.run_id, self.migration, self.named["run.json"] = line["run_id"], line["order"], {line["about"]}
                self.rehearsal |= line.get("rehearsal") is True
            case "opened", _:
                self.sessions[line["file"]] = {"file": line["file"], "header": line["header"], "end": None}
            case (("closed" | "torn"), _):
                self.sessions[line["file"]].update(end=line["kind"], head=line["head"], count=line["count"])
            case (("described" | "key"), _):
                self.ends |= {key: (place, line)} if line["kind"] == "key" else {}
                self.states[key], self.extractable[key] = line["state"], line.get("extractable", may) is True
                demand(line["state"] != "verified" or ("unwrap", blob) in self.acts, place, f"key {key} never came")
            case "planned", _:
                self.plan, self.migration, self.named["plan.json"] = line["sha256"], line["sha256"], {line["sha256"]}
            case "end", _:
                left = "wrap" in self.acts and "planned" in self.states.values()
                left |= any(one["open"] for _place, one in self.ends.values()) or line["totals"] != self.totals()
                demand(not left, place, "the totals do not balance, or an outcome is open")
            case (("intent" | "done"), "wrap"):
                demand(self.compared and may, place, "not described as extractable, or compared")
                self.moved.pop(blob, None)
            case "done", "move" if isinstance(key, int):
                demand(there.get("source") == line["sha256"], place, f"not what was wrapped of key {key}")
            case (("intent" | "done"), "unwrap"):
                demand("destination" in there, place, f"no wrapped key {key} was moved")
                if line["kind"] == "done":
                    self.arrivals.setdefault(key, []).append((line["handle"], "adopted" in line))
            case ("done", "export" | "compare" as act) | ("intent", "import" as act):
                self.key, self.compared = line["sha256"] if act == "export" else self.key, act == "compare"
                places = line["places"].values() if act != "import" else [line["sha256"]]
                demand({*places} == {self.key}, place, "not the public key that was exported")
            case "done", "remove":
                self.removed[f"files/{line['file']}"] = {"sha256": line["sha256"]}
        if line["kind"] == "done" and "host" in line:
            before = {} if line["act"] in ("wrap", "fetch") else self.moved.get(line["file"], {})
            self.moved[line["file"]] = before | {"file": line["file"], line["host"]: line["sha256"]}

    def read_session(self, name: str) -> None:
        known, header, new, screen = self.sessions[name], Table(), list[str](), list[str]()
        head, count, complete, torn = "0" * 64, 0, False, known["end"] != "closed"
        asked, typed, files = "", "", Table()  # the last whole line, what was typed since, files that were read since
        for count, (place, value, line) in enumerate(load(self.folder / name, torn, ensure_ascii=False)):
            at, code, text = value if header else (0, "header", "")
            event = (code in CODES) == bool(header) and type(at) in (int, float) and type(text) is str
            demand(event and not complete, place, "no event, or behind the closing record")
            if code == "h":
                told, ours = text.removesuffix(" end"), " ".join([str(count - 1), head, *new])
                demand(told == ours, place, "not what was written since the chain record before it")
                complete, new = told != text, list[str]()
            head = link("keyferry-transcript/2", code, head, line[:-1])
            new += [head[:8]] if code != "h" else []
            if not header:
                header, self.menu = value, list[str]()
                self.rehearsal |= header.get("emulated") is True
                self.tools[name] = tuple((field, header[field]) for field in ("tool", "host", "path", "sha256"))
                demand((self.run_id, known["header"]) == (header["run_id"], head), place, "not the journal's session")
            for command in [text] if code == "i" else header["argv"][1:2] if code == "header" else []:
                self.typed(header["tool"], command.strip(), "".join(screen).strip(), place)
            if code == "i":
                if not typed:
                    self.answered(header["tool"], asked, "".join(screen), files)
                screen.clear()
                typed, files = typed + text, Table()
                asked, typed = (typed.strip(), "") if text.endswith("\r") else ("", typed)
            screen += [text] if code == "o" else []
            files |= [self.file_read(text, place)] if code == "f" else []
        self.answered(header.get("tool"), asked, "".join(screen), files)
        ends = {None: (None, None), "torn": (head, count), "closed": (head, count - 1 if complete else None)}
        demand(header and (known.get("head"), known.get("count")) == ends[known["end"]], name, "not the journal's end")
        self.open += [] if complete or known["end"] else [f"{name!a} was not completed"]

    @staticmethod
    def file_read(text: str, place: str) -> tuple[str, bytes]:
        try:
            file = json.loads(text)
            data = base64.b64decode(file["data"] or "", validate=True)
            demand(file["data"] is None or file["sha256"] in (None, hashlib.sha256(data).hexdigest()), "", "")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise ValueError(f"{place}: not as a file that was read is recorded") from None
        return file["name"], data

    def answered(self, tool: Any, line: str, text: str, files: Table) -> None:
        # made: handles by wrapped file; shown, by handle: None if some HSM lacks the key, {}, or its attributes
        after = dict(reversed([*zip(words := line.split(), words[1:], strict=False)]))  # a label may look like a flag
        try:
            if tool == "key_mgmt_util" and words:
                codes = re.findall(r"(?i)returned ?: ?0x([0-9a-f]+)|node id \d+\D*0x([0-9a-f]+)", text)
                good = any(node for _code, node in codes) and not any(int(code or node, 16) for code, node in codes)
                handles = {int(handle) for handle in re.findall(r"(?i)key unwrapped\.\s*key handle ?: ?(\d+)", text)}
                if words[0] == "unWrapKey" and len(handles) == 1:
                    self.made.setdefault(after["-f"], set()).update(handles)
                elif words[0] == "findSingleKey":
                    self.shown[int(after["-k"])] = {} if good else None
                elif words[0] == "getAttribute" and self.shown.get(int(after["-o"])) == {} and after["-out"] in files:
                    self.shown[int(after["-o"])] = attributes_of_file(files[after["-out"]])
            if tool == "cloudhsm-cli" and (found := re.search(r'\{\s*"error_code"\s*:\s*0\s*,', text)):
                data = json.JSONDecoder().raw_decode(text, found.start())[0]["data"]
                if line.startswith("key unwrap "):
                    self.made.setdefault(after["--data-path"], set()).add(int(data["key"]["key-reference"], 16))
                for key in data["matched_keys"] if line.startswith("key list ") else []:
                    if "key-info" in key and f"key-reference={key['key-reference']} " in line:
                        self.shown[int(key["key-reference"], 16)] = attributes_of_json(key)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return  # what is not understood shows nothing

    def outcome(self, key: int, handle: Any) -> bool | None:  # whether the recordings show it verified; None: not told
        one, there = self.planned[key], self.shown.get(handle)
        if not there or one["wanted"]["shared_users"] or one["wanted"]["quorum"] is not None:
            return None if there else False
        attributes, extractable = one["source"]["attributes"], one["wanted"]["extractable"]
        wanted = {"class": True, "token": True, "type": one["type"], "bits": one["bits"], "label": one["new_label"]}
        wanted["extractable"] = not self.selection["non_extractable"] if extractable is None else extractable
        usages = {name: attributes.get(f"CKA_{name.upper()}") for name in USAGES if there["settable"]}
        wanted |= {"id": one["id"] or ""} | {name: was == "01" for name, was in usages.items() if was is not None}
        values = {one["kcv"], there["kcv"]}
        equal = not self.selection["require_kcv"] if None in values else len(values) == 1
        return equal and all(there[name] == value for name, value in wanted.items())

    def judge_keys(self) -> None:  # each key's handle and outcome, derived from the recordings, against the journal
        plan: Any = json.loads((self.folder / "plan.json").read_bytes()) if self.plan else {"keys": [], "selection": {}}
        self.planned: Table = {one["source_handle"]: one for one in plan["keys"]}
        self.selection, verified = plan["selection"], set[Any]()
        for key, arrivals in self.arrivals.items():
            wrong = {handle for handle, adopted in arrivals if not adopted} - self.made.get(f"{key}.wrapped", set())
            demand(not wrong, "journal.jsonl", f"no recording shows that key {key} became {wrong}")
        for key, (place, line) in self.ends.items():
            demand(key in self.planned, place, f"key {key} is not in the plan")
            handle, kcv = [None, *(one for one, _adopted in self.arrivals.get(key, ()))][-1], self.planned[key]["kcv"]
            outcome, there, state = self.outcome(key, handle), self.shown.get(handle) or {"kcv": None}, line["state"]
            same = line["handle"] in {handle, handle if state == "verified" else None} and line["kcv"] == kcv
            demand(same, place, f"key {key} became {handle}, with the check value {kcv}")
            shown = outcome is not False and line["kcv_there"] == there["kcv"] and handle not in verified
            demand(shown or state != "verified", place, f"no recording shows key {key} verified like this")
            verified |= {handle} if state == "verified" else set()
            stopped = key in self.skipped or (line["open"] and line["code"] in (129, 130, 143))
            demand(outcome is not True or stopped or state == "verified", place, f"key {key} is verified, not {state}")

    def typed(self, tool: str, line: str, screen: str, place: str) -> None:
        known: Any = line.isdecimal() or (tool == "ckdemo" and not re.search(r"[\0-\x1f]", line))
        if not screen or tool in ("key_mgmt_util", "cloudhsm-cli"):
            known = bool(re.fullmatch(rf"((?:{COMMANDS[tool]})( [^\0-\x1f]*)?)?", line))
            known &= {("unwrap", file) for file in re.findall(r" (?:-f|--data-path) (\S+)", line)[:1]} <= self.acts
        elif tool == "ckdemo" and "Enter your choice" in screen.rpartition("\n")[2] and screen.endswith(":"):
            entry = rf"(?im)\(\s*(\d+)\)\s*(?:{COMMANDS[tool]})(?=\s\s|\s*\(\s*\d|\s*$)"
            self.menu = self.menu or re.findall(entry, screen)
            known = line in self.menu
        demand(known or not self.migration, place, f"{line!r} is no command of a migration, or was never meant")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent)
    parser.add_argument("--head", help="the run's head as it was noted elsewhere")
    asked = parser.parse_args()
    if asked.head is not None and not re.fullmatch("[0-9a-f]{64}", asked.head):
        parser.error(f"--head {asked.head!a}: a head is 64 lower-case hex digits; nothing was read")
    if not any(folders or files for _folder, folders, files in os.walk(asked.run)):
        parser.error(f"{str(asked.run)!a} holds no run: name the folder of one; nothing was read")
    if (info := asked.run / "run.json").is_file() and b'"schema":"keyferry.run-info/1"' in info.read_bytes():
        parser.error("made by Keyferry 0.1; verify it with the verify.py in its folder")
    try:
        head = (run := Run(asked.run)).verify()
        demand(asked.head in (None, head, *run.earlier), "manifest.json", f"the head is {head}, not the one given")
    except (ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        why = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else error
        print("WRONG:", ascii(str(why))[1:-1])
        raise SystemExit(6) from None
    print(f"run {run.run_id!a}: {'in' * bool(run.open)}complete and intact", *run.open, *run.notes, sep="\n")
    print(f"head: {head}" if asked.head else "unsigned: whoever can rewrite everything can forge everything")
    raise SystemExit(7 if run.open else 0)
