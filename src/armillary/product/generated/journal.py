"""Journal: a hidden folder beside the products that says how far a run has come, so that it can go on after a kill."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from armillary.errors import OutputRefused
from armillary.product.generated.store import Folder
from armillary.product.staging import differences, write_aside


@dataclass(frozen=True)
class Journal:
    """A folder of arrays with what decided them and how far they are filled.

    Args:
        folder: where.
    """

    folder: Path

    @property
    def store(self) -> Folder:
        """Its arrays."""
        return Folder(self.folder)

    @property
    def config(self) -> dict[str, object] | None:
        """What decided the arrays, None where there is no interrupted run."""
        return self._json("config.json")

    @property
    def taken(self) -> bool:
        """Whether everything that is given has been read."""
        return bool((self._json("journal.json") or {}).get("taken"))

    @property
    def groups(self) -> int:
        """How many groups of samples are finished."""
        return int(str((self._json("journal.json") or {}).get("groups", 0)))

    def begin(self, config: dict[str, object]) -> None:
        """An empty folder that remembers its configuration."""
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.folder.mkdir(parents=True)
        except OSError as cause:
            raise OutputRefused(
                f"{self.folder.parent} cannot be written ({cause.strerror}); choose another -o"
            ) from cause
        write_aside(self.folder / "config.json", json.dumps(config, indent=1))

    @property
    def state(self) -> dict[str, Tensor] | None:
        """The state of the group that was begun, where one was kept.

        Raises:
            OutputRefused: it is damaged.
        """
        name = (self._json("journal.json") or {}).get("state")
        if name is None:
            return None
        try:
            return load_file(self.folder / str(name))
        except (OSError, SafetensorError) as cause:
            raise self._damaged(str(name)) from cause

    def record(self, groups: int, state: Mapping[str, Tensor] | None = None) -> None:
        """What is given has been read, so many groups of samples are finished, and the next one has come so far."""
        before = (self._json("journal.json") or {}).get("state")
        name = None if state is None else f"state-{groups}-{int(state['next'][-1])}.safetensors"
        if state is not None:
            aside = self.folder / f".{name}"
            save_file(dict(state), aside)
            aside.replace(self.folder / str(name))
        write_aside(self.folder / "journal.json", json.dumps({"taken": True, "groups": groups, "state": name}))
        if before not in (None, name):
            (self.folder / str(before)).unlink(missing_ok=True)

    def open(self, config: dict[str, object], *, resume: bool, overwrite: bool) -> None:
        """Go on with the interrupted run that is here, or begin one.

        Raises:
            OutputRefused: another run was interrupted here, or nobody said what to do about this one.
        """
        kept = self.config
        if kept is None or overwrite:
            self.begin(config)
            return
        where, unlike = self.folder.parent, differences(kept, json.loads(json.dumps(config)))
        if unlike:
            raise OutputRefused(f"the interrupted run in {where} is another one ({unlike}); --overwrite begins again")
        if not resume:
            raise OutputRefused(f"{where} holds an interrupted run; --resume goes on, --overwrite begins again")

    def _json(self, name: str) -> dict[str, object] | None:
        path = self.folder / name
        if not path.exists():
            return None
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            kept = None
        if not isinstance(kept, dict):
            raise self._damaged(name)
        return kept

    def _damaged(self, name: str) -> OutputRefused:
        return OutputRefused(
            f"{name} of the interrupted run in {self.folder.parent} is damaged; --overwrite begins again"
        )
