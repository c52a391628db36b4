"""The list of what a catalog holds: every raw file with rows, range, digest and origin, and named repairs.

`manifest.json` is written last and in one step, so a raw file counts from the moment it is listed and a
killed import leaves the catalog as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from catalog.errors import CatalogError, CatalogIOError
from catalog.files import sha256, write_atomically
from catalog.schema import Kind

FILE_NAME = "manifest.json"
FORMAT = 1

Key = tuple[Kind, str, int]


@dataclass(frozen=True, slots=True)
class Part:
    """One raw file: rows that were new when they were imported.

    `first_ns` and `last_ns` are the smallest and largest raw stamp; `source` is where the rows came from and
    `origin` what that file said of itself.
    """

    file: str
    kind: Kind
    instrument: str
    minutes: int
    rows: int
    first_ns: int
    last_ns: int
    sha256: str
    price_digits: int
    size_digits: int
    label: str
    source: str
    imported_at: str
    origin: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Which source the part belongs to."""
        return self.kind, self.instrument, self.minutes


@dataclass(frozen=True, slots=True)
class Repair:
    """A repair an operator chose for one source; readers apply it, the raw file stays as it came."""

    name: str
    kind: Kind
    instrument: str
    minutes: int
    recorded_at: str

    @property
    def key(self) -> Key:
        """Which source the repair applies to."""
        return self.kind, self.instrument, self.minutes


@dataclass(frozen=True, slots=True)
class Manifest:
    """Parts in a fixed order (kind, instrument, timeframe, time) and the repairs recorded."""

    parts: tuple[Part, ...] = ()
    repairs: tuple[Repair, ...] = ()

    def of(self, key: Key) -> tuple[Part, ...]:
        """Return the parts of one source."""
        return tuple(part for part in self.parts if part.key == key)

    def repairs_of(self, key: Key) -> tuple[str, ...]:
        """Return the names of the repairs of one source, in name order."""
        return tuple(sorted({repair.name for repair in self.repairs if repair.key == key}))

    def with_part(self, part: Part) -> Manifest:
        """Return the manifest with one more part (the same file is replaced)."""
        kept = [p for p in self.parts if p.file != part.file]
        return replace(self, parts=tuple(sorted([*kept, part], key=_order)))

    def without_files(self, files: Iterable[str]) -> Manifest:
        """Return the manifest without the named files."""
        gone = set(files)
        return replace(self, parts=tuple(part for part in self.parts if part.file not in gone))

    def with_repair(self, repair: Repair) -> Manifest:
        """Return the manifest with a repair; a repeated one changes nothing."""
        if any((r.name, r.key) == (repair.name, repair.key) for r in self.repairs):
            return self
        return replace(self, repairs=(*self.repairs, repair))

    def fingerprint(self, instruments: Iterable[str]) -> str:
        """Return a sha256 over the data (digests and repairs) of the named instruments.

        Times of import and file names of origin do not enter: the same rows give the same fingerprint.
        """
        wanted = set(instruments)
        rows = [
            ["part", p.kind, p.instrument, p.minutes, p.label, p.sha256]
            for p in self.parts
            if p.instrument in wanted
        ]
        rows += [
            ["repair", r.kind, r.instrument, r.minutes, r.name]
            for r in self.repairs
            if r.instrument in wanted
        ]
        return sha256(json.dumps(sorted(rows, key=str)).encode())

    def save(self, folder: Path) -> None:
        """Write `manifest.json` in one step."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "parts": [asdict(part) for part in self.parts],
            "repairs": [asdict(repair) for repair in self.repairs],
        }
        write_atomically(folder / FILE_NAME, (json.dumps(content, indent=1) + "\n").encode())

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read `manifest.json`.

        Raises
        ------
        CatalogError
            If there is no catalog here, or the manifest is damaged or of another format.
        """
        path = folder / FILE_NAME
        try:
            content = json.loads(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise CatalogError(
                f"there is no catalog at {folder}",
                expected=f"a folder with {FILE_NAME}",
                remedy=f"crupto catalog import PATH --catalog {folder}, or `sample` for `import PATH`",
            ) from None
        except OSError as error:
            raise CatalogIOError(f"cannot read {path}", found=str(error)) from error
        except ValueError as error:
            raise _damaged(path, str(error)) from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            found = content.get("format") if isinstance(content, dict) else type(content).__name__
            raise _damaged(path, f"format {found!r}")
        try:
            parts = [Part(**{**entry, "kind": Kind(entry["kind"])}) for entry in content["parts"]]
            repairs = [Repair(**{**entry, "kind": Kind(entry["kind"])}) for entry in content["repairs"]]
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path, str(error)) from error
        return cls(tuple(sorted(parts, key=_order)), tuple(repairs))


def _order(part: Part) -> tuple[str, str, int, int, str]:
    return part.kind, part.instrument, part.minutes, part.first_ns, part.file


def _damaged(path: Path, found: str) -> CatalogError:
    return CatalogError(
        f"{path} is damaged",
        found=found,
        expected=f"a manifest of format {FORMAT}",
        remedy="move the catalog away and import its sources again",
    )
